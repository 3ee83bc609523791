"""A queue that the garbage collector does not look into."""

from __future__ import annotations

import gc
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.memory.entry import Entry
from asynccache.memory.fifo import CHUNK, SMALL_CHUNK, Fifo
from asynccache.memory.kinds import entry_type
from asynccache.memory.sharded import make_engine
from tests.support.entries import entry


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.lists(st.integers(-2 * CHUNK, 3 * CHUNK), max_size=20))
def test_it_is_a_deque(steps: list[int]) -> None:
    """After any sequence of entries put in (so many) and taken out (so many less than none)."""
    fifo, plain = Fifo(), deque[Entry]()
    for step in steps:
        for number in range(step):
            new = entry(str(number))
            fifo.append(new)
            plain.append(new)
        for _ in range(min(-step, len(plain))):
            assert fifo.popleft() is plain.popleft()
        assert len(fifo) == len(plain)
        assert list(fifo) == list(plain)
        assert list(Fifo(plain)) == list(plain)


def test_nothing_can_be_taken_out_of_nothing() -> None:
    """As with a deque."""
    fifo = Fifo([entry("a")])
    fifo.popleft()
    for _ in range(2):
        with pytest.raises(IndexError):
            fifo.popleft()

    assert (len(fifo), list(fifo), bool(fifo)) == (0, [], False)


def test_a_collection_visits_few_of_many_entries() -> None:
    """What an engine with encoded values holds is not tracked, but for some hundred entries."""
    engine = make_engine(50_000)
    for number in range(50_000):
        engine.put(
            entry(f"k{number}", b"v", ttl=number % 10 + 1, encoded=True, kind=entry_type()), 0.0
        )
    gc.collect()
    held_by_tracked = sum(
        isinstance(each, entry_type())
        for holder in gc.get_objects()
        if isinstance(holder, list | tuple | dict | deque)
        for each in (holder.values() if isinstance(holder, dict) else holder)
    )

    assert not gc.is_tracked(engine.entries)
    assert held_by_tracked < 3 * CHUNK + 10 * SMALL_CHUNK
