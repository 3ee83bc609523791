"""The ghost: who has left lately."""

from __future__ import annotations

import pytest

from asynccache.memory.ghost import Ghost


def test_a_key_is_remembered_once() -> None:
    """Whoever comes back is forgotten: it is in the cache again."""
    ghost = Ghost(10)
    assert ghost.take("a") is False
    ghost.add("a")

    assert (ghost.take("a"), ghost.take("a")) == (True, False)


@pytest.mark.parametrize("capacity", [1, 10, 1_000])
def test_a_key_is_forgotten_after_so_many_others(capacity: int) -> None:
    """As many as it was made for, and not one more; some go earlier, for want of a place."""
    ghost = Ghost(capacity)
    keys = [f"k{number}" for number in range(3 * capacity)]
    for key in keys:
        ghost.add(key)
    remembered = [key for key in keys if ghost.take(key)]

    assert set(remembered) <= set(keys[-capacity:])
    assert len(remembered) >= 0.8 * capacity


def test_it_knows_nobody_who_has_not_left() -> None:
    """32 bits of the hash tell keys apart."""
    ghost = Ghost(10_000)
    for number in range(10_000):
        ghost.add(f"k{number}")

    assert not any(ghost.take(f"other{number}") for number in range(100_000))


def test_it_is_as_large_as_it_was_made() -> None:
    """Sixteen to thirty-two bytes for each key, however many come."""
    ghost = Ghost(10_000)
    size = len(ghost._places)
    for number in range(50_000):
        ghost.add(f"k{number}")

    assert len(ghost._places) == size == 32_768
    assert repr(ghost) == "<Ghost of 10000 keys, 262144 bytes>"


def test_its_clock_may_wrap_round() -> None:
    """After four billion evictions it goes on."""
    ghost = Ghost(10_000)
    ghost._clock = (1 << 32) - 2
    for number in range(6):
        ghost.add(f"k{number}")

    assert all(ghost.take(f"k{number}") for number in range(6))
