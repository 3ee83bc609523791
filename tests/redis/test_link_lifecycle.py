"""A link from its construction to its end."""

from __future__ import annotations

import asyncio

import pytest

from asynccache.errors import CacheClosed, NotStarted
from asynccache.redis.link import Link
from asynccache.redis.settings import RedisSettings
from tests.redis.conftest import OpenLink
from tests.redis.outages import DEADLINE
from tests.support.redis_server import RedisServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration


def clients_of(server: RedisServer, name: str) -> int:
    """Return how many connections under a name the server sees."""
    return server.command("CLIENT", "LIST").count(f" name={name} ".encode())


async def test_a_link_that_was_not_started_says_so() -> None:
    """Constructing one touches no loop and no network; using it is an error."""
    link = Link(RedisSettings(host="127.0.0.1", port=1))

    with pytest.raises(NotStarted):
        await link.call(("PING",))
    await link.close()


async def test_a_closed_link_says_so(redis_url: str, open_link: OpenLink) -> None:
    """Closing may be repeated; starting again may not."""
    link = await open_link(redis_url)
    await link.call(("PING",))
    await link.close()
    await link.close()

    with pytest.raises(CacheClosed):
        await link.call(("PING",))
    with pytest.raises(CacheClosed):
        await link.start()


async def test_closing_ends_the_calls_under_way(
    own_redis: RedisServer, open_link: OpenLink
) -> None:
    """Those who wait for a reply learn that the cache is closed."""
    link = await open_link(own_redis.url)
    await link.call(("PING",))
    own_redis.pause()
    calls = [asyncio.create_task(link.call(("PING",))) for _ in range(6)]
    await asyncio.sleep(0.05)

    async with asyncio.timeout(5):
        await link.close()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [CacheClosed] * 6
    assert (link.unavailable, link.breaker.openings) == (0, 0)


async def test_closing_gives_up_a_connection_that_is_being_made(
    blackhole: int, open_link: OpenLink
) -> None:
    """A connection that is being made is given up, and who waits for it learns why."""
    link = await open_link(f"redis://127.0.0.1:{blackhole}", op_timeout=DEADLINE)
    call = asyncio.create_task(link.call(("PING",)))
    await asyncio.sleep(0.05)
    await link.close()
    await asyncio.wait((call,), timeout=5)

    assert isinstance(call.exception(), CacheClosed)


async def test_closing_leaves_no_connection(
    redis_server: RedisServer, redis_url: str, open_link: OpenLink
) -> None:
    """The server sees them all go."""
    link = await open_link(redis_url, client_name="leaver")
    await asyncio.gather(*(link.call(("PING",)) for _ in range(10)))
    await link.close()

    await until(lambda: clients_of(redis_server, "leaver") == 0)


async def test_a_link_tells_its_state(redis_server: RedisServer, redis_url: str) -> None:
    """The repr says where Redis is, whether it is asked, and how many calls wait."""
    link = Link(RedisSettings.from_url(redis_url))
    address = f"127.0.0.1:{redis_server.port}"
    assert repr(link) == f"<Link [{address}, new, 0 unavailable]>"

    await link.start()
    await link.call(("PING",))
    connector = "<Connector [connected, 0 calls]>"
    assert repr(link) == f"<Link [{address}, breaker closed, 0 unavailable, {connector}]>"

    await link.close()
    assert repr(link) == f"<Link [{address}, closed, 0 unavailable]>"
