"""Races of loads with invalidations: each test has the number of its race in the guarantees.

The order of events is forced: loaders wait to be told, and answers of Redis are held back. Beside
the cache as it is stands one with the mechanism taken away, for which the test must fail.
"""

from __future__ import annotations

import asyncio

import pytest

from asynccache import MISSING, Cache, Policy
from tests.support import mutants
from tests.support.caches import Caches, Parts, Source, heard, store_of
from tests.support.fault_proxy import FaultProxy
from tests.support.mutants import against
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.integration

KEY = "k"


async def load(cache: Cache, source: Source) -> object:
    """Return what a cache says that a source holds."""
    return await cache.get_or_load(KEY, source.load)


async def stale_fill(caches: Caches, url: str, parts: Parts, *, flush: bool = False) -> object:
    """Let a load begin, change its source, delete or lose everything, let the load end; read.

    Returns:
        What a process reads that was not there before.
    """
    loading, changing = [await caches.start(url, parts=parts) for _ in range(2)]
    source = Source("old")
    slow = source.slow()
    reader = asyncio.create_task(loading.get_or_load(KEY, slow))
    await slow.has_read.wait()

    source.value = "new"
    if flush:
        await store_of(changing)._transport.call(("FLUSHALL",))
    else:
        assert (await changing.delete(KEY)).acknowledged
    slow.finish()
    assert await reader == "old"  # it had asked before the change

    newcomer = await caches.start(url, parts=parts)
    return await load(newcomer, source)


