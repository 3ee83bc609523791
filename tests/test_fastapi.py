"""FastAPI: the cache as a dependency, decorated functions as dependencies and endpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, WebSocket
from fastapi.testclient import TestClient
from pydantic import BaseModel

from asynccache import (
    Cache,
    InvalidArgument,
    NotWired,
    cached,
    combine_lifespans,
    get_cache,
    named_cache,
)
from asynccache.fastapi import CacheDep

Default = Annotated[Cache, Depends(get_cache)]
Sessions = Annotated[Cache, Depends(named_cache("sessions"))]

CACHE = Cache("memory://")


Language = Literal["en", "de"]


class Product(BaseModel):
    """What the shop sells."""

    id: int
    tags: list[str] = []


class Products:
    """A repository that counts its queries."""

    def __init__(self) -> None:
        self.queries: list[int] = []

    @cached(CACHE, "product:{product_id}")
    async def find(self, product_id: int, language: Language = "en") -> Product:
        """Find a product."""
        self.queries.append(product_id)
        if product_id > 100:
            raise HTTPException(404, detail="no such product")
        return Product(id=product_id)


PRODUCTS = Products()


def application(**options: Any) -> FastAPI:
    """Return an application whose endpoints count."""
    app = FastAPI(**options)

    @app.get("/count")
    async def count(cache: Default) -> int:
        return await cache.incr("count")

    @app.get("/dep")
    async def count_by_dep(cache: CacheDep) -> int:
        return await cache.incr("count")

    @app.get("/sessions")
    async def count_sessions(cache: Sessions) -> int:
        return await cache.incr("count")

    @app.websocket("/socket")
    async def count_in_socket(socket: WebSocket, cache: Default) -> None:
        await socket.accept()
        await socket.send_json(await cache.incr("count"))
        await socket.close()

    return app


def test_the_dependency_gives_the_cache() -> None:
    """In every way that it can be asked for, over HTTP and WebSocket."""
    with TestClient(application(lifespan=Cache("memory://").lifespan)) as client:
        assert client.get("/count").json() == 1
        assert client.get("/dep").json() == 2
        with client.websocket_connect("/socket") as socket:
            assert socket.receive_json() == 3


def test_the_dependency_is_no_part_of_the_schema() -> None:
    """No parameter shows in the documentation of the API."""
    schema = application().openapi()

    assert [list(path["get"]) for path in schema["paths"].values()] == [
        ["summary", "operationId", "responses"]
    ] * 3


def test_named_caches() -> None:
    """Each dependency has its own cache."""
    lifespan = combine_lifespans(Cache().lifespan, Cache(name="sessions").lifespan)
    with TestClient(application(lifespan=lifespan)) as client:
        assert [client.get("/sessions").json() for _ in range(2)] == [1, 2]
        assert client.get("/count").json() == 1


def test_a_named_cache_that_is_not_there() -> None:
    """The error names it, and those that are there."""
    with (
        TestClient(application(lifespan=Cache().lifespan)) as client,
        pytest.raises(NotWired, match=r"no cache named 'sessions' \(it has: 'default'\)"),
    ):
        client.get("/sessions")


def test_an_empty_name_is_refused_where_it_stands() -> None:
    """A dependency that could never find anything."""
    with pytest.raises(InvalidArgument, match=r"^name: must not be empty"):
        named_cache("")


def test_without_a_lifespan() -> None:
    """The error says what to do, in the application and in the test."""
    with pytest.raises(NotWired, match=r"FastAPI\(lifespan=cache\.lifespan\)"):
        TestClient(application()).get("/count")


def test_a_mounted_application() -> None:
    """It shares the cache of the one that it is mounted in."""
    app = application(lifespan=Cache("memory://").lifespan)
    app.mount("/mounted", application())
    with TestClient(app) as client:
        assert client.get("/count").json() == 1
        assert client.get("/mounted/count").json() == 2


def test_a_router_with_a_lifespan_of_its_own() -> None:
    """Lifespans compose as FastAPI composes them."""
    started: list[str] = []

    @asynccontextmanager
    async def own(app: FastAPI) -> AsyncIterator[None]:
        started.append("own")
        yield

    app = application(lifespan=combine_lifespans(Cache("memory://").lifespan, own))
    router = APIRouter()

    @router.get("/routed")
    async def routed(cache: Default) -> int:
        return await cache.incr("count")

    app.include_router(router)
    with TestClient(app) as client:
        assert client.get("/routed").json() == 1
    assert started == ["own"]


def test_an_override_for_tests() -> None:
    """FastAPI's own way to replace a dependency works."""
    app = application()
    other = Cache("memory://")

    async def started() -> AsyncIterator[Cache]:
        async with other:
            yield other

    app.dependency_overrides[get_cache] = started
    with TestClient(app) as client:
        assert [client.get("/count").json() for _ in range(2)] == [1, 1]


def test_decorated_methods_are_dependencies_endpoints_and_background_tasks() -> None:
    """With their own parameters, run in the event loop, and cached."""
    products = PRODUCTS
    app = FastAPI(lifespan=CACHE.lifespan)
    app.get("/products/{product_id}")(products.find)

    @app.get("/dependent/{product_id}")
    async def dependent(product: Annotated[Product, Depends(PRODUCTS.find)]) -> Product:
        product.tags.append("changed by a handler")
        return product

    @app.post("/background/{product_id}")
    async def background(product_id: int, tasks: BackgroundTasks) -> None:
        tasks.add_task(products.find.refresh, product_id)
        tasks.add_task(products.find, product_id + 1)

    with TestClient(app) as client:
        assert client.get("/products/7").json() == {"id": 7, "tags": []}
        assert client.get("/dependent/7").json()["tags"] == ["changed by a handler"]
        assert client.get("/products/7").json() == {"id": 7, "tags": []}
        assert products.queries == [7]
        assert client.get("/products/seven").status_code == 422
        assert client.get("/products/7?language=xx").status_code == 422

        client.post("/background/7")
        assert products.queries == [7, 7, 8]


def test_an_http_exception_of_a_loader_is_an_answer() -> None:
    """It reaches FastAPI as it is, and is not kept."""
    products = Products()
    app = FastAPI(lifespan=CACHE.lifespan)
    app.get("/products/{product_id}")(products.find)
    with TestClient(app) as client:
        for _ in range(2):
            answer = client.get("/products/101")
            assert (answer.status_code, answer.json()) == (404, {"detail": "no such product"})

    assert products.queries == [101, 101]
