"""Asking the cache for a response, with a loader that may be told to generate it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from asynccache.cache import Cache
from asynccache.core.policy import Policy
from asynccache.errors import UsageError
from asynccache.http.generation import Abandoned, Failed, Generation
from asynccache.http.visit import Visit
from asynccache.results import LoadResult

logger = logging.getLogger("asynccache")


def ask(visit: Visit, key: str, generation: Generation) -> asyncio.Task[LoadResult[Any]]:
    """Ask the cache for a response, which may have the request generate it.

    Args:
        visit: The request.
        key: The response's key.
        generation: What the request generates with, if it is its turn.
    """
    cache, policy = visit.output.cache, visit.plan.fill_policy
    if visit.wants_new:
        load = _renewed(cache, key, generation, policy)
    else:
        load = cache.get_or_load_result(key, generation.load, policy=policy)
    waiter = asyncio.get_running_loop().create_task(load)
    waiter.add_done_callback(_seen)
    return waiter


async def _renewed(
    cache: Cache, key: str, generation: Generation, policy: Policy
) -> LoadResult[Any]:
    value = await cache.refresh(key, generation.load, policy=policy)
    return LoadResult(value, "loader", stale=False, age=0.0)


def _seen(waiter: asyncio.Task[LoadResult[Any]]) -> None:
    if not waiter.cancelled():
        waiter.exception()  # whoever is still there has looked


def result_of(waiter: asyncio.Task[LoadResult[Any]]) -> LoadResult[Any] | None:
    """Return what a waiter got; None: nothing that could be served.

    Raises:
        Abandoned: Whoever generated has gone.
        UsageError: The cache is not usable here.
    """
    try:
        return waiter.result()
    except (Abandoned, UsageError):
        raise
    except Exception as error:  # noqa: BLE001  # a fault of the cache's is a miss
        if not isinstance(error, Failed):
            logger.warning("a response could not be looked up: %r", error)
        return None
