"""What a cache answers about itself: figures that add up and cannot be changed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from asynccache.results import WriteResult
from asynccache.statistics import Counters, Statistics


def statistics(**counts: int) -> Statistics:
    """Return a snapshot in which everything else is zero."""
    names = {field.name for field in fields(Statistics)} - {"breaker", "bus", "tracking"}
    figures: dict[str, Any] = dict.fromkeys(names, 0) | counts
    return Statistics(breaker="none", bus="none", tracking="none", **figures)


@pytest.mark.parametrize(
    ("counts", "requests", "ratio"),
    [
        ({}, 0, 0.0),
        ({"misses": 1}, 1, 0.0),
        ({"l1_hits": 1}, 1, 1.0),
        ({"l1_hits": 5, "l2_hits": 2, "coalesced": 1, "misses": 2}, 10, 0.8),
        ({"l1_hits": 3, "misses": 1, "loads": 9, "evictions": 9, "stale_served": 9}, 4, 0.75),
    ],
)
def test_each_request_counts_once(counts: dict[str, int], requests: int, ratio: float) -> None:
    """Only the four ways to be answered make a request, and only misses spoil the ratio."""
    snapshot = statistics(**counts)

    assert snapshot.requests == requests
    assert snapshot.hit_ratio == pytest.approx(ratio)


def test_counters_begin_at_zero_and_have_a_place_in_the_snapshot() -> None:
    """Nothing is counted that nobody can read."""
    counters = Counters()

    assert {getattr(counters, name) for name in Counters.__slots__} == {0}
    assert set(Counters.__slots__) <= {field.name for field in fields(Statistics)}


@pytest.mark.parametrize(
    ("answer", "field"), [(statistics(), "misses"), (WriteResult(True, 1), "acknowledged")]
)
def test_an_answer_cannot_be_changed(answer: object, field: str) -> None:
    """What was true when it was asked stays what was said."""
    with pytest.raises(FrozenInstanceError):
        setattr(answer, field, 7)
