"""A run of the application for which no client waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar, TypeVarTuple, Unpack

from starlette.types import Message

from asynccache.cache import Cache
from asynccache.errors import UsageError

logger = logging.getLogger("asynccache")

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def spawned(cache: Cache, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T] | None:
    """Start something that ends with the cache; None: that is ending already.

    Args:
        cache: The cache.
        work: What to do.
        name: The task's name.
    """
    try:
        return cache.spawn(work, name=name)
    except UsageError:
        work.close()  # it will never be awaited, and would say so later
        return None


async def within(
    work: Callable[[Unpack[Ts]], Coroutine[Any, Any, None]], *given: *Ts, seconds: float
) -> None:
    """Do something that nobody waits for, within a time.

    Args:
        work: What to do. What it raises is logged.
        *given: Its arguments.
        seconds: How long it may take.
    """
    try:
        async with asyncio.timeout(seconds):
            await work(*given)
    except TimeoutError:
        logger.warning("a response was not refreshed within %g s", seconds)
    except Exception:
        logger.exception("a response could not be refreshed in the background")


def detached(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scope of a request for a request of our own for the same thing.

    What the first one's handlers and middleware have left there stays with it.
    """
    own = {**scope, "method": "GET", "extensions": {}}
    for name in ("endpoint", "path_params", "route", "router", "user", "auth", "session"):
        own.pop(name, None)
    own["state"] = dict(scope.get("state") or {})
    return own


class Nobody:
    """The receiving end of a client that has asked and does not go away."""

    def __init__(self) -> None:
        self._asked = False

    async def __call__(self) -> Message:
        """Return the request's content, which is empty; then wait for as long as it takes."""
        if self._asked:
            await asyncio.get_running_loop().create_future()
        self._asked = True
        return {"type": "http.request", "body": b"", "more_body": False}
