"""What an application says about the caching of its responses.

A policy leaves open what it does not mind; those that match a request are laid over each other, so
that the last one that has an opinion wins, and tags and hooks add up. Nothing is cached that no
policy matches.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from starlette.routing import compile_path

from asynccache.core.arguments import (
    checked_callable,
    checked_tags,
    positive_int,
    seconds,
    seconds_or_zero,
    wrong_type,
)
from asynccache.core.http_fields import is_token
from asynccache.errors import InvalidArgument
from asynccache.types import Duration

if TYPE_CHECKING:
    from asynccache.http.context import OutputCacheContext

Scope: TypeAlias = Mapping[str, Any]
Hook: TypeAlias = "Callable[[OutputCacheContext], Awaitable[None] | None]"
Mode: TypeAlias = Literal["policy", "rfc"]
Lock: TypeAlias = Literal["process", "fleet", "off"]

_DURATIONS = ("ttl", "default_ttl", "lock_timeout", "background_timeout")
_WINDOWS = ("stale_while_revalidate", "stale_if_error", "keep")
_NAMES = ("vary_by_query", "vary_by_header", "vary_by_cookie", "vary_by_route")
_CALLABLES = ("when", "vary_by", "on_request", "on_serve", "on_store")
_STORABLE = range(200, 600)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class OutputPolicy:
    """What is cached, for how long, and what tells responses apart. Immutable.

    Whatever is None is left to the policies that match before this one, and then to the defaults.

    Args:
        path: Which requests it is about, as Starlette writes routes: ``/products/{id:int}``,
            ``/static/{path:path}``. None: all.
        when: A further condition, on the ASGI scope.
        name: What ``@output_cache(policy=...)`` and other policies refer to it by. A named policy
            matches only where it is named.
        enabled: False: do not cache, whatever others say.
        mode: "policy": ``ttl`` and the rest of the policy decide, and the response may only forbid.
            "rfc": the response's own header decides, as for any shared cache (RFC 9111).
        ttl: Seconds for which a response is fresh, whatever its header says that is longer or
            shorter; it never overrides ``no-store``, ``private`` and the like.
        default_ttl: Seconds for which it is fresh if its header does not say.
        heuristic: The share of the time since ``Last-Modified`` for which a response is fresh that
            says nothing else (RFC 9111, 4.2.2). 0: none.
        vary_by_query: The query parameters that matter. None: the whole query as it was sent.
        vary_by_header: Request fields that tell responses apart, whether ``Vary`` names them or
            not.
        vary_by_cookie: Cookies that do.
        vary_by_route: Path parameters of ``path`` that do, instead of the whole path.
        vary_by: A function of the ASGI scope whose result does.
        tags: What `OutputCache.evict_tags` reaches the responses by.
        statuses: The status codes that may be stored. The default: 200 with "policy", any with
            "rfc".
        lock: Who runs the application for a response that many ask for: one request in each
            process, one in the fleet, or everybody.
        lock_timeout: Seconds that the others wait for it; then they run the application too.
        stale_while_revalidate: Seconds past its lifetime for which a response is served while it is
            refreshed in the background.
        stale_if_error: Seconds past its lifetime for which it stands in for an exception or for a
            500, 502, 503 or 504.
        keep: Seconds past its lifetime for which a response with a validator is kept, to be
            validated with the application; "rfc" only.
        background_timeout: Seconds that a refresh in the background may take.
        etag: Give responses that have none an ``ETag``, made of their content.
        max_body_size: Bytes; larger responses pass.
        max_variants: How many variants of a URL one process stores.
        honor_request_cache_control: Do what the client's ``Cache-Control`` asks (RFC 9111, 5.2.1).
            Anybody can have the application run at will then.
        allow_set_cookie: Store responses with ``Set-Cookie``, without that field.
        on_request: Called before the lookup.
        on_serve: Called before a stored response is served.
        on_store: Called before a response is stored; its content is known.

    Raises:
        ArgumentTypeError: An argument has the wrong type.
        InvalidArgument: An argument is out of range.
    """

    path: str | None
    when: Callable[[Scope], bool] | None
    name: str | None
    enabled: bool | None
    mode: Mode | None
    ttl: float | None
    default_ttl: float | None
    heuristic: float | None
    vary_by_query: tuple[str, ...] | None
    vary_by_header: tuple[str, ...] | None
    vary_by_cookie: tuple[str, ...] | None
    vary_by_route: tuple[str, ...] | None
    vary_by: Callable[[Scope], str | bytes] | None
    tags: tuple[str, ...]
    statuses: frozenset[int] | None
    lock: Lock | None
    lock_timeout: float | None
    stale_while_revalidate: float | None
    stale_if_error: float | None
    keep: float | None
    background_timeout: float | None
    etag: bool | None
    max_body_size: int | None
    max_variants: int | None
    honor_request_cache_control: bool | None
    allow_set_cookie: bool | None
    on_request: Hook | None
    on_serve: Hook | None
    on_store: Hook | None
    regex: re.Pattern[str] | None

    def __init__(
        self,
        path: str | None = None,
        *,
        when: Callable[[Scope], bool] | None = None,
        name: str | None = None,
        enabled: bool | None = None,
        mode: Mode | None = None,
        ttl: Duration | None = None,
        default_ttl: Duration | None = None,
        heuristic: float | None = None,
        vary_by_query: Iterable[str] | None = None,
        vary_by_header: Iterable[str] | None = None,
        vary_by_cookie: Iterable[str] | None = None,
        vary_by_route: Iterable[str] | None = None,
        vary_by: Callable[[Scope], str | bytes] | None = None,
        tags: Iterable[str] = (),
        statuses: Iterable[int] | None = None,
        lock: Lock | None = None,
        lock_timeout: Duration | None = None,
        stale_while_revalidate: Duration | None = None,
        stale_if_error: Duration | None = None,
        keep: Duration | None = None,
        background_timeout: Duration | None = None,
        etag: bool | None = None,
        max_body_size: int | None = None,
        max_variants: int | None = None,
        honor_request_cache_control: bool | None = None,
        allow_set_cookie: bool | None = None,
        on_request: Hook | None = None,
        on_serve: Hook | None = None,
        on_store: Hook | None = None,
    ) -> None:
        given = {key: value for key, value in locals().items() if key not in {"self", "path"}}
        assign = object.__setattr__
        regex, parameters = _compiled(path)
        assign(self, "path", path)
        assign(self, "regex", regex)
        for key, value in given.items():
            assign(self, key, _checked(key, value))
        for parameter in self.vary_by_route or ():
            if path is not None and parameter not in parameters:
                raise InvalidArgument("vary_by_route", f"{parameter!r} is not in the path")

    def matches(self, scope: Scope) -> Mapping[str, str] | None:
        """Return the path's parameters if the policy is about a request; None: it is not."""
        parameters: Mapping[str, str] = {}
        if self.regex is not None:
            match = self.regex.match(route_path(scope))
            if match is None:
                return None
            parameters = match.groupdict()
        return None if self.when is not None and not self.when(scope) else parameters

    def __repr__(self) -> str:
        said = (
            f"{name}={value!r}"
            for name in self.__dataclass_fields__
            if name not in {"path", "regex"} and (value := getattr(self, name)) not in {None, ()}
        )
        return f"OutputPolicy({', '.join([repr(self.path), *said])})"


