"""Running the application for a response that may be stored, and storing it."""

from __future__ import annotations

import asyncio
import logging
from secrets import token_bytes
from typing import Any, Final

from starlette.types import Message, Receive, Send

from asynccache.core.http_cache_status import CacheStatus
from asynccache.core.http_decision import Kept, decide
from asynccache.core.http_etags import generated_etag, weakened
from asynccache.core.http_fields import Fields, combined
from asynccache.core.http_validation import validation_request
from asynccache.core.http_vary import variant_of
from asynccache.core.policy import Policy
from asynccache.http.background import Nobody, detached, spawned
from asynccache.http.cache import STORE_PATIENCE
from asynccache.http.context import STATE, OutputCacheContext
from asynccache.http.exchange import ERRORS, Exchange, Part
from asynccache.http.generation import SHORTEST, Generation, Product
from asynccache.http.pages import NORMALISED, response_tags
from asynccache.http.request import without_conditions
from asynccache.http.starting import start_for_client, whole_bodies
from asynccache.http.stored import StoredResponse, Varies
from asynccache.http.visit import Visit, call_hooks

logger = logging.getLogger("asynccache")

NO_CONTENT: Final = 204

ROOT_SECONDS: Final = 86_400.0
"""For how long it is remembered what the responses of a page vary by."""


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
        self._waiter = waiter
        self._context = context
        self._turn = generation.turn.result()
        self._rules = visit.plan.rules(visit.output.targets)
        self._asked = 0.0
        self._is_superseded = False
        self._send: Send | None = None

    async def run(self, send: Send | None, receive: Receive) -> None:
        visit, turn = self._visit, self._turn
        self._send = send
        is_validation = turn.present is not None and self._rules.is_rfc
        exchange = Exchange(
            Part(self._decide, self._store, self._answer, self._start),
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
        try:
            await exchange.run(visit.app, scope, receive)
        finally:
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
        if decision == "authorization":
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

    async def _store(self, status: int, kept: Kept, body: bytes) -> None:
        """Store a complete response: the client's last byte waits for it, but not for long."""
        visit = self._visit
        try:
            stored = self._stored(status, kept, body)
            self._context.response = stored
            await call_hooks(visit.plan.on_store, self._context)
            tags = response_tags(visit.request, visit.plan, self._context.tags, stored.fields)
        except Exception:
            # A hook's, or a field that cannot be sent: the client shall have its response.
            logger.exception("a response is not stored")
            return self._generation.give_up()
        if not self._context.storage:
            return self._generation.give_up()
        fresh = max(SHORTEST, kept.lifetime - kept.age)
        grace = max(0.0, kept.lifetime + kept.grace - kept.age - fresh)
        work = self._hand_over(stored, kept.names, Product(stored, fresh, grace, tags))
        task = spawned(visit.output.cache, work, "asynccache store response")
        if task is None:
            return self._generation.give_up()
        self._generation.hand_over()
        await asyncio.wait({task}, timeout=STORE_PATIENCE)
        return None

    def _stored(self, status: int, kept: Kept, body: bytes) -> StoredResponse:
        request = self._visit.request
        # Without that in Vary there is one coding, and nothing to mix up.
        is_coded = b"accept-encoding" in kept.names
        fields = weakened(kept.fields) if is_coded else kept.fields
        if self._visit.plan.etag and combined(fields, b"etag") is None:
            tag = generated_etag(body, combined(fields, b"content-encoding"))
            fields = (*fields, (b"etag", tag))
        if status != NO_CONTENT and combined(fields, b"content-length") is None:
            # It was sent in chunks, because nobody knew.
            fields = (*fields, (b"content-length", b"%d" % len(body)))
        return StoredResponse(
            status,
            fields,
            body,
            variant=variant_of(kept.names, request.headers, NORMALISED),
            age=kept.age,
            lifetime=kept.lifetime,
            while_revalidate=kept.while_revalidate,
            if_error=kept.if_error,
            shared=kept.shared,
            tag=self._own_tag(kept.fields, fields),
        )

    def _own_tag(self, told: Fields, stored: Fields) -> bytes | None:
        """Return the application's own tag, if another one is stored."""
        own, other = combined(told, b"etag"), combined(stored, b"etag")
        if own is not None and own != other:
            return own
        present = self._turn.present
        is_same = present is not None and combined(present.fields, b"etag") == other
        return present.tag if present is not None and is_same else None

    async def _hand_over(
        self, stored: StoredResponse, names: frozenset[bytes], product: Product
    ) -> None:
        """Have the cache store a response. It goes on when the client has gone."""
        try:
            await self._put(stored, names, product)
        except Exception:
            logger.exception("a response is not stored")
        finally:
            self._generation.give_up()  # unless it was finished

    async def _put(self, stored: StoredResponse, names: frozenset[bytes], product: Product) -> None:
        visit, cache = self._visit, self._visit.output.cache
        varies = visit.varies
        if varies is None and names:
            # The page turns out to vary. Its variant is reached through the page's own record,
            # whose fill is refused if the page was invalidated since the application began.
            varies = Varies(token_bytes(8), tuple(sorted(names)))
            key = visit.variant(varies)
            policy = Policy(ttl=product.ttl, grace=product.grace, share=True)
            await cache.set(key, stored, policy=policy, tags=product.tags)
            product = Product(varies, ROOT_SECONDS, 0.0, product.tags)
            visit.varies = None
        elif varies is not None and not names <= set(varies.names):
            # Stored under its key it would be served to requests that it does not match. What
            # began before now must not be stored under a new one either.
            self._generation.give_up()
            wider = Varies(token_bytes(8), tuple(sorted({*varies.names, *names})))
            await cache.set(visit.root, wider, ttl=ROOT_SECONDS)
            return
        else:
            key = self._key
        self._generation.finish(product)
        await asyncio.wait({self._waiter})
        visit.output.counters.stored += 1
        visit.output.note_kept(key, stored)
        if key != visit.root:
            gone = visit.output.variants.add(visit.root, key, visit.plan.max_variants)
            if gone:
                await cache.delete_many(gone)
