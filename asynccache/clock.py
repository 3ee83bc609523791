"""Time as a value that is handed in, so that nothing has to wait for it."""

from __future__ import annotations

import time
from typing import Protocol

from asynccache.errors import InvalidArgument


class Clock(Protocol):
    """A source of monotonic time."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start, never going back."""
        ...


class SystemClock:
    """The operating system's monotonic clock."""

    # The builtin itself, not a method around it: an L1 hit reads the clock once.
    monotonic = staticmethod(time.monotonic)

    def __repr__(self) -> str:
        return "SystemClock()"


class ManualClock:
    """A clock that stands still until it is told to advance; for tests.

    Args:
        start: The first reading, in seconds.
    """

    def __init__(self, start: float = 1_000.0) -> None:
        self._now = start

    def monotonic(self) -> float:
        """Return the current reading in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Args:
            seconds: How far; zero or more.

        Raises:
            InvalidArgument: ``seconds`` is negative.
        """
        if seconds < 0:
            raise InvalidArgument("seconds", f"a clock never goes back, got {seconds!r}")
        self._now += seconds

    def __repr__(self) -> str:
        return f"ManualClock({self._now!r})"
