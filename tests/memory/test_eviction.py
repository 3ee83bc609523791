"""Eviction: never above a bound, fair to what is read, deaf to what is only passing through."""

from __future__ import annotations

from typing import Any

import pytest

from asynccache.clock import ManualClock
from asynccache.memory.engine import MOST_EVICTIONS, MemoryEngine
from asynccache.memory.entry import MAIN, SMALL, RemovalCause
from asynccache.memory.queues import MOST_MOVES, Queues
from asynccache.memory.statistics import MemoryStatistics
from tests.support.entries import entry, filled, hit

EXPIRED, SIZE = RemovalCause.EXPIRED, RemovalCause.SIZE

Removal = tuple[str, Any, RemovalCause]


def queue_of(engine: MemoryEngine, key: str) -> int:
    """Return the queue in which a key is."""
    found = engine.get(key)
    assert found is not None
    return found.queue


def read(engine: MemoryEngine, key: str, times: int = 1) -> None:
    """Read a key some times."""
    for _ in range(times):
        hit(engine, key)


@pytest.mark.parametrize("bound", [1, 2, 3, 10, 100])
def test_the_oldest_entry_leaves_when_the_bound_is_reached(bound: int) -> None:
    """Entries that nobody reads leave in the order in which they came."""
    engine = MemoryEngine(max_entries=bound)
    for number in range(3 * bound):
        engine.put(entry(f"k{number}"), 0.0)
        assert len(engine) <= bound

    assert list(engine) == [f"k{number}" for number in range(2 * bound, 3 * bound)]
    assert engine.statistics().evictions == 2 * bound


@pytest.mark.parametrize(("reads", "stays"), [(0, False), (1, False), (2, True), (9, True)])
def test_what_was_read_twice_moves_to_the_main_queue(reads: int, *, stays: bool) -> None:
    """When it comes to the front of the small one; once may have been chance."""
    engine = filled(MemoryEngine(max_entries=10), "a")
    read(engine, "a", reads)
    filled(engine, *(f"k{number}" for number in range(10)))

    assert ("a" in engine) is stays
    if stays:
        assert queue_of(engine, "a") == MAIN
    assert len(engine) == 10


def test_what_comes_back_soon_enters_the_main_queue() -> None:
    """The ghost remembers who was evicted before it could prove itself."""
    engine = filled(MemoryEngine(max_entries=10), *(f"k{number}" for number in range(12)))
    assert "k0" not in engine
    filled(engine, "k0", "new")

    assert (queue_of(engine, "k0"), queue_of(engine, "new")) == (MAIN, SMALL)


def test_what_comes_back_late_is_new() -> None:
    """The ghost remembers as many as there may be entries."""
    engine = filled(MemoryEngine(max_entries=10), *(f"k{number}" for number in range(40)))
    filled(engine, "k0")

    assert queue_of(engine, "k0") == SMALL


def test_a_scan_leaves_the_hot_set_alone() -> None:
    """A hundred times as many keys as there is room for pass through the small queue."""
    engine = MemoryEngine(max_entries=100)
    hot = [f"hot{number}" for number in range(MOST_MOVES)]
    for _ in range(3):
        for key in hot:
            if key not in engine:
                filled(engine, key)
            read(engine, key, 2)
    for number in range(10_000):
        filled(engine, f"scan{number}")

    assert [key for key in hot if key not in engine] == []


def test_the_main_queue_gives_three_more_rounds_at_most() -> None:
    """However often an entry was read: then it leaves, unless it was read again."""
    queues = Queues(10)
    entries = [entry(key) for key in "abc"]
    for each in entries:
        queues.add(each, MAIN)
        each.hits = 50

    assert queues.victim(0.0, small_is_full=False) is entries[0]
    assert [each.hits - each.seen for each in entries[1:]] == [0, 0]
    entries[1].hits += 1
    assert queues.victim(0.0, small_is_full=False) is entries[2]
    assert queues.victim(0.0, small_is_full=False) is entries[1]
    assert queues.victim(0.0, small_is_full=False) is None


def test_a_key_that_was_invalidated_comes_back_where_it_was() -> None:
    """Its value is gone, but it is as wanted as before."""
    engine = MemoryEngine(max_entries=10)
    filled(engine, "a")
    read(engine, "a", 5)
    filled(engine, *(f"k{number}" for number in range(10)))
    assert queue_of(engine, "a") == MAIN
    engine.delete("a")
    filled(engine, "a")

    assert queue_of(engine, "a") == MAIN


def test_a_new_value_is_as_wanted_as_the_old_one() -> None:
    """It takes its queue, and the second chances that its reads have earned."""
    engine = filled(MemoryEngine(max_entries=10), "a")
    read(engine, "a", 2)
    filled(engine, "a")  # the new value was not read, the key was
    filled(engine, *(f"k{number}" for number in range(10)))

    assert queue_of(engine, "a") == MAIN
    filled(engine, "a")
    assert queue_of(engine, "a") == MAIN


