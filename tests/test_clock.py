"""The clocks: one that is the system's, one that moves when told."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from asynccache.clock import ManualClock, SystemClock
from asynccache.errors import ArgumentTypeError, InvalidArgument


def test_a_manual_clock_stands_still() -> None:
    """Two readings are the same however much happens between them."""
    clock = ManualClock()

    assert clock.monotonic() == clock.monotonic() == 1_000.0


def test_a_manual_clock_moves_as_far_as_it_is_told() -> None:
    """Steps add up, and a step of zero is none."""
    clock = ManualClock(start=5)
    for step in (0, 1, 0.25):
        clock.advance(step)

    assert clock.monotonic() == 6.25
    assert repr(clock) == "ManualClock(6.25)"


@pytest.mark.parametrize(
    ("step", "error"),
    [
        *(
            (step, InvalidArgument)
            for step in (-1, -1e-9, math.nan, math.inf, 10**400, -(10**5000))
        ),
        *((step, ArgumentTypeError) for step in ("1", None, True)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_step_that_is_no_step_is_refused(step: Any, error: type[InvalidArgument]) -> None:
    """The error names the argument, and the clock has not moved."""
    clock = ManualClock(start=5.0)
    with pytest.raises(error) as caught:
        clock.advance(step)

    assert caught.value.argument == "seconds"
    assert clock.monotonic() == 5.0


@pytest.mark.parametrize(
    ("start", "error"),
    [
        *((start, InvalidArgument) for start in (math.nan, -math.inf, 10**400)),
        *((start, ArgumentTypeError) for start in ("1", None, False)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_start_that_is_no_instant_is_refused(start: Any, error: type[InvalidArgument]) -> None:
    """A clock that began at nan would never expire anything."""
    with pytest.raises(error) as caught:
        ManualClock(start)

    assert caught.value.argument == "start"


def test_the_system_clock_is_the_monotonic_one() -> None:
    """Its reading lies between two of the operating system's."""
    before = time.monotonic()
    reading = SystemClock().monotonic()

    assert before <= reading <= time.monotonic()
    assert repr(SystemClock()) == "SystemClock()"
