"""When to stop asking a Redis that does not answer, and how long to wait before asking again.

A permit carries the generation in which it was given, and each opening and closing starts a new
one: what comes of a permit counts only in its own generation. So the thousand calls that were under
way when Redis froze open the breaker once, and none of them opens it again after it has healed.
A call that was cancelled reports nothing.
"""

from __future__ import annotations

from typing import Literal

from asynccache.core.arguments import fraction, positive_int, seconds
from asynccache.errors import InvalidArgument
from asynccache.types import Duration

State = Literal["closed", "open"]

FAILURES = 1
"""One call that timed out has paid the whole budget of an operation; a second one need not. A false
opening costs some ten ms, because a background prober, not a caller, finds out that Redis is back.
"""

FIRST_PROBE = 0.05
"""Seconds until Redis is asked again: most openings are a restart or a lost packet."""

LONGEST_PROBE = 0.4
"""Seconds between probes of a long outage: with a probe's own deadline on top, 0.25 s by default,
Redis is in use again within a second of its return."""


class Breaker:
    """Lets calls through while it is closed, none while it is open.

    Args:
        failures: How many calls in a row must fail to open it.
        first_probe: Seconds from the opening to the first probe.
        longest_probe: Seconds between probes at most; each wait is twice the one before.

    Attributes:
        openings: How often it has opened.

    Raises:
        InvalidArgument: An argument is out of range.
    """

    def __init__(
        self,
        *,
        failures: int = FAILURES,
        first_probe: Duration = FIRST_PROBE,
        longest_probe: Duration = LONGEST_PROBE,
    ) -> None:
        self._limit = positive_int(failures, "failures")
        self._first_probe = seconds(first_probe, "first_probe")
        self._longest_probe = seconds(longest_probe, "longest_probe")
        if self._longest_probe < self._first_probe:
            raise InvalidArgument("longest_probe", "must not be less than first_probe")
        self.openings = 0
        self._open = False
        self._generation = 1
        self._failures = 0  # in a row, in this generation
        self._probe = self._first_probe

    @property
    def state(self) -> State:
        """Whether calls are let through ("closed") or not ("open")."""
        return "open" if self._open else "closed"

    def permit(self) -> int | None:
        """Return the stamp to report with, or None: do not ask."""
        return None if self._open else self._generation

    def success(self, stamp: int) -> None:
        """Take note that Redis answered.

        Args:
            stamp: What `permit` returned for the call.
        """
        if stamp == self._generation:
            self._failures = 0

    def failure(self, stamp: int) -> bool:
        """Take note that Redis could not be asked.

        Args:
            stamp: What `permit` returned for the call.

        Returns:
            Whether this has opened the breaker: the one who is told has to start the prober.
        """
        if stamp != self._generation:
            return False
        self._failures += 1
        if self._failures < self._limit:
            return False
        self._turn(is_open=True)
        self.openings += 1
        return True

    def close(self) -> None:
        """Let calls through again; the prober says so."""
        if self._open:
            self._turn(is_open=False)

    def probe_delay(self, random: float) -> float:
        """Return the seconds to wait before the next probe.

        Args:
            random: A number from 0 to below 1. Up to half of the wait is left out by it, so that
                a fleet does not probe in step.

        Raises:
            InvalidArgument: ``random`` is out of range.
        """
        delay = self._probe
        self._probe = min(self._longest_probe, delay * 2)
        return delay * (1.0 - fraction(random, "random") / 2)

    def _turn(self, *, is_open: bool) -> None:
        self._open = is_open
        self._generation += 1
        self._failures = 0
        self._probe = self._first_probe

    def __repr__(self) -> str:
        return f"<Breaker [{self.state}, {self._failures} failures, {self.openings} openings]>"
