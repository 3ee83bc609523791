"""A link that is reconnected for months holds no more than one that is new."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from tests.redis.conftest import OpenLink
from tests.support.fault_proxy import FaultProxy
from tests.support.footprint import holdings
from tests.support.reconnecting import KINDS, reconnect
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.integration


async def test_connections_that_the_server_ends_leave_nothing(
    own_redis: RedisServer, open_link: OpenLink
) -> None:
    """No file descriptor, task, call or object of a connection is left of those it has killed."""
    link = await open_link(own_redis.url)
    async with Redis.from_url(own_redis.url) as admin:

        async def kill() -> None:
            assert await admin.client_kill_filter(_type="normal") == 1

        await reconnect(link, kill, 10)
        before = await holdings(KINDS)
        await reconnect(link, kill, 200)

        assert await holdings(KINDS) == before
    assert before["Multiplexer"] == before["DirectWire"] == 1


async def test_connections_that_are_reset_leave_nothing(
    redis_server: RedisServer, open_link: OpenLink
) -> None:
    """A network that drops connections (RST) is no different."""
    async with FaultProxy(redis_server.port) as proxy:
        link = await open_link(proxy.url)
        await reconnect(link, proxy.reset, 10)
        before, accepted = await holdings(KINDS), proxy.accepted
        await reconnect(link, proxy.reset, 100)

        assert await holdings(KINDS) == before
        assert proxy.accepted - accepted == 100
    assert before["Multiplexer"] == before["DirectWire"] == 1
