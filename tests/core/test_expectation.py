"""When to expect nothing."""

from __future__ import annotations

from asynccache.core.expectation import Expectation


def after(*reads: bool) -> Expectation:
    """Return what is expected after some reads that have missed, or have not."""
    expectation = Expectation()
    for missed in reads:
        expectation.note(missed=missed)
    return expectation


def test_a_new_cache_expects_to_find_what_others_have_stored() -> None:
    """A process that starts finds a warm Redis, as a rule."""
    assert not after().is_miss
    assert not after(*[True] * 10).is_miss


def test_misses_in_a_row_are_expected_to_go_on() -> None:
    """And hits in a row end that."""
    assert after(*[True] * 12).is_miss
    assert not after(*[True] * 100, *[False] * 11).is_miss


def test_one_in_three_is_not_most() -> None:
    """In whatever order they come."""
    assert not after(*[True, False, False] * 50).is_miss
    assert after(*[True, True, False] * 50).is_miss
