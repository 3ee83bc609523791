"""Running the application for a response that may be stored, and storing it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from starlette.types import Message, Receive, Send

from asynccache.core.http_cache_status import CacheStatus
from asynccache.core.http_decision import Kept, decide
from asynccache.core.http_validation import validation_request
from asynccache.core.http_vary import variant_of
from asynccache.http.background import Nobody, detached, spawned
from asynccache.http.context import STATE, OutputCacheContext
from asynccache.http.exchange import ERRORS, Exchange, Part
from asynccache.http.generation import Generation
from asynccache.http.pages import NORMALISED
from asynccache.http.request import without_conditions
from asynccache.http.session_watch import SessionWatch
from asynccache.http.starting import start_for_client, whole_bodies
from asynccache.http.stored import StoredResponse
from asynccache.http.storing import Storing
from asynccache.http.visit import Visit

logger = logging.getLogger("asynccache")


async def run(visit: Visit, key: str, generation: Generation, waiter: asyncio.Task[Any]) -> None:
    """Run the application for a client and for all who wait for its response.

    Args:
        visit: The client's request.
        key: The key of the response.
        generation: Is told what comes of it.
        waiter: Waits for the cache to have the response.
    """
    visit.output.counters.misses += 1
    await _Run(visit, key, generation, waiter, visit.context).run(visit.send, visit.receive)


async def run_detached(
    visit: Visit, key: str, generation: Generation, waiter: asyncio.Task[Any]
) -> None:
    """Run the application for nobody but the cache. See `run`."""
    visit.output.counters.refreshes += 1
    context = OutputCacheContext(visit.scope)
    await _Run(visit, key, generation, waiter, context).run(None, Nobody())


class _Run:
    def __init__(
        self,
        visit: Visit,
        key: str,
        generation: Generation,
        waiter: asyncio.Task[Any],
        context: OutputCacheContext,
    ) -> None:
        self._visit = visit
        self._key = key
        self._generation = generation
        self._context = context
        self._storing = Storing(visit, key, generation, waiter, context)
        self._turn = generation.turn.result()
        self._rules = visit.plan.rules(visit.output.targets)
        self._asked = 0.0
        self._is_superseded = False
        self._send: Send | None = None
        self._watch = SessionWatch({})

    async def run(self, send: Send | None, receive: Receive) -> None:
        visit, turn = self._visit, self._turn
        self._send = send
        is_validation = turn.present is not None and self._rules.is_rfc
        exchange = Exchange(
            Part(self._decide, self._storing.store, self._answer, self._start),
            self._generation,
            send,
            limit=visit.plan.max_body_size,
            context=self._context,
            present=turn.present,
            present_age=turn.age,
            is_validation=is_validation,
        )
        scope = dict(visit.scope) if send is not None else detached(visit.scope)
        scope["headers"] = self._headers(is_validation=is_validation)
        scope["extensions"] = whole_bodies(scope)
        scope["state"] = {**(scope.get("state") or {}), STATE: self._context}
        self._asked = visit.output.wall()
        self._watch = SessionWatch(scope)
        try:
            await exchange.run(visit.app, scope, receive)
        finally:
            self._watch.end()
            if self._is_superseded:
                # What is stored is known to be wrong now, and what is right cannot be stored.
                gone = visit.output.cache.delete(self._key)
                spawned(visit.output.cache, gone, "asynccache remove response")
        visit.output.counters.errors += exchange.stood_in

    def _headers(self, *, is_validation: bool) -> list[tuple[bytes, bytes]]:
        """Return the fields that the application is asked with.

        They are those of any request that the response will be served to, as far as it can tell.
        """
        request = self._visit.request.headers
        left_out = {*self._visit.output.stripped, *NORMALISED}
        asked = [field for field in without_conditions(request) if field[0] not in left_out]
        # All lines of one field are one value, as in the variant's key: what one line allows
        # another may refuse.
        for name, value in variant_of(NORMALISED, request, NORMALISED):
            if value is not None and name not in self._visit.output.stripped:
                asked.append((name, value))
        if is_validation and self._turn.present is not None:
            return list(validation_request(asked, self._turn.present.validators))
        return asked

    # What the exchange asks.

    def _decide(self, status: int, headers: list[tuple[bytes, bytes]]) -> Kept | str:
        visit = self._visit
        is_personal = self._watch.end() and not visit.plan.tells_visitors_apart
        is_answer = self._turn.present is not None and status not in ERRORS
        if not self._context.storage:
            self._is_superseded = is_answer
            return "refused"
        decision = decide(
            self._rules,
            status=status,
            headers=headers,
            has_credentials=visit.request.has_credentials,
            request_time=self._asked,
            response_time=visit.output.wall(),
            ttl=self._context.ttl,
        )
        if is_personal and not isinstance(decision, str):
            decision = "session"
        if decision in ("authorization", "session"):
            # It is this client's own. Who waits is somebody else, and may have another one.
            self._generation.abandon()
        elif isinstance(decision, str):
            self._is_superseded = is_answer
            for marks in (visit.output.marks, visit.output.pauses):
                marks.add(self._key, visit.output.now())
        return decision

    async def _start(self, message: Message, reason: str | None) -> Message | None:
        visit = self._visit
        status = None
        if visit.output.tells:
            status = CacheStatus(
                fwd="uri-miss" if self._turn.present is None else "stale",
                fwd_status=message["status"],
                stored=reason is None,
                detail=reason,
            )
        return await start_for_client(
            *(message, visit.request, self._send),
            status=status,
            name=visit.output.name,
            now=visit.output.wall(),
        )

    async def _answer(self, stored: StoredResponse, age: float, why: str) -> None:
        await self._visit.answer(stored, age, CacheStatus(fwd="stale", detail=why))
