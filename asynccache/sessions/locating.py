"""Where sessions are kept, as an application says it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

from asynccache.cache import Cache
from asynccache.core.arguments import checked_key, wrong_type
from asynccache.errors import InvalidArgument
from asynccache.lifecycle import MEMORY_URL
from asynccache.redis.settings import RedisSettings
from asynccache.sessions.memory_store import MemorySessionStore
from asynccache.sessions.redis_store import RedisSessionStore
from asynccache.sessions.store import SessionStore

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

RedisPlace: TypeAlias = "str | RedisSettings | Redis | RedisCluster"

_of_caches: WeakKeyDictionary[Cache, MemorySessionStore] = WeakKeyDictionary()


def find_store(
    redis: RedisPlace | None,
    cache: Cache | None,
    store: SessionStore | None,
    prefix: str,
    io_timeout: float,
) -> SessionStore:
    """Return a store.

    Args:
        redis: A URL, settings, or a client whose settings are taken.
        cache: Where it is, sessions are kept too, over a connection of their own.
        store: The store itself.
        prefix: Of all keys in Redis.
        io_timeout: Seconds that Redis may take.

    Raises:
        InvalidArgument: There is more or less than one place.
    """
    given = [each for each in (redis, cache, store) if each is not None]
    if len(given) != 1:
        raise InvalidArgument("redis", "give one of redis, cache and store")
    if store is not None:
        return store
    checked_key(prefix, "prefix")
    settings: RedisSettings | None
    if cache is not None:
        if not isinstance(cache, Cache):
            raise wrong_type("cache", cache, "a Cache")
        settings = cache.redis_settings
        # Users of two applications may be called alike.
        prefix = f"{prefix}:{cache.namespace}"
        if settings is None:
            return _of_caches.setdefault(cache, MemorySessionStore(cache.clock))
    elif isinstance(redis, RedisSettings):
        settings = redis
    elif isinstance(redis, str):
        if redis == MEMORY_URL:
            return MemorySessionStore()
        settings = RedisSettings.from_url(redis)
    else:
        assert redis is not None  # noqa: S101  # said above
        settings = RedisSettings.from_client(redis)
    return RedisSessionStore(patient(settings, io_timeout), prefix)


def patient(settings: RedisSettings, io_timeout: float) -> RedisSettings:
    """Return settings that wait as long as a session may: it has no loader to fall back on."""
    return replace(
        settings,
        op_timeout=io_timeout,
        connect_timeout=io_timeout,
        on_failover="trust",
        tracking=False,
        client_name=settings.client_name and f"{settings.client_name}-sessions",
    )
