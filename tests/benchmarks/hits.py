"""The candidates: an awaited hit in memory, through ours and through other caches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import repeat
from typing import Any

import aiocache  # type: ignore[import-untyped]  # it has no py.typed
import cashews
from async_lru import alru_cache

from asynccache import Cache
from tests.benchmarks.timing import Burst

RECORD = {"id": 42, "name": "Lamp", "price_cents": 1999, "stock": 7, "active": True}


async def load_scalar() -> str:
    """Load a value that cannot be changed."""
    return "value"


async def load_record() -> dict[str, Any]:
    """Load a value that can be changed."""
    return RECORD


async def bare(calls: int) -> None:
    """Await a coroutine that does nothing but ``dict.get``."""
    table = {"key": "value"}

    async def get(key: str) -> str | None:
        return table.get(key)

    for _ in repeat(None, calls):
        await get("key")


def asynccache_hits(cache: Cache, load: Callable[[], Awaitable[object]]) -> Burst:
    """Return the burst of ``await cache.get_or_load(key, load)``."""

    async def hits(calls: int) -> None:
        for _ in repeat(None, calls):
            await cache.get_or_load("key", load)

    return hits


def decoding(cache: Cache) -> Burst:
    """Return the burst of what a hit on an isolated record cannot do without."""
    payload = cache.codec.encode(RECORD)

    async def decode(calls: int) -> None:
        for _ in repeat(None, calls):
            cache.codec.decode(payload)

    return decode


def other_caches() -> dict[str, Burst]:
    """Return the bursts of other caches, each with the settings it comes with."""
    mem = cashews.Cache()
    mem.setup("mem://")
    aio = aiocache.Cache(aiocache.Cache.MEMORY)

    @alru_cache(maxsize=10_000, ttl=300)
    async def lru(key: str) -> str:
        return key

    async def async_lru_hits(calls: int) -> None:
        for _ in repeat(None, calls):
            await lru("key")

    async def aiocache_hits(calls: int) -> None:
        await aio.set("key", "value", ttl=300)  # it has no get_or_load: this is its cheapest hit
        for _ in repeat(None, calls):
            await aio.get("key")

    async def cashews_hits(calls: int) -> None:
        for _ in repeat(None, calls):
            await mem.get_or_set("key", load_scalar, expire=300)

    return {
        "async-lru, alru_cache": async_lru_hits,
        "aiocache, get": aiocache_hits,
        "cashews, get_or_set": cashews_hits,
    }
