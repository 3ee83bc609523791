"""Keeps house while nobody is waiting: removes what has expired, frees what was cleared.

One timer runs while there is something that will expire. The work is done in slices of half a
millisecond, and goes on in the next turn of the loop: a request is not delayed by it for longer.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

from asynccache.clock import Clock
from asynccache.memory.sharded import Engine

PERIOD: Final = 1.0
"""Seconds between two sweeps: expired values are not served in between, they only take room."""

SLICE: Final = 0.000_4
"""Seconds of work at a time; the clock is looked at every few dozen entries."""


class Janitor:
    """Looks after one engine, in the event loop in which it is made.

    Args:
        engine: What to look after.
        clock: The cache's clock.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._working: asyncio.Handle | None = None
        self._is_closed = False
        self._ends_at = 0.0
        engine.hooks.on_expiring = self.watch
        engine.hooks.on_work = self.work_soon
        if engine.next_due < float("inf"):
            self.watch()

    def watch(self) -> None:
        """Sweep from time to time, as long as something is going to expire."""
        if self._timer is None and not self._is_over():
            self._timer = self._loop.call_later(PERIOD, self._sweep)

    def work_soon(self) -> None:
        """Do what the engine has left to do, beginning in the next turn of the loop."""
        if self._working is None and not self._is_over():
            self._working = self._loop.call_soon(self._work)

    def close(self) -> None:
        """End all of it."""
        self._is_closed = True
        for handle in (self._timer, self._working):
            if handle is not None:
                handle.cancel()
        self._timer = self._working = None

    def _sweep(self) -> None:
        self._timer = None
        self._ends_at = perf_counter() + SLICE
        if self._engine.sweep(self._clock.monotonic(), self._has_no_time):
            self._timer = self._loop.call_soon(self._sweep)
        elif self._engine.next_due < float("inf"):
            self.watch()

    def _work(self) -> None:
        self._working = None
        self._ends_at = perf_counter() + SLICE
        if self._engine.work(self._clock.monotonic(), self._has_no_time):
            self.work_soon()

    def _has_no_time(self) -> bool:
        return perf_counter() >= self._ends_at

    def _is_over(self) -> bool:
        # The engine may outlive its loop, when that was closed under a running cache.
        return self._is_closed or self._loop.is_closed()
