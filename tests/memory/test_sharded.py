"""Large engines are divided, and nobody notices but the clock."""

from __future__ import annotations

import pytest

from asynccache.memory.engine import MemoryEngine
from asynccache.memory.sharded import LARGEST_UNDIVIDED, SHARDS, ShardedEngine, make_engine
from tests.support.entries import entry, filled


@pytest.mark.parametrize(
    ("max_entries", "kind"),
    [(1, MemoryEngine), (LARGEST_UNDIVIDED, MemoryEngine), (LARGEST_UNDIVIDED + 1, ShardedEngine)],
)
def test_only_large_engines_are_divided(max_entries: int, kind: type) -> None:
    """Choosing among parts costs each read a little."""
    assert type(make_engine(max_entries)) is kind


def test_the_parts_keep_the_bound_of_the_whole() -> None:
    """However unevenly the keys fall."""
    engine = ShardedEngine(1_600)
    for number in range(10_000):
        engine.put(entry(f"k{number}"), 0.0)
        assert len(engine) <= 1_600

    assert len(engine) == 1_600
    assert repr(engine) == "<ShardedEngine 1600/1600 entries>"


def test_the_parts_share_the_weight() -> None:
    """What is heavier than a part is rejected, though the whole could hold it."""
    engine = ShardedEngine(1_600, 1_600, lambda key, value: len(value))
    assert engine.put(entry("a", "x" * (1_600 // SHARDS)), 0.0) is True
    assert engine.put(entry("b", "x" * (1_600 // SHARDS + 1)), 0.0) is False

    assert engine.statistics().weight == 100
    assert repr(engine) == "<ShardedEngine 1/1600 entries, 100/1600 bytes>"


def test_hooks_are_told_by_every_part() -> None:
    """One set of them serves all."""
    engine = ShardedEngine(1_600, on_removal=lambda *removal: None)
    told: list[str] = []
    engine.hooks.on_pending = lambda: told.append("pending")
    filled(engine, *(f"k{number}" for number in range(1_000)))
    engine.drain_removals()
    told.clear()
    for key in list(engine):
        engine.delete(key)

    assert len(told) == SHARDS
