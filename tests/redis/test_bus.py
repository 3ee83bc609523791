"""The bus: what one process changes the others hear of, and who may have missed something knows."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgpack
import pytest

from asynccache import MISSING, Cache, Policy
from asynccache.core.messages import VERSION, Kind, Message
from asynccache.redis.bus import Bus
from tests.support.caches import Caches, Parts, Source, bus_of, bus_open, heard, store_of
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import RedisServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration

KEY = "user:1"


@pytest.fixture
async def caches() -> AsyncIterator[Caches]:
    """Start caches that are closed after the test."""
    async with Caches() as running:
        yield running


async def publish(cache: Cache, data: bytes, *, key: str = "cache:bus") -> None:
    """Publish bytes on the channel of a cache, past everything."""
    await store_of(cache)._transport.call(("PUBLISH", key, data))


def gaps(cache: Cache) -> int:
    """Return how often a cache has had to empty its first level."""
    return cache.statistics().gaps


# What is told.


async def new_value() -> str:
    """Load."""
    return "new"


Change = Callable[[Cache], Awaitable[object]]

CHANGES: dict[str, tuple[Change, object]] = {
    "set": (lambda cache: cache.set(KEY, "new"), "new"),
    "set_many": (lambda cache: cache.set_many({"a": 1, KEY: "new"}), "new"),
    "refresh": (lambda cache: cache.refresh(KEY, new_value), "new"),
    "delete": (lambda cache: cache.delete(KEY), MISSING),
    "delete_many": (lambda cache: cache.delete_many(["a", KEY]), MISSING),
    "expire": (lambda cache: cache.expire(KEY), MISSING),
    "pattern": (lambda cache: cache.invalidate_pattern("us?r:*"), MISSING),
    "clear": (lambda cache: cache.clear(), MISSING),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_is_heard_by_another_process(
    caches: Caches, redis_url: str, change: str
) -> None:
    """Whatever one process does to a key, another does not serve its old value for long."""
    writing, reading = [await caches.start(redis_url) for _ in range(2)]
    make, expected = CHANGES[change]
    await writing.set(KEY, "old")
    await heard(reading, 1)
    assert await reading.get(KEY) == "old"

    await make(writing)
    await heard(reading, 2)

    assert await reading.get(KEY) == expected
    assert await writing.get(KEY) == expected


async def test_counting_and_touching_are_heard_too(caches: Caches, redis_url: str) -> None:
    """A counter that moved is asked for again, and so is a value whose lifetime has changed."""
    writing, reading = [await caches.start(redis_url) for _ in range(2)]
    await writing.incr("n")
    await writing.set(KEY, "short", ttl=0.5)
    await heard(reading, 2)
    assert (await reading.get("n"), await reading.get(KEY)) == (1, "short")

    assert await writing.incr("n", 4) == 5
    assert (await writing.touch(KEY, ttl=60)).affected == 1
    assert not await writing.add(KEY, "taken")
    await heard(reading, 4)
    await asyncio.sleep(0.55)

    assert (await reading.get("n"), await reading.get(KEY)) == (5, "short")


async def test_what_was_not_changed_stays(caches: Caches, redis_url: str) -> None:
    """Only the keys that are named, or match, leave the first level."""
    writing, reading = [await caches.start(redis_url) for _ in range(2)]
    await writing.set_many({"user:1": 1, "user:2": 2, "other": 3})
    await heard(reading, 1)
    assert await reading.get_many(["user:1", "user:2", "other"]) == {
        "user:1": 1,
        "user:2": 2,
        "other": 3,
    }
    before = reading.statistics()

    await writing.delete("user:1")
    await writing.invalidate_pattern("*:2")
    await heard(reading, 3)

    assert await reading.get("other") == 3
    after = reading.statistics()
    assert (after.l1_hits - before.l1_hits, after.l1_entries) == (1, 1)
    assert after.gaps == before.gaps


async def test_own_messages_are_not_applied(caches: Caches, redis_url: str) -> None:
    """What a process has written itself it keeps, though it hears its own message."""
    writing, reading = [await caches.start(redis_url) for _ in range(2)]
    await writing.set(KEY, "mine")
    await heard(reading, 1)
    await asyncio.sleep(0.05)

    assert await writing.get(KEY) == "mine"
    statistics = writing.statistics()
    assert (statistics.l1_hits, statistics.invalidations_received) == (1, 0)


@pytest.mark.parametrize(
    ("first", "second"),
    [({"namespace": "one"}, {"namespace": "two"}), ({}, {"db": 1})],
    ids=["namespaces", "databases"],
)
async def test_others_with_the_same_names_are_not_heard(
    caches: Caches, redis_url: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    """Two namespaces, and two databases of one server, have nothing to tell each other.

    A channel of Redis belongs to all databases, while the numbers on it belong to one.
    """
    one, two = [
        await caches.start(
            redis_url.replace("/0", f"/{options.pop('db', 0)}"), max_staleness=0.4, **options
        )
        for options in (first, second)
    ]
    await one.set(KEY, "one")
    await two.set(KEY, "two")
    before = gaps(one), gaps(two)

    for _ in range(5):
        await two.delete("else")
    await asyncio.sleep(0.3)

    assert (await one.get(KEY), await two.get(KEY)) == ("one", "two")
    assert (gaps(one), gaps(two)) == before
    assert one.statistics().invalidations_received == 0
    assert (await one.clear()).affected == 1
    assert await two.get(KEY) == "two"


# Opening.


class Deaf(Bus):
    """A bus whose subscription is confirmed and delivers nothing."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"channel": "another"})


