"""Sessions as dependencies of FastAPI handlers; in Starlette they can be awaited."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request

from asynccache.errors import NotWired
from asynccache.sessions.session import Session

SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}

CSRF_HEADER = "x-csrf-token"

CSRF_FIELD = "csrf_token"

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


async def get_session(connection: HTTPConnection) -> Session:
    """Return the session of a request or a WebSocket, loaded.

    Raises:
        NotWired: The application has no `SessionMiddleware` of this package.
        SessionStoreUnavailable: The store cannot be asked.
    """
    session = connection.scope.get("session")
    if not isinstance(session, Session):
        raise NotWired("app.add_middleware(asynccache.SessionMiddleware, ...) is missing")
    await session.load()
    session.mark_accessed()
    return session


async def require_user(connection: HTTPConnection) -> str:
    """Return whose session it is.

    Raises:
        HTTPException: 401: nobody's.
    """
    session = await get_session(connection)
    user = session.user_id
    if user is None:
        raise HTTPException(401, "Not logged in")
    return user


async def csrf_protect(request: Request) -> None:
    """Refuse a request that changes something unless it proves that our own page made it.

    The token of `Session.csrf_token` comes in the field ``X-CSRF-Token``, or in a form as
    ``csrf_token``.

    Raises:
        HTTPException: 403: it does not.
    """
    if request.method in SAFE_METHODS:
        return
    session = await get_session(request)
    token: object = request.headers.get(CSRF_HEADER)
    if token is None and request.headers.get("content-type", "").lower().startswith(FORMS):
        token = (await request.form()).get(CSRF_FIELD)
    if not session.check_csrf(token):
        raise HTTPException(403, "The CSRF token is missing or wrong")
