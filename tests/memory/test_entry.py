"""Entries: the moments at which a value stops being fresh, proven, and of any use."""

from __future__ import annotations

import gc
import math
import sys

import pytest

from asynccache.core.policy import Lifetime
from asynccache.memory.entry import FOREVER, NOWHERE, Entry, RemovalCause, new_entry
from asynccache.memory.kinds import entry_type


@pytest.mark.parametrize("kind", [Entry, entry_type()])
@pytest.mark.parametrize(
    ("left", "l1_ttl", "proven", "moments"),
    [
        (Lifetime(60.0, 0.0), None, FOREVER, (160.0, 160.0, 160.0)),
        (Lifetime(60.0, 30.0), None, FOREVER, (160.0, 160.0, 190.0)),
        (Lifetime(60.0, 30.0), 5.0, FOREVER, (105.0, 105.0, 190.0)),  # the grace begins at the ttl
        (Lifetime(60.0, 30.0), 90.0, FOREVER, (160.0, 160.0, 190.0)),  # L2 has no more (race 30)
        (Lifetime(60.0, 0.0), 5.0, FOREVER, (105.0, 105.0, 105.0)),  # then it is of no more use
        (Lifetime(60.0, 30.0), 5.0, 102.0, (102.0, 105.0, 190.0)),
        (Lifetime(60.0, 30.0), None, 170.0, (160.0, 160.0, 190.0)),
        (Lifetime(0.0, 30.0), None, FOREVER, (100.0, 100.0, 130.0)),
        (Lifetime(None, 30.0), None, FOREVER, (math.inf, math.inf, math.inf)),
        (Lifetime(None, 30.0), 5.0, FOREVER, (105.0, 105.0, math.inf)),
        (Lifetime(None, 0.0), None, 102.0, (102.0, math.inf, math.inf)),
    ],
)
def test_the_moments_of_an_entry(
    kind: type[Entry],
    left: Lifetime,
    l1_ttl: float | None,
    proven: float,
    moments: tuple[float, float, float],
) -> None:
    """Soft, expiry and hard; soft is the earliest of all limits, so that a hit compares once."""
    entry = new_entry(
        *("k", "v"), encoded=False, since=100.0, left=left, l1_ttl=l1_ttl, proven=proven, kind=kind
    )

    assert type(entry) is kind
    assert (entry.soft, entry.expiry, entry.hard) == moments
    assert entry.grace == left.grace


def test_where_msgspec_is_the_garbage_collector_does_not_look_at_entries() -> None:
    """The struct has the same fields as the class, and begins alike."""
    kind = entry_type()
    struct = kind("k", ["v"], False, 1.0, 2.0, 3.0, 4.0)
    plain = Entry("k", ["v"], False, 1.0, 2.0, 3.0, 4.0)

    assert (kind is Entry, gc.is_tracked(struct), gc.is_tracked(plain)) == (False, False, True)
    for name in Entry.__slots__:
        assert getattr(struct, name) == getattr(plain, name)
    assert (struct.queue, struct.due, struct.weight) == (NOWHERE, -1, 1)


def test_without_msgspec_entries_are_ordinary_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is of an extra."""
    monkeypatch.delitem(sys.modules, "asynccache.memory.struct_entry", raising=False)
    monkeypatch.setitem(sys.modules, "msgspec", None)

    assert entry_type() is Entry


@pytest.mark.parametrize(
    ("cause", "evicted"),
    [
        (RemovalCause.EXPLICIT, False),
        (RemovalCause.REPLACED, False),
        (RemovalCause.EXPIRED, True),
        (RemovalCause.SIZE, True),
    ],
)
def test_only_the_engine_evicts(cause: RemovalCause, evicted: bool) -> None:
    """What a caller removed or replaced is no eviction."""
    assert cause.was_evicted is evicted