@against(store=mutants.FillsWithoutLease)
async def test_race_01_stale_fill(
    caches: Caches, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """A load that began before a delete does not fill Redis after it."""
    assert (await stale_fill(caches, redis_url, parts) == "new") is holds


@against(store=mutants.ForgetSparesTheLease)
async def test_race_02_delete_takes_the_lease(
    caches: Caches, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """A delete of a key that is being loaded takes the permission to fill it."""
    assert (await stale_fill(caches, redis_url, parts) == "new") is holds


@pytest.mark.parametrize("flush", [True, False])
@against(store=mutants.FillsWhenTheLeaseIsGone)
async def test_race_03_absent_is_not_allowed(
    caches: Caches, redis_url: str, parts: Parts, *, holds: bool, flush: bool
) -> None:
    """A lease that is gone, deleted or lost with all of Redis's data, permits nothing."""
    # With all of its data goes the era, without which no record counts: a second guard.
    expected = holds or flush
    assert (await stale_fill(caches, redis_url, parts, flush=flush) == "new") is expected


@against(store=mutants.GrantsEverybody)
async def test_race_04_impatient_reader(
    caches: Caches, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """Who is tired of waiting for a lease loads for itself, and stores that nowhere for others."""
    holder, impatient, changing = [await caches.start(redis_url, parts=parts) for _ in range(3)]
    source = Source("old")
    first, second = source.slow(), source.slow()
    held = asyncio.create_task(holder.get_or_load(KEY, first))
    await first.has_read.wait()
    tired = Policy(lease_wait=0.1)
    waiting = asyncio.create_task(impatient.get_or_load(KEY, second, policy=tired))
    await second.has_read.wait()

    source.value = "new"
    await changing.delete(KEY)
    await heard(impatient, 1)
    second.finish()
    assert await waiting == "old"

    assert (await load(changing, source) == "new") is holds
    assert (await load(impatient, source) == "new") is holds
    first.finish()
    await held


@against(first=mutants.NeverPoisons)
async def test_race_05_message_before_the_reply(
    caches: Caches, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """A value that was on its way when its invalidation came is kept by nobody."""
    writing, reading = [await caches.start(redis_url, parts=parts) for _ in range(2)]
    await writing.set(KEY, "old")
    await heard(reading, 1)
    reply = store_of(reading).hold("read", "after")
    reader = asyncio.create_task(reading.get(KEY))
    await reply.reached.wait()

    await writing.delete(KEY)
    await heard(reading, 2)
    reply.release()

    assert await reader == "old"
    assert (await reading.get(KEY) is MISSING) is holds


@against(first=mutants.NeverPoisons)
async def test_race_06_own_delete_own_reader(
    caches: Caches, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """After its own delete a process does not get back what it was reading meanwhile."""
    cache = await caches.start(redis_url, parts=parts)
    other = await caches.start(redis_url)
    await other.set(KEY, "old")
    await heard(cache, 1)
    reply = store_of(cache).hold("read", "after")
    reader = asyncio.create_task(cache.get(KEY))
    await reply.reached.wait()

    await cache.delete(KEY)
    reply.release()

    assert await reader == "old"
    assert (await cache.get(KEY) is MISSING) is holds


@pytest.mark.parametrize("own", [True, False], ids=["own delete", "another's delete"])
@against(first=mutants.NeverDetaches)
async def test_race_07_joining_what_was_overtaken(
    caches: Caches, redis_url: str, parts: Parts, *, holds: bool, own: bool
) -> None:
    """Who asks after an invalidation does not get the result of a load that began before it."""
    loading, other = [await caches.start(redis_url, parts=parts) for _ in range(2)]
    source = Source("old")
    slow = source.slow()
    before = asyncio.create_task(loading.get_or_load(KEY, slow))
    await slow.has_read.wait()
    source.value = "new"
    await (loading if own else other).delete(KEY)
    if not own:
        await heard(loading, 1)

    after = asyncio.create_task(load(loading, source))
    await asyncio.wait((after,), timeout=5 if holds else 0.1)
    slow.finish()

    assert await before == "old"
    assert (await after == "new") is holds
    assert (await load(loading, source) == "new") is True


@against(writer=mutants.ForgetsOnce)
async def test_race_08_between_drop_and_acknowledgement(
    caches: Caches, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """What was read from Redis just before the delete arrived there is dropped after it."""
    cache = await caches.start(redis_url, parts=parts)
    other = await caches.start(redis_url)
    await other.set(KEY, "old")
    await heard(cache, 1)
    request = store_of(cache).hold("forget", "before")
    deleting = asyncio.create_task(cache.delete(KEY))
    await request.reached.wait()

    assert await cache.get(KEY) == "old"  # read, and kept, while the delete is on its way
    request.release()
    await deleting

    assert (await cache.get(KEY) is MISSING) is holds


@against(store=mutants.AnnouncesFirst)
async def test_race_09_told_before_done(
    caches: Caches, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """Who hears of a delete and asks Redis at once does not find the old value there."""
    writing, reading = [await caches.start(redis_url, parts=parts) for _ in range(2)]
    await writing.set(KEY, "old")
    await heard(reading, 1)
    reply = store_of(writing).hold("forget", "after")
    deleting = asyncio.create_task(writing.delete(KEY))
    await heard(reading, 2)

    at_once = await reading.get(KEY)
    reply.release()
    await deleting

    assert (at_once is MISSING) is holds
    assert (await reading.get(KEY) is MISSING) is holds  # no further message would have come


async def test_race_13_late_message(
    caches: Caches, redis_server: RedisServer, redis_url: str
) -> None:
    """A message that comes after its news is known costs a read, and takes nothing back."""
    async with FaultProxy(redis_server.port) as proxy:
        writing = await caches.start(redis_url)
        reading = await caches.start(redis_url, bus_url=proxy.url)
        proxy.hold()
        await writing.set(KEY, 1)
        await writing.set(KEY, 2)
        assert await reading.get(KEY) == 2

        proxy.release()
        await heard(reading, 2)

        assert await reading.get(KEY) == 2
        assert reading.statistics().l2_hits == 2


@against(store=mutants.PutSparesTheLease)
async def test_race_24_set_against_a_load_in_redis(
    caches: Caches, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """A load that began before a set does not overwrite it in Redis."""
    loading, setting = [await caches.start(redis_url, parts=parts) for _ in range(2)]
    slow = Source("old").slow()
    reader = asyncio.create_task(loading.get_or_load(KEY, slow))
    await slow.has_read.wait()

    await setting.set(KEY, "new")
    slow.finish()
    assert await reader == "old"

    newcomer = await caches.start(redis_url)
    assert (await newcomer.get(KEY) == "new") is holds


@against(first=mutants.NeverPoisons)
async def test_race_24_set_against_a_read_in_the_process(
    caches: Caches, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """A read that began before the process's own set does not overwrite it in the process."""
    cache = await caches.start(redis_url, parts=parts)
    other = await caches.start(redis_url)
    await other.set(KEY, "old")
    await heard(cache, 1)
    reply = store_of(cache).hold("read", "after")
    reader = asyncio.create_task(cache.get(KEY))
    await reply.reached.wait()

    await cache.set(KEY, "new")
    reply.release()

    assert await reader == "old"
    assert (await cache.get(KEY) == "new") is holds


@pytest.mark.parametrize("method", ["put", "add"])
async def test_a_set_against_a_later_delete(caches: Caches, redis_url: str, method: str) -> None:
    """What another process deleted after it was set here is not kept when the reply comes."""
    setting, deleting = [await caches.start(redis_url) for _ in range(2)]
    reply = store_of(setting).hold(method, "after")
    write = setting.set(KEY, "old") if method == "put" else setting.add(KEY, "old")
    writing = asyncio.ensure_future(write)
    await reply.reached.wait()

    await deleting.delete(KEY)
    await heard(setting, 1)
    reply.release()
    await writing

    assert await setting.get(KEY) is MISSING


async def test_an_add_does_not_remove_what_another_has_added(
    caches: Caches, redis_url: str
) -> None:
    """Not even when what was in its way went, and the other's came, while it looked."""
    cache, other = [await caches.start(redis_url) for _ in range(2)]
    await other.set(KEY, "in the way")
    store = store_of(cache)
    request = store.hold("read", "before")
    adding = asyncio.create_task(cache.add(KEY, "here"))
    await request.reached.wait()
    await other.delete(KEY)
    reply = store.hold("read", "after")
    request.release()
    await reply.reached.wait()

    assert await other.add(KEY, "there")
    reply.release()

    assert not await adding
    assert await cache.get(KEY) == await other.get(KEY) == "there"


@against(store=mutants.FillsWithoutLease)
async def test_race_25_refresh_against_delete(
    caches: Caches, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """A refresh that began before a delete brings the old value back nowhere."""
    refreshing, deleting = [await caches.start(redis_url, parts=parts) for _ in range(2)]
    source = Source("old")
    slow = source.slow()
    refresh = asyncio.create_task(refreshing.refresh(KEY, slow))
    await slow.has_read.wait()

    source.value = "new"
    await deleting.delete(KEY)
    await heard(refreshing, 1)
    slow.finish()
    assert await refresh == "old"

    assert (await load(deleting, source) == "new") is holds
    assert (await load(refreshing, source) == "new") is holds


@pytest.mark.parametrize("begins", ["before the refresh", "during the refresh"])
async def test_a_read_does_not_undo_a_refresh(caches: Caches, redis_url: str, begins: str) -> None:
    """A read whose answer is older than a refresh, and comes later, does not replace its value."""
    cache = await caches.start(redis_url)
    other = await caches.start(redis_url)
    await other.set(KEY, "old")
    await heard(cache, 1)
    slow = Source("new").slow()
    store = store_of(cache)

    async def begin_reading() -> tuple[asyncio.Task[object], object]:
        reply = store.hold("read", "after")
        reader = asyncio.create_task(cache.get(KEY))
        await reply.reached.wait()
        return reader, reply.release

    if begins == "before the refresh":
        reader, release = await begin_reading()
    refresh = asyncio.create_task(cache.refresh(KEY, slow))
    await slow.has_read.wait()
    if begins == "during the refresh":
        reader, release = await begin_reading()
    slow.finish()
    assert await refresh == "new"
    release()  # type: ignore[operator]

    assert await reader == "old"
    assert await cache.get(KEY) == "new"


@pytest.mark.parametrize("url", ["memory://", "redis"])
async def test_a_load_does_not_undo_a_refresh(caches: Caches, redis_url: str, url: str) -> None:
    """A load that began before a refresh, and ends after it, does not replace its value."""
    cache = await caches.start(redis_url if url == "redis" else url, wait=url == "redis")
    slow = Source("old").slow()
    before = asyncio.create_task(cache.get_or_load(KEY, slow))
    await slow.has_read.wait()

    assert await cache.refresh(KEY, Source("new").load) == "new"
    slow.finish()

    assert await before == "old"
    assert await cache.get(KEY) == "new"


@against(store=mutants.IgnoresTheServersClock)
async def test_race_30_the_first_level_outlives_nothing(
    caches: Caches, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """A value read from Redis is kept for what is left of its lifetime there, and no longer."""
    policy = Policy(ttl=0.5, l1_ttl=60)
    writing = await caches.start(redis_url)
    reading = await caches.start(redis_url, parts=parts, policy=policy)
    await writing.set(KEY, "short-lived", policy=policy)
    await asyncio.sleep(0.3)
    assert await reading.get(KEY) == "short-lived"

    await asyncio.sleep(0.25)

    assert (await reading.get(KEY) is MISSING) is holds


async def test_race_31_cancelled_first_caller(caches: Caches, redis_url: str) -> None:
    """Whoever asked first may leave: the load goes on for the others, and fills Redis."""
    cache, other = [await caches.start(redis_url) for _ in range(2)]
    source = Source("value")
    slow = source.slow()
    first = asyncio.create_task(cache.get_or_load(KEY, slow))
    await slow.has_read.wait()
    others = [asyncio.create_task(load(cache, source)) for _ in range(5)]
    await asyncio.sleep(0)

    first.cancel()
    await asyncio.wait((first,))
    slow.finish()

    assert first.cancelled()
    assert await asyncio.gather(*others) == ["value"] * 5
    assert source.loads == 1
    assert await other.get(KEY) == "value"


@pytest.mark.parametrize("reached", [True, False], ids=["granted", "under way"])
async def test_race_33_a_cancelled_load_leaves_no_lease(
    caches: Caches, redis_url: str, *, reached: bool
) -> None:
    """Whether it was granted or just asked for: the next one need not wait until it expires."""
    cache, other = [await caches.start(redis_url) for _ in range(2)]
    slow = Source("never").slow()
    reply = store_of(cache).hold("acquire", "after")
    loading = asyncio.create_task(cache.get_or_load(KEY, slow))
    await reply.reached.wait()
    if reached:
        reply.release()
        await slow.has_read.wait()
    loading.cancel()
    await asyncio.wait((loading,))

    async with asyncio.timeout(1):  # a lease lasts for 3 s
        assert await load(other, Source("value")) == "value"
