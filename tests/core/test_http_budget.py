"""How many bytes of responses are kept."""

from __future__ import annotations

import time

import pytest

from asynccache.core.http_budget import Budget


def test_the_oldest_go_when_there_are_too_many() -> None:
    """What is stored again is the newest, and is counted once."""
    budget = Budget(100, lambda key: True)

    assert budget.add("a", 40) == []
    assert budget.add("b", 40) == []
    assert budget.add("a", 50) == []
    assert (budget.total, len(budget)) == (90, 2)
    assert budget.add("c", 60) == ["b", "a"]
    assert (budget.total, len(budget)) == (60, 1)


def test_exactly_the_limit_is_not_too_much() -> None:
    """One byte more is."""
    budget = Budget(100, lambda key: True)

    assert budget.add("a", 60) == []
    assert budget.add("b", 40) == []
    assert budget.add("c", 1) == ["a"]


def test_what_l1_has_evicted_makes_room_first() -> None:
    """Then nothing that it still has must go."""
    kept = {"a", "b", "c"}
    budget = Budget(100, kept.__contains__)
    for key in ("a", "b"):
        budget.add(key, 50)
    kept.discard("b")

    assert budget.add("c", 50) == []
    assert (budget.total, len(budget)) == (100, 2)


@pytest.mark.parametrize("size", [101, 10**12])
def test_what_is_larger_than_the_budget_pushes_out_nothing_else(size: int) -> None:
    """All the others would not make room for it; what it was before is not counted any more."""
    budget = Budget(100, lambda key: True)
    budget.add("a", 50)
    budget.add("huge", 50)

    assert budget.add("huge", size) == ["huge"]
    assert (budget.total, len(budget)) == (50, 1)
    assert budget.add("b", 50) == []


def test_what_is_empty_is_counted() -> None:
    """It has no bytes, and is there."""
    budget = Budget(0, lambda key: True)

    assert budget.add("a", 0) == []
    assert (budget.total, len(budget)) == (0, 1)


def test_a_full_budget_does_not_look_at_everything_for_each_response() -> None:
    """L1 is asked so often on average that it does not depend on how many there are."""
    asked = 0

    def is_kept(key: str) -> bool:
        nonlocal asked
        asked += 1
        return True

    budget = Budget(1_000, is_kept)
    for number in range(10_000):
        budget.add(str(number), 1)

    assert len(budget) == 1_000
    assert asked < 4 * 10_000


def test_many_small_ones_go_for_one_large_one() -> None:
    """In their order, in one go."""
    budget = Budget(50_000, lambda key: True)
    for number in range(50_000):
        budget.add(str(number), 1)
    start = time.thread_time()

    assert budget.add("large", 49_999) == [str(number) for number in range(49_999)]
    assert time.thread_time() - start < 5
