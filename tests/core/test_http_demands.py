"""What clients ask of stored responses (RFC 9111, 5.2.1)."""

from __future__ import annotations

import pytest

from asynccache.core.http_demands import demands_of, is_enough


@pytest.mark.parametrize(
    ("line", "age", "left", "enough"),
    [
        (b"no-cache", 0, 60, False),
        (b"max-age=0", 1, 60, False),
        (b"max-age=10", 10, 60, True),
        (b"max-age=10", 11, 60, False),
        (b"min-fresh=10", 0, 10, True),
        (b"min-fresh=10", 0, 9, False),
        (b"max-stale=10", 0, -10, True),
        (b"max-stale=10", 0, -11, False),
        (b"max-stale", 0, -1_000, True),
        (b"no-store", 0, 60, True),
        (b"whatever", 0, 60, True),
    ],
)
def test_what_is_enough(line: bytes, age: float, left: float, enough: bool) -> None:
    """Each directive of 5.2.1."""
    demands = demands_of([(b"Cache-Control", line)])
    assert demands is not None
    assert is_enough(demands, age=age, left=left) is enough


@pytest.mark.parametrize(
    ("headers", "no_cache"),
    [
        ([(b"pragma", b"no-cache")], True),
        ([(b"pragma", b"x, No-Cache")], True),
        ([(b"pragma", b"no-cache"), (b"cache-control", b"max-age=5")], False),
    ],
)
def test_pragma(headers: list[tuple[bytes, bytes]], no_cache: bool) -> None:
    """It counts where there is no Cache-Control (5.4)."""
    demands = demands_of(headers)
    assert demands is not None
    assert demands.no_cache is no_cache


def test_who_asks_nothing_asks_nothing() -> None:
    """So that nothing is looked at twice."""
    assert demands_of([(b"accept", b"*/*"), (b"pragma", b"x")]) is None
