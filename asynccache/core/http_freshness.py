"""How long a response is fresh, how old it is, and how long it may serve after that.

RFC 9111, 4.2, and RFC 5861.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from asynccache.core.http_cache_control import MOST_SECONDS, CacheControl, seconds
from asynccache.core.http_dates import parse_date
from asynccache.core.http_fields import Headers, field_lines, members

HEURISTIC: Final = frozenset({200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501})
"""Statuses whose freshness may be guessed (RFC 9110, 15.1)."""

ONE_DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class StaleLimits:
    """Seconds past its lifetime for which a response may be served.

    Attributes:
        while_revalidate: While it is refreshed.
        if_error: In place of an error.
    """

    while_revalidate: float
    if_error: float


def corrected_initial_age(headers: Headers, *, request_time: float, response_time: float) -> float:
    """Return how old a response is when it comes (RFC 9111, 4.2.3).

    Args:
        headers: Its fields.
        request_time: When it was asked for, in seconds since 1970.
        response_time: When it came, likewise.
    """
    apparent = 0.0
    dates = field_lines(headers, b"date")
    date = parse_date(dates[0], response_time) if dates else None
    if date is not None:
        apparent = max(0.0, response_time - date)
    age = age_value(headers)
    delay = max(0.0, response_time - request_time) if age else 0.0
    return max(apparent, age + delay)


def age_value(headers: Headers) -> float:
    """Return what ``Age`` says: the first of several values; 0 for no number (RFC 9111, 5.1)."""
    values = members(headers, b"age")
    return float(seconds(values[0])) if values else 0.0


def freshness_lifetime(
    status: int,
    headers: Headers,
    control: CacheControl,
    *,
    response_time: float,
    heuristic: float | None = None,
    use_expires: bool = True,
) -> float | None:
    """Return a freshness lifetime for a shared cache, in seconds; None: nothing says any.

    Args:
        status: The response's status code.
        headers: Its fields.
        control: Its directives.
        response_time: When it came, in seconds since 1970.
        heuristic: The share of its age at the source that it is, if nothing else says (4.2.2).
        use_expires: ``Expires`` counts; not where a targeted field has decided.
    """
    if control.s_maxage is not None:
        return float(control.s_maxage)
    if control.max_age is not None:
        return float(control.max_age)
    dates = field_lines(headers, b"date")
    date = parse_date(dates[0], response_time) if dates else None
    date = response_time if date is None else date
    expires = field_lines(headers, b"expires")
    if expires and use_expires:
        moment = parse_date(expires[0], response_time) if len(set(expires)) == 1 else None
        return 0.0 if moment is None else min(max(0.0, moment - date), float(MOST_SECONDS))
    modified = field_lines(headers, b"last-modified")
    if heuristic and modified and (status in HEURISTIC or control.public):
        moment = parse_date(modified[0], response_time)
        if moment is not None:
            return min(max(0.0, date - moment) * heuristic, ONE_DAY)
    return None


def stale_limits(
    control: CacheControl,
    *,
    while_revalidate: float | None = None,
    if_error: float | None = None,
) -> StaleLimits:
    """Return how long a response may be served past its lifetime.

    Args:
        control: Its directives; those of RFC 5861 come before a policy's seconds.
        while_revalidate: A policy's seconds.
        if_error: Likewise.
    """
    if (
        control.must_revalidate
        or control.proxy_revalidate
        or control.s_maxage is not None
        or control.no_cache
    ):
        return StaleLimits(0.0, 0.0)  # RFC 9111, 4.2.4 and 5.2.2.10
    said_while, said_error = control.stale_while_revalidate, control.stale_if_error
    return StaleLimits(
        float(said_while if said_while is not None else while_revalidate or 0.0),
        float(said_error if said_error is not None else if_error or 0.0),
    )
