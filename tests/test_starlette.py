"""Starlette: the cache lives as long as the application, and requests find it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from asynccache import (
    ArgumentTypeError,
    Cache,
    CacheClosed,
    InvalidArgument,
    NotWired,
    UsageError,
    cache_of,
    cached,
    combine_lifespans,
)

MODULE_CACHE = Cache("memory://")

loads: list[str] = []


@cached(MODULE_CACHE, "square:{number}")
async def square(number: int) -> int:
    """What a module-level cache is used for."""
    loads.append("square")
    return number * number


async def count(request: Request) -> JSONResponse:
    """Count in the default cache."""
    return JSONResponse(await cache_of(request).incr("count"))


async def count_by_state(request: Request) -> JSONResponse:
    """The same without a function of ours."""
    return JSONResponse(await request.app.state.cache.incr("count"))


async def count_named(request: Request) -> JSONResponse:
    """Count in the cache that the path names."""
    return JSONResponse(await cache_of(request, request.path_params["name"]).incr("count"))


async def count_in_socket(socket: WebSocket) -> None:
    """Count for a WebSocket."""
    await socket.accept()
    await socket.send_json(await cache_of(socket).incr("count"))
    await socket.close()


async def squares(request: Request) -> JSONResponse:
    """Call a decorated function."""
    return JSONResponse(await square(request.path_params["number"]))


ROUTES = [
    Route("/count", count),
    Route("/state", count_by_state),
    Route("/named/{name}", count_named),
    Route("/square/{number:int}", squares),
    WebSocketRoute("/socket", count_in_socket),
]


def application(lifespan: Any, **options: Any) -> Starlette:
    """Return an application."""
    return Starlette(
        routes=[*ROUTES, Mount("/mounted", Starlette(routes=ROUTES))], lifespan=lifespan
    )


def test_requests_find_the_cache() -> None:
    """Over HTTP and WebSocket, by function and by state: it is one and the same."""
    with TestClient(application(Cache("memory://").lifespan)) as client:
        assert client.get("/count").json() == 1
        assert client.get("/state").json() == 2
        with client.websocket_connect("/socket") as socket:
            assert socket.receive_json() == 3
        assert client.get("/named/default").json() == 4


def test_a_mounted_application_finds_it_too() -> None:
    """It has a state of its own; the lifespan's state reaches it."""
    with TestClient(application(Cache("memory://").lifespan)) as client:
        assert client.get("/count").json() == 1
        assert client.get("/mounted/count").json() == 2
        with client.websocket_connect("/mounted/socket") as socket:
            assert socket.receive_json() == 3


def test_the_cache_ends_with_the_application() -> None:
    """And its state holds nothing of it any more."""
    cache = Cache("memory://")
    app = application(cache.lifespan)
    with TestClient(app):
        assert app.state.cache is cache
        assert repr(cache).endswith(" running>")

    assert repr(cache).endswith(" stopped>")
    assert not hasattr(app.state, "cache")
    with pytest.raises(NotWired):
        TestClient(app).get("/count")


def test_a_module_cache_serves_one_client_after_another() -> None:
    """Each client runs the application in a loop of its own, with an empty cache."""
    app = application(MODULE_CACHE.lifespan)
    for _ in range(2):
        loads.clear()
        with TestClient(app) as client:
            assert client.get("/square/4").json() == 16
            assert client.get("/square/4").json() == 16
            assert client.get("/count").json() == 1
        assert loads == ["square"]


@pytest.mark.parametrize("path", ["/count", "/mounted/count", "/named/default"])
def test_without_a_lifespan_the_error_says_what_to_do(path: str) -> None:
    """For the application, and for the test that forgot to start it."""
    text = (
        r"^this application has no cache named 'default'; give it one with "
        r"FastAPI\(lifespan=cache\.lifespan\), .*'with TestClient\(app\) as client:'$"
    )
    with pytest.raises(NotWired, match=text):
        TestClient(application(Cache("memory://").lifespan)).get(path)


