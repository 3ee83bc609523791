"""Expiry: what is due leaves, what was renewed stays, and nothing is held for longer than that."""

from __future__ import annotations

import math

import pytest

from asynccache.memory.buckets import CHECK_EVERY, Buckets
from asynccache.memory.engine import MemoryEngine
from asynccache.memory.entry import NOWHERE, SMALL, Entry
from tests.support.entries import entry, filled


def never() -> bool:
    """Say that there is time."""
    return False


def keys_due(buckets: Buckets, now: float) -> list[str]:
    """Sweep, and return what has expired."""
    expired: list[Entry] = []
    assert buckets.sweep(now, expired.append, never) is False
    return sorted(each.key for each in expired)


def held(key: str, ttl: float | None) -> Entry:
    """Return an entry as the engine holds it."""
    made = entry(key, ttl=ttl)
    made.queue = SMALL
    return made


def test_entries_expire_in_their_second() -> None:
    """None before its time, and all of them within a second of it."""
    buckets = Buckets()
    for key, ttl in [("a", 0.5), ("b", 1.0), ("c", 1.5), ("d", 3.0), ("e", None)]:
        buckets.add(held(key, ttl))

    assert (len(buckets), buckets.next_due) == (4, 1)
    assert keys_due(buckets, 0.9) == []
    assert keys_due(buckets, 1.0) == ["a", "b"]
    assert keys_due(buckets, 2.9) == ["c"]
    assert keys_due(buckets, 3.0) == ["d"]
    assert (len(buckets), buckets.next_due) == (0, math.inf)


def test_only_the_first_one_is_told() -> None:
    """So that whoever keeps the time can begin."""
    buckets = Buckets()
    told = [buckets.add(held(key, ttl)) for key, ttl in [("a", None), ("b", 5), ("c", 5), ("d", 1)]]

    assert told == [False, True, False, False]


def test_a_renewed_entry_is_moved_when_it_was_due() -> None:
    """Renewing itself costs nothing; it is in one bucket at any time."""
    buckets = Buckets()
    renewed = held("a", 2)
    buckets.add(renewed)
    renewed.hard = 7.5
    assert (len(buckets), buckets.next_due) == (1, 2)

    assert keys_due(buckets, 2) == []
    assert (len(buckets), buckets.next_due) == (1, 8)
    assert keys_due(buckets, 8) == ["a"]


def test_what_has_left_is_not_expired() -> None:
    """It stays in its list, empty, until that is due or is mostly of its kind."""
    buckets = Buckets()
    entries = [held(f"k{number}", 5) for number in range(200)]
    for each in entries:
        buckets.add(each)
    for each in entries[:150]:
        each.queue = NOWHERE
        buckets.left(each)

    assert len(buckets) == 50
    assert len(buckets._buckets[5].entries) < 100
    assert keys_due(buckets, 5) == sorted(each.key for each in entries[150:])


def test_a_sweep_stops_when_its_time_is_over() -> None:
    """And goes on where it was: the clock is looked at every few dozen entries."""
    buckets = Buckets()
    for number in range(5 * CHECK_EVERY):
        buckets.add(held(f"k{number}", 1 + number % 3))
    expired: list[Entry] = []
    sweeps = 1
    while buckets.sweep(3, expired.append, lambda: True):
        assert len(expired) == sweeps * CHECK_EVERY
        sweeps += 1

    assert (sweeps, len(expired), len(buckets)) == (6, 5 * CHECK_EVERY, 0)


@pytest.mark.parametrize("ttl", [1e30, math.inf])
def test_what_lives_for_ages_is_not_noted(ttl: float) -> None:
    """There is no bucket for it, and no error."""
    buckets = Buckets()

    assert buckets.add(held("a", ttl)) is False
    assert len(buckets) == 0


def test_an_engine_keeps_what_is_in_its_grace() -> None:
    """Until that ends it may stand in for a failing loader; without grace it goes at once."""
    engine = MemoryEngine()
    engine.put(entry("graceful", ttl=10, grace=20), 0.0)
    engine.put(entry("short", ttl=10), 0.0)
    filled(engine, "lasting")
    engine.sweep(29, never)
    assert list(engine) == ["graceful", "lasting"]
    engine.sweep(30, never)

    assert list(engine) == ["lasting"]
    assert engine.statistics().expirations == 2
