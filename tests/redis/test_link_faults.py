"""The link when Redis is refused, frozen or cut off: what it costs, and that it heals."""

from __future__ import annotations

import asyncio

import pytest

from tests.redis.conftest import OpenLink
from tests.redis.outages import DEADLINE, FIRST_CALL, HEALED, costs_nothing, healed, refused
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.integration


async def test_a_refused_connection_is_known_at_once(
    own_redis: RedisServer, open_link: OpenLink
) -> None:
    """The first call fails fast, the next ones for nothing, cold or killed."""
    cold = await open_link("redis://127.0.0.1:1", op_timeout=DEADLINE)
    assert await refused(cold) < FIRST_CALL
    assert await costs_nothing(cold)

    killed = await open_link(own_redis.url, op_timeout=DEADLINE)
    await killed.call(("PING",))
    own_redis.kill()
    assert await refused(killed) < FIRST_CALL
    assert await costs_nothing(killed)
    assert killed.unavailable == 201
    assert killed.last_error is not None
    assert "Connect call failed" in killed.last_error


@pytest.mark.parametrize("warm", [True, False])
async def test_a_frozen_server_costs_one_deadline_once(
    own_redis: RedisServer, open_link: OpenLink, *, warm: bool
) -> None:
    """With or without a connection at hand the first call waits 0.25 s and the next ones do not."""
    link = await open_link(own_redis.url, op_timeout=DEADLINE)
    if warm:
        await link.call(("PING",))
    own_redis.pause()

    assert DEADLINE * 0.9 < await refused(link) < FIRST_CALL
    assert await costs_nothing(link)
    assert link.breaker.openings == 1
    own_redis.resume()
    assert await healed(link) < HEALED


async def test_a_crowd_that_meets_a_frozen_server_pays_together(
    own_redis: RedisServer, open_link: OpenLink
) -> None:
    """Three hundred callers all know after one deadline, in one opening."""
    link = await open_link(own_redis.url, op_timeout=DEADLINE)
    await asyncio.gather(*(link.call(("PING",)) for _ in range(20)))
    own_redis.pause()

    times = await asyncio.gather(*(refused(link) for _ in range(300)))

    assert max(times) < FIRST_CALL
    assert (link.breaker.openings, link.unavailable) == (1, 300)
    own_redis.resume()
    assert await healed(link) < HEALED


async def test_a_blackholed_connect_is_bounded(blackhole: int, open_link: OpenLink) -> None:
    """A SYN that nobody answers takes the operation's deadline, not the kernel's minutes."""
    link = await open_link(f"redis://127.0.0.1:{blackhole}", op_timeout=DEADLINE)

    assert DEADLINE * 0.9 < await refused(link) < FIRST_CALL
    assert await costs_nothing(link)


async def test_a_short_connect_timeout_opens_the_breaker_too(
    blackhole: int, open_link: OpenLink
) -> None:
    """It is a server that takes no connection, however early that is noticed."""
    link = await open_link(
        f"redis://127.0.0.1:{blackhole}", op_timeout=DEADLINE * 8, connect_timeout=0.05
    )

    assert await refused(link) < FIRST_CALL
    assert link.breaker.state == "open"


async def test_a_half_open_link_is_given_up_and_heals(
    redis_server: RedisServer, redis_url: str, open_link: OpenLink
) -> None:
    """A route that swallows everything looks like a frozen server, and heals like one."""
    async with FaultProxy(redis_server.port) as proxy:
        link = await open_link(proxy.url, op_timeout=DEADLINE)
        await link.call(("PING",))
        proxy.hold()

        assert await refused(link) < FIRST_CALL
        assert await costs_nothing(link)
        await proxy.restore()
        assert await healed(link) < HEALED


async def test_after_a_timeout_the_connection_of_that_time_is_not_used(
    redis_server: RedisServer, redis_url: str, open_link: OpenLink
) -> None:
    """A dead route stays dead: whoever went on using it would pay one more deadline."""
    async with FaultProxy(redis_server.port) as proxy:
        link = await open_link(proxy.url, op_timeout=DEADLINE)
        await link.call(("PING",))
        proxy.hold()
        await refused(link)
        assert "not connected" in repr(link)
        before = proxy.accepted
        proxy.release()
        await healed(link)

        assert proxy.accepted > before
