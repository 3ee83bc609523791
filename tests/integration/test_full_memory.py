"""A Redis that has no memory left: it still reads, deletes and tells, and so does the cache."""

from __future__ import annotations

import asyncio

import pytest

from asynccache import MISSING, Unavailable
from tests.support.caches import Caches, Source, heard
from tests.support.redis_server import RedisServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration

KEY = "k"


async def test_values_are_loaded_and_kept_in_the_process(
    own_redis: RedisServer, caches: Caches
) -> None:
    """Nobody waits for a lease that nobody can have; afterwards all is as before."""
    cache, other = [await caches.start(own_redis.url) for _ in range(2)]
    source = Source("value")
    own_redis.command("CONFIG", "SET", "maxmemory", "1")

    async with asyncio.timeout(1):
        for n in range(20):
            for _ in range(3):
                assert await cache.get_or_load(f"k{n}", source.load) == "value"
    assert source.loads == 20
    assert cache.statistics().l1_hits == 40
    assert cache.statistics().breaker == "closed"
    assert await other.get("k0") is MISSING

    own_redis.command("CONFIG", "SET", "maxmemory", "0")
    assert await cache.get_or_load("after", source.load) == "value"
    assert await other.get("after") == "value"


async def test_deletes_work_and_are_heard(own_redis: RedisServer, caches: Caches) -> None:
    """Their messages keep their numbers: nobody takes them for a gap."""
    cache, other = [await caches.start(own_redis.url, max_staleness=0.4) for _ in range(2)]
    await cache.set_many({"a": 1, "b": 2, "c": 3})
    await heard(other, 1)
    assert await other.get_many(["a", "b", "c"]) == {"a": 1, "b": 2, "c": 3}
    gaps = other.statistics().gaps
    own_redis.command("CONFIG", "SET", "maxmemory", "1")

    assert (await cache.delete("a")).acknowledged
    assert (await cache.invalidate_pattern("b*")).acknowledged
    await heard(other, 3)
    await asyncio.sleep(0.3)

    assert await other.get_many(["a", "b", "c"]) == {"c": 3}
    assert other.statistics().gaps == gaps
    assert other.statistics().bus == "open"


async def test_writes_are_not_acknowledged(own_redis: RedisServer, caches: Caches) -> None:
    """The value that could not be replaced is removed; what needs an answer gets an error."""
    cache, other = [await caches.start(own_redis.url) for _ in range(2)]
    await cache.set(KEY, "old")
    await heard(other, 1)
    assert await other.get(KEY) == "old"
    own_redis.command("CONFIG", "SET", "maxmemory", "1")

    assert not (await cache.set(KEY, "new")).acknowledged
    with pytest.raises(Unavailable):
        await cache.incr("n")
    with pytest.raises(Unavailable):
        await cache.add("first", 1)
    await until(lambda: cache.statistics().journal == 0)
    await heard(other, 2)

    assert await other.get(KEY) is MISSING
    assert await cache.get(KEY) is MISSING


async def test_a_refresh_removes_what_it_cannot_replace(
    own_redis: RedisServer, caches: Caches
) -> None:
    """Its value is newer than the record, which must not be read again when L1 forgets."""
    cache, other = [await caches.start(own_redis.url) for _ in range(2)]
    await cache.set(KEY, "old")
    await heard(other, 1)
    assert await other.get(KEY) == "old"
    own_redis.command("CONFIG", "SET", "maxmemory", "1")

    assert await cache.refresh(KEY, Source("new").load) == "new"
    await heard(other, 2)

    assert await other.get(KEY) is MISSING
    await until(lambda: cache.statistics().journal == 0)
    assert await cache.get_or_load(KEY, Source("new").load) == "new"
