"""One request that a plan is about: what belongs to it, and the two ways to answer it at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from inspect import isawaitable

from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as MutableScope

from asynccache.core.http_cache_control import CacheControl
from asynccache.core.http_cache_status import CacheStatus, appended
from asynccache.core.http_demands import is_enough
from asynccache.core.http_vary import variant_of
from asynccache.http.answering import START, send_stored
from asynccache.http.cache import OutputCache
from asynccache.http.context import OutputCacheContext
from asynccache.http.pages import NORMALISED, VARIED, page_key, policy_values, variant_key
from asynccache.http.plan import Plan
from asynccache.http.policy import Hook
from asynccache.http.request import Request
from asynccache.http.stored import StoredResponse, Variant, Varies


@dataclass(slots=True)
class Visit:
    """A request and what goes with it.

    Attributes:
        output: The output cache.
        app: The application.
        scope: The request's ASGI scope.
        receive: The server's.
        send: The server's.
        request: The request.
        plan: Its plan.
        root: The key of its page, once `find_page` was called.
        values: What tells it from others for the same page, by the plan.
        varies: What the page's responses vary by, if they do.
        demands: What the client asks of a stored response; None: nothing that counts.
        wants_new: A stored response was there, and was not good enough: another one is wanted.
    """

    output: OutputCache
    app: ASGIApp
    scope: MutableScope
    receive: Receive
    send: Send
    request: Request
    plan: Plan
    root: str = ""
    values: Variant = ()
    varies: Varies | None = None
    demands: CacheControl | None = None
    wants_new: bool = False
    _context: OutputCacheContext | None = None

    @property
    def context(self) -> OutputCacheContext:
        """What hooks and the handler say."""
        if self._context is None:
            self._context = OutputCacheContext(self.scope)
        return self._context

    def find_page(self) -> None:
        """Find out the key of the page."""
        key = page_key(self.request, self.plan)
        said = () if self._context is None else self._context.variations
        self.values = policy_values(self.request, self.plan, self.scope, said)
        self.root = key + VARIED if self.values else key

    def variant(self, varies: Varies) -> str:
        """Return the key of the page's variant that the request asks for."""
        self.varies = varies
        fields = variant_of(varies.names, self.request.headers, NORMALISED)
        return variant_key(self.root, varies.generation, self.values, fields)

    async def may_serve(self, stored: StoredResponse, age: float, *, is_new: bool = False) -> bool:
        """Tell whether a stored response may answer the request.

        Args:
            stored: The response.
            age: How long it has been stored, in seconds.
            is_new: It was made while the request waited: nobody can ask for a newer one.
        """
        if self.request.has_credentials and not stored.shared and not self.plan.by_credentials:
            return False
        if is_new:
            return True
        if self.demands is not None and not is_enough(
            self.demands, age=age + stored.age, left=stored.freshness(age)
        ):
            self.wants_new = True
            return False
        if not self.plan.on_serve:
            return True
        context = self.context
        context.response, context.age = stored, age + stored.age
        await call_hooks(self.plan.on_serve, context)
        self.wants_new = not context.lookup
        return context.lookup

    async def answer(
        self, stored: StoredResponse, age: float, status: CacheStatus | None = None
    ) -> None:
        """Answer the request with a stored response.

        Args:
            stored: The response.
            age: Its age, in seconds.
            status: What the cache has done, for ``Cache-Status``.
        """
        output = self.output
        await send_stored(
            *(self.send, self.request, stored),
            age=age,
            now=output.wall(),
            status=status if output.tells else None,
            name=output.name,
        )

    async def pass_on(self, why: CacheStatus | None = None) -> None:
        """Leave the request to the application.

        Args:
            why: What ``Cache-Status`` tells.
        """
        output = self.output
        output.counters.passed += 1
        if why is None or not output.tells:
            return await self.app(self.scope, self.receive, self.send)
        status, send = why, self.send

        async def telling(message: Message) -> None:
            if message["type"] == START:
                fields = tuple(message.get("headers", ()))
                message = {**message, "headers": list(appended(fields, output.name, status))}
            await send(message)

        return await self.app(self.scope, self.receive, telling)


async def call_hooks(hooks: Iterable[Hook], context: OutputCacheContext) -> None:
    """Call a plan's hooks, one after the other."""
    for hook in hooks:
        answer = hook(context)
        if isawaitable(answer):
            await answer
