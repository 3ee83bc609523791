"""The bus when nothing arrives: a link that is half-open, a loop that stands still, a cut."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import asynccache.redis.bus
from asynccache import Cache
from tests.support import mutants
from tests.support.caches import (
    SOUND,
    Caches,
    Parts,
    Source,
    bus_of,
    bus_open,
    heard,
    store_of,
)
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import RedisServer
from tests.support.waiting import until
from tests.support.worker import Worker

pytestmark = pytest.mark.integration

KEY = "k"
BOUND = 0.6
"""Seconds of ``max_staleness`` in these tests."""

BUSY = 0.15
"""Seconds that a busy machine may be late."""


@pytest.fixture
async def caches() -> AsyncIterator[Caches]:
    """Start caches that are closed after the test."""
    async with Caches() as running:
        yield running


async def served_for(cache: Cache, source: Source) -> float:
    """Ask for a key until its old value is not served any more; return for how many seconds."""
    start = time.monotonic()
    last = start
    async with asyncio.timeout(10):
        while True:
            asked = time.monotonic()
            if await cache.get_or_load(KEY, source.load) != "old":
                return last - start
            last = asked
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("fault", ["held", "cut", "cut and held"])
async def test_a_dead_link_ends_within_the_bound(
    caches: Caches, redis_server: RedisServer, redis_url: str, fault: str
) -> None:
    """However the link of the bus dies, an old value is served for no longer than promised."""
    async with FaultProxy(redis_server.port) as proxy:
        writing = await caches.start(redis_url)
        reading = await caches.start(redis_url, bus_url=proxy.url, max_staleness=BOUND)
        source = Source("old")
        for round_ in range(3):
            source.value = "old"
            await writing.delete(KEY)
            await heard(reading, 2 * round_ + 1)
            assert await reading.get_or_load(KEY, source.load) == "old"
            await asyncio.sleep(round_ * BOUND / 8)  # at another point of the heartbeat

            if "cut" in fault:
                await proxy.cut()
            if "held" in fault:
                proxy.hold()
            source.value = "new"
            assert (await writing.delete(KEY)).acknowledged
            assert await served_for(reading, source) < BOUND + BUSY

            await proxy.restore()
            await until(lambda: bus_of(reading).is_open)
            await bus_open(reading)
            received = reading.statistics().invalidations_received
            await writing.set("else", 1)
            await heard(reading, received + 1)
            reading._runtime._counters.invalidations_received = 2 * round_ + 2  # type: ignore[union-attr]


async def test_a_half_open_link_is_noticed_and_replaced(
    caches: Caches, redis_server: RedisServer, redis_url: str
) -> None:
    """Without an error and without an end: silence is enough. The first level opens elsewhere."""
    async with FaultProxy(redis_server.port) as proxy:
        cache = await caches.start(redis_url, bus_url=proxy.url, max_staleness=BOUND)
        accepted = proxy.accepted

        proxy.hold()
        await until(lambda: proxy.accepted > accepted)
        assert cache.statistics().bus == "closed"
        assert cache.statistics().l1_entries == 0
        await cache.set(KEY, "value")
        assert await cache.get(KEY) == "value"  # for the bound, on its own strength
        await asyncio.sleep(BOUND)
        hits = cache.statistics().l1_hits
        assert await cache.get(KEY) == "value"
        assert cache.statistics().l1_hits == hits
        await proxy.restore()

        assert await bus_open(cache) < 2
        for _ in range(2):
            await cache.get(KEY)
        assert cache.statistics().l1_hits == hits + 1


def blocks_when(
    moment: str, cache: Cache, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> asyncio.Event:
    """Let the loop stand still at a moment of the next heartbeat; return what is set after it."""
    over = asyncio.Event()

    def block() -> None:
        monkeypatch.undo()
        time.sleep(seconds)
        over.set()

    def before(function: Callable[..., Any], *, also_after: bool) -> Callable[..., Any]:
        async def blocking(*arguments: Any) -> Any:
            if not also_after:
                block()
            answer = await function(*arguments)
            if also_after:
                block()
            return answer

        return blocking

    if moment == "asleep":
        asyncio.get_running_loop().call_later(BOUND / 10, block)
    elif moment == "before the number":
        store = store_of(cache)
        monkeypatch.setattr(store, "sequence", before(store.sequence, also_after=False))
    else:
        bus = asynccache.redis.bus
        monkeypatch.setattr(bus, "send", before(bus.send, also_after=True))
    return over


@pytest.mark.parametrize("moment", ["asleep", "before the number", "before the PONG"])
@pytest.mark.parametrize(
    ("parts", "holds"),
    [(SOUND, True), (Parts(first=mutants.NeedsNoProof), False)],
    ids=["as it is", "NeedsNoProof"],
)
async def test_after_a_stall_nothing_old_is_served(
    caches: Caches,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    parts: Parts,
    moment: str,
    *,
    holds: bool,
) -> None:
    """A caller who is there before the bus has been read gets no value of before the stall.

    Neither one that is kept, nor one that is being loaded since before.
    """
    source = Source("old")
    reading = await caches.start(redis_url, parts=parts, max_staleness=BOUND)
    async with Worker(redis_url) as writing:
        assert await reading.get_or_load(KEY, source.load) == "old"
        slow = source.slow()
        loading = asyncio.create_task(reading.get_or_load("slow", slow))
        await slow.has_read.wait()
        over = blocks_when(moment, reading, BOUND * 1.5, monkeypatch)
        delays = asyncio.create_task(over.wait())
        writing.tell("delete", key=KEY)  # arrives there at once, and is done during the stall
        writing.tell("delete", key="slow")
        source.value = "new"
        served = await first_after(over, reading, source)
        slow.finish()

        assert await loading == "old"
        assert (served == ["new", "new"]) is holds
        await delays


async def first_after(over: asyncio.Event, cache: Cache, source: Source) -> list[object]:
    """Ask for two keys in the very turn of the loop in which a stall is over."""
    asked: list[asyncio.Future[object]] = []
    loop = asyncio.get_running_loop()

    def set_and_ask() -> None:
        type(over).set(over)
        for key in (KEY, "slow"):
            reading = cache.get_or_load(key, source.load)
            asked.append(asyncio.Task(reading, loop=loop))

    over.set = set_and_ask  # type: ignore[method-assign]
    async with asyncio.timeout(10):
        await over.wait()
    finished, _ = await asyncio.wait(asked, timeout=0.3)
    return [each.result() if each in finished else "old" for each in asked]


@pytest.mark.parametrize("moment", ["asleep", "before the number", "before the PONG"])
async def test_a_stall_of_three_seconds_is_no_loss(
    caches: Caches, redis_url: str, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """What is heard late is heard all the same: nobody reconnects, and nothing is emptied."""
    cache, other = [await caches.start(redis_url) for _ in range(2)]
    await cache.set(KEY, "value")
    before = cache.statistics()

    await blocks_when(moment, cache, 3, monkeypatch).wait()

    await bus_open(cache)
    await asyncio.sleep(0.1)
    after = cache.statistics()
    assert (after.gaps, after.l1_entries) == (before.gaps, 1)
    assert after.breaker == "closed"
    assert await cache.get(KEY) == "value"
    assert cache.statistics().l1_hits == before.l1_hits + 1
    await bus_open(other)