async def test_the_bus_opens_only_when_a_message_has_come_through(
    caches: Caches, redis_url: str
) -> None:
    """A subscription that delivers nothing is no bus: the first level vouches for nothing."""
    deaf = await caches.start(redis_url, parts=Parts(bus=Deaf), wait=False, max_staleness=0.2)
    other = await caches.start(redis_url)
    source = Source("old")
    assert await deaf.get_or_load(KEY, source.load) == "old"
    assert await other.get(KEY) == "old"

    await other.set(KEY, "new")
    await asyncio.sleep(0.3)

    assert await deaf.get_or_load(KEY, source.load) == "new"
    assert source.loads == 1  # through Redis all is well
    assert not bus_of(deaf).is_open
    assert deaf.statistics().bus == "closed"
    await asyncio.sleep(0.3)
    assert store_of(deaf).announced > 1  # it goes on trying


async def test_what_was_kept_before_the_bus_opened_is_dropped(
    caches: Caches, redis_server: RedisServer, redis_url: str
) -> None:
    """Nobody can tell what was changed before this process listened."""
    async with FaultProxy(redis_server.port) as proxy:
        proxy.hold()
        cache = await caches.start(redis_url, bus_url=proxy.url, wait=False)
        for _ in range(2):
            assert await cache.get_or_load(KEY, new_value) == "new"
        assert (cache.statistics().l1_hits, cache.statistics().l1_entries) == (1, 1)

        proxy.release()
        await bus_open(cache)

        assert cache.statistics().l1_entries == 0
        assert await cache.get(KEY) == "new"


# Garbage and gaps.

GARBAGE = [
    b"",
    b"garbage",
    b"|",
    b"7|",
    b"-7|\x90",
    b"7|\xc1\xc1\xc1",
    b"7|" + msgpack.packb([VERSION, b"origin", 99, []]),
    b"7|" + msgpack.packb([VERSION + 1, b"origin", 1, ["k"]]),
    b"7|" + msgpack.packb([VERSION, b"origin", 1, [1, 2]]),
    b"7|" + msgpack.packb([VERSION, b"origin", 1, "k"]),
    b"7|" + b"\x91" * 2_000,
    b"9" * 50 + b"|" + Message(b"origin", Kind.FORGET_ALL).pack(),
    b"7|" + Message(b"origin", Kind.FORGET_ALL).pack() + b"more",
]


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
async def test_garbage_on_the_channel_empties_the_first_level(
    caches: Caches, redis_url: str, data: bytes
) -> None:
    """It may have been a message that matters; the bus goes on, and is open again soon."""
    cache, other = [await caches.start(redis_url, max_staleness=0.4) for _ in range(2)]
    await cache.set(KEY, "value")
    before = gaps(cache)

    await publish(other, data)
    await until(lambda: gaps(cache) > before)

    assert cache.statistics().l1_entries == 0
    await bus_open(cache)
    assert bus_of(cache).is_open
    await other.set(KEY, "new")
    await heard(cache, 1)
    assert await cache.get(KEY) == "new"


async def test_a_pattern_that_is_garbage_empties_the_first_level(
    caches: Caches, redis_url: str
) -> None:
    """Who sends a pattern that nobody can read is not to be trusted with less."""
    cache, other = [await caches.start(redis_url) for _ in range(2)]
    await cache.set(KEY, "value")
    message = Message(b"origin-1", Kind.FORGET_MATCHING, ("user[",)).pack()
    number = 1 + await store_of(other).sequence()

    await publish(other, b"%d|" % number + message)
    await heard(cache, 1)

    assert cache.statistics().l1_entries == 0


@pytest.mark.parametrize("how", ["lost", "lost, then another one", "a number from the future"])
async def test_missing_numbers_are_a_gap(caches: Caches, redis_url: str, how: str) -> None:
    """A number that was skipped is a message that nobody has read.

    The next message tells, or the next heartbeat.
    """
    cache, other = [await caches.start(redis_url, max_staleness=0.4) for _ in range(2)]
    await cache.set(KEY, "value")
    before = gaps(cache)

    if how == "a number from the future":
        number = 1_000 + await store_of(other).sequence()
        message = Message(b"origin-1", Kind.FORGET_KEYS, ("a",)).pack()
        await publish(other, b"%d|" % number + message)
    else:
        await store_of(other)._transport.call(("INCR", "cache:bus:sequence"))
    if how == "lost, then another one":
        await other.delete("else")
    await until(lambda: gaps(cache) > before)

    assert cache.statistics().l1_entries == 0
    await bus_open(cache)
    settled = gaps(cache)
    await cache.set(KEY, "value")
    await asyncio.sleep(0.3)
    assert cache.statistics().l1_entries == 1
    assert gaps(cache) <= settled + 1  # the sequence is found to have gone back, once


