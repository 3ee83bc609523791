"""Echoes: what was written lately, and whether Redis still holds it."""

from __future__ import annotations

import pytest

from asynccache.core.echoes import MOST_WRITTEN, Echoes, Written
from asynccache.core.fence import Fence

RECORD = b"record"


def written(key: str = "k", *, px: int = 60_000, since: float = 100.0) -> Written:
    """Return what was written at an instant."""
    return Written(key, RECORD, px, since, Fence((key,)))


@pytest.fixture
def echoes() -> Echoes:
    """Nothing was written yet."""
    return Echoes("r:{}".format)


@pytest.mark.parametrize(
    ("px", "value", "pttl", "stands"),
    [
        (60_000, RECORD, 60_000, True),
        (60_000, RECORD, 58_999, True),  # a second has passed
        (60_000, RECORD, 58_998, False),
        (60_000, RECORD, 90_000, True),  # L1 ends earlier
        (60_000, RECORD, -1, False),
        (60_000, b"another", 60_000, False),
        (60_000, None, -2, False),
        (60_000, ValueError(), 60_000, False),
        (60_000, RECORD, None, False),
        (500, RECORD, -2, False),  # it ends between the two answers
        (0, RECORD, -1, True),
        (0, RECORD, 60_000, False),
    ],
)
def test_a_record_stands_if_it_is_there_for_as_long_as_it_was_to(
    px: int, value: object, pttl: object, stands: bool
) -> None:
    """Another one, none, or an end that was brought forward are somebody else's doing."""
    assert written(px=px).stands(value, pttl, 101.0) is stands


def test_what_was_read_is_not_what_was_written(echoes: Echoes) -> None:
    """When L1 gets its value from elsewhere, what was written tells nothing about it."""
    own = written()
    echoes.expect(own)
    assert echoes.find("r:k") is own

    echoes.installed("k", own.fence)
    assert own.is_kept
    assert echoes.find("r:k") is own

    echoes.installed("k", None)
    assert echoes.find("r:k") is None
    echoes.installed("k", None)


def test_the_newest_write_of_a_key_counts(echoes: Echoes) -> None:
    """Its operation alone may keep a value on the strength of it."""
    older, newer = written(), written(since=101)
    echoes.expect(older)
    echoes.expect(newer)
    assert echoes.find("r:k") is newer

    echoes.installed("k", older.fence)
    assert echoes.find("r:k") is None


def test_what_was_written_long_ago_is_forgotten(echoes: Echoes) -> None:
    """Its echo has come, or is only a push as any other."""
    for n in range(5):
        echoes.expect(written(f"k{n}", since=n))
    echoes.expect(written("k0", since=5))
    echoes.forget_before(3)

    assert [echoes.find(f"r:k{n}") is not None for n in range(5)] == [1, 0, 0, 1, 1]


def test_what_is_remembered_is_bounded(echoes: Echoes) -> None:
    """The oldest go first."""
    for n in range(MOST_WRITTEN + 5):
        echoes.expect(written(f"k{n}"))

    assert len(echoes) == MOST_WRITTEN
    assert echoes.find("r:k4") is None
    assert echoes.find("r:k5") is not None
