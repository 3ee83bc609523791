"""When a value is to be refreshed."""

from __future__ import annotations

from math import inf, isclose, log

import pytest

from asynccache.core.eager import Eager, eager_at


def at(eager: Eager, **changes: float | None) -> float:
    """Return the instant for a value with 60 of its 100 seconds left, whose load took 2."""
    given = {"since": 1000.0, "left": 60.0, "lifetime": 100.0, "load_time": 2.0, "random": 0.5}
    return eager_at(eager, **{**given, **changes})  # type: ignore[arg-type]


def test_a_share_counts_from_the_beginning_of_the_lifetime() -> None:
    """Also for who finds the value when part of it is over."""
    assert isclose(at(0.8), 1040.0)
    assert isclose(at(0.3), 990.0)
    assert isclose(at(0.8, lifetime=None), 1048.0)


@pytest.mark.parametrize(("random", "early"), [(0.0, 0.0), (0.5, 2 * log(2)), (1 - 1e-9, 41.4)])
def test_xfetch_is_earlier_the_longer_a_load_takes(random: float, early: float) -> None:
    """By the load's time, times an exponentially distributed number."""
    assert isclose(at("xfetch", random=random), 1060.0 - early, abs_tol=0.1)
    assert isclose(at("xfetch", random=random, load_time=0.0), 1060.0)


def test_what_does_not_expire_is_not_refreshed() -> None:
    """Nor what nobody asked for."""
    assert at(0.8, left=None) == at("xfetch", left=None) == at(None) == inf
