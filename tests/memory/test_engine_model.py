"""The L1 engine against a plain dict, over any sequence of what can be done to it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.clock import ManualClock
from asynccache.core.policy import Lifetime
from asynccache.memory.engine import MemoryEngine, MemoryStatistics
from asynccache.memory.entry import Entry, RemovalCause

EXPLICIT, REPLACED = RemovalCause.EXPLICIT, RemovalCause.REPLACED

keys = st.sampled_from("abcdefgh")
operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), keys, st.integers(0, 12), st.none() | st.integers(1, 5)),
        st.tuples(st.just("hit"), keys),
        st.tuples(st.just("delete"), keys),
        st.tuples(st.just("delete_matching"), st.sets(keys, max_size=3)),
        st.tuples(st.just("advance"), st.integers(0, 3)),
        st.tuples(st.just("clear")),
    ),
    max_size=60,
)


class Model:
    """A plain dict beside the engine, which is told what left and why, and checks it."""

    def __init__(self, max_entries: int, max_bytes: int | None) -> None:
        self.bounds = (max_entries, max_bytes)
        self.clock = ManualClock(0.0)
        self.held: dict[str, Entry] = {}
        self.left: list[tuple[str, RemovalCause]] = []
        self.hits = self.evictions = self.rejected = 0
        self.engine = MemoryEngine(
            max_entries, max_bytes, lambda key, value: value[1], self.removed
        )

    def removed(self, key: str, value: Any, cause: RemovalCause) -> None:
        """Note a removal; it has to be of what was held, and for the cause that it says."""
        gone = self.held.pop(key)
        assert gone.value is value
        if cause.was_evicted:
            assert (cause is RemovalCause.EXPIRED) == (self.clock.monotonic() >= gone.hard)
            self.evictions += 1
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
        left = Lifetime(ttl, 0.0)
        new = Entry(key, (object(), weight), encoded=False, since=now, left=left)
        before = self.held.get(key)
        accepted = self.engine.put(new, now)
        self.engine.drain_removals()
        max_bytes = self.bounds[1]
        assert accepted == (max_bytes is None or weight <= max_bytes)
        replaced = [] if before is None else [(key, REPLACED)]
        assert self.left[: len(replaced)] == replaced
        assert all(cause.was_evicted for _, cause in self.left[len(replaced) :])
        if accepted:
            self.held[key] = new
        else:
            self.rejected += 1

    def hit(self, key: str) -> None:
        """Read a key, if it is there."""
        if (found := self.engine.lookup(key)) is not None:
            found.hits += 1
            self.hits += 1

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
        assert {key: self.engine.lookup(key) for key in self.engine} == self.held
        assert self.engine.statistics() == MemoryStatistics(
            entries=len(self.held),
            weight=weight,
            hits=self.hits,
            evictions=self.evictions,
            rejected=self.rejected,
        )


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.integers(1, 6), st.none() | st.integers(1, 20), operations)
def test_it_agrees_with_a_plain_dict(
    max_entries: int, max_bytes: int | None, steps: list[tuple[Any, ...]]
) -> None:
    """After any sequence: bounds kept, figures exact, nothing resurrected, each removal told once.

    The model forgets a key only when the engine says that it left, and why.
    """
    model = Model(max_entries, max_bytes)
    for step in steps:
        model.run(*step)
