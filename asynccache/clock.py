"""Time as a value that is handed in, so that nothing has to wait for it."""

from __future__ import annotations

import time
from typing import Protocol

from asynccache.errors import ArgumentTypeError, InvalidArgument


class Clock(Protocol):
    """A source of monotonic time."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start, never going back."""
        ...


class SystemClock:
    """The operating system's monotonic clock."""

    # The builtin itself, not a method around it: an L1 hit reads the clock once.
    monotonic: staticmethod[[], float] = staticmethod(time.monotonic)

    def __repr__(self) -> str:
        return "SystemClock()"


class ManualClock:
    """A clock that stands still until it is told to advance; for tests.

    Args:
        start: The first reading, in seconds.

    Raises:
        ArgumentTypeError: ``start`` is not a number.
        InvalidArgument: ``start`` is not finite.
    """

    def __init__(self, start: float = 1_000.0) -> None:
        self._now = _finite(start, "start")

    def monotonic(self) -> float:
        """Return the current reading in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Args:
            seconds: How far; zero or more.

        Raises:
            ArgumentTypeError: ``seconds`` is not a number.
            InvalidArgument: ``seconds`` is negative, or not finite.
        """
        step = _finite(seconds, "seconds")
        if step < 0:
            raise InvalidArgument("seconds", f"a clock never goes back, got {step!r}")
        self._now += step

    def __repr__(self) -> str:
        return f"ManualClock({self._now!r})"


def _finite(value: float, argument: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ArgumentTypeError(
            argument, f"must be a number of seconds, got {type(value).__qualname__}"
        )
    if not abs(value) < 1e300:  # false for nan too; an int may be larger than any float
        raise InvalidArgument(argument, "must be a finite number of seconds")
    return float(value)