def test_a_name_that_is_not_there_is_told_with_those_that_are() -> None:
    """A misspelt name is found quickly."""
    lifespan = combine_lifespans(Cache(name="sessions").lifespan, Cache(name="pages").lifespan)
    text = r"no cache named 'session' \(it has: 'pages', 'sessions'\)"
    with TestClient(application(lifespan)) as client, pytest.raises(NotWired, match=text):
        client.get("/named/session")


def test_several_caches() -> None:
    """Each is found by its name; the default one by none."""
    lifespan = combine_lifespans(Cache().lifespan, Cache(name="sessions").lifespan)
    with TestClient(application(lifespan)) as client:
        assert client.get("/count").json() == 1
        assert client.get("/named/sessions").json() == 1
        assert client.get("/mounted/named/sessions").json() == 2
        assert client.get("/count").json() == 2


def test_two_caches_of_one_name_are_refused() -> None:
    """At the start; and the one that had started is ended."""
    first, second = Cache("memory://"), Cache("memory://")
    app = application(combine_lifespans(first.lifespan, second.lifespan))
    with (
        pytest.raises(UsageError, match="has another cache named 'default'; give each a name of"),
        TestClient(app),
    ):
        pass

    assert [repr(cache).endswith(" stopped>") for cache in (first, second)] == [True, True]
    assert not hasattr(app.state, "cache")


def test_inside_a_lifespan_of_ones_own() -> None:
    """What it yields reaches mounted applications; what it does not, does not."""
    cache = Cache("memory://")

    @asynccontextmanager
    async def passing_on(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with cache.lifespan(app) as state:
            await cache.set("count", 10)
            yield {**state, "own": "state"}

    @asynccontextmanager
    async def silent(app: Starlette) -> AsyncIterator[None]:
        async with cache.lifespan(app):
            yield

    with TestClient(application(passing_on)) as client:
        assert client.get("/count").json() == 11
        assert client.get("/mounted/count").json() == 12
    with TestClient(application(silent)) as client:
        assert client.get("/count").json() == 1
        with pytest.raises(NotWired, match="which has to yield the same for applications mounted"):
            client.get("/mounted/count")


def test_combined_lifespans_enter_in_order_and_leave_backwards() -> None:
    """Each inside the one before it; their states are merged, later ones win."""
    events: list[str] = []

    def own(name: str, state: dict[str, Any] | None) -> Any:
        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any] | None]:
            events.append(f"{name} begins")
            yield state
            events.append(f"{name} ends")

        return lifespan

    async def show(request: Request) -> JSONResponse:
        return JSONResponse([request.state.first, request.state.both])

    lifespan = combine_lifespans(
        own("a", {"first": 1, "both": 1}), own("b", None), own("c", {"both": 2})
    )
    with TestClient(Starlette(routes=[Route("/", show)], lifespan=lifespan)) as client:
        assert client.get("/").json() == [1, 2]

    assert events == ["a begins", "b begins", "c begins", "c ends", "b ends", "a ends"]


def test_a_lifespan_that_fails_later_ends_the_cache() -> None:
    """Nothing that was started stays."""
    cache = Cache("memory://")

    @asynccontextmanager
    async def failing(app: Starlette) -> AsyncIterator[None]:
        if not hasattr(app.state, "database"):
            raise OSError("no database")
        yield

    app = application(combine_lifespans(cache.lifespan, failing))
    with pytest.raises(OSError, match="no database"), TestClient(app):
        pass

    assert repr(cache).endswith(" stopped>")


async def test_what_is_no_application_is_named() -> None:
    """And the cache is not left running."""
    cache = Cache("memory://")
    with pytest.raises(
        ArgumentTypeError, match=r"^app: must be a Starlette or FastAPI application"
    ):
        async with cache.lifespan("app"):
            pass
    with pytest.raises(CacheClosed):
        await cache.get("key")


@pytest.mark.parametrize("lifespan", [None, Cache("memory://"), "lifespan"], ids=repr)
def test_what_is_no_lifespan_is_named(lifespan: Any) -> None:
    """The cache itself, for example, instead of its lifespan."""
    with pytest.raises(InvalidArgument, match=r"^lifespans: must be functions of the application"):
        combine_lifespans(Cache("memory://").lifespan, lifespan)
