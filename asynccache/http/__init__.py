"""Output caching: an ASGI middleware that stores responses, and what goes with it."""

from __future__ import annotations

from asynccache.http.cache import OutputCache
from asynccache.http.context import OutputCacheContext, get_output_cache
from asynccache.http.decorator import output_cache
from asynccache.http.middleware import OutputCacheMiddleware
from asynccache.http.policy import OutputPolicy
from asynccache.http.stored import StoredResponse

__all__ = [
    "OutputCache",
    "OutputCacheContext",
    "OutputCacheMiddleware",
    "OutputPolicy",
    "StoredResponse",
    "get_output_cache",
    "output_cache",
]
