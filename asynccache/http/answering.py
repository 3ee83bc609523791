"""A stored response on its way to a client: whole, a part of it, or that it has not changed."""

from __future__ import annotations

from typing import Final

from starlette.types import Send

from asynccache.core.http_cache_status import CacheStatus, appended
from asynccache.core.http_conditional import evaluate, not_modified_fields
from asynccache.core.http_fields import Fields, combined
from asynccache.core.http_ranges import Part, Unsatisfiable, part_fields, requested_part
from asynccache.http.request import Request
from asynccache.http.stored import StoredResponse

START: Final = "http.response.start"
BODY: Final = "http.response.body"


async def send_stored(
    send: Send,
    request: Request,
    stored: StoredResponse,
    *,
    age: float,
    now: float,
    status: CacheStatus | None = None,
    name: str = "asynccache",
) -> None:
    """Answer a request with a stored response.

    Args:
        send: The client's.
        request: The request.
        stored: The response.
        age: Its age now, in seconds, what it was when it was stored included.
        now: Seconds since 1970, to read dates with.
        status: What ``Cache-Status`` tells; None: there shall be none.
        name: The cache's name there.
    """
    code, fields, body = stored.status, stored.fields, stored.body
    if request.is_conditional:
        code, fields, body = _judged(request, stored, now)
    # A list of its own for each: middleware outside edits it in place.
    headers = [*fields, (b"age", b"%d" % age)]
    if status is not None:
        headers = list(appended(headers, name, status))
    if request.method == "HEAD":
        if code == stored.status and combined(headers, b"content-length") is None:
            headers.append((b"content-length", b"%d" % len(stored.body)))
        body = b""
    await send({"type": START, "status": code, "headers": headers})
    await send({"type": BODY, "body": body, "more_body": False})


def _judged(request: Request, stored: StoredResponse, now: float) -> tuple[int, Fields, bytes]:
    """Return what a request with conditions gets (RFC 9110, 13.2.2)."""
    etag = combined(stored.fields, b"etag")
    last_modified = combined(stored.fields, b"last-modified")
    date = combined(stored.fields, b"date")
    if 200 <= stored.status < 300:
        verdict = evaluate(
            request.method,
            request.headers,
            etag=etag,
            last_modified=last_modified,
            date=date,
            now=now,
        )
        if verdict == "not_modified":
            return 304, not_modified_fields(stored.fields), b""
        if verdict == "precondition_failed":
            return 412, ((b"content-length", b"0"),), b""
    if request.has_range and request.method == "GET" and stored.status == 200:
        part = requested_part(request.headers, stored.fields, length=len(stored.body), now=now)
        if isinstance(part, Unsatisfiable):
            size = b"bytes */%d" % len(stored.body)
            return 416, ((b"content-range", size), (b"content-length", b"0")), b""
        if isinstance(part, Part):
            fields = part_fields(stored.fields, part, len(stored.body))
            return 206, fields, stored.body[part.start : part.stop]
    return stored.status, stored.fields, stored.body


async def send_timeout(send: Send) -> None:
    """Answer a client that wants a stored response only, when there is none (RFC 9111, 5.2.1.7)."""
    await send({"type": START, "status": 504, "headers": [(b"content-length", b"0")]})
    await send({"type": BODY, "body": b"", "more_body": False})
