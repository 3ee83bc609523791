"""Asking a store within its budget, and finishing what must not be left half done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from asynccache.errors import SessionStoreUnavailable, Unavailable

T = TypeVar("T")

_running: set[asyncio.Task[Any]] = set()


async def within(budget: float, work: Awaitable[T]) -> T:
    """Return what a store answers.

    Args:
        budget: Seconds.
        work: The question.

    Raises:
        SessionStoreUnavailable: It did not answer in time, cannot be asked, or refused.
    """
    try:
        async with asyncio.timeout(budget):
            return await work
    except (Unavailable, TimeoutError) as error:
        raise SessionStoreUnavailable("the store of sessions cannot be asked") from error


async def finished(work: Coroutine[Any, Any, T]) -> T:
    """Do something to its end, even if its caller is cancelled."""
    task = asyncio.get_running_loop().create_task(work, name="asynccache session")
    _running.add(task)
    task.add_done_callback(_done)
    return await asyncio.shield(task)


def _done(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled():
        task.exception()  # whoever waits has it; if nobody does, nobody can be told
