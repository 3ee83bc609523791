"""The output cache as ASGI middleware."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Unpack

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asynccache.cache import Cache
from asynccache.core.http_groups import group_tag, invalidated_groups
from asynccache.core.http_invalidating import SAFE, invalidated_by
from asynccache.errors import InvalidArgument
from asynccache.http.answering import START
from asynccache.http.cache import OutputCache, OutputOptions
from asynccache.http.pages import origin_of
from asynccache.http.placement import misplaced, stack_of
from asynccache.http.policy import OutputPolicy
from asynccache.http.quick import QuickWay
from asynccache.http.request import Request, read_request
from asynccache.http.serving import serve
from asynccache.http.visit import Visit

logger = logging.getLogger("asynccache")


class OutputCacheMiddleware:
    """Stores responses and answers from them.

    ::

        app.add_middleware(OutputCacheMiddleware, cache=cache, policies=[
            OutputPolicy("/products/{id}", ttl=60, tags=["product:{id}"]),
        ])

    Whatever goes wrong in the cache is a miss. Requests that no policy matches go straight through.

    Args:
        app: The application.
        cache: Where responses are stored; or give ``output``.
        policies: See `OutputCache`, as for all other options.
        output: An output cache that somebody else evicts from too.

    Raises:
        ArgumentTypeError: An argument has the wrong type.
        InvalidArgument: An argument is out of range.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        cache: Cache | None = None,
        policies: Iterable[OutputPolicy] = (),
        output: OutputCache | None = None,
        **options: Unpack[OutputOptions],
    ) -> None:
        if (cache is None) == (output is None):
            raise InvalidArgument("cache", "give either cache or output")
        self.app: ASGIApp = app
        if output is None:
            assert cache is not None  # noqa: S101  # said above
            output = OutputCache(cache, policies, **options)
        elif policies or options:
            raise InvalidArgument("output", "has its policies and options already")
        self.output: OutputCache = output
        self._quick = QuickWay(output)
        self._has_looked = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if scope["method"] == "GET" and await self._quick.serve(scope, send):
            return None
        return await self._think(scope, receive, send)

    async def _think(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._has_looked:
            self._look_around(scope.get("app"))
        output = self.output
        request = read_request(scope, output.rewrites)
        if request.method not in {"GET", "HEAD"}:
            if request.method in SAFE:
                return await self.app(scope, receive, send)
            return await self._change(scope, receive, send, request)
        if request.has_body or request.is_overridden:
            return await self.app(scope, receive, send)
        plan = output.plan(scope, request)
        if plan is None:
            return await self.app(scope, receive, send)
        return await serve(Visit(output, self.app, scope, receive, send, request, plan))

    def _look_around(self, app: object) -> None:
        """Warn once of neighbours that stand on the wrong side."""
        self._has_looked = True
        for warning in misplaced(stack_of(app), type(self)):
            logger.warning(warning)

    async def _change(self, scope: Scope, receive: Receive, send: Send, request: Request) -> None:
        """Pass on a request that may change something, and remove what it has made invalid.

        It is removed before the client hears of its success: what it asks for next is new.
        """
        output = self.output

        async def watched(message: Message) -> None:
            if message["type"] == START:
                headers = list(message.get("headers", ()))
                targets = invalidated_by(
                    request.method,
                    message["status"],
                    scheme=request.scheme,
                    host=request.host,
                    path=request.path,
                    query=request.query,
                    headers=headers,
                )
                if targets:
                    result = await output.evict_pages(request.scheme, request.host, targets, scope)
                    output.counters.evictions += result.affected
                    named = invalidated_groups(request.method, headers)
                    if named:
                        origin = origin_of(request)
                        await output.evict_tags(*(group_tag(origin, group) for group in named))
            await send(message)

        return await self.app(scope, receive, watched)
