"""Where the output cache stands: what is said about neighbours, and mounted applications."""

from __future__ import annotations

import logging

import pytest
from starlette.applications import Starlette
from starlette.authentication import AuthenticationBackend
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asynccache import Cache
from asynccache.http.cache import OutputCache
from asynccache.http.middleware import OutputCacheMiddleware
from asynccache.http.policy import OutputPolicy
from tests.http.site import Exchange, Site


async def page(request: Request) -> PlainTextResponse:
    """Respond."""
    return PlainTextResponse("x")


class Nobody(AuthenticationBackend):
    """Knows nobody."""

    async def authenticate(self, conn: HTTPConnection) -> None:
        """Say so."""


def asked_through(app: Starlette, cache: Cache) -> Site:
    """Return a site that asks a whole application."""

    async def handler(exchange: Exchange) -> None:
        await app(exchange.scope, exchange.receive, exchange.send)

    here = Site(cache, handler)
    here.app = app  # type: ignore[assignment]
    return here


@pytest.mark.parametrize(
    "neighbour",
    [
        Middleware(CORSMiddleware, allow_origins=["*"]),
        Middleware(TrustedHostMiddleware, allowed_hosts=["*"]),
        Middleware(AuthenticationMiddleware, backend=Nobody()),
    ],
)
@pytest.mark.parametrize("inside", [True, False])
async def test_neighbours_on_the_wrong_side_are_warned_of(
    neighbour: Middleware, inside: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, when the first request comes; GZip may stand on either side."""
    async with Cache() as cache:
        ours = Middleware(OutputCacheMiddleware, cache=cache, policies=[OutputPolicy(ttl=60)])
        stack = [ours, neighbour] if inside else [neighbour, ours]
        app = Starlette(routes=[Route("/", page)], middleware=[Middleware(GZipMiddleware), *stack])
        here = asked_through(app, cache)
        with caplog.at_level(logging.WARNING, logger="asynccache"):
            for url in ("/", "/?1", "/?2"):
                await here.get(url)
    warnings = [record.getMessage() for record in caplog.records]
    if inside:
        (warning,) = warnings
        assert warning.startswith(f"{neighbour.cls.__name__} stands inside")  # type: ignore[attr-defined]
    else:
        assert warnings == []


async def test_a_mounted_application_has_a_cache_of_its_own() -> None:
    """Its policies are about its own paths, its evictions about whole URLs."""
    async with Cache() as cache:
        output = OutputCache(cache, [OutputPolicy("/page", ttl=60)])
        inner = Starlette(
            routes=[Route("/page", page)],
            middleware=[Middleware(OutputCacheMiddleware, output=output)],
        )
        here = asked_through(Starlette(routes=[Mount("/inner", inner)]), cache)
        await here.get("/inner/page")
        assert (await here.get("/inner/page")).is_stored
        await output.evict_url("http://site.test/inner/page")
        assert not (await here.get("/inner/page")).is_stored
