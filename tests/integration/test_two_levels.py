"""Two levels on a real server: values keep their types, lifetimes their length, loads their number.

Two caches stand for two processes; what one has stored the other has only from Redis.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import NamedTuple
from uuid import UUID

import pytest

from asynccache import MISSING, Cache, Policy
from asynccache.core.keys import KeySpace
from asynccache.levels.store import Raw
from tests.support.caches import Caches, Source, heard, store_of

pytestmark = pytest.mark.integration

KEY = "k"


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Frozen:
    name: str
    tags: tuple[str, ...]


@dataclass
class Changing:
    items: list[int]


class Point(NamedTuple):
    x: int
    y: float


VALUES = [
    None,
    True,
    False,
    0,
    -(2**63),
    2**64 - 1,
    1.5,
    float("inf"),
    "",
    "ünïcode ☃",
    b"",
    b"\xc1\x00bytes",
    [],
    [1, [2, None]],
    {},
    {"a": {"b": [1]}, 2: "int key"},
    (1, ("nested", None)),
    {1, 2},
    frozenset({"a"}),
    datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC),
    date(2026, 1, 2),
    timedelta(days=-1, microseconds=1),
    Decimal("1.10"),
    UUID(int=7),
    Colour.RED,
    Frozen("a", ("b",)),
    Changing([1, 2]),
    Point(1, 2.5),
    "x" * 1_000_000,
]


async def two(caches: Caches, url: str, **options: object) -> tuple[Cache, Cache]:
    """Start two caches that know the types of `VALUES`."""
    started = [await caches.start(url, **options) for _ in range(2)]  # type: ignore[arg-type]
    for cache in started:
        for type_ in (Colour, Frozen, Changing, Point):
            cache.codec.register_hint(type_)
    return started[0], started[1]


# Values.


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:24])
@pytest.mark.parametrize("how", ["loaded", "set"])
async def test_values_come_back_as_they_were(
    caches: Caches, redis_url: str, value: object, how: str
) -> None:
    """From this process, from Redis, and from the other process: equal, and of the same type."""
    here, there = await two(caches, redis_url)
    source = Source(value)
    if how == "set":
        await here.set(KEY, value)
    answers = [
        await here.get_or_load(KEY, source.load),
        await here.get_or_load(KEY, source.load),
        await there.get_or_load(KEY, source.load),
        await there.get(KEY),
        (await there.get_many([KEY]))[KEY],
    ]

    assert answers == [value] * len(answers)
    assert {type(answer) for answer in answers} == {type(value)}
    assert source.loads == (how == "loaded")
    assert here.statistics().l1_hits == (1 if how == "loaded" else 2)
    assert (there.statistics().l2_hits, there.statistics().l1_hits) == (1, 2)


async def test_nobody_can_change_what_another_gets(caches: Caches, redis_url: str) -> None:
    """Not by changing what was loaded, nor what came from Redis, nor what came from L1."""
    here, there = await two(caches, redis_url)
    loaded = [1]

    async def load() -> list[int]:
        return loaded

    for cache in (here, there):
        for _ in range(3):
            got = await cache.get_or_load(KEY, load)
            assert got == [1]
            got.append(2)
        loaded.append(3)


async def test_many_keys_at_once(caches: Caches, redis_url: str) -> None:
    """Of a thousand keys those that are missing are loaded in one call, and stored one by one."""
    here, there = await two(caches, redis_url)
    await here.set_many({f"k{n}": n for n in range(0, 1_000, 2)})
    calls: list[list[str]] = []

    async def load_missing(keys: list[str]) -> dict[str, object]:
        calls.append(keys)
        return {key: int(key[1:]) for key in keys if key != "k999"}

    keys = [f"k{n}" for n in range(1_000)]
    loaded = await there.get_or_load_many(keys, load_missing)

    assert loaded == {f"k{n}": n for n in range(999)}
    assert list(loaded) == keys[:-1]
    (missing,) = calls
    assert set(missing) == {f"k{n}" for n in range(1, 1_000, 2)}
    third = await caches.start(redis_url)
    assert await third.get_many(keys) == loaded
    assert (await third.delete_many(keys)).affected == 999


# Lifetimes.


async def test_a_lifetime_counts_from_when_it_was_stored(caches: Caches, redis_url: str) -> None:
    """A process that reads late keeps a value for what is left, and no longer than Redis does."""
    here, there = await two(caches, redis_url)
    start = time.monotonic()
    await here.set(KEY, "value", ttl=0.6)
    await asyncio.sleep(0.3)
    assert await there.get(KEY) == "value"

    while await there.get(KEY) is not MISSING:  # noqa: ASYNC110 - nobody tells the end of a ttl
        await asyncio.sleep(0.01)

    assert 0.5 < time.monotonic() - start < 0.6 + 0.5
    assert await here.get(KEY) is MISSING


async def test_the_first_level_may_keep_values_for_less(caches: Caches, redis_url: str) -> None:
    """After ``l1_ttl`` Redis is asked again, and the value is there still."""
    here, there = await two(caches, redis_url, policy=Policy(ttl=60, l1_ttl=0.1))
    await here.set(KEY, "value")
    await heard(there, 1)
    for _ in range(2):
        assert await there.get(KEY) == "value"
        assert await there.get(KEY) == "value"
        await asyncio.sleep(0.12)

    assert (there.statistics().l2_hits, there.statistics().l1_hits) == (2, 2)


async def test_a_value_without_ttl_lasts(caches: Caches, redis_url: str) -> None:
    """In Redis it has no expiry, and gets one when it is touched."""
    here, there = await two(caches, redis_url, policy=Policy(ttl=None))
    await here.set(KEY, "value")
    assert await ttl_in_redis(here) == -1

    await there.touch(KEY, ttl=30)

    assert 20_000 < await ttl_in_redis(here) <= 30_000
    assert await here.get(KEY) == "value"


async def ttl_in_redis(cache: Cache) -> int:
    """Return what PTTL says of the key."""
    record = KeySpace("cache").record(KEY)
    (left,) = await store_of(cache)._transport.call(("PTTL", record))
    assert isinstance(left, int)
    return left


async def test_jitter_spreads_the_expiries(caches: Caches, redis_url: str) -> None:
    """Values stored together do not all expire together, and none later than its ttl."""
    cache = await caches.start(redis_url, policy=Policy(ttl=100, jitter=0.5))
    await cache.set_many({f"k{n}": n for n in range(100)})
    keys = KeySpace("cache")
    commands = [("PTTL", keys.record(f"k{n}")) for n in range(100)]

    left = await store_of(cache)._transport.call(*commands)

    assert 49_000 < min(left) < 60_000
    assert 90_000 < max(left) <= 100_000


@pytest.mark.parametrize("how", ["expires", "is expired"])
async def test_a_stale_value_stands_in_for_a_failing_loader(
    caches: Caches, redis_url: str, how: str
) -> None:
    """Only then, only in its grace, and only if it was not deleted; in any process."""
    policy = Policy(ttl=0.2, grace=60)
    here, there = await two(caches, redis_url, policy=policy)
    await here.set(KEY, "old")

    async def fail() -> str:
        raise RuntimeError("the source is down")

    if how == "expires":
        await asyncio.sleep(0.25)
    else:
        assert (await here.expire(KEY)).affected == 1
        await heard(there, 2)

    assert await there.get(KEY) is MISSING
    assert await there.get_or_load(KEY, fail) == "old"
    assert await here.get_or_load(KEY, fail) == "old"
    assert there.statistics().stale_served == 1
    await here.delete(KEY)
    with pytest.raises(RuntimeError):
        await there.get_or_load(KEY, fail)


# Isolation.


async def test_a_record_of_another_secret_is_a_miss(caches: Caches, redis_url: str) -> None:
    """It is counted, loaded anew, and replaced by one that is believed."""
    honest = await caches.start(redis_url, secret="s" * 16)
    others = [await caches.start(redis_url, secret=secret) for secret in (b"o" * 16, None)]
    source = Source("mine")
    for count, forger in enumerate(others, 1):
        await forger.set(KEY, "forged")
        await heard(honest, count)
        assert await honest.get_or_load(KEY, source.load) == "mine"
        assert honest.statistics().damaged == source.loads == count

    again = await caches.start(redis_url, secret="s" * 16)
    assert await again.get(KEY) == "mine"


async def test_namespaces_are_separate(caches: Caches, redis_url: str) -> None:
    """The same key of another namespace is another key, and clearing one leaves the other."""
    shop, blog = [await caches.start(redis_url, namespace=name) for name in ("shop", "blog")]
    await shop.set(KEY, "shop")

    assert await blog.get(KEY) is MISSING
    await blog.set(KEY, "blog")
    assert (await shop.clear()).affected == 1

    assert await shop.get(KEY) is MISSING
    assert await blog.get(KEY) == "blog"


# Loads and leases.


async def test_one_load_for_two_hundred_callers_in_each_of_two_processes(
    caches: Caches, redis_url: str
) -> None:
    """One process loads; the other waits for its fill; everybody gets the value."""
    here, there = await two(caches, redis_url)
    source = Source({"value": 1})
    slow = source.slow()
    callers = [
        asyncio.create_task(cache.get_or_load(KEY, slow))
        for cache in (here, there)
        for _ in range(200)
    ]
    await slow.has_read.wait()
    await asyncio.sleep(0.1)  # the other process has asked for the lease, and waits
    slow.finish()

    assert await asyncio.gather(*callers) == [{"value": 1}] * 400
    assert source.loads == 1
    assert here.statistics().loads + there.statistics().loads == 1
    assert here.statistics().coalesced + there.statistics().coalesced == 398


async def test_a_failed_load_lets_the_next_one_load(caches: Caches, redis_url: str) -> None:
    """The lease is given back at once: who waited loads for itself, and says so to nobody."""
    here, there = await two(caches, redis_url)
    reading = asyncio.Event()
    fails = asyncio.Event()

    async def fail() -> str:
        reading.set()
        await fails.wait()
        raise RuntimeError("no")

    first = asyncio.create_task(here.get_or_load(KEY, fail))
    await reading.wait()
    second = asyncio.create_task(there.get_or_load(KEY, Source("value").load))
    await asyncio.sleep(0.05)
    fails.set()

    with pytest.raises(RuntimeError):
        await first
    start = time.monotonic()
    assert await second == "value"
    assert time.monotonic() - start < 1


async def test_a_dead_holder_of_a_lease_is_outlived(caches: Caches, redis_url: str) -> None:
    """A lease that nobody renews runs out; then somebody else loads and fills."""
    here, there = await two(caches, redis_url)
    lease_ms = 400
    await store_of(here).acquire([KEY], b"of one who is dead", lease_ms)
    source = Source("value")

    start = time.monotonic()
    assert await there.get_or_load(KEY, source.load) == "value"

    assert lease_ms / 1000 - 0.05 < time.monotonic() - start < lease_ms / 1000 + 1
    assert await here.get_or_load(KEY, source.load) == "value"
    assert source.loads == 1


async def test_a_slow_load_keeps_its_lease(
    caches: Caches, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is renewed for as long as the load runs: no second load begins beside it."""
    monkeypatch.setattr("asynccache.levels.leases.LEASE_SECONDS", 0.3)
    monkeypatch.setattr("asynccache.levels.leases.LEASE_MS", 300)
    monkeypatch.setattr("asynccache.levels.claims.LEASE_MS", 300)
    here, there = await two(caches, redis_url)
    source = Source("value")
    slow = source.slow()
    first = asyncio.create_task(here.get_or_load(KEY, slow))
    await slow.has_read.wait()
    second = asyncio.create_task(there.get_or_load(KEY, source.load))

    await asyncio.sleep(1)
    assert not second.done()
    slow.finish()

    assert await first == await second == "value"
    assert source.loads == 1
    assert here.statistics().fills_refused == 0


