"""The output cache of an application: its policies, its evictions, and what it remembers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any, Final, TypedDict
from urllib.parse import quote, unquote, urlsplit

from asynccache.cache import Cache
from asynccache.core.arguments import checked_callable, positive_int, seconds_or_zero, wrong_type
from asynccache.core.http_budget import FIELD_BYTES, Budget
from asynccache.core.http_marks import Marks, Variants
from asynccache.errors import InvalidArgument
from asynccache.http.pages import ALL_TAG, VARIED, page_key
from asynccache.http.plan import Plan
from asynccache.http.planning import Planner
from asynccache.http.policy import OutputPolicy, Scope
from asynccache.http.request import REWRITES, Request, canonical_host
from asynccache.http.stored import StoredResponse, Varies
from asynccache.results import WriteResult
from asynccache.types import Duration

HIT_FOR_MISS: Final = 5.0
"""Seconds: Varnish has 120, since a request that it passes costs it a connection; here it costs a
run of the application, which it would have cost anyway."""

MAX_TOTAL_SIZE: Final = 128 * 1024 * 1024
"""Bytes. ASP.NET Core's output cache has 100 MB."""

PAUSE: Final = 0.25
"""Seconds for which nobody even tries to store a page that could not be stored just now."""

REFRESH_REST: Final = 1.0
"""Seconds between refreshes of one response: an application that fails is not tried at each hit."""

STORE_PATIENCE: Final = 0.05
"""Seconds that the last message of a response waits for Redis to have it; see `store_response`."""


@dataclass(slots=True)
class Counters:
    """What an output cache has done.

    Attributes:
        hits: Requests answered with a fresh stored response.
        stale: Requests answered with a stale one.
        misses: Runs of the application whose response was to be stored.
        stored: Responses that were.
        passed: Requests left to the application that a policy had matched.
        refreshes: Runs of the application in the background.
        errors: Failures of the application in whose place a stale response stood.
        evictions: Pages that unsafe requests have invalidated.
    """

    hits: int = 0
    stale: int = 0
    misses: int = 0
    stored: int = 0
    passed: int = 0
    refreshes: int = 0
    errors: int = 0
    evictions: int = 0


class OutputOptions(TypedDict, total=False):
    """The settings of an `OutputCache` besides its policies; see there."""

    name: str
    cache_status: bool
    targets: Iterable[str]
    allowed_hosts: Iterable[str] | None
    keyed_headers: Iterable[str] | None
    stripped_headers: Iterable[str]
    max_total_size: int
    hit_for_miss: Duration
    wall: Callable[[], float]


