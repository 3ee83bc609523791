"""Clearing: at once for whoever reads, in slices for whoever has to free it."""

from __future__ import annotations

from typing import Any

import pytest

from asynccache.memory.engine import FREED_AT_ONCE, MemoryEngine
from asynccache.memory.entry import RemovalCause
from asynccache.memory.sharded import Engine, ShardedEngine
from tests.support.entries import entry, filled, hit

MANY = 50 * FREED_AT_ONCE


@pytest.fixture(params=[MemoryEngine, ShardedEngine])
def engine(request: pytest.FixtureRequest) -> Engine:
    """An engine with far more entries than are freed at once."""
    made: Engine = request.param(2 * MANY)
    for number in range(MANY):
        made.put(entry(f"k{number}", ttl=60 if number % 2 else None), 0.0)
    return made


def in_slices(engine: Engine) -> int:
    """Do the work that is left, a little at a time; return how many slices that took."""
    slices = 1
    while engine.work(0.0, lambda: True):
        slices += 1
    return slices


def test_what_was_cleared_is_not_there(engine: Engine) -> None:
    """Although most of it is not freed yet."""
    assert engine.clear() == MANY
    table = engine.entries

    assert (len(engine), list(engine), engine.statistics().weight) == (0, [], 0)
    assert f"k{MANY - 1}" not in engine
    assert engine.get(f"k{MANY - 1}") is None
    assert engine.delete(f"k{MANY - 1}") is False
    assert engine.delete_matching(lambda key: True) == 0
    # Whoever reads the table itself sees another epoch.
    assert table[f"k{MANY - 1}"].epoch < engine.epoch


def test_it_is_freed_in_slices(engine: Engine) -> None:
    """And nothing else is: what was put in between stays."""
    work: list[str] = []
    engine.hooks.on_work = lambda: work.append("work")
    engine.clear()
    assert work
    for number in range(0, MANY, 7):
        engine.put(entry(f"k{number}", "new"), 0.0)
    slices = in_slices(engine)

    assert slices > 50
    assert len(engine) == len(range(0, MANY, 7))
    assert all(engine.entries[key].value == "new" for key in engine)
    with pytest.raises(KeyError):
        engine.entries["k1"]
    assert engine.sweep(1_000.0, lambda: False) is False
    assert len(engine) == len(range(0, MANY, 7))


def test_hits_are_counted_before_and_after(engine: Engine) -> None:
    """Those of what was cleared, too, whether it is freed yet or not."""
    for number in range(0, MANY, 10):
        hit(engine, f"k{number}")
    engine.clear()
    assert engine.statistics().hits == MANY // 10
    in_slices(engine)

    assert engine.statistics().hits == MANY // 10


@pytest.mark.parametrize("kind", [MemoryEngine, ShardedEngine])
def test_each_removal_is_told_once(kind: type[Engine]) -> None:
    """Cleared twice, put again in between, and partly deleted: one message for each that left."""
    removals: list[tuple[str, Any, RemovalCause]] = []
    engine: Engine = kind(2 * MANY, on_removal=lambda *removal: removals.append(removal))
    filled(engine, *(f"k{number}" for number in range(MANY)))
    engine.clear()
    filled(engine, *(f"k{number}" for number in range(100)))
    engine.delete("k5")
    engine.clear()
    in_slices(engine)
    engine.drain_removals()

    told: dict[str, int] = {}
    for key, value, cause in removals:
        assert (value, cause) == ("v", RemovalCause.EXPLICIT)
        told[key] = told.get(key, 0) + 1
    assert told == {f"k{number}": 2 if number < 100 else 1 for number in range(MANY)}
