"""What clients ask of stored responses (RFC 9111, 5.2.1)."""

from __future__ import annotations

import random

import pytest

from asynccache.core.http_demands import demands_of, is_enough


@pytest.mark.parametrize(
    ("line", "age", "left", "enough"),
    [
        (b"no-cache", 0, 60, False),
        (b'no-cache="x"', 0, 60, True),
        (b"max-age=0", 0, 60, True),
        (b"max-age=0", 0.5, 60, False),
        (b"max-age=10", 10, 60, True),
        (b"max-age=10", 11, 60, False),
        (b"max-age=x", 1, 60, False),
        (b"min-fresh=10", 0, 10, True),
        (b"min-fresh=10", 0, 9, False),
        (b"min-fresh=10, max-stale=60", 0, 9, False),
        (b"max-stale=10", 0, 60, True),
        (b"max-stale=10", 0, -10, True),
        (b"max-stale=10", 0, -11, False),
        (b"max-stale=0", 0, 0, True),
        (b"max-stale=x", 0, -1, False),
        (b"max-stale", 0, -1_000, True),
        (b"max-stale, max-stale=10", 0, -11, False),
        (b"max-age=10, max-stale=5", 11, -1, False),
        (b"no-store", 0, 60, True),
        (b"no-transform, whatever", 0, 60, True),
        (b"", 0, 60, True),
    ],
)
def test_what_is_enough(line: bytes, age: float, left: float, enough: bool) -> None:
    """Each directive of 5.2.1."""
    demands = demands_of([(b"Cache-Control", line)])
    assert demands is not None
    assert is_enough(demands, age=age, left=left) is enough


@pytest.mark.parametrize(
    ("line", "enough"),
    [
        (b"max-age=60", False),
        (b"max-age=60, max-stale", True),
        (b"max-age=60, max-stale=5", True),
        (b"max-age=60, max-stale=4", False),
        (b"no-store", True),
    ],
)
def test_who_limits_the_age_wants_nothing_stale(line: bytes, enough: bool) -> None:
    """Unless max-stale is there too (5.2.1.1); who says nothing leaves it to the cache."""
    demands = demands_of([(b"cache-control", line)])
    assert demands is not None
    assert is_enough(demands, age=10, left=-5) is enough


@pytest.mark.parametrize(
    ("headers", "no_cache"),
    [
        ([(b"pragma", b"no-cache")], True),
        ([(b"Pragma", b"x, No-Cache")], True),
        ([(b"pragma", b"x"), (b"pragma", b"no-cache")], True),
        ([(b"pragma", b"no-cache"), (b"cache-control", b"max-age=5")], False),
        ([(b"pragma", b"no-cache"), (b"cache-control", b"")], False),
    ],
)
def test_pragma(headers: list[tuple[bytes, bytes]], no_cache: bool) -> None:
    """It counts where there is no Cache-Control (5.4)."""
    demands = demands_of(headers)
    assert demands is not None
    assert demands.no_cache is no_cache


@pytest.mark.parametrize("value", [b"", b"x", b"no-cache=1", b'"no-cache"', b"no cache"])
def test_who_asks_nothing_asks_nothing(value: bytes) -> None:
    """So that nothing is looked at twice."""
    assert demands_of([(b"accept", b"*/*"), (b"pragma", value)]) is None
    assert demands_of([]) is None


def test_lines_are_read_together() -> None:
    """Of all fields of the name, in any case."""
    demands = demands_of([(b"Cache-Control", b"max-age=5"), (b"cache-control", b"min-fresh=3")])
    assert demands is not None
    assert (demands.max_age, demands.min_fresh) == (5, 3)


def test_random_bytes_never_raise() -> None:
    """Whatever a client asks."""
    chance = random.Random(13)
    for _ in range(1_000):
        value = chance.randbytes(chance.randrange(20))
        demands = demands_of([(b"pragma", value), (b"cache-control", value)])
        assert demands is not None
        is_enough(demands, age=1, left=chance.randrange(-5, 5))
