"""Pauses between tries: they grow, they are capped, and no two processes keep step."""

from __future__ import annotations

import math

import pytest

from asynccache.core.backoff import capped_jitter

ALMOST_ONE = math.nextafter(1, 0)


def test_pauses_double_up_to_the_cap() -> None:
    """However long an outage lasts, the next try is never further away than the cap."""
    pauses = [capped_jitter(attempt, ALMOST_ONE, base=0.02, cap=0.3) for attempt in range(7)]

    assert pauses == pytest.approx([0.02, 0.04, 0.08, 0.16, 0.3, 0.3, 0.3])


@pytest.mark.parametrize("attempt", [0, 3, 32, 33, 10_000, 10**400])
def test_the_jitter_takes_at_most_half_of_a_pause(attempt: int) -> None:
    """A fleet spreads over the upper half, and nobody tries in a tight loop."""
    full = min(8.0, 0.5 * 2.0 ** min(attempt, 9))

    assert capped_jitter(attempt, 0.0, base=0.5, cap=8) == full / 2
    assert capped_jitter(attempt, 0.5, base=0.5, cap=8) == full * 0.75
    assert full * 0.99 < capped_jitter(attempt, ALMOST_ONE, base=0.5, cap=8) <= full


def test_a_base_above_the_cap_is_the_cap() -> None:
    """The cap is a promise."""
    assert capped_jitter(0, ALMOST_ONE, base=5, cap=1) <= 1
