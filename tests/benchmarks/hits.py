"""The candidates: an awaited hit in memory, through ours and through other caches."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import repeat
from typing import Any

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


def asynccache_gets(cache: Cache) -> Burst:
    """Return the burst of ``await cache.get(key)``."""

    async def gets(calls: int) -> None:
        await cache.get_or_load("key", load_scalar)
        for _ in repeat(None, calls):
            await cache.get("key")

    return gets


def asynccache_peeks(cache: Cache) -> Burst:
    """Return the burst of ``cache.peek(key)``, which awaits nothing."""

    async def peeks(calls: int) -> None:
        await cache.get_or_load("key", load_scalar)
        for _ in repeat(None, calls):
            cache.peek("key")

    return peeks


def other_caches() -> dict[str, Burst | None]:
    """Return the bursts of other caches, each with the settings it comes with.

    None: it is not installed.
    """
    return {
        "cachebox, LRUCache in an async def": _in_coroutine("cachebox", "LRUCache", (10_000,)),
        "cachebox, TTLCache in an async def": _in_coroutine("cachebox", "TTLCache", (10_000, 300)),
        "moka-py in an async def": _moka(),
        "theine in an async def": _theine(),
        "cachetools, TTLCache in an async def": _in_coroutine(
            "cachetools", "TTLCache", (10_000, 300)
        ),
        "async-lru, alru_cache": _async_lru(),
        "cashews, get_or_set": _cashews(),
        "aiocache, get": _aiocache(),
    }


def _in_coroutine(package: str, kind: str, arguments: tuple[int, ...]) -> Burst | None:
    """Return the burst of a coroutine around a cache that is read like a dict."""
    try:
        module = importlib.import_module(package)
    except ImportError:
        return None
    table: Any = getattr(module, kind)(*arguments)
    table["key"] = "value"

    async def get(key: str) -> Any:
        return table.get(key)

    async def hits(calls: int) -> None:
        for _ in repeat(None, calls):
            await get("key")

    return hits


def _moka() -> Burst | None:
    try:
        from moka_py import Moka  # noqa: PLC0415  # every one of them is optional
    except ImportError:
        return None
    moka: Any = Moka(10_000, ttl=300)
    moka.set("key", "value")

    async def get(key: str) -> Any:
        return moka.get(key)

    async def hits(calls: int) -> None:
        for _ in repeat(None, calls):
            await get("key")

    return hits


def _theine() -> Burst | None:
    try:
        from theine import Cache as Theine  # noqa: PLC0415
    except ImportError:
        return None
    cache: Any = Theine(10_000)
    cache.set("key", "value", ttl=timedelta(seconds=300))

    async def get(key: str) -> Any:
        return cache.get(key)

    async def hits(calls: int) -> None:
        for _ in repeat(None, calls):
            await get("key")

    return hits


def _async_lru() -> Burst | None:
    try:
        from async_lru import alru_cache  # noqa: PLC0415
    except ImportError:
        return None

    @alru_cache(maxsize=10_000, ttl=300)
    async def lru(key: str) -> str:
        return key

    async def hits(calls: int) -> None:
        for _ in repeat(None, calls):
            await lru("key")

    return hits


def _cashews() -> Burst | None:
    try:
        import cashews  # noqa: PLC0415
    except ImportError:
        return None
    mem = cashews.Cache()
    mem.setup("mem://")

    async def hits(calls: int) -> None:
        for _ in repeat(None, calls):
            await mem.get_or_set("key", load_scalar, expire=300)

    return hits


def _aiocache() -> Burst | None:
    try:
        import aiocache  # type: ignore[import-untyped]  # noqa: PLC0415  # it has no py.typed
    except ImportError:
        return None
    aio = aiocache.Cache(aiocache.Cache.MEMORY)

    async def hits(calls: int) -> None:
        await aio.set("key", "value", ttl=300)  # it has no get_or_load: this is its cheapest hit
        for _ in repeat(None, calls):
            await aio.get("key")

    return hits
