"""FastAPI: the cache of a request as a ready-made dependency.

::

    @app.get("/products/{id}")
    async def product(id: int, cache: CacheDep) -> Product: ...
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends

from asynccache.cache import Cache
from asynccache.starlette import get_cache

CacheDep: TypeAlias = Annotated[Cache, Depends(get_cache)]
"""The default cache of the application, as a parameter of a handler."""
