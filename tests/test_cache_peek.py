"""Peeking: what this process has, now, without awaiting anything."""

from __future__ import annotations

from typing import Any

import pytest

from asynccache import (
    MISSING,
    ArgumentTypeError,
    Cache,
    InvalidArgument,
    ManualClock,
    Policy,
    Region,
)
from tests.support.caches import Caches, heard


async def test_what_is_here_is_returned(cache: Cache) -> None:
    """Values that are kept as they are, and those that are kept encoded; None is a value."""
    await cache.set_many({"text": "v", "record": {"a": [1]}, "none": None})
    record: Any = cache.peek("record")
    record["a"].append(2)

    assert cache.peek("text") == "v"
    assert cache.peek("record") == {"a": [1]}
    assert cache.peek("none", "default") is None
    assert cache.statistics().l1_hits == 4


async def test_what_is_not_here_is_the_default(cache: Cache, clock: ManualClock) -> None:
    """Missing, expired, deleted or cleared."""
    assert cache.peek("k") is MISSING
    await cache.set("k", "v", ttl=5)
    clock.advance(5)
    assert cache.peek("k", "default") == "default"
    await cache.set("k", "v")
    await cache.delete("k")
    assert cache.peek("k", None) is None
    await cache.set("k", "v")
    await cache.clear()
    assert cache.peek("k", None) is None

    assert cache.statistics().requests == 0


@pytest.mark.parametrize(
    ("key", "error"), [(7, ArgumentTypeError), ([], ArgumentTypeError), ("", InvalidArgument)]
)
async def test_a_bad_key_is_named(cache: Cache, key: Any, error: type[InvalidArgument]) -> None:
    """As everywhere else."""
    with pytest.raises(error) as caught:
        cache.peek(key)

    assert caught.value.argument == "key"


async def test_a_large_cache_that_was_cleared_has_nothing(clock: ManualClock) -> None:
    """Although it is freed bit by bit: no read of any kind finds what was cleared."""
    async with Cache("memory://", clock=clock) as cache:
        keys = [f"k{number}" for number in range(5_000)]
        await cache.set_many(dict.fromkeys(keys, "old"))
        await cache.set_many({"a": {"old": 1}, "b": {"old": 2}})
        assert (await cache.clear()).affected == 5_002

        async def load() -> str:
            return "new"

        assert [cache.peek(key, None) for key in (*keys, "a", "b")] == [None] * 5_002
        assert await cache.get("k4999") is MISSING
        assert await cache.get_or_load("k4999", load) == "new"
        assert await cache.get_or_load("a", load) == "new"
        assert cache.statistics().l1_entries == 2


async def test_a_cache_of_any_size_is_read_alike() -> None:
    """Above a quarter of a million entries it is divided."""
    async with Cache("memory://", max_entries=300_000) as cache:
        await cache.set_many({f"k{number}": number for number in range(100)})

        assert [cache.peek(f"k{number}") for number in range(100)] == list(range(100))
        assert await cache.get("k7") == 7
        assert await cache.get_many(["k8", "none"]) == {"k8": 8}
        assert (await cache.delete("k7")).affected == 1
        assert cache.peek("k7", None) is None
        assert (await cache.clear()).affected == 99
        assert cache.peek("k8", None) is None
        assert "ShardedEngine" in repr(cache._runtime and cache._runtime.first.engine)


async def test_a_region_peeks_by_its_ids(cache: Cache) -> None:
    """And never loads."""
    region: Region[int, int] = cache.region("n", int)
    await region.set(7, 70)

    assert region.peek(7) == 70
    assert region.peek(8) is None


@pytest.mark.integration
async def test_redis_is_not_asked(redis_url: str) -> None:
    """What only Redis has is not here; what was invalidated elsewhere is gone when it is heard."""
    async with Caches() as caches:
        writing, reading = [await caches.start(redis_url, max_staleness=60) for _ in range(2)]
        await writing.set("k", "v")
        await heard(reading, 1)
        assert reading.peek("k", None) is None
        assert await reading.get("k", policy=Policy()) == "v"
        assert reading.peek("k") == "v"
        await writing.delete("k")
        await heard(reading, 2)

        assert reading.peek("k", None) is None


async def test_what_is_known_of_it_is_returned_too(cache: Cache, clock: ManualClock) -> None:
    """Its age and level; past its ttl only if that is asked for, and only within its grace."""
    await cache.set("key", ["value"], policy=Policy(ttl=10, grace=20))
    clock.advance(4)
    fresh = cache.peek_result("key")
    assert fresh is not None
    assert (fresh.value, fresh.level, fresh.stale, fresh.age) == (["value"], "L1", False, 4)

    clock.advance(10)
    assert cache.peek_result("key") is None
    stale = cache.peek_result("key", stale=True)
    assert stale is not None
    assert (stale.value, stale.stale, stale.age) == (["value"], True, 14)
    clock.advance(20)
    assert cache.peek_result("key", stale=True) is None
    assert cache.peek_result("nothing", stale=True) is None


async def test_results_are_not_peeked_at_before_the_start() -> None:
    """There are none, and asking is no error; a bad key is."""
    cache = Cache()
    assert cache.peek_result("key") is None
    async with cache:
        with pytest.raises(InvalidArgument, match="key"):
            cache.peek_result("")
