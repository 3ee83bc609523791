"""The simulations that the engine is compared with, on sequences that fit on paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import pytest

from tests.benchmarks.policies import arc, belady, lru

Policy = Callable[[Sequence[str], int], int]


@pytest.mark.parametrize(
    ("policy", "requests", "capacity", "hits"),
    [
        (lru, "abcabc", 3, 3),
        (lru, "abcabc", 2, 0),
        (lru, "abacab", 2, 2),
        (arc, "abcabc", 3, 3),
        (arc, "aabbcdab", 2, 3),
        (arc, "abab" + "cdefgh" + "ab", 4, 4),  # what was asked for twice survives a scan
        (lru, "abab" + "cdefgh" + "ab", 4, 2),
        (belady, "abcabc", 2, 2),
        (belady, "abcabcabc", 2, 3),
        (belady, "abcd", 2, 0),
        (belady, "aaaa", 1, 3),
    ],
)
def test_the_hits_are_those_of_the_paper(
    policy: Policy, requests: str, capacity: int, hits: int
) -> None:
    """Counted by hand."""
    assert policy(requests, capacity) == hits


def test_nobody_beats_the_one_who_knows_the_future() -> None:
    """Over every sequence of seven requests for three keys."""
    for requests in product("abc", repeat=7):
        best = belady(requests, 2)
        assert lru(requests, 2) <= best
        assert arc(requests, 2) <= best
