"""Arguments at the edge: what is taken, what it becomes, and errors that name what is at fault."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from asynccache.core.arguments import (
    LONGEST_KEY,
    LONGEST_SECONDS,
    checked_callable,
    checked_key,
    checked_tags,
    fraction,
    positive_int,
    seconds,
    seconds_or_zero,
    wrong_type,
)
from asynccache.core.policy import Lifetime
from asynccache.core.record import RecordFormat
from asynccache.errors import ArgumentTypeError, InvalidArgument

Check = Callable[[Any, str], object]

HUGE = 10**5000
"""No float holds it, and Python refuses to write it out."""


@pytest.mark.parametrize(
    ("check", "value", "result"),
    [
        (seconds, 1, 1.0),
        (seconds, 0.001, 0.001),
        (seconds, 5e-324, 5e-324),
        (seconds, timedelta(minutes=2, milliseconds=1), 120.001),
        (seconds, timedelta(microseconds=1), 1e-6),
        (seconds, timedelta(days=14), 1_209_600.0),
        (seconds, LONGEST_SECONDS, LONGEST_SECONDS),
        (seconds, timedelta(days=3650), LONGEST_SECONDS),
        (seconds_or_zero, 0, 0.0),
        (seconds_or_zero, -0.0, 0.0),
        (seconds_or_zero, timedelta(0), 0.0),
        (seconds_or_zero, 1.5, 1.5),
        (fraction, 0, 0.0),
        (fraction, 0.999, 0.999),
        (fraction, math.nextafter(1, 0), math.nextafter(1, 0)),
        (positive_int, 1, 1),
        (positive_int, 2**70, 2**70),
        (checked_key, "k", "k"),
        (checked_key, "\N{SNOWMAN} \0", "\N{SNOWMAN} \0"),
        (checked_key, "k" * LONGEST_KEY, "k" * LONGEST_KEY),
    ],
)
def test_what_is_in_range_is_taken(check: Check, value: object, result: object) -> None:
    """Durations become float seconds once, with nothing cut off; the rest stays as it is."""
    taken = check(value, "name")

    assert taken == result
    assert type(taken) is type(result)


@pytest.mark.parametrize(
    ("check", "values"),
    [
        (seconds, [0, -0.0, timedelta(0), math.nextafter(LONGEST_SECONDS, math.inf)]),
        (seconds, [timedelta(days=3650, microseconds=1), timedelta.max, timedelta.min]),
        *(
            (check, [-1, -0.5, timedelta(microseconds=-1), math.nan, math.inf, -math.inf])
            for check in (seconds, seconds_or_zero)
        ),
        *((check, [10**400, -(10**400), HUGE, -HUGE]) for check in (seconds, seconds_or_zero)),
        (fraction, [1, 1.0, -0.001, math.nan, math.inf, -math.inf, HUGE, -HUGE]),
        (positive_int, [0, -1, -HUGE]),
        (checked_key, ["", "k" * (LONGEST_KEY + 1), "\ud800", "a\udfff"]),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(check: Check, values: list[object]) -> None:
    """The error is about the argument, whatever is wrong with the value."""
    for value in values:
        with pytest.raises(InvalidArgument) as caught:
            check(value, "name")

        assert caught.value.argument == "name"
        assert str(caught.value).startswith("name: must ")
        assert not isinstance(caught.value, ArgumentTypeError)


@pytest.mark.parametrize(
    ("check", "values"),
    [
        *(
            (check, [True, False, "5", b"5", None, 1j, Decimal(5), Fraction(1, 2), [5]])
            for check in (seconds, seconds_or_zero, fraction)
        ),
        (fraction, [timedelta(0)]),
        (positive_int, [True, 1.0, "1", None, timedelta(1)]),
        (checked_key, [None, 1, b"key", ["key"], ("key",)]),
    ],
)
def test_what_has_the_wrong_type_is_refused_by_name(check: Check, values: list[object]) -> None:
    """The error names the argument and the type that it got; bool is no number here."""
    for value in values:
        with pytest.raises(ArgumentTypeError) as caught:
            check(value, "name")

        assert caught.value.argument == "name"
        assert str(caught.value).endswith(f"got {type(value).__qualname__}")


def test_a_checked_callable_can_be_called() -> None:
    """A function passes, anything else is refused by name."""
    checked_callable(len, "loader", "a function")
    with pytest.raises(ArgumentTypeError) as caught:
        checked_callable(7, "loader", "a function")

    assert str(caught.value) == "loader: must be a function, got int"


def test_an_error_about_a_type_does_not_show_the_value() -> None:
    """It may be a password."""
    assert "hunter2" not in str(wrong_type("secret", ["hunter2"], "str or bytes"))


@pytest.mark.parametrize("tag", ["x" * 513, "ü" * 257, "😀" * 129])
def test_a_tag_is_bounded_in_bytes(tag: str) -> None:
    """A record has 64 KiB for all of its tags, those of its caller and of its loader."""
    with pytest.raises(InvalidArgument, match=r"tags.*512 bytes"):
        checked_tags([tag])


def test_the_largest_tags_fit_into_a_record() -> None:
    """As many as may be, as long as may be, of the caller and of the loader, and a validator."""
    most = {f"{'😀' * 126}{number:04}" + "xxxx": b"8 bytes!" for number in range(64)}
    assert len(checked_tags(list(most)[:32])) == 32

    raw = RecordFormat().pack(
        b"key", b"", codec=1, lifetime=Lifetime(60, 0), tags=most, etag="😀" * 1_024
    )
    assert RecordFormat().unpack(b"key", raw).tags == most
