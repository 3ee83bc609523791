"""The first message of a response that is being generated, as its own client is to get it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.types import Message, Send

from asynccache.core.http_cache_status import CacheStatus, appended
from asynccache.core.http_conditional import evaluate, not_modified_fields
from asynccache.core.http_fields import Fields, combined
from asynccache.http.answering import BODY, START
from asynccache.http.request import Request

WHOLE_ONLY = frozenset({"http.response.pathsend", "http.response.zerocopysend"})
"""Extensions by which an application hands over a file instead of its content."""


async def start_for_client(
    message: Message,
    request: Request,
    send: Send | None,
    *,
    status: CacheStatus | None,
    name: str,
    now: float,
) -> Message | None:
    """Return the message; None: the client has been answered, and needs no more.

    The application was asked for the whole response, without the client's conditions, so that it
    could be stored. So they are judged here (RFC 9110, 13.2.2).

    Args:
        message: The application's message; its fields are in small letters.
        request: The client's request.
        send: The client's.
        status: What ``Cache-Status`` tells; None: there shall be none.
        name: The cache's name there.
        now: Seconds since 1970, to read dates with.
    """
    fields: Fields = tuple(message["headers"])
    if request.is_conditional and send is not None and 200 <= message["status"] < 300:
        verdict = evaluate(
            request.method,
            request.headers,
            etag=combined(fields, b"etag"),
            last_modified=combined(fields, b"last-modified"),
            date=combined(fields, b"date"),
            now=now,
        )
        if verdict != "serve":
            is_match = verdict == "not_modified"
            answer = not_modified_fields(fields) if is_match else ((b"content-length", b"0"),)
            code = 304 if is_match else 412
            headers = list(answer if status is None else appended(answer, name, status))
            await send({"type": START, "status": code, "headers": headers})
            await send({"type": BODY, "body": b"", "more_body": False})
            return None
    if status is not None:
        return {**message, "headers": list(appended(fields, name, status))}
    return message


def whole_bodies(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scope's extensions without those that keep a response's content from middleware."""
    extensions = scope.get("extensions") or {}
    return {name: value for name, value in extensions.items() if name not in WHOLE_ONLY}
