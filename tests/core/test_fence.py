"""Fences: what began before an invalidation may not be stored after it."""

from __future__ import annotations

from contextlib import suppress

import pytest

from asynccache.core.fence import Fences


def test_a_fence_stands_until_its_key_is_invalidated() -> None:
    """Only the keys that were invalidated are affected."""
    fences = Fences()
    with fences.over("a", "b") as fence:
        assert fence.intact("a")
        fences.poison(["a", "elsewhere"])

        assert not fence.intact("a")
        assert fence.intact("b")


def test_an_invalidation_meets_every_operation_under_way() -> None:
    """A read, a detached load and a set may work on one key at once (races 5, 6 and 24)."""
    fences = Fences()
    with fences.over("a") as first, fences.over("a", "b") as second, fences.over("b") as other:
        fences.poison(["a"])

        assert [fence.intact("a") for fence in (first, second)] == [False, False]
        assert other.intact("b")


def test_what_begins_after_an_invalidation_is_not_affected_by_it() -> None:
    """It reads what the invalidation left (race 7)."""
    fences = Fences()
    fences.poison(["a"])
    with fences.over("a") as fence:
        assert fence.intact("a")


def test_a_poisoned_fence_stays_poisoned() -> None:
    """The end of one operation heals nothing for another."""
    fences = Fences()
    with fences.over("a") as outer:
        with fences.over("a"):
            fences.poison(["a"])
        with fences.over("a") as newer:
            assert newer.intact("a")

            assert not outer.intact("a")


def test_the_operation_that_invalidates_may_spare_itself() -> None:
    """A set poisons everybody's fence but its own, until somebody else invalidates."""
    fences = Fences()
    with fences.over("a") as own, fences.over("a") as other:
        fences.poison(["a"], spare=own)
        assert own.intact("a")
        assert not other.intact("a")

        fences.poison(["a"], spare=other)
        assert not own.intact("a")


def test_many_keys_are_poisoned_by_a_predicate_or_all_at_once() -> None:
    """A pattern and a gap reach the operations under way, too."""
    fences = Fences()
    with fences.over("user:1", "user:2", "order:1") as fence:
        fences.poison_matching(lambda key: key.endswith(":1"))
        assert [key for key in fence.keys if fence.intact(key)] == ["user:2"]

        fences.poison_all()
        assert not fence.intact("user:2")


@pytest.mark.parametrize("keys", [("a",), ("a", "b"), ("a", "a", "b"), ()])
def test_nothing_is_left_of_a_fence_that_was_closed(keys: tuple[str, ...]) -> None:
    """Not after an error either; another one over the same key stays open."""
    fences = Fences()
    with fences.over("a") as outer:
        with suppress(ZeroDivisionError), fences.over(*keys) as fence:
            assert len(fences) == len({"a", *keys})
            raise ZeroDivisionError

        assert len(fences) == 1
        fences.poison_all()
        assert all(fence.intact(key) for key in keys)
        assert not outer.intact("a")
    assert len(fences) == 0