@pytest.mark.parametrize("how", ["FLUSHALL", "garbage", "restart"])
async def test_a_sequence_that_starts_anew_is_a_gap(
    caches: Caches, own_redis: RedisServer, how: str
) -> None:
    """Redis has lost its data, and perhaps messages with it; after that all goes on as before."""
    cache, other = [await caches.start(own_redis.url, max_staleness=0.4) for _ in range(2)]
    for _ in range(5):
        await other.set(KEY, "value")
    assert await cache.get(KEY) == "value"
    before = gaps(cache)

    if how == "restart":
        own_redis.restart()
    elif how == "FLUSHALL":
        own_redis.command("FLUSHALL")
    else:
        own_redis.command("SET", "cache:bus:sequence", "9" * 5_000)
    await until(lambda: gaps(cache) > before)

    assert cache.statistics().l1_entries == 0
    await bus_open(cache)
    await bus_open(other)
    received = cache.statistics().invalidations_received
    await until(lambda: other.statistics().breaker == "closed")
    await other.set(KEY, "new")
    await heard(cache, received + 1)
    assert await cache.get(KEY) == "new"


# Permission.


@pytest.mark.parametrize("missing", ["-subscribe", "resetchannels"])
async def test_a_bus_that_is_not_permitted(
    caches: Caches, own_redis: RedisServer, missing: str
) -> None:
    """Without it the cache works through Redis, vouches for nothing, and heals when permitted.

    Who may not publish either cannot tell others of a delete, and does not claim to have.
    """
    all_but_one = ("on", ">pw", "~*", "&*", "+@all", missing)
    own_redis.command("ACL", "SETUSER", "app", *all_but_one)
    url = own_redis.url.replace("redis://", "redis://app:pw@")
    one, two = [await caches.start(url, wait=False, max_staleness=0.3) for _ in range(2)]
    source = Source("old")
    assert await one.get_or_load(KEY, source.load) == "old"
    assert await two.get_or_load(KEY, source.load) == "old"
    assert source.loads == 1

    source.value = "new"
    deleted = await one.delete(KEY)
    await asyncio.sleep(0.35)
    assert await two.get_or_load(KEY, source.load) == "new"
    assert deleted.acknowledged is (missing == "-subscribe")
    assert {cache.statistics().bus for cache in (one, two)} == {"closed"}

    own_redis.command("ACL", "SETUSER", "app", "+subscribe", "allchannels")
    assert max(await bus_open(one), await bus_open(two)) < 2
    await until(lambda: one.statistics().journal == 0)
    assert (await one.delete(KEY)).acknowledged


# Leaks.


@pytest.mark.parametrize("loses", ["its subscription", "every connection"])
async def test_fifty_reconnects_leave_nothing_behind(
    caches: Caches, own_redis: RedisServer, complaints: list[dict[str, Any]], loses: str
) -> None:
    """No task, no connection, no exception that nobody asked for; and the bus still works."""
    async with FaultProxy(own_redis.port) as proxy:
        other = await caches.start(own_redis.url)
        cache = await caches.start(proxy.url)
        await cache.get("warm")
        await asyncio.sleep(0.05)  # until what that has started has ended
        connected = connections(own_redis)
        tasks = asyncio.all_tasks() - {each for each in asyncio.all_tasks() if is_proxys(each)}

        for _ in range(50):
            before = gaps(cache)
            if loses == "every connection":
                await proxy.reset()
            else:
                own_redis.command("CLIENT", "KILL", "TYPE", "pubsub")
            # Down, then up again; L1 is emptied at both.
            await until(lambda before=before: gaps(cache) >= before + 2)  # type: ignore[misc]
        await bus_open(other)
        await asyncio.sleep(0.05)

        left = asyncio.all_tasks() - {each for each in asyncio.all_tasks() if is_proxys(each)}
        assert len(left) == len(tasks)
        assert connections(own_redis) <= connected
        await other.set(KEY, "value")
        await heard(cache, 1)
        assert await cache.get(KEY) == "value"
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


def connections(server: RedisServer) -> int:
    """Count the connections that caches have to a server."""
    return server.command("CLIENT", "LIST").count(b"name=asynccache")


def is_proxys(task: asyncio.Task[Any]) -> bool:
    """Tell whether a task belongs to a proxy."""
    return "FaultProxy" in repr(task.get_coro())


async def test_a_policy_bounds_what_the_bus_allows(caches: Caches, redis_url: str) -> None:
    """However open the bus is, a value is asked for again after its own time in the process."""
    cache = await caches.start(redis_url)
    other = await caches.start(redis_url)
    await other.set(KEY, "value")
    await heard(cache, 1)
    policy = Policy(l1_ttl=0.1)
    for _ in range(2):
        await cache.get_or_load(KEY, new_value, policy=policy)
    assert cache.statistics().l1_hits == 1

    await asyncio.sleep(0.15)
    await cache.get_or_load(KEY, new_value, policy=policy)

    assert (cache.statistics().l1_hits, cache.statistics().l2_hits) == (1, 2)
