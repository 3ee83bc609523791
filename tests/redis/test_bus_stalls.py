"""The bus when nothing arrives: a link that is half-open, a loop that stands still, a cut."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from asynccache import Cache
from asynccache.core.messages import Kind, Message
from asynccache.redis.bus import HEARTBEATS
from asynccache.redis.connections import send
from tests.support import mutants
from tests.support.caches import (
    SOUND,
    Caches,
    Parts,
    Source,
    bus_open,
    heard,
    link_of,
    runtime_of,
    store_of,
)
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import RedisServer
from tests.support.waiting import until
from tests.support.worker import Worker

pytestmark = pytest.mark.integration

KEY = "k"
BOUND = 0.4
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


@pytest.mark.parametrize(
    ("fault", "phase"), [("held", 0.0), ("held", 0.5), ("cut", 0.0), ("cut and held", 0.5)]
)
async def test_a_dead_link_ends_within_the_bound(
    caches: Caches, redis_server: RedisServer, redis_url: str, fault: str, phase: float
) -> None:
    """However the link of the bus dies, an old value is served for no longer than promised."""
    async with FaultProxy(redis_server.port) as proxy:
        writing = await caches.start(redis_url)
        reading = await caches.start(redis_url, bus_url=proxy.url, max_staleness=BOUND)
        source = Source("old")
        assert await reading.get_or_load(KEY, source.load) == "old"
        await asyncio.sleep(BOUND * (1 + phase / HEARTBEATS))

        if "cut" in fault:
            await proxy.cut()
        if "held" in fault:
            proxy.hold()
        source.value = "new"
        assert (await writing.delete(KEY)).acknowledged

        assert await served_for(reading, source) < BOUND + BUSY


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


def block_at(
    moment: str, cache: Cache, block: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let something block the loop, once, at a moment of the next heartbeat."""

    def blocking(call: Callable[..., Any], *, first: bool) -> Callable[..., Any]:
        async def call_and_block(*arguments: Any) -> Any:
            monkeypatch.undo()
            if first:
                block()
            answer = await call(*arguments)
            if not first:
                block()
            return answer

        return call_and_block

    if moment == "asleep":
        asyncio.get_running_loop().call_soon(block)
    elif moment == "before the number":
        store = store_of(cache)
        monkeypatch.setattr(store, "sequence", blocking(store.sequence, first=True))
    else:
        monkeypatch.setattr("asynccache.redis.bus.send", blocking(send, first=False))


MOMENTS = ("asleep", "before the number", "before the PONG")


@pytest.mark.parametrize("moment", MOMENTS)
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
    slow = source.slow()
    over = asyncio.Event()
    after: list[asyncio.Task[object]] = []
    reading = await caches.start(redis_url, parts=parts, max_staleness=BOUND)
    async with Worker(redis_url) as writing:
        assert await reading.get_or_load(KEY, source.load) == "old"
        loading = asyncio.create_task(reading.get_or_load("slow", slow))
        await slow.has_read.wait()

        def block() -> None:
            writing.tell("delete", key=KEY)  # reaches the other process at once
            writing.tell("delete", key="slow")
            source.value = "new"
            time.sleep(BOUND * 1.5)
            # Their first steps are ahead of whatever the loop will find in its sockets.
            for key in (KEY, "slow"):
                asked = reading.get_or_load(key, source.load)
                after.append(asyncio.get_running_loop().create_task(asked))
            over.set()

        block_at(moment, reading, block, monkeypatch)
        await over.wait()
        finished, _ = await asyncio.wait(after, timeout=5 if holds else 0.3)
        slow.finish()

        assert await loading == "old"
        assert [await each for each in after] == (["new"] * 2 if holds else ["old"] * 2)
        assert (finished == set(after)) is holds


@pytest.mark.parametrize(
    ("moment", "seconds", "bound"),
    [("asleep", 0.6, BOUND), ("before the number", 0.6, BOUND), ("before the PONG", 3, 2)],
)
async def test_a_stall_is_no_loss(
    caches: Caches,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    moment: str,
    seconds: float,
    bound: float,
) -> None:
    """What is heard late is heard all the same: nobody reconnects, and nothing is emptied."""
    cache = await caches.start(redis_url, max_staleness=bound)
    await cache.set(KEY, "value")
    before = cache.statistics()
    over = asyncio.Event()

    def block() -> None:
        time.sleep(seconds)
        over.set()

    block_at(moment, cache, block, monkeypatch)
    await over.wait()
    assert cache.statistics().bus == "closed"

    await bus_open(cache)
    await asyncio.sleep(0.1)
    after = cache.statistics()
    assert (after.gaps, after.l1_entries) == (before.gaps, 1)
    assert after.breaker == "closed"
    assert await cache.get(KEY) == "value"
    assert cache.statistics().l1_hits == before.l1_hits + 1


async def test_a_flood_is_not_silence(
    caches: Caches, redis_server: RedisServer, redis_url: str
) -> None:
    """A PONG that waits behind thirty thousand messages comes late, on a link that is well."""
    async with FaultProxy(redis_server.port) as proxy:
        other = await caches.start(redis_url)
        cache = await caches.start(redis_url, bus_url=proxy.url, max_staleness=0.2)
        await cache.set(KEY, "value")
        keys = runtime_of(cache)._configuration.keys
        message = Message(b"origin-1", Kind.FORGET_KEYS, tuple(f"k{n}" for n in range(20))).pack()
        flood = (
            "for n = 1, 30000 do local number = redis.call('INCR', KEYS[1]) "
            "redis.call('PUBLISH', ARGV[1], string.format('%.0f', number) .. '|' .. ARGV[2]) end"
        )
        gaps = cache.statistics().gaps

        await link_of(other).call(("EVAL", flood, 1, keys.sequence, keys.channel, message))
        start = time.monotonic()
        await heard(cache, 30_000)
        took = time.monotonic() - start

        assert took > 0.2 / 2  # longer than its patience with silence
        assert cache.statistics().gaps == gaps
        assert cache.statistics().l1_entries == 1
