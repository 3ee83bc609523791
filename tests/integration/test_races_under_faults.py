"""Races that need a fault: a lost message, a stopped process, an unreachable writer, an end.

Each test has the number of its race in the guarantees. Beside the cache as it is stands one with
the mechanism taken away, for which the test must fail.
"""

from __future__ import annotations

import asyncio
import logging
import signal

import pytest

from asynccache import MISSING, Cache, CacheClosed, Policy
from asynccache.core.messages import Message
from asynccache.levels.journal import Journal
from asynccache.runtime import Runtime
from tests.support import mutants
from tests.support.caches import (
    Caches,
    Parts,
    Source,
    bus_of,
    bus_open,
    heard,
    runtime_of,
    store_of,
)
from tests.support.fault_proxy import FaultProxy
from tests.support.mutants import against
from tests.support.redis_server import RedisServer
from tests.support.waiting import until
from tests.support.worker import Worker

pytestmark = pytest.mark.integration

KEY = "k"


async def replayed(cache: Cache) -> None:
    """Wait until a cache has told Redis everything."""
    await until(lambda: cache.statistics().journal == 0)


@against(first=mutants.IgnoresGaps)
async def test_race_10_lost_message(
    caches: Caches, redis_server: RedisServer, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """What was deleted while nobody listened is not served when somebody listens again."""
    async with FaultProxy(redis_server.port) as proxy:
        writing = await caches.start(redis_url)
        reading = await caches.start(redis_url, bus_url=proxy.url, parts=parts)
        await writing.set(KEY, "old")
        await heard(reading, 1)
        assert await reading.get(KEY) == "old"
        gaps = reading.statistics().gaps

        await proxy.cut()
        await writing.delete(KEY)
        await proxy.restore()
        await until(lambda: reading.statistics().gaps >= gaps + 2)  # the cut, and the new start

        assert (await reading.get(KEY) is MISSING) is holds


@against(first=mutants.NeedsNoProof)
async def test_race_11_half_open_subscription(
    caches: Caches, redis_server: RedisServer, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """A socket that is dead without a word: the proof of the bus runs out, with nothing heard."""
    async with FaultProxy(redis_server.port) as proxy:
        writing = await caches.start(redis_url)
        reading = await caches.start(redis_url, bus_url=proxy.url, parts=parts, max_staleness=0.6)
        await until(lambda: bus_of(reading).is_open)
        await writing.set(KEY, "old")
        await heard(reading, 1)
        assert await reading.get(KEY) == "old"

        # Nobody notices, neither at once nor in the end.
        runtime_of(reading).lost = lambda reason: None  # type: ignore[method-assign]
        proxy.hold()
        await writing.delete(KEY)
        await asyncio.sleep(0.7)

        assert (await reading.get(KEY) is MISSING) is holds


async def test_race_12_stopped_process(caches: Caches, redis_url: str) -> None:
    """A process that was stopped for longer than the bound serves nothing of before, however soon.

    The request waits for it in a pipe, like a connection in a backlog, and may be read before the
    bus's socket is.
    """
    source = await caches.start(redis_url)
    async with Worker(redis_url, max_staleness=0.4) as worker:
        for round_ in range(3):
            old, new = f"old {round_}", f"new {round_}"
            assert await worker.ask("load", key=f"k{round_}", value=old) == old
            waiting = worker.tell("load", key=f"slow{round_}", value=old, slow=True)
            await asyncio.sleep(0.05)
            worker.signal(signal.SIGSTOP)
            await source.delete_many([f"k{round_}", f"slow{round_}"])
            requests = [
                worker.tell("load", key=f"{kind}{round_}", value=new) for kind in ("k", "slow")
            ]
            await asyncio.sleep(0.6)
            worker.signal(signal.SIGCONT)

            assert await asyncio.gather(*requests) == [new, new]
            await worker.ask("finish")
            assert await waiting == old
            assert await worker.ask("get", key=f"slow{round_}") == new


@against(first=mutants.IgnoresGaps)
async def test_race_16_restart_with_messages_unread(
    caches: Caches, own_redis: RedisServer, parts: Parts, *, holds: bool
) -> None:
    """A message that was acknowledged and died with the server is a gap, not a silence."""
    async with FaultProxy(own_redis.port) as proxy:
        reading = await caches.start(own_redis.url, bus_url=proxy.url, parts=parts)
        writing = await caches.start(own_redis.url)
        await writing.set(KEY, "old")
        await heard(reading, 1)
        assert await reading.get(KEY) == "old"
        gaps = reading.statistics().gaps

        proxy.hold()
        assert (await writing.delete(KEY)).acknowledged
        own_redis.restart()
        await proxy.reset()
        proxy.release()
        await until(lambda: reading.statistics().gaps >= gaps + 2)

        assert (await reading.get(KEY) is MISSING) is holds


async def test_race_16_flush_with_equal_numbers(caches: Caches, redis_url: str) -> None:
    """A sequence that began anew does not count on where it was, whoever has heard how much."""
    writing, reading = [await caches.start(redis_url) for _ in range(2)]
    await writing.set(KEY, "old")
    await heard(reading, 1)
    assert await reading.get(KEY) == "old"
    number = await store_of(writing).sequence()

    await store_of(writing)._transport.call(("FLUSHALL",))
    await writing.delete(KEY)
    assert abs(await store_of(writing).sequence() - number) > 1_000
    await heard(reading, 2)

    assert await reading.get(KEY) is MISSING


@against(journal=mutants.NotesNothing)
async def test_race_20_unreachable_writer(
    caches: Caches, redis_server: RedisServer, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """A delete that cannot be sent holds here at once, and everywhere when Redis is back."""
    async with FaultProxy(redis_server.port) as proxy:
        writing = await caches.start(proxy.url, parts=parts)
        reading = await caches.start(redis_url)
        source = Source("old")
        assert await writing.get_or_load(KEY, source.load) == "old"
        assert await reading.get_or_load(KEY, source.load) == "old"

        await proxy.cut()
        source.value = "new"
        deleted = await writing.delete(KEY)
        assert not deleted.acknowledged
        assert await writing.get_or_load(KEY, source.load) == "new"
        assert await reading.get_or_load(KEY, source.load) == "old"  # it cannot know
        await proxy.restore()
        await bus_open(writing)
        await replayed(writing)
        await asyncio.sleep(0.1)

        assert (await reading.get_or_load(KEY, source.load) == "new") is holds
        assert await writing.get_or_load(KEY, source.load) == ("new" if holds else "old")


@pytest.mark.parametrize("how", ["killed", "closed"])
async def test_race_21_killed_with_a_journal(
    caches: Caches, redis_server: RedisServer, redis_url: str, how: str
) -> None:
    """What a process could not say dies with it: the documented limit, and what ends it.

    The old value then lives for the rest of its ttl and no longer. A process that ends in order
    says it; one that announces its change before the commit needs not (race 17).
    """
    policy = Policy(ttl=5)
    reading = await caches.start(redis_url, policy=policy)
    source = Source("old")
    async with FaultProxy(redis_server.port) as proxy, Worker(proxy.url) as writing:
        born = asyncio.get_running_loop().time()
        assert await reading.get_or_load(KEY, source.load) == "old"
        await proxy.cut()
        source.value = "new"
        assert not await writing.ask("delete", key=KEY)
        if how == "killed":
            writing.signal(signal.SIGKILL)
        await proxy.restore()
    served = await reading.get_or_load(KEY, source.load)
    assert served == ("old" if how == "killed" else "new")

    await asyncio.sleep(born + 5.1 - asyncio.get_running_loop().time())
    assert await reading.get_or_load(KEY, source.load) == "new"


class NeverBypasses(Journal):
    """Lets its process read from Redis what it could not delete there."""

    def holds(self, key: str) -> bool:
        """See `Journal.holds`."""
        return False


@against(journal=NeverBypasses)
async def test_race_20_between_the_return_and_the_replay(
    caches: Caches, redis_server: RedisServer, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """While Redis is back and has not been told yet, its old value is not read here."""
    async with FaultProxy(redis_server.port) as proxy:
        cache = await caches.start(proxy.url, parts=parts)
        await cache.set_many({KEY: "old", "loaded": "old"})
        await proxy.cut()
        assert not (await cache.delete_many([KEY, "loaded"])).acknowledged
        replay = store_of(cache).hold("forget", "before")
        await proxy.restore()
        await replay.reached.wait()
        await until(lambda: cache.statistics().breaker == "closed")

        read = await cache.get(KEY)
        loaded = await cache.get_or_load("loaded", Source("new").load)
        replay.release()

        assert ((read, loaded) == (MISSING, "new")) is holds
        await replayed(cache)


async def test_race_22_replay_against_a_newer_write(
    caches: Caches, redis_server: RedisServer, redis_url: str
) -> None:
    """A replayed delete that comes after another's newer value costs a load and takes nothing back.

    It is replayed as a delete: an older value is nowhere to come from.
    """
    async with FaultProxy(redis_server.port) as proxy:
        late = await caches.start(proxy.url)
        other = await caches.start(redis_url)
        source = Source("first")
        await proxy.cut()
        await late.set(KEY, source.value)
        source.value = "second"
        await other.set(KEY, source.value)

        await proxy.restore()
        await replayed(late)

        assert await late.get_or_load(KEY, source.load) == "second"
        assert await other.get_or_load(KEY, source.load) == "second"
        assert source.loads == 1


@pytest.mark.parametrize("on_its_way", [True, False])
async def test_race_22_replay_against_an_own_newer_write(
    caches: Caches, redis_server: RedisServer, redis_url: str, *, on_its_way: bool
) -> None:
    """A replayed delete does not remove what the same process has written since."""
    async with FaultProxy(redis_server.port) as proxy:
        cache = await caches.start(proxy.url)
        other = await caches.start(redis_url)
        await proxy.cut()
        assert not (await cache.set(KEY, "lost")).acknowledged
        replay = store_of(cache).hold("forget", "before")
        await proxy.restore()
        await until(lambda: cache.statistics().breaker == "closed")
        if on_its_way:
            await replay.reached.wait()

        writing = asyncio.create_task(cache.set(KEY, "new"))
        await asyncio.sleep(0.05)
        replay.release()
        assert (await writing).acknowledged
        await replayed(cache)
        await asyncio.sleep(0.4)  # longer than until the next try

        assert await other.get(KEY) == "new"
        assert await cache.get(KEY) == "new"


async def test_race_32_cancelled_delete(caches: Caches, redis_url: str) -> None:
    """Who cancels a delete does not leave it half done: it goes on, here and in Redis."""
    cache, other = [await caches.start(redis_url) for _ in range(2)]
    await cache.set(KEY, "old")
    request = store_of(cache).hold("forget", "before")
    deleting = asyncio.create_task(cache.delete(KEY))
    await request.reached.wait()
    deleting.cancel()
    await asyncio.wait((deleting,))
    assert deleting.cancelled()
    request.release()
    await heard(other, 2)

    assert await cache.get(KEY) is MISSING
    assert await other.get(KEY) is MISSING


async def test_race_32_cancelled_delete_with_unknown_outcome(
    caches: Caches, redis_server: RedisServer, redis_url: str
) -> None:
    """If nobody knows whether Redis has done it, it is in the journal, and is done again."""
    async with FaultProxy(redis_server.port) as proxy:
        cache = await caches.start(proxy.url)
        other = await caches.start(redis_url)
        await cache.set(KEY, "old")
        await heard(other, 1)
        proxy.hold()
        deleting = asyncio.create_task(cache.delete(KEY))
        await asyncio.sleep(0.05)
        deleting.cancel()
        await until(lambda: cache.statistics().journal == 1)
        assert await cache.get(KEY) is MISSING
        await proxy.restore()
        await replayed(cache)

        assert await other.get(KEY) is MISSING


@pytest.mark.parametrize("moment", ["load", "write", "reconnect", "replay"])
async def test_race_34_close_in_the_middle(
    own_redis: RedisServer, caplog: pytest.LogCaptureFixture, moment: str
) -> None:
    """Whatever is going on, after close no task and no connection is left, and nobody hangs."""
    before = asyncio.all_tasks()
    slow = Source("value").slow()
    async with FaultProxy(own_redis.port) as proxy:
        cache = Cache(proxy.url, shutdown_timeout=0.3, max_staleness=0.4)
        async with asyncio.timeout(10), cache:
            await bus_open(cache)
            caller: asyncio.Task[object] = asyncio.create_task(cache.get_or_load(KEY, slow))
            await slow.has_read.wait()
            if moment == "write":
                proxy.hold()
                writer = asyncio.create_task(cache.delete(KEY))
                await asyncio.sleep(0.01)
            elif moment != "load":
                await proxy.cut()
                await until(lambda: cache.statistics().bus == "closed")
            if moment == "replay":
                await cache.delete_many(["a", "b"])
                assert cache.statistics().journal >= 2
        with pytest.raises(CacheClosed):
            await caller
        if moment == "write":
            assert not (await writer).acknowledged

    assert asyncio.all_tasks() == before
    assert own_redis.command("CLIENT", "LIST").count(b"name=asynccache") == 0
    assert "still running" not in caplog.text


async def test_race_34_close_flushes_the_journal(
    caches: Caches, redis_server: RedisServer, redis_url: str
) -> None:
    """What is unsaid when the cache ends is said then, if Redis is there."""
    other = await caches.start(redis_url)
    async with FaultProxy(redis_server.port) as proxy, Cache(proxy.url) as cache:
        await cache.set(KEY, "old")
        await proxy.cut()
        assert not (await cache.delete(KEY)).acknowledged
        await proxy.restore()
        await cache.close()

    assert await other.get(KEY) is MISSING


@pytest.mark.parametrize("bug", [AttributeError, KeyError])
async def test_race_35_dead_listener(
    caches: Caches,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    bug: type[Exception],
) -> None:
    """A listener that fails in an unexpected way says so, empties the first level, and is back."""
    writing, reading = [await caches.start(redis_url) for _ in range(2)]
    await writing.set(KEY, "old")
    await heard(reading, 1)
    assert await reading.get(KEY) == "old"
    gaps = reading.statistics().gaps
    hears = Runtime.invalidated

    def fails_once(self: Runtime, message: Message) -> None:
        monkeypatch.setattr(Runtime, "invalidated", hears)
        raise bug("a bug")

    monkeypatch.setattr(Runtime, "invalidated", fails_once)
    await writing.delete(KEY)
    await until(lambda: reading.statistics().gaps >= gaps + 2)

    assert await reading.get(KEY) is MISSING
    await bus_open(reading)
    await writing.set(KEY, "new")
    await heard(reading, 2)
    assert await reading.get(KEY) == "new"
    assert "a bug" in caplog.text


async def test_race_35_dead_replay(
    caches: Caches,
    redis_server: RedisServer,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A replay that fails in an unexpected way says so and is tried again."""
    async with FaultProxy(redis_server.port) as proxy:
        writing = await caches.start(proxy.url)
        reading = await caches.start(redis_url)
        await writing.set(KEY, "old")
        await heard(reading, 1)
        assert await reading.get(KEY) == "old"
        await proxy.cut()
        assert not (await writing.delete(KEY)).acknowledged
        replay = runtime_of(writing)._second.replay  # type: ignore[union-attr]
        drains = replay.drain

        async def fails_once() -> None:
            monkeypatch.setattr(replay, "drain", drains)
            raise AttributeError("a bug")

        monkeypatch.setattr(replay, "drain", fails_once)
        await proxy.restore()
        await replayed(writing)
        await heard(reading, 2)

    assert await reading.get(KEY) is MISSING
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
