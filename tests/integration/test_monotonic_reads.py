"""What a process has shown without Redis is not followed by something older."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.caches import Caches, Source, store_of
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import RedisServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration

KEY = "k"


async def test_what_was_loaded_without_redis_outlives_an_older_fill(
    caches: Caches, redis_server: RedisServer, redis_url: str
) -> None:
    """The journal is said while the load still runs, and another process fills what is older."""
    async with FaultProxy(redis_server.port) as proxy:
        other = await caches.start(redis_url)
        cache = await caches.start(proxy.url, max_staleness=60)
        source = Source("old")
        await proxy.cut()
        slow = source.slow()
        source.value = "new"
        direct = asyncio.create_task(cache.get_or_load(KEY, slow))
        await slow.has_read.wait()
        await proxy.restore()
        await until(lambda: cache.statistics().journal == 0)
        await other.set(KEY, "old")  # stands for a fill that began before the change

        slow.finish()
        assert await direct == "new"
        await until(lambda: cache.statistics().journal == 0)
        assert (await store_of(other).read([KEY]))[0].value is None