async def test_a_waiter_that_is_refused_for_long_loads_for_itself(
    caches: Caches, redis_url: str
) -> None:
    """It keeps what it has loaded, and leaves Redis to the holder of the lease."""
    here, there = await two(caches, redis_url)
    source = Source("value")
    slow = source.slow()
    first = asyncio.create_task(here.get_or_load(KEY, slow))
    await slow.has_read.wait()

    start = time.monotonic()
    tired = Policy(lease_wait=0.3)
    assert await there.get_or_load(KEY, source.load, policy=tired) == "value"
    assert 0.25 < time.monotonic() - start < 1.3
    assert await there.get_or_load(KEY, source.load) == "value"
    assert (source.loads, there.statistics().l1_hits) == (2, 1)
    assert await store_of(here).read([KEY]) == [Raw(None, -2)]
    slow.finish()
    await first
    assert (await store_of(here).read([KEY]))[0].value is not None


async def test_a_refresh_replaces_a_value_everywhere(caches: Caches, redis_url: str) -> None:
    """Readers keep the old value while it loads, and then all have the new one."""
    here, there = await two(caches, redis_url)
    await there.set(KEY, "old")
    await heard(here, 1)
    slow = Source("new").slow()
    refresh = asyncio.create_task(here.refresh(KEY, slow))
    await slow.has_read.wait()
    assert (await here.get(KEY), await there.get(KEY)) == ("old", "old")

    slow.finish()
    assert await refresh == "new"
    await heard(there, 1)

    assert (await here.get(KEY), await there.get(KEY)) == ("new", "new")
    assert here.statistics().l1_hits == 1


