"""Tasks that a cache owns: kept alive, run in the cache's context, ended with the cache."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from contextvars import Context, copy_context
from typing import Any, TypeVar

T = TypeVar("T")


class OwnedTasks:
    """The tasks of one cache.

    They run in copies of the context that the cache was started in, so that work shared by many
    callers does not see the first caller's tenant, deadline or trace.

    Attributes:
        cancelling: The cache is ending, and its tasks are cancelled.
    """

    __slots__ = ("_context", "_tasks", "cancelling")

    def __init__(self) -> None:
        self._context = copy_context()
        # The event loop keeps only weak references to its tasks.
        self._tasks: set[asyncio.Task[Any]] = set()
        self.cancelling = False

    def new_context(self) -> Context:
        """Return a fresh copy of the cache's context."""
        return self._context.copy()

    def spawn(
        self, work: Coroutine[Any, Any, T], *, name: str, context: Context | None = None
    ) -> asyncio.Task[T]:
        """Start a task.

        Args:
            work: What to run. An exception that nobody asks the task for is logged by asyncio.
            name: The task's name, for whoever lists the loop's tasks.
            context: Where to run it; None: a fresh copy of the cache's context.
        """
        task = asyncio.get_running_loop().create_task(
            work, name=name, context=self.new_context() if context is None else context
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self, patience: float) -> int:
        """Wait for all tasks, cancel those that take longer, and wait for those as long again.

        Args:
            patience: Seconds for each of the two waits.

        Returns:
            How many tasks ignored their cancellation and are still running.
        """
        for cancel_first in (False, True):
            # A task may start another one while it ends; two rounds bound the time all the same.
            pending = {task for task in self._tasks if task is not asyncio.current_task()}
            if not pending:
                return 0
            if cancel_first:
                self._cancel(pending)
            try:
                await asyncio.wait(pending, timeout=patience)
            except asyncio.CancelledError:
                self._cancel(pending)
                raise
        return sum(not task.done() for task in pending)

    def _cancel(self, tasks: Iterable[asyncio.Task[Any]]) -> None:
        self.cancelling = True
        for task in tasks:
            task.cancel()

    def __len__(self) -> int:
        return len(self._tasks)
