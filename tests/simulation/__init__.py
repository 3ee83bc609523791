"""Deterministic simulation: whole caches on an event loop whose time is only a number."""
