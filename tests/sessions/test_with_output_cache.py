"""Sessions and the output cache: a page for which a session was looked at is nobody else's."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware as StarletteSessions
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from asynccache import (
    Cache,
    MemorySessionStore,
    OutputCacheMiddleware,
    OutputPolicy,
    SessionMiddleware,
)

KEY = "k" * 32
calls: list[str] = []


async def page(request: Request) -> PlainTextResponse:
    """Answer without looking at the session."""
    calls.append("page")
    return PlainTextResponse("for all", headers={"cache-control": "max-age=60"})


async def mine(request: Request) -> PlainTextResponse:
    """Answer by the session."""
    calls.append("mine")
    return PlainTextResponse(
        request.session.get("name", "nobody"), headers={"cache-control": "max-age=60"}
    )


async def name(request: Request) -> PlainTextResponse:
    """Remember a name."""
    request.session["name"] = request.query_params["name"]
    return PlainTextResponse("set")


@pytest.mark.parametrize("kind", ["ours", "starlette", "inside"])
def test_a_personal_page_is_not_stored(kind: str) -> None:
    calls.clear()
    cache = Cache()
    routes = [Route("/page", page), Route("/mine", mine), Route("/name", name)]
    app = Starlette(routes=routes, lifespan=cache.lifespan)
    policies = [OutputPolicy("/page", ttl=60), OutputPolicy("/mine", ttl=60)]
    if kind == "inside":
        app.add_middleware(SessionMiddleware, secret_key=KEY, store=MemorySessionStore())
    app.add_middleware(OutputCacheMiddleware, cache=cache, policies=policies)
    if kind == "ours":
        app.add_middleware(SessionMiddleware, secret_key=KEY, store=MemorySessionStore())
    elif kind == "starlette":
        app.add_middleware(StarletteSessions, secret_key=KEY)

    with TestClient(app) as client:
        seen = {}
        for who in ("ann", "bob"):
            client.cookies.clear()
            client.get(f"/name?name={who}")
            client.get("/page")
            seen[who] = client.get("/mine").text

    assert seen == {"ann": "ann", "bob": "bob"}
    assert calls.count("page") == 1
    assert calls.count("mine") == 2
