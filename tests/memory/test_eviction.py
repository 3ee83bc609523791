"""Eviction: never above a bound, and fair to what is read."""

from __future__ import annotations

from typing import Any

import pytest

from asynccache.clock import ManualClock
from asynccache.memory.engine import MOST_MOVES, MemoryEngine, MemoryStatistics
from asynccache.memory.entry import RemovalCause
from tests.support.entries import entry, filled, hit

EXPIRED, SIZE = RemovalCause.EXPIRED, RemovalCause.SIZE

Removal = tuple[str, Any, RemovalCause]


@pytest.mark.parametrize("bound", [1, 2, 10])
def test_the_oldest_entry_leaves_when_the_bound_is_reached(bound: int) -> None:
    """Entries that nobody reads leave in the order in which they came."""
    engine = MemoryEngine(max_entries=bound)
    for number in range(3 * bound):
        engine.put(entry(f"k{number}"), 0.0)
        assert len(engine) <= bound

    assert list(engine) == [f"k{number}" for number in range(2 * bound, 3 * bound)]
    assert engine.statistics().evictions == 2 * bound


def test_what_was_read_gets_a_second_chance() -> None:
    """Once for all reads since the hand last passed: then it has to be read again."""
    engine = filled(MemoryEngine(max_entries=3), "a", "b", "c")
    for _ in range(10):
        hit(engine, "a")

    filled(engine, "d")
    assert list(engine) == ["c", "a", "d"]
    hit(engine, "a")
    filled(engine, "e", "f")
    assert list(engine) == ["e", "a", "f"]
    filled(engine, "g", "h")
    assert list(engine) == ["f", "g", "h"]


def test_when_everything_was_read_the_oldest_leaves() -> None:
    """The hand comes round to it again."""
    engine = filled(MemoryEngine(max_entries=3), "a", "b", "c")
    for key in "abc":
        hit(engine, key)
    filled(engine, "d")

    assert list(engine) == ["b", "c", "d"]


def test_one_eviction_moves_a_bounded_number_of_entries() -> None:
    """A put costs no more when a hundred thousand entries have all been read."""
    keys = [f"k{number}" for number in range(2 * MOST_MOVES)]
    engine = filled(MemoryEngine(max_entries=len(keys)), *keys)
    for key in keys:
        hit(engine, key)
    filled(engine, "new")

    assert list(engine) == [*keys[MOST_MOVES + 1 :], *keys[:MOST_MOVES], "new"]


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
    hit(engine, "short")
    clock.advance(age)
    engine.put(entry("x"), clock.monotonic())
    engine.drain_removals()

    assert removals == [leaves]
    assert engine.statistics().evictions == 1


def test_the_last_one_to_leave_is_looked_at_too() -> None:
    """It leaves because the hand has moved enough, and is told to be expired when it is."""
    removals: list[Removal] = []
    size = MOST_MOVES + 1
    engine = MemoryEngine(size, on_removal=lambda *removal: removals.append(removal))
    for number in range(size):
        engine.put(entry(f"k{number}", ttl=5 if number == MOST_MOVES else None), 0.0)
        hit(engine, f"k{number}")
    engine.put(entry("new"), 5.0)
    engine.drain_removals()

    assert removals == [(f"k{MOST_MOVES}", "v", EXPIRED)]


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
    assert engine.statistics() == MemoryStatistics(
        entries=0, weight=0, hits=0, evictions=1, rejected=1
    )


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
