"""Whether a response may be stored, for how long, and how long it may serve after that.

Who decides, first to last: what forbids (`http_storing`), a targeted field that is listed
(RFC 9213), what the handler or the policy says, ``s-maxage``, ``max-age``, ``Expires``, the
policy's default, a heuristic. A response without freshness and without a validator is not stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asynccache.core.http_cache_control import CacheControl, parse_cache_control
from asynccache.core.http_fields import Fields, Headers, field_lines, storable_fields, without
from asynccache.core.http_freshness import (
    HEURISTIC,
    corrected_initial_age,
    freshness_lifetime,
    stale_limits,
)
from asynccache.core.http_storing import why_not_store
from asynccache.core.http_targeted import targeted_control
from asynccache.core.http_vary import vary_names

FAILURES = 500
"""Statuses from here on are the application's own failures."""

MOST_NAMES = 16
"""Request fields that ``Vary`` may name: more of them tell every request from every other."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a policy says about storing.

    Attributes:
        is_rfc: The response's header decides; else the policy does, and the header may forbid.
        ttl: Seconds for which a response is fresh, instead of what its header says.
        default_ttl: The same if its header does not say.
        heuristic: The share of its age at the source for which it is fresh otherwise.
        statuses: Which may be stored; None: any.
        stale_while_revalidate: Seconds, unless the header says.
        stale_if_error: Likewise.
        keep: Seconds for which what can be validated is kept past its lifetime.
        targets: The targeted fields that count, first to last, in small letters.
        allow_set_cookie: Store responses with ``Set-Cookie``, without it.
        by_credentials: Responses are told apart by ``Authorization``.
    """

    is_rfc: bool = False
    ttl: float | None = None
    default_ttl: float | None = None
    heuristic: float | None = None
    statuses: frozenset[int] | None = frozenset({200})
    stale_while_revalidate: float | None = None
    stale_if_error: float | None = None
    keep: float = 0.0
    targets: tuple[bytes, ...] = ()
    allow_set_cookie: bool = False
    by_credentials: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """How a response may be stored.

    Attributes:
        fields: Its fields that may be stored.
        names: What its ``Vary`` names.
        age: Its age already, in seconds.
        lifetime: Its freshness lifetime, in seconds.
        while_revalidate: Seconds past that for which it may be served while it is refreshed.
        if_error: Seconds past that for which it may stand in for an error.
        grace: Seconds past its lifetime for which it is of any use.
        shared: It may answer requests with credentials.
    """

    fields: Fields
    names: frozenset[bytes]
    age: float
    lifetime: float
    while_revalidate: float
    if_error: float
    grace: float
    shared: bool


def decide(
    rules: Rules,
    *,
    status: int,
    headers: Headers,
    has_credentials: bool,
    request_time: float,
    response_time: float,
    ttl: float | None = None,
) -> Kept | str:
    """Return how a response to a GET may be stored, or in a word why not.

    Args:
        rules: What the policy says.
        status: The response's status code.
        headers: Its fields.
        has_credentials: The request has ``Authorization``.
        request_time: When it was sent, in seconds since 1970.
        response_time: When the response began, likewise.
        ttl: Seconds for which the handler says that it is fresh.
    """
    control, is_targeted = _control(headers, rules.targets)
    names = vary_names(headers)
    reason = why_not_store(
        status=status,
        headers=headers,
        control=control,
        has_authorization=has_credentials,
        vary_authorization=rules.by_credentials,
        statuses=rules.statuses,
        allow_set_cookie=rules.allow_set_cookie,
    )
    if reason is not None:
        return reason
    if names is None or len(names) > MOST_NAMES:
        return "vary"
    if control.no_cache and not rules.is_rfc:
        return "no-cache"
    said = _said(rules, ttl, control if is_targeted else CacheControl())
    if said is not None and status >= FAILURES:
        return "status"  # a failure is kept only if it says so itself
    age = corrected_initial_age(headers, request_time=request_time, response_time=response_time)
    # Only a status allows to store what does not say itself that it may be (RFC 9111, 3).
    is_allowed = not rules.is_rfc or status in HEURISTIC or control.public
    lifetime = freshness_lifetime(
        status,
        headers,
        control,
        response_time=response_time,
        heuristic=rules.heuristic if rules.default_ttl is None else None,
        use_expires=not is_targeted,
    )
    if lifetime is None and is_allowed and status < FAILURES:
        lifetime = rules.default_ttl
    if said is not None:
        lifetime = said + age  # so long from now on, however old it is
    can_validate = rules.is_rfc and _has_validator(headers)
    if lifetime is None and not (can_validate and is_allowed):
        return "no-lifetime"
    if lifetime is None or control.no_cache:
        lifetime = 0.0
    limits = stale_limits(
        control,
        while_revalidate=rules.stale_while_revalidate,
        if_error=rules.stale_if_error,
    )
    grace = max(limits.while_revalidate, limits.if_error, rules.keep if can_validate else 0.0)
    if lifetime + grace <= age:
        return "stale"
    forbidden = {b"set-cookie", b"age", *control.private_fields, *control.no_cache_fields}
    return Kept(
        fields=without(storable_fields(headers), forbidden),
        names=names,
        age=age,
        lifetime=lifetime,
        while_revalidate=limits.while_revalidate,
        if_error=limits.if_error,
        grace=grace,
        shared=control.public or control.must_revalidate or control.s_maxage is not None,
    )


def _said(rules: Rules, ttl: float | None, targeted: CacheControl) -> float | None:
    """Return the seconds of the handler or the policy; None: it is for the header to say."""
    if targeted.s_maxage is not None or targeted.max_age is not None:
        return None
    return ttl if ttl is not None or rules.is_rfc else rules.ttl


def _has_validator(headers: Headers) -> bool:
    return bool(field_lines(headers, b"etag") or field_lines(headers, b"last-modified"))


def _control(headers: Headers, targets: Sequence[bytes]) -> tuple[CacheControl, bool]:
    targeted = targeted_control(headers, targets) if targets else None
    if targeted is not None:
        return targeted, True
    return parse_cache_control(field_lines(headers, b"cache-control")), False
