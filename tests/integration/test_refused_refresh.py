"""A refresh that something newer has overtaken."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.caches import Caches, Source, store_of
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.integration
KEY = "k"


async def test_a_refused_refresh_does_not_leave_the_older_value(
    caches: Caches, redis_server: RedisServer, redis_url: str
) -> None:
    """Who has seen what a refresh returned does not see an older value afterwards."""
    async with FaultProxy(redis_server.port) as proxy:
        cache = await caches.start(redis_url, bus_url=proxy.url)
        other = await caches.start(redis_url)
        source = Source("old")
        assert await cache.get_or_load(KEY, source.load) == "old"
        proxy.hold()
        source.value = "new"
        fill = store_of(cache).hold("fill", "before")
        refreshing = asyncio.create_task(cache.refresh(KEY, source.load))
        await fill.reached.wait()
        assert (await other.delete(KEY)).acknowledged
        fill.release()

        assert await refreshing == "new"
        assert cache.statistics().fills_refused == 1
        assert await cache.get_or_load(KEY, source.load) == "new"
