"""One run of the application for a response that may be stored: passed on while it is recorded.

Nothing that the application sends waits, but for its last message: L1 has the response before the
client has all of it, so that whoever comes next finds it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from starlette.types import ASGIApp, Message, Receive, Send

from asynccache.core.http_decision import Kept
from asynccache.core.http_validation import merged
from asynccache.http.answering import BODY, START
from asynccache.http.generation import Failed, Generation
from asynccache.http.stored import StoredResponse

if TYPE_CHECKING:
    from asynccache.http.context import OutputCacheContext

logger = logging.getLogger("asynccache")

ERRORS: Final = frozenset({500, 502, 503, 504})
"""Statuses in whose place a stale response may stand (RFC 5861, 4)."""


@dataclass(frozen=True, slots=True)
class Part:
    """What an exchange asks of the one who runs it.

    Attributes:
        decide: Returns how a response may be stored, or why not.
        store: Has a complete response stored; returns when it is, or when that takes too long.
        answer: Answers the client with a stored response.
        start: Returns a response's first message as the client is to get it, or None, when the
            client needs no more than it has been sent.
    """

    decide: Callable[[int, list[tuple[bytes, bytes]]], Kept | str]
    store: Callable[[int, Kept, bytes], Awaitable[None]]
    answer: Callable[[StoredResponse, float, str], Awaitable[None]]
    start: Callable[[Message, str | None], Awaitable[Message | None]]


class Exchange:
    """The run.

    Args:
        part: Who runs it.
        generation: Is told what comes of it.
        send: The client's; None: it runs in the background.
        limit: Bytes of content that are kept at most.
        context: What the handler says.
        present: The stale response that is stored, if there is one.
        present_age: How long it has been stored, in seconds.
        is_validation: The application was asked whether ``present`` is still right.

    Attributes:
        stood_in: A stale response was served in place of a failure.
    """

    def __init__(
        self,
        part: Part,
        generation: Generation,
        send: Send | None,
        *,
        limit: int,
        context: OutputCacheContext,
        present: StoredResponse | None = None,
        present_age: float = 0.0,
        is_validation: bool = False,
    ) -> None:
        self._part = part
        self._generation = generation
        self._client = send
        self._limit = limit
        self._context = context
        self._present = present
        self._present_age = present_age
        self._is_validation = is_validation
        self._kept: Kept | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self._declared: int | None = None
        self._status = 0
        self._started = False
        self._ended = False
        self._merging = False
        self.stood_in = False

    async def run(self, app: ASGIApp, scope: Any, receive: Receive) -> None:
        """Run the application.

        Raises:
            Exception: Whatever it raised, unless a stale response could stand in.
        """
        try:
            await app(scope, receive, self._send)
        except Exception as error:
            self._generation.fail(Failed(type(error).__name__))
            if not await self._stands_in("error"):
                raise
            logger.exception("a stale response stands in for an application that failed")
        finally:
            if not self._ended:
                # It raised, was cancelled, or has stopped in the middle.
                self._generation.abandon()

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == START:
            await self._start(message)
        elif kind == BODY:
            await self._body(message)
        elif self._client is not None:
            await self._client(message)

    async def _start(self, message: Message) -> None:
        self._started = True
        self._status = status = message["status"]
        headers = [
            (bytes(name).lower(), bytes(value)) for name, value in message.get("headers", ())
        ]
        present = self._present
        if self._is_validation and present is not None and status == 304:
            # It answers our own condition, so that it is about what we have, whatever validator it
            # names (RFC 9111, 4.3.4, would choose among several candidates by that).
            self._merging = True
            fields = merged(present.fields, headers)
            self._keep(self._part.decide(present.status, list(fields)))
            return
        if status in ERRORS and await self._stands_in("error"):
            self._generation.fail(Failed(str(status)))
            return
        reason: str | None = None
        if message.get("trailers"):
            reason = "trailers"
            self._generation.give_up()
        else:
            reason = self._keep(self._part.decide(status, headers))
        self._declared = _length_in(headers)
        if self._client is not None:
            start = await self._part.start({**message, "headers": headers}, reason)
            if start is None:
                self._client = None
            else:
                await self._client(start)

    def _keep(self, decision: Kept | str) -> str | None:
        if isinstance(decision, str):
            self._generation.give_up()
            return decision
        self._kept = decision
        return None

    async def _body(self, message: Message) -> None:
        if self._ended:
            return
        body = message.get("body", b"")
        if self._kept is not None and not self._merging:
            self._size += len(body)
            if self._size > self._limit or not self._context.storage:
                self._kept = None
                self._chunks.clear()
                self._generation.give_up()
            else:
                self._chunks.append(bytes(body))
        if not message.get("more_body", False):
            self._ended = True
            await self._end()
        if self._client is not None and not self._merging:
            await self._client(message)

    async def _end(self) -> None:
        present = self._present
        if self._merging and present is not None:
            await self._end_validation(present)
            return
        if self._kept is None:
            self._generation.give_up()
        elif self._declared is not None and self._declared != self._size:
            self._generation.give_up()  # RFC 9111, 3.3: an incomplete response
        else:
            await self._part.store(self._status, self._kept, b"".join(self._chunks))

    async def _end_validation(self, present: StoredResponse) -> None:
        """The stored response is still right: the client gets it, with what the 304 has changed."""
        if self._kept is not None:
            await self._part.store(present.status, self._kept, present.body)
            fields = self._kept.fields
        else:
            self._generation.give_up()
            fields = present.fields
        if self._client is not None:
            fresh = StoredResponse(present.status, fields, present.body)
            age = 0.0 if self._kept is None else self._kept.age
            await self._part.answer(fresh, age, "validated")

    async def _stands_in(self, why: str) -> bool:
        """Serve the stale response instead of a failure, if it may be; tell whether it was."""
        if self.stood_in:
            return True
        present, client = self._present, self._client
        if present is None or self._ended:
            return False
        if not present.may_stand_in(self._present_age):
            return False
        if self._started and self._status not in ERRORS:
            return False
        self._ended = self.stood_in = True
        self._client = None
        if client is not None:
            await self._part.answer(present, present.age + self._present_age, why)
        return True


def _length_in(headers: list[tuple[bytes, bytes]]) -> int | None:
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and len(value) < 20:
            return int(value)
    return None
