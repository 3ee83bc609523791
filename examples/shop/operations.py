"""What the shop's operators see: figures, and the cache itself."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from asynccache import Cache, get_cache

figures = APIRouter(tags=["operations"])
cache_operations = APIRouter(tags=["operations"])


@figures.get("/stats")
async def stats(request: Request) -> dict[str, Any]:
    """Show this worker's figures since its start."""
    cache: Cache | None = getattr(request.app.state, "cache", None)
    return {
        "pid": os.getpid(),
        "database_queries": request.app.state.database.queries,
        "cache": None if cache is None else asdict(cache.statistics()),
    }


@cache_operations.delete("/cache/{key:path}")
async def forget(key: str, cache: Annotated[Cache, Depends(get_cache)]) -> dict[str, Any]:
    """Forget one key everywhere; for the day when somebody changed the database by hand.

    `acknowledged` says whether Redis has it, and so whether every process will. In your own
    application, put this behind your authentication.
    """
    return asdict(await cache.delete(key))
