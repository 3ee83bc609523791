"""``MISSING``: one object, false, everywhere."""

from __future__ import annotations

import copy
import pickle

from asynccache.types import MISSING, Missing


def test_missing_is_one_object_however_it_travels() -> None:
    """``value is MISSING`` holds for a copy, and for one from another process."""
    copies = [copy.copy(MISSING), copy.deepcopy(MISSING), Missing("MISSING")]
    protocols = range(pickle.HIGHEST_PROTOCOL + 1)
    copies += [pickle.loads(pickle.dumps(MISSING, protocol)) for protocol in protocols]

    assert all(twin is MISSING for twin in copies)


def test_missing_is_false_and_no_other_false_value() -> None:
    """``if value:`` reads well, and a cached None, 0 or "" is still told from a missing one."""
    assert not MISSING
    others: list[object] = [None, False, 0, "", "MISSING"]
    assert MISSING not in others


def test_missing_shows_its_name() -> None:
    """A debugger and a log line show what one would write."""
    assert repr(MISSING) == str(MISSING) == f"{MISSING}" == "MISSING"
