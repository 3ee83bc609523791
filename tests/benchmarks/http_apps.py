"""The same page behind each output cache, as an ASGI application: ours, its peers, and none."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from asynccache import Cache, OutputCacheMiddleware, OutputPolicy

PAGE = {"id": 7, "name": "A thing", "cents": 1999, "tags": ["a", "b", "c"], "stock": {"here": 3}}
PATH = "/things/7"

App = Callable[[Any, Any, Any], Any]


async def thing(request: Request) -> JSONResponse:
    """Respond with the page."""
    return JSONResponse(PAGE, headers={"cache-control": "max-age=3600"})


async def negotiated(request: Request) -> JSONResponse:
    """Respond with the page, which varies."""
    return JSONResponse(PAGE, headers={"vary": "accept-encoding", "etag": '"v1"'})


def starlette() -> Starlette:
    """Return the application without a cache."""
    return Starlette(routes=[Route("/things/{id}", thing), Route("/varied/{id}", negotiated)])


BODY = JSONResponse(PAGE).body
HEADERS = [
    *((b"cache-control", b"max-age=3600"), (b"content-length", b"%d" % len(BODY))),
    *((b"content-type", b"application/json"), (b"age", b"0")),
]


async def stored(scope: Any, receive: Any, send: Any) -> None:
    """Send two messages that are there already: what no cache can be faster than."""
    if scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


def ours(cache: Cache) -> App:
    """Return the application behind our cache."""
    policies = [OutputPolicy(ttl=3600), OutputPolicy("/only/{id}", vary_by_query=["page"])]
    app = Starlette(
        routes=[
            Route("/things/{id}", thing),
            Route("/varied/{id}", negotiated),
            Route("/only/{id}", thing),
        ],
        lifespan=cache.lifespan,
    )
    app.add_middleware(OutputCacheMiddleware, cache=cache, policies=policies)
    return app


def starlette_caches() -> App:
    """Return it behind starlette-caches, in memory."""
    middleware = importlib.import_module("starlette_caches.middleware")
    rules = importlib.import_module("starlette_caches.rules")
    aiocache = importlib.import_module("aiocache")
    app = starlette()
    app.add_middleware(
        middleware.CacheMiddleware, cache=aiocache.Cache(), rules=[rules.Rule(ttl=3600)]
    )
    return app


def hishel() -> App:
    """Return it behind hishel's ASGI middleware, in SQLite: it has no memory."""
    library = importlib.import_module("hishel")
    asgi = importlib.import_module("hishel.asgi")
    path = Path(tempfile.mkdtemp()) / "hishel.db"
    app = starlette()
    app.add_middleware(
        asgi.ASGICacheMiddleware, storage=library.AsyncSqliteStorage(database_path=path)
    )
    return app


def cashews() -> App:
    """Return it as a FastAPI endpoint that cashews decorates, with its middleware."""
    fastapi = importlib.import_module("fastapi")
    library = importlib.import_module("cashews")
    contrib = importlib.import_module("cashews.contrib.fastapi")
    cache = library.Cache()
    cache.setup("mem://")
    app: Any = fastapi.FastAPI()
    app.add_middleware(contrib.CacheRequestControlMiddleware, cache_instance=cache)

    async def endpoint(id: str) -> Any:  # noqa: A002
        return PAGE

    app.get("/things/{id}")(cache(ttl="1h", key="thing:{id}")(endpoint))
    found: App = app
    return found


def fastapi_cache() -> App:
    """Return it as a FastAPI endpoint that fastapi-cache2 decorates, in memory."""
    fastapi = importlib.import_module("fastapi")
    library = importlib.import_module("fastapi_cache")
    backend = importlib.import_module("fastapi_cache.backends.inmemory")
    decorator = importlib.import_module("fastapi_cache.decorator")
    library.FastAPICache.init(backend.InMemoryBackend())
    app: Any = fastapi.FastAPI()

    async def endpoint(id: str) -> Any:  # noqa: A002
        return PAGE

    app.get("/things/{id}")(decorator.cache(expire=3600)(endpoint))
    found: App = app
    return found


PEERS: dict[str, Callable[[], App]] = {
    "starlette-caches": starlette_caches,
    "fastapi-cache2": fastapi_cache,
    "cashews": cashews,
    "hishel": hishel,
}


def peers() -> dict[str, App | None]:
    """Return the peers that are installed; None: it is not, or does not work here."""
    found: dict[str, App | None] = {}
    for name, build in PEERS.items():
        try:
            found[name] = build()
        except Exception:  # noqa: BLE001  # whatever a library of somebody else's does
            found[name] = None
    return found


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[App]:
    """Run an application's lifespan, if it has one."""
    router = getattr(app, "router", None)
    if router is None:
        yield app
        return
    async with router.lifespan_context(app):
        yield app


def served() -> App:
    """Return ours for a server: ``--factory tests.benchmarks.http_apps:served``."""
    return ours(Cache())
