"""The law by which the demo's visitors choose."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest

from asynccache.demo.zipf import Popularity, cumulative_shares, rank_at


@pytest.mark.parametrize(
    ("items", "skew", "shares"),
    [
        (1, 1.0, [1.0]),
        (4, 0.0, [0.25, 0.5, 0.75, 1.0]),
        (2, 1.0, [2 / 3, 1.0]),
        (3, 2.0, [36 / 49, 45 / 49, 1.0]),
    ],
)
def test_shares_follow_the_law(items: int, skew: float, shares: list[float]) -> None:
    """The item of rank r gets a share in proportion to 1 / r ** skew."""
    assert cumulative_shares(items, skew) == pytest.approx(shares)


@pytest.mark.parametrize(
    ("point", "rank"),
    [(0.0, 0), (0.24, 0), (0.25, 1), (0.5, 2), (0.99, 3), (1.0, 3)],
)
def test_each_point_has_one_owner(point: float, rank: int) -> None:
    """A point belongs to the item whose share it falls in, the end included."""
    assert rank_at([0.25, 0.5, 0.75, 1.0], point) == rank


def test_every_item_is_asked_for() -> None:
    """The middles of all shares name all items, each once."""
    items = 500
    shares = [0.0, *cumulative_shares(items, 1.2)]
    popularity = Popularity(items, 1.2, seed=3)
    middles = [(low + high) / 2 for low, high in pairwise(shares)]
    assert sorted(map(popularity.item_at, middles)) == list(range(1, items + 1))


def test_the_most_popular_item_gets_its_share() -> None:
    """Drawn often, the first item comes as often as the law says, and it is not item 1."""
    items, skew, draws = 1_000, 1.2, 20_000
    popularity = Popularity(items, skew, seed=5)
    chance = random.Random(8)
    [(item, count)] = Counter(
        popularity.item_at(chance.random()) for _ in range(draws)
    ).most_common(1)
    assert count / draws == pytest.approx(cumulative_shares(items, skew)[0], rel=0.05)
    assert item == popularity.item_at(0.0) != 1


def test_a_seed_makes_the_same_ranks() -> None:
    """The same seed ranks the items alike, another seed otherwise."""
    points = [number / 100 for number in range(100)]
    drawn = [
        [popularity.item_at(point) for point in points]
        for popularity in (Popularity(1_000, 1.0, seed) for seed in (1, 1, 2))
    ]
    assert drawn[0] == drawn[1] != drawn[2]
