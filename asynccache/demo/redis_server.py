"""The user's Redis: asked before the demo, left clean after it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.exceptions import RedisError

from asynccache.demo.errors import DemoProblem

TIMEOUT = 2.0
"""Seconds; the user waits for the answer."""


def place(url: str) -> str:
    """Return where a Redis is, without the password that its URL may hold."""
    parts = urlsplit(url)
    where = f"{parts.hostname or ''}:{parts.port or 6379}" if parts.netloc else parts.path
    return f"Redis at {where}"


async def require_redis(url: str) -> None:
    """Check that a Redis answers.

    Raises:
        DemoProblem: It does not, or the URL is not one.
    """
    try:
        async with _connected(url) as client:
            await client.ping()
    except ValueError as error:
        raise DemoProblem(f"--redis: {error}") from None
    except (RedisError, OSError) as error:
        raise DemoProblem(f"--redis: {place(url)} does not answer: {error}") from None


async def remove_namespace(url: str, namespace: str) -> None:
    """Remove every key of a cache that will not be used again, its sequence of messages too."""
    async with _connected(url) as client:
        async for key in client.scan_iter(match=f"{namespace}:*", count=1_000):
            await client.unlink(key)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(url, socket_connect_timeout=TIMEOUT, socket_timeout=TIMEOUT)
    try:
        yield client
    finally:
        await client.aclose()
