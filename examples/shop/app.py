"""The shop as a FastAPI application: `uvicorn examples.shop.app:app`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from asynccache import Cache, combine_lifespans

from .caching import CachedCatalogue
from .database import Database
from .models import NotInShop
from .operations import cache_operations, figures
from .repository import Repository
from .routes import goods
from .seeding import PRODUCTS, seed
from .settings import Settings


def create_app(cache: Cache | None, database: Path, products: int = PRODUCTS) -> FastAPI:
    """Build the shop.

    Args:
        cache: The cache to put before the database, or None to go without.
        database: The SQLite file; it is made and filled when it is missing.
        products: How many products to fill it with.
    """

    @asynccontextmanager
    async def open_shop(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(seed, database, products)
        async with Database.open(database) as opened:
            repository = Repository(opened)
            app.state.database = opened
            app.state.catalogue = (
                repository if cache is None else CachedCatalogue(repository, cache)
            )
            yield

    if cache is None:
        app = FastAPI(title="Shop", lifespan=open_shop)
    else:
        # Left in reverse: the cache ends first, because a load that is still running when the
        # shop closes needs the database.
        app = FastAPI(title="Shop", lifespan=combine_lifespans(open_shop, cache.lifespan))
        app.include_router(cache_operations)

    app.include_router(goods)
    app.include_router(figures)
    app.add_exception_handler(NotInShop, _not_in_shop)
    return app


async def _not_in_shop(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    return JSONResponse({"detail": str(error)}, status_code=404)


def _app_from_environment() -> FastAPI:
    settings = Settings.from_environment()
    return create_app(settings.make_cache(), settings.database)


app = _app_from_environment()
