"""The keys of the output cache: one for each page, one for each variant of a page.

A page is what a URL names under its plan. Keys are digests of parts with their lengths, so that no
two pages share one whatever their parts hold, and nothing in a URL reaches Redis as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final
from urllib.parse import unquote_to_bytes

from asynccache.core.http_fields import Fields
from asynccache.core.http_groups import group_tag, groups
from asynccache.core.http_negotiation import (
    normalised_accept_encoding,
    normalised_accept_language,
)
from asynccache.core.http_vary import variant_digest, variant_of
from asynccache.http.plan import Plan
from asynccache.http.policy import Scope
from asynccache.http.request import Request, cookies_named
from asynccache.http.stored import Variant

PREFIX: Final = "http:"
VARIED: Final = ":v"

ALL_TAG: Final = "http"
"""What every response is tagged with."""

NORMALISED: Final = {
    b"accept-encoding": normalised_accept_encoding,
    b"accept-language": normalised_accept_language,
}
"""Fields of which many spellings get the same response; the application sees one of them."""


ROOT_SECONDS: Final = 86_400.0
"""For how long it is remembered what the responses of a page vary by."""

MOST_TAGS: Final = 32
"""What the cache takes; the plan's come first."""


def page_key(request: Request, plan: Plan) -> str:
    """Return the key of the page that a request asks for."""
    parts = [request.scheme.encode(), request.host]
    if plan.vary_by_route is None:
        parts += [b"path", request.path]
    else:
        parts += [b"route", plan.route.encode()]
        for route_name in plan.vary_by_route:
            parts += [route_name.encode(), plan.parameters.get(route_name, "").encode()]
    if plan.vary_by_query is None:
        parts.append(request.query)
    else:
        for name, values in selected_query(request.query, plan.vary_by_query):
            parts += [name, b"%d" % len(values), *values]
    return PREFIX + digest(parts)


def selected_query(query: bytes, names: Iterable[str]) -> list[tuple[bytes, list[bytes]]]:
    """Return the values of some query parameters, all of each, in the order of their names."""
    selected: dict[bytes, list[bytes]] = {name.encode(): [] for name in sorted(set(names))}
    if selected and query:
        for pair in query.split(b"&"):
            name, _, value = pair.partition(b"=")
            values = selected.get(unquote_to_bytes(name.replace(b"+", b" ")))
            if values is not None:
                values.append(unquote_to_bytes(value.replace(b"+", b" ")))
    return list(selected.items())


def policy_values(
    request: Request, plan: Plan, scope: Scope, said: Sequence[tuple[str, str]] = ()
) -> Variant:
    """Return what tells responses of a page apart by the plan, besides its URL.

    Args:
        request: The request.
        plan: Its plan.
        scope: Its ASGI scope, for functions of the plan.
        said: Names and values from hooks.
    """
    if not (request.rewrites or said or plan.tells_apart):
        return ()
    values: list[tuple[bytes, bytes | None]] = [
        (b"rewrite:" + name, value) for name, value in request.rewrites
    ]
    if plan.vary_by_header:
        names = [name.encode() for name in plan.vary_by_header]
        values += [
            (b"header:" + name, value)
            for name, value in variant_of(names, request.headers, NORMALISED)
        ]
    values += [
        (b"cookie:" + name, value)
        for name, value in cookies_named(request.headers, plan.vary_by_cookie)
    ]
    for number, function in enumerate(plan.vary_by):
        value = function(scope)
        values.append(
            (b"function:%d" % number, value.encode() if isinstance(value, str) else value)
        )
    values += [(b"said:" + name.encode(), value.encode()) for name, value in said]
    return tuple(values)


def variant_key(root: str, generation: bytes, values: Variant, fields: Variant) -> str:
    """Return the key of one variant of a page."""
    told_apart = digest([variant_digest(values), variant_digest(fields)])
    return f"{root}:{generation.hex()}:{told_apart}"


def response_tags(
    request: Request, plan: Plan, said: Iterable[str], fields: Fields
) -> tuple[str, ...]:
    """Return what a response is tagged with.

    Args:
        request: Its request.
        plan: Its plan.
        said: Tags that its handler has added.
        fields: Its fields: those in ``Cache-Groups`` are tags of its origin (RFC 9875).
    """
    tags = [ALL_TAG, *plan.tags, *said]
    if plan.is_rfc:
        origin = origin_of(request)
        tags += [group_tag(origin, group) for group in groups(fields)]
    return tuple(dict.fromkeys(tags))[:MOST_TAGS]


def origin_of(request: Request) -> str:
    """Return a request's origin, as text."""
    return f"{request.scheme}://{request.host.decode('latin-1')}"


def digest(parts: Iterable[bytes]) -> str:
    """Return a digest that other parts, or parts cut otherwise, do not have."""
    hashed = blake2b(digest_size=20)
    for part in parts:
        hashed.update(b"%d:" % len(part))
        hashed.update(part)
    return hashed.hexdigest()
