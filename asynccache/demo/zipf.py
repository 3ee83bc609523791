"""Zipf's law: the item of rank r is asked for in proportion to 1 / r ** skew.

That is how people visit shops, pages and shelves: a few items much, most items hardly ever.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate


def cumulative_shares(items: int, skew: float) -> list[float]:
    """Return, for each rank, the share of requests that go to it and to those before it.

    Args:
        items: How many items there are; at least 1.
        skew: The law's exponent; 0 makes all items equal.
    """
    sums = list(accumulate(rank**-skew for rank in range(1, items + 1)))
    return [sum_ / sums[-1] for sum_ in sums]


def rank_at(shares: Sequence[float], point: float) -> int:
    """Return the rank, counted from 0, of the item that owns a point.

    Args:
        shares: What `cumulative_shares` returned.
        point: From 0 up to, but not including, 1.
    """
    return bisect_right(shares, point, hi=len(shares) - 1)


class Popularity:
    """Which item has which rank: the same for everybody, and without order.

    Args:
        items: How many items there are, named 1 to `items`.
        skew: The law's exponent.
        seed: The same seed gives the same ranks.
    """

    def __init__(self, items: int, skew: float, seed: int) -> None:
        self._shares = cumulative_shares(items, skew)
        self._by_rank = list(range(1, items + 1))
        random.Random(seed).shuffle(self._by_rank)  # noqa: S311  a load to repeat, no secret

    def item_at(self, point: float) -> int:
        """Return the item that owns a point from 0 up to, but not including, 1."""
        return self._by_rank[rank_at(self._shares, point)]
