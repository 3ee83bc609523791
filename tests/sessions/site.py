"""A small application with sessions, and browsers that visit it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from asynccache import SessionMiddleware, SessionNotLoaded
from asynccache.sessions import Session

KEY = "k" * 32


def session_of(request: Request) -> Session:
    """Return a request's session, with its type."""
    session = request.session
    assert isinstance(session, Session)
    return session


class Site:
    """An application; ``gate`` holds ``/slow`` until it is set."""

    def __init__(self, **options: Any) -> None:
        self.events: list[str] = []
        self.gate = asyncio.Event()
        self.reached = asyncio.Event()
        names = [name for name in dir(self) if name.startswith("do_")]
        routes = [Route(f"/{name[3:]}", getattr(self, name), methods=["GET"]) for name in names]
        self.app = Starlette(routes=routes)
        options = {"secret_key": KEY, "https_only": True, **options}
        options.setdefault("events", lambda event: self.events.append(event.kind))
        self.app.add_middleware(SessionMiddleware, **options)

    async def do_untouched(self, request: Request) -> Response:
        return PlainTextResponse("untouched")

    async def do_read(self, request: Request) -> Response:
        return JSONResponse(dict(request.session.items()))

    async def do_has(self, request: Request) -> Response:
        return JSONResponse("a" in request.session)

    async def do_set(self, request: Request) -> Response:
        request.session.update(request.query_params)
        return PlainTextResponse("set", headers={"cache-control": "public, max-age=60"})

    async def do_pop(self, request: Request) -> Response:
        request.session.pop("a", None)
        return PlainTextResponse("popped")

    async def do_clear(self, request: Request) -> Response:
        request.session.clear()
        return PlainTextResponse("cleared")

    async def do_append(self, request: Request) -> Response:
        request.session.setdefault("list", [])
        request.session["list"].append(request.query_params["item"])
        return PlainTextResponse("appended")

    async def do_nested(self, request: Request) -> Response:
        request.session["list"].append("nested")
        return PlainTextResponse("appended")

    async def do_slow(self, request: Request) -> Response:
        self.reached.set()
        await self.gate.wait()
        if request.query_params:
            request.session.update(request.query_params)
        return JSONResponse(dict(request.session.items()))

    async def do_login(self, request: Request) -> Response:
        session_of(request).login(request.query_params.get("who", "ann"))
        return PlainTextResponse(session_of(request).csrf_token())

    async def do_login_keeping(self, request: Request) -> Response:
        session_of(request).login("ann", keep=["cart"])
        return PlainTextResponse("in")

    async def do_login_with_profile(self, request: Request) -> Response:
        session_of(request).login(7, keep=[])
        request.session["user"] = {"name": "Ann"}
        return PlainTextResponse("in")

    async def do_load(self, request: Request) -> Response:
        try:
            request.session.get("a")
        except SessionNotLoaded:
            await session_of(request).load()
        return JSONResponse(request.session.get("a"))

    async def do_logout(self, request: Request) -> Response:
        await session_of(request).logout()
        return PlainTextResponse("bye")

    async def do_logout_then_fail(self, request: Request) -> Response:
        await session_of(request).logout()
        raise RuntimeError("after the logout")

    async def do_regenerate(self, request: Request) -> Response:
        session_of(request).regenerate()
        return PlainTextResponse("new")

    async def do_remember(self, request: Request) -> Response:
        session_of(request).set_expiry(idle=86_400, absolute=30 * 86_400)
        return PlainTextResponse("remembered")

    async def do_csrf(self, request: Request) -> Response:
        return PlainTextResponse(session_of(request).csrf_token())

    async def do_check(self, request: Request) -> Response:
        return JSONResponse(session_of(request).check_csrf(request.query_params["token"]))

    async def do_fail(self, request: Request) -> Response:
        request.session["a"] = "failed"
        return PlainTextResponse("failed", int(request.query_params["status"]))

    async def do_raise(self, request: Request) -> Response:
        request.session["a"] = "raised"
        raise HTTPException(404)

    async def do_odd(self, request: Request) -> Response:
        request.session["fine"] = 1
        request.session["odd"] = object()
        return PlainTextResponse("never")

    async def do_large(self, request: Request) -> Response:
        request.session["large"] = "x" * 70_000
        return PlainTextResponse("never")

    async def do_stream(self, request: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"one"
            request.session["streamed"] = True
            yield b"two"

        return StreamingResponse(body())

    async def do_background(self, request: Request) -> Response:
        async def later() -> None:
            request.session["later"] = True

        status = int(request.query_params.get("status", "200"))
        return PlainTextResponse("soon", status, background=BackgroundTask(later))

    async def do_incr(self, request: Request) -> Response:
        return JSONResponse(await session_of(request).incr("n"))

    async def do_take(self, request: Request) -> Response:
        return JSONResponse(await session_of(request).take("flash"))

    async def do_about(self, request: Request) -> Response:
        session = session_of(request)
        return JSONResponse(
            {
                "id": session.id_public,
                "user": session.user_id,
                "new": session.is_new,
                "available": session.available,
            }
        )


@asynccontextmanager
async def browser(
    site: Site, cookie: str | None = None, headers: Mapping[str, str] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Open a browser that keeps cookies; it may bring one along."""
    transport = httpx.ASGITransport(app=site.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="https://site.test", headers=headers
    ) as client:
        if cookie is not None:
            client.cookies.set("__Host-session", cookie, domain="site.test", path="/")
        yield client


async def ask(site: Site, path: str, cookie: str | None = None) -> httpx.Response:
    """Send one request, with exactly one cookie or none."""
    fields = {} if cookie is None else {"cookie": f"__Host-session={cookie}"}
    transport = httpx.ASGITransport(app=site.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://site.test") as client:
        return await client.get(path, headers=fields)


def cookie_of(response: httpx.Response) -> str:
    """Return the identifier that a response hands out; there must be exactly one."""
    (line,) = response.headers.get_list("set-cookie")
    return SimpleCookie(line)["__Host-session"].value


def sets_cookie(response: httpx.Response) -> bool:
    """Tell whether a response sets any cookie."""
    return bool(response.headers.get_list("set-cookie"))
