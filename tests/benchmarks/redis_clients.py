"""The candidates: clients of one server, each as a function that gets a key's value."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any, TypeAlias

from redis.asyncio import Redis

from asynccache import Cache
from asynccache.redis.link import Link
from asynccache.redis.settings import RedisSettings

Get: TypeAlias = Callable[[str], Awaitable[Any]]
"""Returns the value of a key."""

Opener: TypeAlias = Callable[[str], AbstractAsyncContextManager[Get]]
"""Connects a client to a URL."""

LINK = "asynccache"
BASE = "redis.asyncio"

ENOUGH = 2_000
"""Connections, or requests under way: more than there are callers, so that none waits for one."""

_DEADLINE = 10.0  # seconds: a busy machine is slow, and that is no outage


async def open_clients(stack: AsyncExitStack, url: str) -> dict[str, Get | None]:
    """Return every candidate; None stands for one that is not installed."""
    clients: dict[str, Get | None] = {}
    for name, client in CLIENTS.items():
        try:
            clients[name] = await stack.enter_async_context(client(url))
        except ModuleNotFoundError:
            clients[name] = None
    return clients


@asynccontextmanager
async def our_link(url: str) -> AsyncIterator[Get]:
    """What carries everything that our caches ask of Redis."""
    link = Link(replace(RedisSettings.from_url(url), op_timeout=_DEADLINE))
    await link.start()

    async def get(key: str) -> object:
        (value,) = await link.call(("GET", key))
        return value

    yield get
    await link.close()


@asynccontextmanager
async def redis_py(url: str) -> AsyncIterator[Get]:
    """redis-py as it comes, which takes hiredis when that is installed."""
    async with Redis.from_url(url, max_connections=ENOUGH) as client:
        yield client.get


@asynccontextmanager
async def coredis(url: str) -> AsyncIterator[Get]:
    """It has its own parser, in C."""
    client: Any = import_module("coredis").Redis.from_url(url, max_connections=ENOUGH)
    async with client:
        yield client.get


@asynccontextmanager
async def valkey_glide(url: str) -> AsyncIterator[Get]:
    """A client in Rust with threads of its own, behind a thin one in Python."""
    glide: Any = import_module("glide")
    where = RedisSettings.from_url(url)
    credentials = None
    if where.password is not None:
        credentials = glide.ServerCredentials(where.password, where.username)
    configuration = glide.GlideClientConfiguration(
        [glide.NodeAddress(where.host, where.port)],
        use_tls=where.tls,
        credentials=credentials,
        database_id=where.db,
        request_timeout=int(_DEADLINE * 1_000),
        inflight_requests_limit=ENOUGH,
    )
    client = await glide.GlideClient.create(configuration)
    yield client.get
    await client.close()


@asynccontextmanager
async def whole_cache(url: str, value: str, keys: list[str]) -> AsyncIterator[Get]:
    """All that an application runs for a value that is in Redis, and not in memory.

    Args:
        url: The server.
        value: What stands under each key.
        keys: So many that the memory, which takes one entry, never has the one that is asked for.
    """

    async def load() -> str:
        return value

    async def miss() -> str:
        raise LookupError("what is measured here are hits")

    settings = replace(RedisSettings.from_url(url), op_timeout=_DEADLINE)
    async with Cache(settings, namespace="bench-redis", max_entries=1) as cache:
        for key in keys:
            await cache.get_or_load(key, load)
        yield lambda key: cache.get_or_load(key, miss)
        await cache.clear()


CLIENTS: dict[str, Opener] = {
    LINK: our_link,
    BASE: redis_py,
    "coredis": coredis,
    "valkey-glide": valkey_glide,
}