class OutputCache:
    """Stores responses in a cache, by policies.

    Args:
        cache: Where they are stored.
        policies: What is stored; none: only what ``@output_cache`` says.
        name: What ``Cache-Status`` calls it.
        cache_status: Say in each response what the cache did with it (RFC 9211).
        targets: Targeted fields that decide before ``Cache-Control`` does, the first first
            (RFC 9213), such as ``["asynccache-control"]``.
        allowed_hosts: The hosts whose requests may be stored; None: all. It does not refuse
            requests: that is what Starlette's ``TrustedHostMiddleware`` is for.
        keyed_headers: Request fields that tell responses apart wherever they are sent, because
            applications build URLs of them.
        stripped_headers: Request fields that the application does not get to see where its response
            may be stored.
        max_total_size: Bytes of responses that this process keeps in L1, besides whatever else
            bounds that; they go on being served out of Redis.
        hit_for_miss: Seconds for which nobody waits for the response of a page that could not be
            stored; one request in a quarter of a second tries whether it can be by now.
        wall: Returns the time, in seconds since 1970; for tests.

    Attributes:
        cache: Where responses are stored.
        counters: What it has done; see `statistics`.

    Raises:
        ArgumentTypeError: An argument has the wrong type.
        InvalidArgument: An argument is out of range.
    """

    def __init__(
        self,
        cache: Cache,
        policies: Iterable[OutputPolicy] = (),
        *,
        name: str = "asynccache",
        cache_status: bool = False,
        targets: Iterable[str] = (),
        allowed_hosts: Iterable[str] | None = None,
        keyed_headers: Iterable[str] | None = None,
        stripped_headers: Iterable[str] = (),
        max_total_size: int = MAX_TOTAL_SIZE,
        hit_for_miss: Duration = HIT_FOR_MISS,
        wall: Callable[[], float] = time.time,
    ) -> None:
        if not isinstance(cache, Cache):
            raise wrong_type("cache", cache, "a Cache")
        listed = list(policies)
        for policy in listed:
            if not isinstance(policy, OutputPolicy):
                raise wrong_type("policies", policy, "OutputPolicy objects")
        checked_callable(wall, "wall", "a function that returns seconds")
        self.cache: Cache = cache
        self.counters: Counters = Counters()
        self.planner: Planner = Planner(listed)
        self.name: str = name
        self.tells: bool = cache_status
        self.targets: tuple[bytes, ...] = _lowered(targets, "targets")
        self.rewrites: frozenset[bytes] = (
            REWRITES
            if keyed_headers is None
            else frozenset(_lowered(keyed_headers, "keyed_headers"))
        )
        self.stripped: frozenset[bytes] = frozenset(_lowered(stripped_headers, "stripped_headers"))
        self.wall: Callable[[], float] = wall
        lasting = seconds_or_zero(hit_for_miss, "hit_for_miss")
        self.marks: Marks = Marks(lasting)
        self.pauses: Marks = Marks(min(lasting, PAUSE))
        self.rests: Marks = Marks(REFRESH_REST)
        self.variants: Variants = Variants()
        self._budget = Budget(
            positive_int(max_total_size, "max_total_size"),
            lambda key: cache.glance(key) is not None,
        )
        self.leading: set[str] = set()
        self.refreshing: set[str] = set()
        self._hosts = (
            None if allowed_hosts is None else frozenset(_lowered(allowed_hosts, "allowed_hosts"))
        )
        self._app: object = None  # whose routes tell which policies an endpoint has
        self._root_path = ""  # where it is mounted
        for type_ in (StoredResponse, Varies):
            cache.codec.register_hint(type_)

    def plan(self, scope: Scope, request: Request) -> Plan | None:
        """Return the plan of a request; None: it is not to be cached."""
        if self._hosts is not None and request.host not in self._hosts:
            return None
        if self._app is None:
            self._app, self._root_path = scope.get("app"), scope.get("root_path", "")
        return self.planner.plan(scope, request.host)

    def note_kept(self, key: str, stored: StoredResponse) -> None:
        """Count a response that L1 keeps, and have it give up others if those are too many."""
        fields_ = sum(len(name) + len(value) + FIELD_BYTES for name, value in stored.fields)
        gone = self._budget.add(key, len(stored.body) + fields_)
        if gone:
            self.cache.drop_here(gone)

    def now(self) -> float:
        """Return the moment, in seconds of the cache's clock."""
        return self.cache.clock.monotonic()

    def statistics(self) -> dict[str, int]:
        """Return what it has done, by the names of `Counters`."""
        return {each.name: getattr(self.counters, each.name) for each in fields(Counters)}

    async def evict_tags(self, *tags: str) -> WriteResult:
        """Let no response be served any more, in any process, that has one of some tags."""
        return await self.cache.invalidate_tags(*tags)

    async def evict_all(self) -> WriteResult:
        """Let no response be served any more, in any process, that is stored now."""
        return await self.cache.invalidate_tags(ALL_TAG)

    async def evict_url(self, url: str) -> WriteResult:
        """Remove all variants of what a URL names, in every process.

        Args:
            url: The URL as clients ask for it, such as ``https://shop.example/products?page=2``.

        Raises:
            InvalidArgument: It is not an absolute ``http`` or ``https`` URL.
        """
        if not isinstance(url, str):
            raise wrong_type("url", url, "a str")
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise InvalidArgument("url", "must be an absolute http or https URL")
        path = quote(parts.path or "/", safe="/:@!$&'()*+,;=~-._%")
        query = quote(parts.query, safe="/:@!$&'()*+,;=~-._%?")
        host = canonical_host(parts.scheme, parts.netloc.rpartition("@")[2].encode("idna"))
        return await self.evict_pages(parts.scheme, host, [(path.encode(), query.encode())])

    async def evict_pages(
        self,
        scheme: str,
        host: bytes,
        targets: Iterable[tuple[bytes, bytes]],
        scope: Scope | None = None,
    ) -> WriteResult:
        """Remove pages of one origin.

        Args:
            scheme: The origin's scheme.
            host: The origin's host, with its port if that is not the scheme's own.
            targets: Their paths and queries, as they are sent.
            scope: That of the request that says so; None: nobody's.
        """
        keys: list[str] = []
        for path, query in targets:
            request = Request("GET", scheme, host, path, query, ())
            nobody = {"app": self._app, "root_path": self._root_path, "headers": []}
            plan = self.plan(_scope_of(request, nobody if scope is None else scope), request)
            if plan is not None:
                key = page_key(request, plan)
                keys += (key, key + VARIED)
        if not keys:
            return WriteResult(acknowledged=True, affected=0)
        return await self.cache.delete_many(keys)

    def __repr__(self) -> str:
        done = self.counters
        return f"<OutputCache {self.name!r}, {done.hits} hits, {done.misses} misses>"


def _scope_of(request: Request, base: Scope) -> dict[str, Any]:
    """Return the scope that a GET of a page would have."""
    return {
        "http_version": "1.1",
        "client": None,
        "server": None,
        "state": {},
        **base,
        "type": "http",
        "method": "GET",
        "scheme": request.scheme,
        "path": unquote(request.path.decode("ascii", "replace")),
        "raw_path": request.path,
        "query_string": request.query,
        "path_params": {},
    }


def _lowered(names: Iterable[str], argument: str) -> tuple[bytes, ...]:
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise wrong_type(argument, names, "several names, in a list or another iterable")
    lowered: list[bytes] = []
    for name in names:
        if not isinstance(name, str):
            raise wrong_type(argument, name, "names as str")
        lowered.append(name.lower().encode())
    return tuple(lowered)
