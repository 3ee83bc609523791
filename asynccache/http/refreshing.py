"""Refreshing stale responses, for which nobody waits."""

from __future__ import annotations

from asynccache.http.asking import ask
from asynccache.http.background import spawned, within
from asynccache.http.generation import Generation
from asynccache.http.running import run_detached
from asynccache.http.visit import Visit


def refresh_soon(visit: Visit, key: str) -> None:
    """Have a stale response refreshed in the background: once, for all who are served it.

    Args:
        visit: One of those requests.
        key: The response's key.
    """
    output = visit.output
    refreshing = output.refreshing
    if key in refreshing or output.rests.holds(key, output.now()):
        return
    output.rests.add(key, output.now())
    work = within(_refresh, visit, key, seconds=visit.plan.background_timeout)
    task = spawned(visit.output.cache, work, "asynccache refresh response")
    if task is not None:
        refreshing.add(key)
        task.add_done_callback(lambda _: refreshing.discard(key))


async def _refresh(visit: Visit, key: str) -> None:
    generation = Generation(is_refresh=True)
    waiter = ask(visit, key, generation)
    try:
        await generation.turn_or(waiter)
        if generation.turn.done():  # else somebody else has refreshed it
            await run_detached(visit, key, generation, waiter)
    finally:
        generation.abandon()
        waiter.cancel()
