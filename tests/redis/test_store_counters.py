"""Counters in Redis: exact to 64 bits, made of stored numbers, and never of anything else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import fakeredis
import pytest

from asynccache import Cache, InvalidArgument, Policy
from asynccache.core.record import NO_TOKEN, counter_prefix
from asynccache.levels.store import Raw
from tests.support.stores import BACKENDS, Bench, item, open_bench

pytestmark = pytest.mark.integration

MINUTE = 60_000
PREFIX = counter_prefix(NO_TOKEN, NO_TOKEN)
MOST, LEAST = 2**63 - 1, -(2**63)


@pytest.fixture(params=BACKENDS)
async def bench(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Bench]:
    """Open a store on each backend."""
    async with open_bench(request.param, redis_url) as opened:
        yield opened


@pytest.fixture(params=["redis", "fakeredis"])
async def cache(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Cache]:
    """Start a cache on a server, and one on fakeredis."""
    fake = fakeredis.FakeAsyncRedis() if request.param == "fakeredis" else None
    async with Cache(redis=fake) if fake is not None else Cache(redis_url) as running:
        yield running


async def test_a_counter_is_made_and_keeps_its_lifetime(bench: Bench) -> None:
    """The lifetime is for a new counter; one that is there keeps its own."""
    assert await bench.store.increment("n", 5, MINUTE, PREFIX) == 5
    assert await bench.store.increment("n", -7, 100 * MINUTE, PREFIX) == -2
    assert 0 < await bench.pttl("n") <= MINUTE

    assert await bench.store.increment("lasting", 1, 0, PREFIX) == 1
    assert await bench.store.increment("lasting", 1, MINUTE, PREFIX) == 2
    assert await bench.pttl("lasting") == -1
    assert await bench.texts() == [("n",), ("n",), ("lasting",), ("lasting",)]


async def test_counters_are_exact_to_64_bits(bench: Bench) -> None:
    """Lua's own numbers have 53 bits: no count passes through one."""
    assert await bench.store.increment("n", MOST - 1, 0, PREFIX) == MOST - 1
    assert await bench.store.increment("n", 1, 0, PREFIX) == MOST
    assert await bench.store.increment("m", LEAST, 0, PREFIX) == LEAST

    with pytest.raises(OverflowError):
        await bench.store.increment("n", 1, 0, PREFIX)
    with pytest.raises(OverflowError):
        await bench.store.increment("m", -1, 0, PREFIX)

    assert (await bench.record("n"), await bench.record("m")) == (
        PREFIX + b"%d" % MOST,
        PREFIX + b"%d" % LEAST,
    )


async def test_what_is_no_counter_is_handed_back(bench: Bench) -> None:
    """A record, or garbage, comes back as it is, unchanged."""
    record = item("record", grace=60)
    await bench.store.put({"record": record})
    await bench.redis("SET", bench.keys.record("garbage"), b"\xff\x00garbage")

    answer = await bench.store.increment("record", 1, 0, PREFIX)
    garbage = await bench.store.increment("garbage", 1, 0, PREFIX)

    assert isinstance(answer, Raw)
    assert answer.value == record.record == await bench.record("record")
    assert garbage == Raw(b"\xff\x00garbage", -1)


async def test_a_stored_number_becomes_a_counter(cache: Cache) -> None:
    """What was set can be counted on, and keeps the rest of its lifetime, without its grace."""
    policy = Policy(ttl=0.5, grace=60)
    await cache.set("n", 41, policy=policy)

    assert await cache.incr("n", policy=policy) == 42
    assert await cache.incr("n", -2, ttl=600) == 40
    assert await cache.get("n") == 40
    await asyncio.sleep(0.6)
    assert await cache.get("n", None) is None
    assert await cache.incr("n", 5) == 5


@pytest.mark.parametrize("value", [True, None, "1", 1.0, [1], b"1", {"n": 1}])
async def test_what_is_not_a_number_cannot_be_counted(cache: Cache, value: object) -> None:
    """The error names the key and the value's type, and the value stays."""
    await cache.set("k", value)

    with pytest.raises(InvalidArgument, match=f"'k'.*{type(value).__qualname__}"):
        await cache.incr("k")

    assert await cache.get("k") == value


@pytest.mark.parametrize(
    ("start", "amount"), [(MOST, 1), (LEAST, -1), (2**63, 1), (2**64 - 1, -1), (1, MOST)]
)
async def test_a_count_cannot_leave_64_bits(cache: Cache, start: int, amount: int) -> None:
    """Neither from a counter nor from a stored number that Redis cannot count; nothing changes."""
    await cache.set("n", start)

    with pytest.raises(InvalidArgument, match="64 bits"):
        await cache.incr("n", amount)

    assert await cache.get("n") == start


async def test_a_stale_or_damaged_value_does_not_stop_a_counter(cache: Cache) -> None:
    """A value in its grace is no value, and damage is none either: it counts from zero."""
    await cache.set("stale", 7, policy=Policy(ttl=60, grace=60))
    await cache.expire("stale")

    assert await cache.incr("stale", 3) == 3
    assert await cache.incr("stale", 3) == 6


async def test_concurrent_counts_are_all_counted(cache: Cache) -> None:
    """A number that is turned into a counter by many at once loses none of their amounts."""
    await cache.set("n", 100)

    counts = await asyncio.gather(*(cache.incr("n") for _ in range(50)))

    assert sorted(counts) == list(range(101, 151))