def route_path(scope: Scope) -> str:
    """Return the path as routes see it: without the prefix that a server or mount has taken."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith((f"{root}/",)) else path


def _compiled(path: str | None) -> tuple[re.Pattern[str] | None, Iterable[str]]:
    if path is None:
        return None, ()
    if not isinstance(path, str):
        raise wrong_type("path", path, "a str such as '/products/{id}'")
    if not path.startswith("/"):
        raise InvalidArgument("path", f"must begin with a slash, got {path!r}")
    try:
        regex, _, convertors = compile_path(path)
    except (AssertionError, ValueError) as error:
        raise InvalidArgument("path", str(error)) from None
    return regex, convertors


def _checked(name: str, value: Any) -> Any:  # noqa: C901, PLR0912  # one case a line
    if name == "tags":
        return checked_tags(value)
    if value is None:
        return None
    if name in _DURATIONS:
        return seconds(value, name)
    if name in _WINDOWS:
        return seconds_or_zero(value, name)
    if name in _NAMES:
        return _names(value, name)
    if name in _CALLABLES:
        checked_callable(value, name, "a function")
        return value
    if name in {"mode", "lock"}:
        allowed = ("policy", "rfc") if name == "mode" else ("process", "fleet", "off")
        if value not in allowed:
            raise InvalidArgument(name, f"must be one of {', '.join(allowed)}; got {value!r}")
        return value
    if name == "heuristic":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise InvalidArgument(name, "must be a share from 0 to 1")
        return float(value)
    if name == "statuses":
        statuses = frozenset(value)
        if not all(isinstance(status, int) and status in _STORABLE for status in statuses):
            raise InvalidArgument(name, "must be codes from 200 to 599")
        return statuses
    if name in {"max_body_size", "max_variants"}:
        return positive_int(value, name)
    if name == "name":
        if not isinstance(value, str) or not value:
            raise wrong_type(name, value, "a str that is not empty")
        return value
    if not isinstance(value, bool):
        raise wrong_type(name, value, "True or False")
    return value


def _names(value: Iterable[str], argument: str) -> tuple[str, ...]:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise wrong_type(argument, value, "several names, such as ['page']")
    names = tuple(dict.fromkeys(value))
    for name in names:
        if not isinstance(name, str):
            raise wrong_type(argument, name, "names as str")
    if argument == "vary_by_header":
        for name in names:
            if not is_token(name.encode("utf-8", "replace")):
                raise InvalidArgument(argument, f"{name!r} cannot be the name of a field")
        return tuple(name.lower() for name in names)
    return names
