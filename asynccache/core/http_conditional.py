"""Conditional requests: whether a response is sent, or only that it has not changed.

RFC 9110, 13.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from asynccache.core.http_dates import parse_date
from asynccache.core.http_etags import is_same_strongly, is_same_weakly, parse_etag, parse_etags
from asynccache.core.http_fields import Fields, Headers, combined, field_lines

Verdict: TypeAlias = Literal["serve", "not_modified", "precondition_failed"]

_KEPT: Final = frozenset({
    *(b"cache-control", b"content-location", b"date", b"etag", b"expires", b"vary"),
    b"set-cookie",
})  # fmt: skip
"""RFC 9110, 15.4.5. The rest is what the client has already; a cookie is not about the content."""

_CROSS_ORIGIN: Final = b"access-control-"
"""Without these a browser refuses its script the response that it has (fetch, 4.10)."""


def evaluate(
    method: str,
    request_headers: Headers,
    *,
    etag: bytes | None,
    last_modified: bytes | None,
    now: float,
    date: bytes | None = None,
) -> Verdict:
    """Return what a request's conditions come to for a response (RFC 9110, 13.2.2).

    Args:
        method: The request's method.
        request_headers: Its fields.
        etag: The response's ``ETag``.
        last_modified: The response's ``Last-Modified``.
        now: The present, in seconds since 1970.
        date: The response's ``Date``, which stands in for ``Last-Modified`` (RFC 9111, 4.3.2).
    """
    own = parse_etag(etag)
    if_match = combined(request_headers, b"if-match")
    modified = _moment(last_modified, now)
    if if_match is not None:
        tags = parse_etags(if_match)
        if tags is not None and (
            own is None or not any(is_same_strongly(own, tag) for tag in tags)
        ):
            return "precondition_failed"
    else:
        unmodified_since = _condition(request_headers, b"if-unmodified-since", now)
        if unmodified_since is not None and modified is not None and modified > unmodified_since:
            return "precondition_failed"
    is_read = method in {"GET", "HEAD"}
    if_none_match = combined(request_headers, b"if-none-match")
    if if_none_match is not None:
        tags = parse_etags(if_none_match)
        if tags is None or (own is not None and any(is_same_weakly(own, tag) for tag in tags)):
            return "not_modified" if is_read else "precondition_failed"
        return "serve"
    since = _condition(request_headers, b"if-modified-since", now)
    if is_read and since is not None:
        reference = modified if last_modified is not None else _moment(date, now)
        if reference is not None and reference <= since:
            return "not_modified"
    return "serve"


def not_modified_fields(fields: Headers) -> Fields:
    """Return the fields of a 304 for a response that has these, with names in small letters."""
    has_etag = bool(field_lines(fields, b"etag"))
    return tuple(
        (name, value)
        for name, value in fields
        if name in _KEPT
        or name.startswith(_CROSS_ORIGIN)
        or (name == b"last-modified" and not has_etag)
    )


def _condition(headers: Headers, name: bytes, now: float) -> float | None:
    lines = field_lines(headers, name)
    return parse_date(lines[0], now) if len(lines) == 1 else None


def _moment(value: bytes | None, now: float) -> float | None:
    return None if value is None else parse_date(value, now)