def test_one_eviction_moves_a_bounded_number_of_entries() -> None:
    """A put costs no more when a hundred thousand entries have all been read."""
    keys = [f"k{number}" for number in range(4 * MOST_MOVES)]
    engine = filled(MemoryEngine(max_entries=len(keys)), *keys)
    for key in keys:
        read(engine, key, 2)
    filled(engine, "new")

    moved = [key for key in engine if queue_of(engine, key) == MAIN]
    assert moved == keys[:MOST_MOVES]
    assert keys[MOST_MOVES] not in engine


@pytest.mark.parametrize(
    ("age", "leaves"), [(14.9, ("long", "v", SIZE)), (15.0, ("short", "v", EXPIRED))]
)
def test_an_expired_entry_gets_no_second_chance(age: float, leaves: Removal) -> None:
    """However often it was read; one in its grace is not expired yet."""
    removals: list[Removal] = []
    engine = MemoryEngine(max_entries=2, on_removal=lambda *removal: removals.append(removal))
    clock = ManualClock(0.0)
    engine.put(entry("short", ttl=10, grace=5), clock.monotonic())
    engine.put(entry("long"), clock.monotonic())
    read(engine, "short", 2)
    clock.advance(age)
    engine.put(entry("x"), clock.monotonic())
    engine.drain_removals()

    assert removals == [leaves]
    statistics = engine.statistics()
    assert (statistics.evictions, statistics.expirations) == (age < 15, age >= 15)


def weigh(key: str, value: Any) -> int:
    """Weigh an entry in bytes."""
    return len(key) + len(value)


def test_weights_are_bounded_as_well() -> None:
    """As many entries leave as the new one needs room for."""
    engine = MemoryEngine(max_bytes=10, weigher=weigh)
    for key, size in [("a", 2), ("b", 2), ("c", 3)]:
        engine.put(entry(key, "x" * size), 0.0)
    assert (list(engine), engine.statistics().weight) == (["a", "b", "c"], 10)

    engine.put(entry("d", "x" * 4), 0.0)

    assert (list(engine), engine.statistics().weight) == (["c", "d"], 9)
    assert engine.statistics().evictions == 2


def test_an_entry_heavier_than_the_bound_is_rejected() -> None:
    """Nothing else has to leave for it; the value that it would have replaced is gone."""
    engine = MemoryEngine(max_bytes=10, weigher=weigh)
    engine.put(entry("a", "x"), 0.0)
    engine.put(entry("b", "x"), 0.0)

    assert engine.put(entry("a", "x" * 9), 0.0) is True
    assert engine.put(entry("a", "x" * 10), 0.0) is False
    assert list(engine) == []
    assert engine.statistics() == MemoryStatistics(evictions=1, rejected=1)


def test_room_for_a_heavy_entry_is_made_in_parts() -> None:
    """One put has a bounded number of others leave; the rest leave when there is time."""
    told: list[str] = []
    engine = MemoryEngine(max_bytes=1_000, weigher=lambda key, value: len(value))
    engine.hooks.on_work = lambda: told.append("work")
    filled_with = 100
    for number in range(filled_with):
        engine.put(entry(f"k{number}", "x" * 10), 0.0)
    engine.put(entry("heavy", "x" * 900), 0.0)

    assert len(engine) == filled_with - MOST_EVICTIONS + 1
    assert (engine.statistics().weight > 1_000, told) == (True, ["work"])
    while engine.work(0.0, lambda: False):
        pass
    assert engine.statistics().weight <= 1_000
    assert "heavy" in engine
    assert len(engine) == 11


def test_a_weight_is_asked_for_once_for_each_put() -> None:
    """A weigher may be slow, or answer differently the next time."""
    asked: list[tuple[str, Any]] = []

    def weigher(key: str, value: Any) -> int:
        asked.append((key, value))
        return len(asked)

    engine = MemoryEngine(max_bytes=100, weigher=weigher)
    engine.put(entry("a", 1), 0.0)
    engine.put(entry("a", 2), 0.0)
    engine.put(entry("b", 3), 0.0)
    assert asked == [("a", 1), ("a", 2), ("b", 3)]
    assert engine.statistics().weight == 5
    engine.delete("a")
    engine.delete("b")

    assert engine.statistics().weight == 0


def test_overwriting_leaves_no_trace_in_the_queues() -> None:
    """A counter that is set a million times is not held a million times."""
    engine = MemoryEngine(max_entries=10)
    for _ in range(10_000):
        engine.put(entry("a", ttl=100), 0.0)

    assert len(engine) == 1
    assert len(engine._queues._small) + len(engine._queues._main) < 2_000
    assert sum(len(bucket.entries) for bucket in engine._buckets._buckets.values()) < 200