async def test_of_many_adds_one_succeeds(caches: Caches, redis_url: str) -> None:
    """In all processes together."""
    here, there = await two(caches, redis_url)

    added = await asyncio.gather(*(cache.add(KEY, n) for n in range(20) for cache in (here, there)))

    assert added.count(True) == 1
    assert await here.get(KEY) == await there.get(KEY) == added.index(True) // 2


async def test_counting_from_two_processes_loses_nothing(caches: Caches, redis_url: str) -> None:
    """Every one of two hundred counts is its own."""
    here, there = await two(caches, redis_url)

    counts = await asyncio.gather(*(cache.incr("n") for _ in range(100) for cache in (here, there)))

    assert sorted(counts) == list(range(1, 201))
    assert await here.get("n") == await there.get("n") == 200


async def test_who_does_not_wait_for_leases_takes_what_comes_with_one(
    caches: Caches, redis_url: str
) -> None:
    """Asked for the lease at once, Redis may have the value: nothing is left to load then."""
    here, there = await two(caches, redis_url)
    await here.set_many({f"k{number}": number for number in range(5)})
    source = Source("loaded")
    impatient = Policy(lease_wait=0)
    for number in range(64):
        await there.get_or_load(f"missing {number}", source.load, policy=impatient)

    values = [
        await there.get_or_load(f"k{number}", source.load, policy=impatient) for number in range(5)
    ]
    assert values == list(range(5))
    assert source.loads == 64
    assert there.statistics().load_failures == 0
