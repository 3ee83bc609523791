"""Sessions as ASGI middleware."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Unpack

from starlette.types import ASGIApp, Receive, Scope, Send

from asynccache.cache import Cache
from asynccache.core.arguments import checked_callable
from asynccache.core.session_cookie import SameSite
from asynccache.errors import SessionError, SessionStoreUnavailable
from asynccache.lifecycle import MEMORY_URL
from asynccache.sessions.answering import Answer
from asynccache.sessions.events import SessionEvent, tell
from asynccache.sessions.locating import RedisPlace, find_store
from asynccache.sessions.session import Session
from asynccache.sessions.settings import SecretKey, SessionOptions, SessionSettings, make_settings
from asynccache.sessions.store import SessionStore
from asynccache.sessions.visit import Visit
from asynccache.types import Duration

logger = logging.getLogger("asynccache")


class SessionMiddleware:
    """Gives each request ``request.session``, kept on the server.

    ::

        app.add_middleware(SessionMiddleware, secret_key=KEY, cache=cache, https_only=True)

    The first arguments are those of Starlette's ``SessionMiddleware``.

    Args:
        app: The application.
        secret_key: At least 32 bytes; several, the newest first, while keys are changed.
        session_cookie: The cookie's name; None: ``__Host-session`` with ``https_only``, a path of
            ``/`` and no domain, else ``session``.
        max_age: Seconds that a session lives at most, counted anew from a login; None: the cookie
            lives until the browser is closed, the session a day.
        path: Below which the cookie is sent.
        same_site: When other sites' requests carry it.
        https_only: The cookie is sent over https only.
        domain: Whose subdomains get the cookie too.
        partitioned: One cookie for each top-level site.
        redis: Where sessions are kept: a URL (``memory://`` keeps them in this process), settings,
            or a client of redis-py whose settings are taken. Without any place it is
            ``memory://``, and a warning: other workers would not know them.
        cache: Instead: where this cache keeps its values, over a connection of its own.
        store: Instead: the store itself.
        prefix: Of all keys in Redis.
        autoload: Whether a session is looked for before the handler runs; a function of the scope
            decides for each request. Else ``await request.session.load()``.
        **options: ``idle_timeout`` (1800 s without a request end a session),
            ``touch_interval`` (so much of it may be missing; a tenth), ``rotation_grace`` (10 s in
            which a renewed identifier still is good for requests under way), ``renew_every``
            (seconds after which the identifier is renewed; None: never), ``auth_keys`` (keys whose
            assignment is a login; ``user`` and ``user_id``), ``save_on`` (whether a response's
            status saves changes; below 500), ``on_store_error`` (``"fail"``: 503, or
            ``"anonymous"``: an empty session that cannot be written), ``io_timeout`` (2 s for each
            question), ``max_bytes`` (64 KiB) and ``max_fields`` (256) of a session,
            ``max_sessions`` of a user (None: any number), ``serializer`` (JSON), ``conflict``
            (``"last_write"``, or ``"raise"``: 409 when the same keys were changed), ``events`` (a
            function of each `SessionEvent`).

    Raises:
        ArgumentTypeError: An argument has the wrong type.
        InvalidArgument: An argument is out of range, or unsafe.
    """

    def __init__(  # noqa: PLR0917  # Starlette's order
        self,
        app: ASGIApp,
        secret_key: SecretKey,
        session_cookie: str | None = None,
        max_age: Duration | None = 14 * 24 * 60 * 60,
        path: str = "/",
        same_site: SameSite = "lax",
        https_only: bool = False,
        domain: str | None = None,
        partitioned: bool = False,
        *,
        redis: RedisPlace | None = None,
        cache: Cache | None = None,
        store: SessionStore | None = None,
        prefix: str = "acs",
        autoload: bool | Callable[[Scope], bool] = True,
        **options: Unpack[SessionOptions],
    ) -> None:
        self.app: ASGIApp = app
        self.settings: SessionSettings = make_settings(
            secret_key,
            session_cookie=session_cookie,
            max_age=max_age,
            path=path,
            same_site=same_site,
            https_only=https_only,
            domain=domain,
            partitioned=partitioned,
            **options,
        )
        if not isinstance(autoload, bool):
            checked_callable(autoload, "autoload", "True, False, or a function of the scope")
        self._autoload = autoload
        if redis is None and cache is None and store is None:
            redis = MEMORY_URL
            logger.warning(
                "sessions are kept in this process only, and end with it: give redis= or cache="
            )
        self.store: SessionStore = find_store(redis, cache, store, prefix, self.settings.io_timeout)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, a WebSocket, or the application's life."""
        if scope["type"] == "lifespan":
            try:
                await self.app(scope, receive, send)
            finally:
                await self.store.close()
        elif scope["type"] in ("http", "websocket"):
            await self._serve(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = self._visit(scope)
        session = Session(visit)
        answer = Answer(session, visit, send, is_socket=scope["type"] == "websocket")
        scope["session"] = session
        try:
            if self._is_loaded_now(scope):
                await session.load()
            await self.app(scope, receive, answer.send)
        except SessionStoreUnavailable:
            if answer.has_begun:
                raise
            await answer.refuse(503)
            return
        await self._save_late(session, visit)

    def _visit(self, scope: Scope) -> Visit:
        tickets = self.settings.cookie.tickets(scope["headers"])
        if len(tickets) > 1:
            place = tickets[0].public_id
            tell(self.settings.events, SessionEvent("ambiguous", place, "several cookies"))
        return Visit(self.settings, self.store, tickets[0] if tickets else None)

    def _is_loaded_now(self, scope: Scope) -> bool:
        autoload = self._autoload
        return autoload if isinstance(autoload, bool) else autoload(scope)

    async def _save_late(self, session: Session, visit: Visit) -> None:
        """Save what was changed while the body was sent, in background tasks, by a WebSocket."""
        if visit.state != "open":
            return
        try:
            await session.save()
        except SessionError as error:  # the response has been sent: nobody else can be told
            place = visit.public_id or ""
            tell(self.settings.events, SessionEvent("dropped", place, f"too late: {error}"))

    def __repr__(self) -> str:
        return f"<SessionMiddleware {self.settings.cookie.name!r} {self.store!r}>"
