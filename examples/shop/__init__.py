"""A small shop on FastAPI and SQLite that asynccache makes fast.

Read `caching.py` first: it is all that the cache adds to the application.
"""
