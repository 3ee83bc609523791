"""What forbids that a response to a GET is stored (RFC 9111, 3; and what we refuse besides)."""

from __future__ import annotations

from typing import Final

from asynccache.core.http_cache_control import CacheControl
from asynccache.core.http_fields import Headers, combined, field_lines

UNDERSTOOD: Final = frozenset({
    *(200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 407, 408, 409),
    *(410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 429, 500, 501, 502, 503, 504, 505),
})  # fmt: skip
"""Statuses whose meaning for a cache is known, for ``must-understand`` (RFC 9111, 5.2.2.3)."""

EVENT_STREAM: Final = b"text/event-stream"
"""It has no end that anybody would wait for."""

NEVER: Final = frozenset({206, 304})
"""A part and the answer to a condition are no response of their own."""


def why_not_store(
    *,
    status: int,
    headers: Headers,
    control: CacheControl,
    has_authorization: bool = False,
    vary_authorization: bool = False,
    statuses: frozenset[int] | None = None,
    allow_set_cookie: bool = False,
) -> str | None:
    """Return in a word what forbids it; None: nothing does.

    Args:
        status: The response's status code.
        headers: Its fields.
        control: Its directives.
        has_authorization: The request has credentials.
        vary_authorization: Responses are told apart by them.
        statuses: The status codes that may be stored; None: all final ones.
        allow_set_cookie: ``Set-Cookie`` does not forbid it; the field is not stored.
    """
    if status < 200 or status in NEVER:
        return "status"
    if control.must_understand:
        # It says no-store to those who do not understand it; we do (5.2.2.3).
        if status not in UNDERSTOOD:
            return "must-understand"
    elif control.no_store:
        return "no-store"
    if control.private:
        return "private"
    if (combined(headers, b"content-type") or b"").strip().lower().startswith(EVENT_STREAM):
        return "event-stream"
    if statuses is not None and status not in statuses:
        return "status"
    if not allow_set_cookie and field_lines(headers, b"set-cookie"):
        return "set-cookie"
    is_shared = control.public or control.must_revalidate or control.s_maxage is not None
    if has_authorization and not (vary_authorization or is_shared):
        return "authorization"
    return None
