"""Loaders that end when a test says so, and the order in which tasks run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

TASK_FACTORIES: Sequence[Callable[..., Any] | None] = [
    None,
    *([asyncio.eager_task_factory] if hasattr(asyncio, "eager_task_factory") else []),
]
"""For ``loop.set_task_factory``: None is the usual one; the eager one is of Python 3.12."""


class HeldLoader:
    """A loader that runs until it is let go.

    Args:
        outcome: What it returns; an exception is raised.

    Attributes:
        outcome: The same; it may be changed until it is let go.
        runs: How often it was called.
        cancelled: How many of its runs were cancelled.
    """

    def __init__(self, outcome: object = "loaded") -> None:
        self.outcome = outcome
        self.runs = 0
        self.cancelled = 0
        self._started = asyncio.Event()
        self._let_go = asyncio.Event()

    async def __call__(self) -> Any:
        self.runs += 1
        self._started.set()
        try:
            await self._let_go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome

    async def started(self) -> None:
        """Wait until it has been called."""
        async with asyncio.timeout(5):
            await self._started.wait()

    def let_go(self) -> None:
        """Let all its runs end, and those that begin later at once."""
        self._let_go.set()


class Counted:
    """A loader that ends at once and counts its runs.

    Args:
        outcome: What it returns; an exception is raised.
    """

    def __init__(self, outcome: object = "loaded") -> None:
        self.outcome = outcome
        self.runs = 0

    async def __call__(self) -> Any:
        self.runs += 1
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


async def turns(count: int = 10) -> None:
    """Let the event loop go round, so that all that can run has run."""
    for _ in range(count):
        await asyncio.sleep(0)
