"""Policies and lifetimes: checked once, kept in seconds, told in milliseconds."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.core.arguments import LONGEST_SECONDS
from asynccache.core.policy import Lifetime, Policy
from asynccache.errors import ArgumentTypeError, InvalidArgument

durations = st.floats(min_value=0, max_value=LONGEST_SECONDS, exclude_min=True)


def test_the_defaults_are_five_minutes_and_nothing_else() -> None:
    """What is not asked for is off."""
    assert Policy() == Policy(
        ttl=300,
        l1_ttl=None,
        grace=0,
        jitter=0,
        share=False,
        load_timeout=30,
        cancel_abandoned=None,
    )


def test_durations_are_kept_in_seconds() -> None:
    """An int, a float and a timedelta of the same length make equal policies."""
    minute = timedelta(minutes=1)
    policy = Policy(ttl=minute, l1_ttl=minute, grace=minute, load_timeout=minute)

    assert policy == Policy(ttl=60, l1_ttl=60.0, grace=60, load_timeout=60)
    assert {type(policy.ttl), type(policy.l1_ttl), type(policy.grace)} == {float}


@pytest.mark.parametrize(
    ("argument", "values", "error"),
    [
        *(
            (name, [0, -1, float("nan"), float("inf"), timedelta(0), 10**400], InvalidArgument)
            for name in ("ttl", "l1_ttl", "load_timeout")
        ),
        *(
            (name, ["5", True, b""], ArgumentTypeError)
            for name in ("ttl", "l1_ttl", "load_timeout")
        ),
        ("grace", [-1, float("nan"), float("inf"), timedelta(-1)], InvalidArgument),
        ("grace", [None, "5", False], ArgumentTypeError),
        ("jitter", [1, -0.1, float("nan"), float("inf")], InvalidArgument),
        ("jitter", [None, "0", False, timedelta(0)], ArgumentTypeError),
        ("share", [None, 0, 1, "yes"], ArgumentTypeError),
        ("cancel_abandoned", [0, 1, "no"], ArgumentTypeError),
    ],
)
def test_a_bad_setting_is_named(argument: str, values: list[Any], error: type[Exception]) -> None:
    """By the constructor and by replace alike."""
    for value in values:
        for make in (Policy, Policy().replace):
            with pytest.raises(InvalidArgument) as caught:
                make(**{argument: value})

            assert caught.value.argument == argument
            assert type(caught.value) is error


def test_replace_changes_what_it_is_told_and_nothing_else() -> None:
    """The original stays as it was."""
    policy = Policy(ttl=None, l1_ttl=5, grace=7, jitter=0.5, share=True, cancel_abandoned=False)

    assert policy.replace() == policy
    assert policy.replace(ttl=timedelta(seconds=9)) == Policy(
        ttl=9, l1_ttl=5, grace=7, jitter=0.5, share=True, cancel_abandoned=False
    )
    assert policy.ttl is None


def test_a_policy_is_a_value() -> None:
    """It cannot be changed, can be a key of a dict, and survives copies and pickles."""
    policy = Policy(ttl=9, grace=1, jitter=0.5, share=True)

    assert {policy: 1}[Policy(ttl=9, grace=1, jitter=0.5, share=True)] == 1
    assert copy.copy(policy) == copy.deepcopy(policy) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    with pytest.raises(FrozenInstanceError):
        policy.ttl = 5  # type: ignore[misc]  # this is what must fail


@settings(derandomize=True, deadline=None, max_examples=200)
@given(ttl=durations, jitter=st.floats(0, 1, exclude_max=True), chance=st.floats(0, 1))
def test_jitter_only_shortens_and_never_by_more_than_its_share(
    ttl: float, jitter: float, chance: float
) -> None:
    """A value never outlives its ttl, and without jitter it lives exactly so long."""
    lifetime = Policy(ttl=ttl, grace=3, jitter=jitter).lifetime(min(chance, 0.999_999))

    assert lifetime.fresh is not None
    assert ttl * (1 - jitter) <= lifetime.fresh <= ttl
    assert lifetime.grace == 3
    assert Policy(ttl=ttl).lifetime(chance).fresh == ttl


def test_a_value_without_ttl_lives_for_ever() -> None:
    """Jitter has nothing to shorten."""
    lifetime = Policy(ttl=None, grace=5, jitter=0.5).lifetime(0.9)

    assert lifetime == Lifetime(None, 5.0)


@pytest.mark.parametrize(
    ("fresh", "grace", "fresh_ms", "grace_ms", "total_ms"),
    [
        (None, 0.0, 0, 0, 0),
        (None, 60.0, 0, 60_000, 0),  # for ever, whatever the grace
        (60.0, 0.0, 60_000, 0, 60_000),
        (60.0, 30.0, 60_000, 30_000, 90_000),
        (0.0015, 0.0004, 2, 0, 2),
        (0.0004, 0.0006, 1, 1, 2),  # 0 would mean for ever
        (5e-324, 0.0, 1, 0, 1),
        (0.0, 0.0, 1, 0, 1),
        (1.001, 2.002, 1001, 2002, 3003),  # 1.001 * 1000 is below 1001
        (LONGEST_SECONDS, LONGEST_SECONDS, 315_360_000_000, 315_360_000_000, 630_720_000_000),
    ],
)
def test_a_lifetime_in_milliseconds(
    fresh: float | None, grace: float, fresh_ms: int, grace_ms: int, total_ms: int
) -> None:
    """To the nearest, and never 0 for a value that does expire."""
    lifetime = Lifetime(fresh, grace)

    assert (lifetime.fresh_ms, lifetime.grace_ms) == (fresh_ms, grace_ms)
    assert lifetime.total_ms == total_ms


@settings(derandomize=True, deadline=None, max_examples=200)
@given(ttl=durations, grace=st.floats(0, LONGEST_SECONDS))
def test_every_policy_has_a_lifetime_that_redis_can_hold(ttl: float, grace: float) -> None:
    """PX takes at least 1 and at most a 64-bit instant; the store keeps the value to its end."""
    lifetime = Policy(ttl=ttl, grace=grace).lifetime(0.0)

    assert 1 <= lifetime.fresh_ms <= lifetime.total_ms < 2**50
    assert abs(lifetime.total_ms - (ttl + grace) * 1000) <= 1.51
