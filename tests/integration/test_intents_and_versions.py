"""Writers that die, race or read from a lagging replica (races 17 to 19 and 23, and G14)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from asynccache import MISSING, Cache, NotAcknowledged, Unavailable, WriteResult
from asynccache.core.keys import KeySpace
from tests.support.caches import Caches, Source, link_of, runtime_of
from tests.support.redis_server import RedisServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration

KEY = "k"
KEYS = KeySpace("cache")


async def load(cache: Cache, source: Source) -> object:
    """Return what a cache says that a source holds."""
    return await cache.get_or_load(KEY, source.load)


async def forgotten(cache: Cache, value: object) -> None:
    """Wait until a process does not hold a value any more."""
    await until(lambda: cache.peek(KEY) != value)


@pytest.mark.parametrize("announced", [True, False])
async def test_race_17_crash_between_commit_and_delete(
    caches: Caches, redis_url: str, *, announced: bool
) -> None:
    """A writer that dies after its commit leaves no old value, if it has announced the change."""
    dying, reading = [await caches.start(redis_url) for _ in range(2)]
    source = Source("old")
    assert await load(reading, source) == "old"

    if announced:
        await runtime_of(dying).writer.mark(KEY, b"nonce-of", 0.5)
    source.value = "new"  # committed; and here it dies

    if announced:
        await until(lambda: reading.peek(KEY) is MISSING)
    assert (await load(reading, source) == "new") is announced


async def test_race_18_reader_keeps_nothing_under_an_intent(caches: Caches, redis_url: str) -> None:
    """What is loaded between the announcement and the commit stays nowhere."""
    dying, reading = [await caches.start(redis_url) for _ in range(2)]
    source = Source("old")
    await runtime_of(dying).writer.mark(KEY, b"nonce-of", 0.4)
    await asyncio.sleep(0.05)

    assert await load(reading, source) == "old"
    assert reading.peek(KEY) is MISSING
    assert (await reading.set(KEY, "old")).acknowledged
    assert reading.peek(KEY) is MISSING
    source.value = "new"  # committed; the writer has died
    await asyncio.sleep(0.5)

    assert await load(reading, source) == "new"
    assert reading.peek(KEY) == "new"


async def test_race_19_two_writers_one_marker(caches: Caches, redis_url: str) -> None:
    """One who is done does not take back the announcement of another."""
    dying, done, reading = [await caches.start(redis_url) for _ in range(3)]
    source = Source("old")
    await runtime_of(dying).writer.mark(KEY, b"dying-on", 30)
    async with done.writing(KEY):
        pass

    assert await load(reading, source) == "old"
    source.value = "new"  # the first one's commit

    assert await load(reading, source) == "new"
    assert (await link_of(reading).call(("SCARD", KEYS.intent(KEY)))) == [1]


async def test_an_intent_that_ends_well_leaves_nothing(caches: Caches, redis_url: str) -> None:
    """Two round trips, and the key is an ordinary one again, also after a failed block."""
    cache, other = [await caches.start(redis_url) for _ in range(2)]
    source = Source("old")
    await load(other, source)

    async with cache.writing(KEY):
        source.value = "new"
    with pytest.raises(LookupError):
        async with cache.writing(KEY):
            raise LookupError
    await until(lambda: other.peek(KEY) is MISSING)

    assert await load(other, source) == "new"
    assert other.peek(KEY) == "new"
    assert await link_of(cache).call(("EXISTS", KEYS.intent(KEY))) == [0]


async def test_without_redis_an_intent_is_refused_or_not_protected(
    own_redis: RedisServer, caches: Caches
) -> None:
    """Refused, the block does not begin; else it is an ordinary delete, in the journal."""
    cache = await caches.start(own_redis.url, shutdown_timeout=0.1)
    own_redis.kill()
    begun = 0

    with pytest.raises(Unavailable):
        async with cache.writing(KEY):
            begun += 1
    async with cache.writing(KEY, on_outage="proceed"):
        begun += 1

    assert begun == 1
    assert cache.statistics().journal == 1


@pytest.mark.parametrize("versioned", [True, False])
async def test_race_23_two_writers_and_versions(
    caches: Caches, redis_url: str, *, versioned: bool
) -> None:
    """The later commit wins, whoever is heard last; without versions the last one heard does."""
    first, second = [await caches.start(redis_url) for _ in range(2)]
    high = 2**53 + 1

    def version(number: int) -> int | None:
        return number if versioned else None

    await second.set(KEY, "second", version=version(high + 1))
    late = await first.set(KEY, "first", version=version(high))

    assert late.acknowledged
    assert late.affected == (0 if versioned else 1)
    for cache in (first, second):
        if not versioned:
            await forgotten(cache, "second")
        assert await cache.get(KEY) == ("second" if versioned else "first")
    assert (await first.set(KEY, "third", version=version(high + 2))).affected == 1
    assert (await first.set(KEY, "again", version=version(high + 2))).affected == 1


async def test_what_settles_is_kept_for_no_longer(caches: Caches, redis_url: str) -> None:
    """A loader that reads from a lagging replica brings the old value back for a moment only."""
    changing, reading = [await caches.start(redis_url) for _ in range(2)]
    replica = Source("old")
    await load(reading, replica)

    assert (await changing.delete(KEY, settle=0.4)).acknowledged
    await until(lambda: reading.peek(KEY) is MISSING)
    assert await load(reading, replica) == "old"  # the replica lags
    assert await load(changing, replica) == "old"
    replica.value = "new"
    await asyncio.sleep(0.5)

    assert await load(reading, replica) == "new"
    assert await load(changing, replica) == "new"
    assert replica.loads == 3


async def test_a_strict_write_says_so(own_redis: RedisServer, caches: Caches) -> None:
    """It is done here and in the journal, as without strict; the error is an Unavailable."""
    cache = await caches.start(own_redis.url, shutdown_timeout=0.1)
    await cache.set(KEY, "old", strict=True)
    own_redis.kill()

    attempts: list[Callable[[], Awaitable[WriteResult]]] = [
        lambda: cache.delete(KEY, strict=True),
        lambda: cache.delete_many([KEY], strict=True),
        lambda: cache.expire(KEY, strict=True),
        lambda: cache.set(KEY, "new", strict=True),
        lambda: cache.set_many({KEY: "new"}, strict=True),
        lambda: cache.invalidate_pattern("k*", strict=True),
        lambda: cache.clear(strict=True),
    ]
    for attempt in attempts:
        with pytest.raises(NotAcknowledged):
            await attempt()
    assert cache.statistics().journal == 1
    assert cache.peek(KEY) is MISSING
