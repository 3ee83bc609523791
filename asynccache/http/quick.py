"""The short way for most requests: nothing special is asked for, and a fresh response is here.

Whatever needs a second thought takes the other way, `serving`, which knows all of the rules. Here
is only what both would do, in fewer steps: what a page's key is made of is remembered by what the
request is made of, and the response is sent as it is.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.types import Scope, Send

from asynccache.core.http_conditional import not_modified_fields
from asynccache.core.http_fields import combined
from asynccache.core.http_vary import variant_of
from asynccache.http.answering import BODY, START
from asynccache.http.cache import OutputCache
from asynccache.http.pages import NORMALISED, page_key, variant_key
from asynccache.http.plan import Plan
from asynccache.http.request import NOTED, OVERRIDES, Headers, Request, canonical_host
from asynccache.http.stored import StoredResponse, Varies

MOST_PAGES: Final = 8_192
"""Pages and variants whose key is remembered; all are forgotten when there are more."""

_HOST, _TAG, _DATE, _ASKS = range(4)
"""What a field of a request means here; the last one needs a second thought."""

_SIMPLE_TAG: Final = re.compile(rb'(?:W/)?"[\x21\x23-\x2b\x2d-\x7e]*"')
_OK, _NOT_OK = 200, 300


class QuickWay:
    """Answers requests that need no second thought.

    Args:
        output: The output cache.
    """

    __slots__ = ("_glance", "_kinds", "_now", "_output", "_pages", "_variants")

    def __init__(self, output: OutputCache) -> None:
        self._output = output
        self._kinds = dict.fromkeys(NOTED | OVERRIDES | output.rewrites, _ASKS)
        self._kinds |= {b"host": _HOST, b"if-none-match": _TAG, b"if-modified-since": _DATE}
        self._pages: dict[tuple[str, bytes, bytes, bytes], str | None] = {}
        self._variants: dict[tuple[str, bytes, tuple[bytes | None, ...]], str] = {}
        self._glance = output.cache.glance
        self._now = output.cache.clock.monotonic

    async def serve(self, scope: Scope, send: Send) -> bool:
        """Send a stored response, if it is here and fresh and all is simple; tell whether it was.

        Args:
            scope: The scope of a GET.
            send: The client's.
        """
        headers: Headers = scope["headers"]
        path = scope.get("raw_path")
        simple = self._simple(headers)
        if simple is None or not path or self._output.tells:
            return False
        host, tag = simple
        asked = (scope.get("scheme", "http"), host, path, scope.get("query_string", b""))
        try:
            key = self._pages[asked]
        except KeyError:
            key = self._find(scope, asked)
        found = None if key is None else self._glance(key)
        if found is None or key is None:
            return False
        stored, born = found
        if stored.__class__ is Varies:
            variant = self._variant(key, stored, headers)
            found = self._glance(variant)
            if found is None:
                return False
            self._output.variants.touch(key, variant)
            stored, born = found
        if stored.__class__ is not StoredResponse:
            return False
        age = self._now() - born + stored.age
        if age >= stored.lifetime:
            return False
        return await self._send(stored, age, tag, send)

    def _simple(self, headers: Headers) -> tuple[bytes, bytes | None] | None:
        """Return a request's host and ``If-None-Match``; None: it needs a second thought."""
        host = tag = None
        has_date = False
        kinds = self._kinds
        for name, value in headers:
            kind = kinds.get(name)
            if kind is None:
                continue
            if kind == _HOST and host is None:
                host = value
            elif kind == _TAG and tag is None:
                tag = value
            elif kind == _DATE:
                has_date = True
            else:
                return None
        # Beside a tag a date does not count (RFC 9110, 13.1.3); alone it has to be read.
        if host is None or (has_date and tag is None):
            return None
        return host, tag

    async def _send(
        self, stored: StoredResponse, age: float, tag: bytes | None, send: Send
    ) -> bool:
        status, fields, body = stored.status, stored.fields, stored.body
        if tag is not None and _OK <= status < _NOT_OK:
            if _SIMPLE_TAG.fullmatch(tag) is None:
                return False
            own = combined(fields, b"etag")
            if own is not None and tag.removeprefix(b"W/") == own.removeprefix(b"W/"):
                status, fields, body = 304, not_modified_fields(fields), b""
        self._output.counters.hits += 1
        # A list of its own for each: middleware outside edits it in place.
        await send({"type": START, "status": status, "headers": [*fields, (b"age", b"%d" % age)]})
        await send({"type": BODY, "body": body})
        return True

    def _find(self, scope: Scope, asked: tuple[str, bytes, bytes, bytes]) -> str | None:
        """Return the key of the page that is asked for; None: it needs a second thought."""
        scheme, host, path, query = asked
        request = Request("GET", scheme, canonical_host(scheme, host), path, query, ())
        plan = self._output.plan(scope, request)
        key = page_key(request, plan) if plan is not None and is_simple(plan) else None
        if self._output.planner.remembers(scope, request.host):
            if len(self._pages) >= MOST_PAGES:
                self._pages.clear()
            self._pages[asked] = key
        return key

    def _variant(self, key: str, varies: Varies, headers: Headers) -> str:
        """Return the key of the variant that is asked for."""
        values = tuple([combined(headers, name) for name in varies.names])
        known = (key, varies.generation, values)
        try:
            return self._variants[known]
        except KeyError:
            fields = variant_of(varies.names, headers, NORMALISED)
            variant = variant_key(key, varies.generation, (), fields)
            if len(self._variants) >= MOST_PAGES:
                self._variants.clear()
            self._variants[known] = variant
            return variant


def is_simple(plan: Plan) -> bool:
    """Tell whether the URL alone says which response of a page is meant, and nobody is asked."""
    is_asked = plan.on_request or plan.on_serve or plan.honor_request_cache_control
    return not (plan.tells_apart or is_asked)
