"""An event loop in which nothing waits: when nothing can be done, its time moves on."""

from __future__ import annotations

import asyncio
from typing import Any


class Deadlock(Exception):
    """Nothing can be done, and nothing ever will be."""


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop without sockets, threads or real time; what happens in it depends on nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 1_000.0
        self._selector: Any = self  # what the base class waits with

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    monotonic = time
    """As a clock for caches."""

    def select(self, timeout: float | None) -> list[Any]:
        """Let time pass instead of waiting."""
        if timeout is None:
            raise Deadlock
        self._now += timeout
        return []

    def _process_events(self, events: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """There is no thread that it would have to be woken by."""
