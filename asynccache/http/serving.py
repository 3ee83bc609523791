"""How a GET or HEAD is served: from this process, from elsewhere, or by the application."""

from __future__ import annotations

from asynccache.core.http_cache_status import CacheStatus
from asynccache.core.http_demands import demands_of
from asynccache.http.answering import send_timeout
from asynccache.http.producing import fetch, produce
from asynccache.http.refreshing import refresh_soon
from asynccache.http.stored import StoredResponse, Varies
from asynccache.http.visit import Visit, call_hooks
from asynccache.http.waiting import is_left_alone


async def serve(visit: Visit) -> None:
    """Answer a request.

    Args:
        visit: The request.
    """
    if visit.plan.on_request:
        await call_hooks(visit.plan.on_request, visit.context)
        if not visit.context.lookup:
            return await visit.pass_on(CacheStatus(fwd="bypass"))
    if visit.plan.honor_request_cache_control:
        visit.demands = demands_of(visit.request.headers)
        if visit.demands is not None and visit.demands.no_store:
            visit.context.no_store()
    visit.find_page()
    key = visit.root
    peek = visit.output.cache.peek_result
    found = peek(key, stale=True)
    if found is not None and isinstance(found.value, Varies):
        key = visit.variant(found.value)
        visit.output.variants.touch(visit.root, key)
        found = peek(key, stale=True)
    if (
        found is not None
        and isinstance(found.value, StoredResponse)
        and await serve_stored(visit, key, found.value, found.age)
    ):
        return None
    if is_left_alone(visit, key):
        return await visit.pass_on(CacheStatus(fwd="miss", detail="hit-for-miss"))
    if visit.request.method != "GET" or visit.request.has_range or _wants_stored_only(visit):
        return await _serve_without_filling(visit, key)
    return await produce(visit, key)


def _wants_stored_only(visit: Visit) -> bool:
    return visit.demands is not None and visit.demands.only_if_cached


async def _serve_without_filling(visit: Visit, key: str) -> None:
    """Serve what Redis has, or else what is not the whole response and cannot be stored."""
    stored, age = await fetch(visit, key)
    if stored is not None and await serve_stored(visit, key, stored, age):
        return None
    if _wants_stored_only(visit):
        return await send_timeout(visit.send)
    is_get = visit.request.method == "GET"
    return await visit.pass_on(CacheStatus(fwd="request" if is_get else "method"))


async def serve_stored(visit: Visit, key: str, stored: StoredResponse, age: float) -> bool:
    """Serve a stored response if that is allowed; tell whether it was.

    Args:
        visit: The request.
        key: The response's key.
        stored: The response.
        age: How long it has been stored, in seconds.
    """
    left = stored.freshness(age)
    if left <= 0 and not stored.may_refresh_later(age):
        return False
    if not await visit.may_serve(stored, age):
        return False
    if left > 0:
        visit.output.counters.hits += 1
    else:
        visit.output.counters.stale += 1
        refresh_soon(visit, key)
    await visit.answer(stored, age + stored.age, CacheStatus(hit=True, ttl=int(left)))
    return True
