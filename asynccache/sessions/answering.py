"""The response to a request with a session: written first, then said."""

from __future__ import annotations

from starlette.types import Message, Send

from asynccache.core.session_headers import with_session
from asynccache.errors import SessionConflict, SessionStoreUnavailable
from asynccache.sessions.session import Session
from asynccache.sessions.visit import Visit

STARTS = {"http.response.start", "websocket.http.response.start"}

RETRY_SECONDS = b"2"

TRY_AGAIN_LATER = 1013
"""The WebSocket close code (IANA registry)."""

_TEXTS = {
    503: b"The store of sessions cannot be asked.",
    409: b"Another request has changed the same session.",
}


class Answer:
    """Sends a response's messages.

    Args:
        session: The request's.
        visit: Its dealings.
        send: The server's.
        is_socket: A WebSocket is answered.

    Attributes:
        is_replaced: Another response was sent instead; what comes of this one is dropped.
        has_begun: A response is on its way.
    """

    def __init__(self, session: Session, visit: Visit, send: Send, *, is_socket: bool) -> None:
        self._is_socket = is_socket
        self._session = session
        self._visit = visit
        self._send = send
        self.is_replaced = False
        self.has_begun = False

    async def send(self, message: Message) -> None:
        """Send a message of the application, with what the session adds to the first one."""
        if self.is_replaced:
            return
        if message["type"] in STARTS:
            if not self._visit.settings.save_on(message["status"]):
                self._visit.is_frozen = True
            if not await self._is_saved():
                return
            message = self._with_session(message)
        elif message["type"] == "websocket.accept":
            await self._session.save()
            message = self._with_session(message)
        await self._send(message)

    async def _is_saved(self) -> bool:
        try:
            await self._session.save()
        except SessionStoreUnavailable:
            await self.refuse(503)
            return False
        except SessionConflict:
            await self.refuse(409)
            return False
        return True

    def _with_session(self, message: Message) -> Message:
        self.has_begun = self._visit.is_answered = True
        cookies = [] if self._visit.cookie is None else [self._visit.cookie]
        headers = with_session(
            message.get("headers", ()), accessed=self._session.accessed, cookies=cookies
        )
        return {**message, "headers": headers}

    async def refuse(self, status: int) -> None:
        """Answer in the application's stead. The cookie stays what it is."""
        self.is_replaced = self.has_begun = self._visit.is_frozen = True
        if self._is_socket:
            why = _TEXTS[status].decode()
            await self._send({"type": "websocket.close", "code": TRY_AGAIN_LATER, "reason": why})
            return
        body = _TEXTS[status]
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]
        if status == 503:
            headers.append((b"retry-after", RETRY_SECONDS))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})
