"""The short way for most requests: nothing special is asked for, and a fresh response is here.

Whatever needs a second thought takes the other way, `serving`, which knows all of the rules. Here
is only what both would do, in fewer steps: what a page's key is made of is remembered by what the
request is made of, and the response is sent as it is.
"""

from __future__ import annotations

from typing import Final

from starlette.types import Scope, Send

from asynccache.http.answering import BODY, START
from asynccache.http.cache import OutputCache
from asynccache.http.pages import page_key
from asynccache.http.planning import Plan
from asynccache.http.request import NOTED, OVERRIDES, Headers, Request, canonical_host
from asynccache.http.stored import StoredResponse

MOST_PAGES: Final = 8_192
"""Pages whose key is remembered; all are forgotten when there are more."""


class QuickWay:
    """Answers requests that need no second thought.

    Args:
        output: The output cache.
    """

    __slots__ = ("_asks", "_entry", "_now", "_output", "_pages")

    def __init__(self, output: OutputCache) -> None:
        self._output = output
        self._asks = (NOTED | OVERRIDES | output.rewrites) - {b"host"}
        self._pages: dict[tuple[str, bytes, bytes, bytes], str | None] = {}
        self._entry = output.cache.entry
        self._now = output.cache.clock.monotonic

    def page(self, scope: Scope) -> str | None:
        """Return the key of the page that a request asks for; None: it needs a second thought."""
        if self._output.tells:
            return None
        host: bytes | None = None
        asks = self._asks
        headers: Headers = scope["headers"]
        for name, value in headers:
            if name in asks:
                return None
            if name == b"host":
                if host is not None:
                    return None
                host = value
        path = scope.get("raw_path")
        if host is None or not path:
            return None
        asked = (scope.get("scheme", "http"), host, path, scope.get("query_string", b""))
        try:
            return self._pages[asked]
        except KeyError:
            return self._find(scope, asked)

    def _find(self, scope: Scope, asked: tuple[str, bytes, bytes, bytes]) -> str | None:
        scheme, host, path, query = asked
        request = Request("GET", scheme, canonical_host(scheme, host), path, query, ())
        plan = self._output.plan(scope, request)
        key = page_key(request, plan) if plan is not None and is_simple(plan) else None
        if self._output.planner.remembers(scope, request.host):
            if len(self._pages) >= MOST_PAGES:
                self._pages.clear()
            self._pages[asked] = key
        return key

    async def serve(self, key: str, send: Send) -> bool:
        """Send the stored response, if it is here and fresh; tell whether it was."""
        entry = self._entry(key)
        if entry is None:
            return False
        stored = entry.value
        if stored.__class__ is not StoredResponse:
            return False
        age = self._now() - entry.born + stored.age
        if age >= stored.lifetime:
            return False
        self._output.counters.hits += 1
        # A list of its own for each: middleware outside edits it in place.
        headers = [*stored.fields, (b"age", b"%d" % age)]
        await send({"type": START, "status": stored.status, "headers": headers})
        await send({"type": BODY, "body": stored.body})
        return True


def is_simple(plan: Plan) -> bool:
    """Tell whether the URL alone says which response of a page is meant, and nobody is asked."""
    is_asked = plan.on_request or plan.on_serve or plan.honor_request_cache_control
    return not (plan.tells_apart or is_asked)
