"""Starlette: the cache of a request, as a call or as a FastAPI dependency."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeAlias

from starlette.requests import HTTPConnection

from asynccache.cache import Cache
from asynccache.core.arguments import checked_callable, checked_key
from asynccache.wiring import DEFAULT_NAME, find

Lifespan: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any] | None]]


async def get_cache(connection: HTTPConnection) -> Cache:
    """Return the default cache of the application that serves a request or a WebSocket.

    The FastAPI dependency: ``cache: Annotated[Cache, Depends(get_cache)]``. It is asynchronous
    only because FastAPI runs any other kind in a thread.

    Args:
        connection: The request or WebSocket.

    Raises:
        NotWired: The application was not given a cache.
    """
    return cache_of(connection)


def named_cache(name: str) -> Callable[[HTTPConnection], Awaitable[Cache]]:
    """Return `get_cache` for the cache of another name.

    Args:
        name: The ``name`` that the cache was made with.
    """
    checked_key(name, "name")

    async def get_named_cache(connection: HTTPConnection) -> Cache:
        return cache_of(connection, name)

    return get_named_cache


def cache_of(connection: HTTPConnection, name: str = DEFAULT_NAME) -> Cache:
    """Return a cache of the application that serves a request or a WebSocket; for Starlette.

    ``request.app.state.cache`` is the default one too, but not in a mounted application.

    Args:
        connection: The request or WebSocket.
        name: The ``name`` that the cache was made with.

    Raises:
        NotWired: The application was not given such a cache.
    """
    cache = find(connection.scope, name)
    assert isinstance(cache, Cache)  # noqa: S101 - only a cache wires itself
    return cache


def combine_lifespans(
    *lifespans: Lifespan,
) -> Callable[[Any], AbstractAsyncContextManager[dict[str, Any]]]:
    """Return one lifespan that enters several in order, and leaves them in the opposite order.

    ``FastAPI(lifespan=combine_lifespans(cache.lifespan, your_own))``.

    Args:
        *lifespans: Functions of the application that return asynchronous context managers; what
            they yield is merged, later ones win.
    """
    for lifespan in lifespans:
        checked_callable(lifespan, "lifespans", "functions of the application")

    @asynccontextmanager
    async def combined(app: Any) -> AsyncIterator[dict[str, Any]]:
        state: dict[str, Any] = {}
        async with AsyncExitStack() as stack:
            for lifespan in lifespans:
                yielded = await stack.enter_async_context(lifespan(app))
                if yielded is not None:
                    state.update(yielded)
            yield state

    return combined
