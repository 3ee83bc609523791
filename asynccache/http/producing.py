"""Getting a response that this process does not have: out of Redis, from whoever generates it, or
by generating it.

The cache's own flight and lease see to it that one request generates. The others wait for its
response, but not for what will not help them: they are released as soon as it cannot be stored,
take over if it goes away, and run the application themselves after ``lock_timeout``.
"""

from __future__ import annotations

import asyncio
import logging
from secrets import token_bytes
from typing import Any, Final

from asynccache.core.http_cache_status import CacheStatus
from asynccache.core.policy import Policy
from asynccache.errors import AsyncCacheError, UsageError
from asynccache.http.asking import ask, result_of
from asynccache.http.generation import Abandoned, Generation, Turn
from asynccache.http.pages import ROOT_SECONDS
from asynccache.http.refreshing import refresh_soon
from asynccache.http.running import run
from asynccache.http.stored import StoredResponse, Varies
from asynccache.http.visit import Visit
from asynccache.http.waiting import is_left_alone, waits
from asynccache.results import LoadResult

logger = logging.getLogger("asynccache")

TRIES: Final = 4
"""Leaders that may go away in the middle; then each request runs the application for itself."""

ROOT_POLICY: Final = Policy(ttl=ROOT_SECONDS, share=True, background=True)

_MISS: Final = CacheStatus(fwd="uri-miss")


async def produce(visit: Visit, key: str) -> None:
    """Answer a GET whose response is not here.

    Args:
        visit: The request.
        key: The key of its page, or of its variant of it.
    """
    if visit.varies is None and visit.values:
        return await _produce_variant(visit, await _root_of(visit))
    for _ in range(TRIES):
        if key in visit.output.leading and not waits(visit, key):
            break
        generation = Generation()
        waiter = ask(visit, key, generation)
        try:
            await generation.turn_or(waiter, visit.plan.lock_timeout)
            if generation.turn.done():
                return await _lead(visit, key, generation, waiter)
            if not waiter.done():
                status = CacheStatus(fwd="uri-miss", detail="lock-timeout")
                return await visit.pass_on(status)
            result = result_of(waiter)
        except Abandoned:
            continue
        finally:
            generation.abandon()
            waiter.cancel()
        return await _follow(visit, key, result)
    return await visit.pass_on(_MISS)


async def _follow(visit: Visit, key: str, result: LoadResult[Any] | None) -> None:
    """Serve what somebody else has generated or stored."""
    value = None if result is None else result.value
    if isinstance(value, Turn) and value.present is not None:
        stored, age = value.present, value.age
        if not await visit.may_serve(stored, age):
            return await visit.pass_on(_MISS)
        visit.output.counters.stale += 1
        refresh_soon(visit, key)
        status = CacheStatus(hit=True, ttl=int(stored.freshness(age)))
        return await visit.answer(stored, age + stored.age, status)
    if isinstance(value, Varies) and visit.varies is None:
        return await _produce_variant(visit, value)
    if result is not None and isinstance(value, StoredResponse):
        left = value.freshness(result.age)
        # A stale one comes from a flight whose leader's application has failed.
        is_usable = left > 0 or (result.stale and value.may_stand_in(result.age))
        is_new = result.level == "loader"
        if is_usable and await visit.may_serve(value, result.age, is_new=is_new):
            counters = visit.output.counters
            counters.hits += left > 0
            counters.stale += left <= 0
            if is_new:
                status = CacheStatus(fwd="uri-miss", ttl=int(left), collapsed=True)
            else:
                status = CacheStatus(hit=True, ttl=int(left))
            if result.level == "L2":
                visit.output.note_kept(key, value)
            return await visit.answer(value, result.age + value.age, status)
        if visit.wants_new and not is_new:
            return await produce(visit, key)
    return await visit.pass_on(_MISS)


async def _root_of(visit: Visit) -> Varies | None:
    """Return what stands for a page whose responses the plan tells apart; made if need be."""
    try:
        value = await visit.output.cache.get_or_load(visit.root, new_root, policy=ROOT_POLICY)
    except UsageError:
        raise
    except AsyncCacheError as error:
        logger.warning("a page could not be looked up: %r", error)
        return None
    found: object = value  # whatever is there under that key
    return found if isinstance(found, Varies) else None


async def new_root() -> Varies:
    """Return what a page begins with whose responses the plan tells apart."""
    return Varies(token_bytes(8))


async def _produce_variant(visit: Visit, varies: Varies | None) -> None:
    if varies is None:
        return await visit.pass_on(_MISS)
    key = visit.variant(varies)
    found = visit.output.cache.peek_result(key)
    if found is not None and isinstance(found.value, StoredResponse):
        return await _follow(visit, key, found)
    if is_left_alone(visit, key):
        return await visit.pass_on(CacheStatus(fwd="vary-miss", detail="hit-for-miss"))
    return await produce(visit, key)


async def fetch(visit: Visit, key: str) -> tuple[StoredResponse | None, float]:
    """Look into Redis for a request that cannot fill; return the response, and for how long it has
    been stored.

    Args:
        visit: The request.
        key: The key of its page, or of its variant of it.
    """
    cache = visit.output.cache
    value: Any = await cache.get(key)
    if isinstance(value, Varies):
        key = visit.variant(value)
        value = await cache.get(key)
    if not isinstance(value, StoredResponse):
        return None, 0.0
    found = cache.peek_result(key)
    # Whatever was read is kept here, unless it was invalidated just now.
    if found is None:
        return None, 0.0
    visit.output.note_kept(key, value)
    return value, found.age


async def _lead(
    visit: Visit, key: str, generation: Generation, waiter: asyncio.Task[LoadResult[Any]]
) -> None:
    """Run the application for all who wait."""
    leading = visit.output.leading
    leading.add(key)
    try:
        return await run(visit, key, generation, waiter)
    finally:
        leading.discard(key)
