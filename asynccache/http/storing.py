"""Storing a complete response: under its page's key, or under that of its variant of it."""

from __future__ import annotations

import asyncio
import logging
from secrets import token_bytes
from typing import Any, Final

from asynccache.core.arguments import LONGEST_SECONDS
from asynccache.core.http_decision import Kept
from asynccache.core.http_etags import generated_etag, weakened
from asynccache.core.http_fields import Fields, combined
from asynccache.core.http_vary import variant_of
from asynccache.core.policy import Policy
from asynccache.http.background import spawned
from asynccache.http.cache import STORE_PATIENCE
from asynccache.http.context import OutputCacheContext
from asynccache.http.generation import SHORTEST, Generation, Product
from asynccache.http.pages import NORMALISED, ROOT_SECONDS, response_tags
from asynccache.http.stored import StoredResponse, Varies
from asynccache.http.visit import Visit, call_hooks

logger = logging.getLogger("asynccache")

NO_CONTENT: Final = 204


class Storing:
    """Stores the response of one run.

    Args:
        visit: The request.
        key: The key that it is generated for.
        generation: Is told what is stored.
        waiter: Waits for the cache to have it.
        context: What the handler says.
    """

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

    async def store(self, status: int, kept: Kept, body: bytes) -> None:
        """Store a complete response: the client's last byte waits for it, but not for long.

        Args:
            status: Its status code.
            kept: How it may be stored.
            body: Its content.
        """
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
        fresh = min(max(SHORTEST, kept.lifetime - kept.age), LONGEST_SECONDS)
        grace = min(max(0.0, kept.lifetime + kept.grace - kept.age - fresh), LONGEST_SECONDS)
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
        present = self._generation.turn.result().present
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
