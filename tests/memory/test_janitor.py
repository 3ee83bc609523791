"""The janitor: what it does between other things, and that it ends."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator

import pytest

from asynccache import Cache, ManualClock
from asynccache.memory import janitor as module
from asynccache.memory.engine import MemoryEngine
from asynccache.memory.janitor import Janitor
from tests.support.entries import entry, filled
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its second is a hundredth here."""
    monkeypatch.setattr(module, "PERIOD", 0.01)


@pytest.fixture
async def engine(clock: ManualClock) -> AsyncIterator[MemoryEngine]:
    """An engine with a janitor."""
    engine = MemoryEngine(100_000)
    keeper = Janitor(engine, clock)
    yield engine
    keeper.close()


def timers() -> int:
    """Return how many timers the loop has that somebody waits for."""
    scheduled = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return sum(not handle.cancelled() for handle in scheduled)


async def test_what_has_expired_leaves_by_itself(engine: MemoryEngine, clock: ManualClock) -> None:
    """Nobody has to ask for it, or to need its room."""
    now = clock.monotonic()
    engine.put(entry("short", since=now, ttl=5), now)
    engine.put(entry("long", since=now, ttl=50), now)
    await asyncio.sleep(0.05)
    assert len(engine) == 2
    clock.advance(6)
    await until(lambda: len(engine) == 1)

    assert list(engine) == ["long"]


async def test_a_timer_runs_only_while_something_will_expire(
    engine: MemoryEngine, clock: ManualClock
) -> None:
    """One for all of it."""
    before = timers()
    filled(engine, "lasting")
    assert timers() == before
    for number in range(100):
        engine.put(entry(f"k{number}", since=clock.monotonic(), ttl=5), clock.monotonic())
    assert timers() == before + 1
    clock.advance(10)
    await until(lambda: len(engine) == 1)
    await asyncio.sleep(0.03)

    assert timers() == before


async def test_a_large_sweep_lets_others_run(engine: MemoryEngine, clock: ManualClock) -> None:
    """Half a millisecond at a time: a hundred thousand entries take many turns of the loop."""
    now = clock.monotonic()
    for number in range(30_000):
        engine.put(entry(f"k{number}", since=now, ttl=5), now)
    clock.advance(10)
    turns = 0
    await until(lambda: len(engine) < 30_000)
    while len(engine) and turns < 100_000:
        turns += 1
        await asyncio.sleep(0)

    assert 10 < turns < 100_000


async def test_what_was_cleared_is_freed(engine: MemoryEngine) -> None:
    """In the turns that follow."""
    filled(engine, *(f"k{number}" for number in range(30_000)))
    engine.clear()
    assert len(engine.entries) > 20_000
    await until(lambda: not engine.entries)


async def test_it_ends(clock: ManualClock) -> None:
    """After the end nothing is scheduled, whatever happens to the engine."""
    engine = MemoryEngine()
    keeper = Janitor(engine, clock)
    engine.put(entry("a", since=clock.monotonic(), ttl=5), clock.monotonic())
    before = timers()
    keeper.close()
    assert timers() == before - 1
    engine.clear()
    engine.put(entry("b", since=clock.monotonic(), ttl=5), clock.monotonic())

    assert timers() == before - 1


async def test_it_ends_with_its_cache(clock: ManualClock) -> None:
    """Closing leaves no timer and nothing that holds the cache."""
    before = timers()
    cache = Cache("memory://", clock=clock)
    async with cache:
        await cache.set("k", "v", ttl=5)
        assert timers() == before + 1
    assert timers() == before
    reference = weakref.ref(cache)
    del cache
    gc.collect()

    assert reference() is None


def test_a_loop_that_was_closed_is_left_alone(clock: ManualClock) -> None:
    """The engine of a cache that was not closed outlives its loop."""
    engine = MemoryEngine()

    async def make() -> None:
        Janitor(engine, clock)

    asyncio.run(make())
    engine.put(entry("a", since=clock.monotonic(), ttl=5), clock.monotonic())
    filled(engine, *(f"k{number}" for number in range(1_000)))

    assert engine.clear() == 1_001
