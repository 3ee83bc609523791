"""The L1 engines against a plain dict, over any sequence of what can be done to them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.clock import ManualClock
from asynccache.core.policy import Lifetime
from asynccache.memory.engine import MemoryEngine
from asynccache.memory.entry import NOWHERE, Entry, RemovalCause, new_entry
from asynccache.memory.kinds import entry_type
from asynccache.memory.sharded import Engine, ShardedEngine
from asynccache.memory.statistics import MemoryStatistics

EXPLICIT, REPLACED = RemovalCause.EXPLICIT, RemovalCause.REPLACED

keys = st.sampled_from("abcdefgh")
operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), keys, st.integers(0, 12), st.none() | st.integers(1, 5)),
        st.tuples(st.just("hit"), keys),
        st.tuples(st.just("renew"), keys, st.integers(1, 5)),
        st.tuples(st.just("delete"), keys),
        st.tuples(st.just("delete_matching"), st.sets(keys, max_size=3)),
        st.tuples(st.just("advance"), st.integers(0, 3)),
        st.tuples(st.just("sweep")),
        st.tuples(st.just("clear")),
    ),
    max_size=60,
)


class Model:
    """A plain dict beside the engine, which is told what left and why, and checks it."""

    def __init__(
        self, engine: type[Engine], max_entries: int, max_bytes: int | None, kind: type[Entry]
    ) -> None:
        self.kind = kind
        self.bounds = (max_entries, max_bytes)
        self.clock = ManualClock(0.0)
        self.held: dict[str, Entry] = {}
        self.values: dict[str, object] = {}
        self.left: list[tuple[str, RemovalCause]] = []
        self.hits = self.evictions = self.expirations = self.rejected = 0
        self.engine: Engine = engine(
            max_entries, max_bytes, lambda key, value: value[1], self.removed
        )

    def removed(self, key: str, value: Any, cause: RemovalCause) -> None:
        """Note a removal; it has to be of what was held, and for the cause that it says."""
        gone = self.held.pop(key)
        assert self.values.pop(key) is value
        assert (gone.value, gone.queue) == (None, NOWHERE)  # nothing keeps it alive
        if cause.was_evicted:
            has_expired = self.clock.monotonic() >= gone.hard
            assert (cause is RemovalCause.EXPIRED) == has_expired
            self.expirations += has_expired
            self.evictions += not has_expired
        self.left.append((key, cause))

    def run(self, name: str, *arguments: Any) -> None:
        """Do one thing to both, and compare."""
        self.left = []
        getattr(self, name)(*arguments)
        self.engine.drain_removals()
        self.check()

    def put(self, key: str, weight: int, ttl: int | None) -> None:
        """Put a new value, known by its identity."""
        now = self.clock.monotonic()
        value = (object(), weight)
        left = Lifetime(ttl, 0.0)
        new = new_entry(key, value, encoded=False, since=now, left=left, kind=self.kind)
        before = self.held.get(key)
        accepted = self.engine.put(new, now)
        self.engine.drain_removals()
        max_bytes = self.bounds[1]
        assert accepted or max_bytes is not None
        replaced = [] if before is None else [(key, REPLACED)]
        assert self.left[: len(replaced)] == replaced
        assert all(cause.was_evicted for _, cause in self.left[len(replaced) :])
        if accepted:
            self.held[key] = new
            self.values[key] = value
        else:
            self.rejected += 1

    def hit(self, key: str) -> None:
        """Read a key, if it is there."""
        if (found := self.engine.get(key)) is not None:
            found.hits += 1
            self.hits += 1

    def renew(self, key: str, seconds: int) -> None:
        """Give what is held a longer life."""
        if (found := self.engine.get(key)) is not None:
            found.hard = max(found.hard, self.clock.monotonic() + seconds)
            self.engine.renew(found)

    def delete(self, key: str) -> None:
        """Delete one key."""
        was_held = key in self.held
        assert self.engine.delete(key) is was_held
        self.engine.drain_removals()
        assert self.left == ([(key, EXPLICIT)] if was_held else [])

    def delete_matching(self, some: set[str]) -> None:
        """Delete some keys."""
        doomed = some & self.held.keys()
        assert self.engine.delete_matching(some.__contains__) == len(doomed)
        self.engine.drain_removals()
        assert set(self.left) == {(key, EXPLICIT) for key in doomed}

    def advance(self, seconds: int) -> None:
        """Let time pass, which by itself removes nothing."""
        self.clock.advance(seconds)

    def sweep(self) -> None:
        """Remove all that has expired, and nothing else."""
        now = self.clock.monotonic()
        expired = {key for key, held in self.held.items() if now >= held.hard}
        assert self.engine.sweep(now, lambda: False) is False
        self.engine.drain_removals()
        assert {key for key, _ in self.left} == expired

    def clear(self) -> None:
        """Delete everything."""
        assert self.engine.clear() == len(self.held)
        self.engine.drain_removals()
        assert self.held == {}

    def check(self) -> None:
        """Compare all that can be seen."""
        max_entries, max_bytes = self.bounds
        weight = sum(held.weight for held in self.held.values())
        assert len(self.engine) <= max_entries
        assert max_bytes is None or weight <= max_bytes
        assert {key: self.engine.get(key) for key in self.engine} == self.held
        for key, held in self.held.items():
            assert self.engine.entries[key] is held
            assert held.epoch == self.engine.epoch
        assert self.engine.statistics() == MemoryStatistics(
            entries=len(self.held),
            weight=weight,
            hits=self.hits,
            evictions=self.evictions,
            expirations=self.expirations,
            rejected=self.rejected,
        )


@pytest.mark.parametrize("kind", [Entry, entry_type()], ids=["object", "struct"])
@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.integers(1, 6), st.none() | st.integers(1, 20), operations)
def test_it_agrees_with_a_plain_dict(
    kind: type[Entry], max_entries: int, max_bytes: int | None, steps: list[tuple[Any, ...]]
) -> None:
    """After any sequence: bounds kept, figures exact, nothing resurrected, each removal told once.

    The model forgets a key only when the engine says that it left, and why.
    """
    model = Model(MemoryEngine, max_entries, max_bytes, kind)
    for step in steps:
        model.run(*step)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.integers(16, 40), st.none() | st.integers(64, 400), operations)
def test_a_divided_engine_agrees_as_well(
    max_entries: int, max_bytes: int | None, steps: list[tuple[Any, ...]]
) -> None:
    """Sixteen parts keep the bounds of the whole."""
    model = Model(ShardedEngine, max_entries, max_bytes, entry_type())
    for step in steps:
        model.run(*step)
