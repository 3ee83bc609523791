"""With a real Redis: any process serves what another has stored, and nothing breaks without it."""

from __future__ import annotations

import asyncio
import time

import pytest

from asynccache import Cache
from asynccache.http.policy import OutputPolicy
from tests.http.site import Exchange, Site
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.integration

POLICY = OutputPolicy(ttl=60, tags=["things"])


async def counting(exchange: Exchange) -> None:
    """Respond with how often it was run, in this process."""
    await exchange.respond(f"{exchange.number}", [("vary", "accept")])


async def plain(exchange: Exchange) -> None:
    """Likewise, without Vary."""
    await exchange.respond(f"{exchange.number}")


@pytest.mark.parametrize("handler", [counting, plain])
async def test_any_process_serves_what_another_has_stored(redis_url: str, handler: object) -> None:
    """Of pages that vary, too."""
    async with Cache(redis_url) as one, Cache(redis_url) as two:
        first, second = Site(one, handler, [POLICY]), Site(two, handler, [POLICY])  # type: ignore[arg-type]
        await first.get("/")
        answer = await second.get("/")

        assert answer.is_stored
        assert (await second.get("/", method="HEAD")).is_stored
        assert (await second.get("/", [("range", "bytes=0-0")])).status == 206
        assert second.calls == 0


@pytest.mark.parametrize("how", ["url", "tag", "everything", "unsafe"])
@pytest.mark.parametrize("handler", [counting, plain])
async def test_evictions_reach_every_process(redis_url: str, how: str, handler: object) -> None:
    """And are not undone by what is running there."""
    async with Cache(redis_url) as one, Cache(redis_url) as two:
        first, second = Site(one, handler, [POLICY]), Site(two, handler, [POLICY])  # type: ignore[arg-type]
        await first.get("/")
        await second.get("/")
        assert (await second.get("/")).is_stored
        if how == "url":
            await first.output.evict_url("http://site.test/")
        elif how == "tag":
            await first.output.evict_tags("things")
        elif how == "everything":
            await first.output.evict_all()
        else:
            await first.get("/", method="DELETE")
        await asyncio.sleep(0.1)
        assert not (await second.get("/")).is_stored


async def test_24_a_fill_in_another_process_does_not_outlive_an_eviction(redis_url: str) -> None:
    """It began before."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        if exchange.number == 1:
            begun.set()
            await go_on.wait()
        await exchange.respond("old" if exchange.number == 1 else "new")

    async with Cache(redis_url) as one, Cache(redis_url) as two:
        first, second = Site(one, slow, [POLICY]), Site(two, plain, [POLICY])
        running = asyncio.create_task(first.get("/"))
        await begun.wait()
        await second.output.evict_url("http://site.test/")
        go_on.set()
        assert (await running).body == b"old"
        assert (await first.get("/")).body == b"new"
        assert (await second.get("/")).body == b"new"


async def test_one_run_in_the_fleet(redis_url: str) -> None:
    """With ``lock="fleet"``."""

    async def slow(exchange: Exchange) -> None:
        await asyncio.sleep(0.1)
        await exchange.respond("x")

    policy = OutputPolicy(ttl=60, lock="fleet")
    async with Cache(redis_url) as one, Cache(redis_url) as two:
        sites = [Site(one, slow, [policy]), Site(two, slow, [policy])]
        await asyncio.gather(*(each.get("/") for each in sites * 5))
        assert sum(each.calls for each in sites) == 1


@pytest.mark.parametrize("fault", ["killed", "frozen", "garbage"])
async def test_37_without_redis_it_is_a_miss(own_redis: RedisServer, fault: str) -> None:
    """Within a bounded time, and never a 500."""
    async with Cache(own_redis.url) as cache:
        here = Site(cache, plain, [POLICY])
        await here.get("/")
        if fault == "killed":
            own_redis.kill()
        elif fault == "frozen":
            own_redis.pause()
        else:
            await _scribble(own_redis)
        began = time.monotonic()
        async with Cache(own_redis.url) as newcomer:
            there = Site(newcomer, plain, [POLICY])
            for url in ("/", "/", "/other"):
                answer = await there.get(url)
                assert answer.status == 200
            assert (await there.get("/")).is_stored
            assert (await there.get("/", method="POST")).status == 200
            assert time.monotonic() - began < 3
            if fault == "frozen":
                own_redis.resume()


async def _scribble(server: RedisServer) -> None:
    from redis.asyncio import Redis  # noqa: PLC0415

    async with Redis.from_url(server.url) as client:
        for key in await client.keys("*"):
            if await client.type(key) == b"string":
                await client.set(key, b"\x00garbage", keepttl=True)


async def test_a_client_that_wants_news_gets_them_though_redis_has_something(
    redis_url: str,
) -> None:
    """And they replace it."""
    policy = OutputPolicy(ttl=60, honor_request_cache_control=True)
    async with Cache(redis_url) as one, Cache(redis_url) as two:
        first, second = Site(one, plain, [policy]), Site(two, plain, [policy])
        await first.get("/")
        assert (await second.get("/", [("cache-control", "no-cache")])).body == b"1"
        assert second.calls == 1
        await asyncio.sleep(0.1)
        assert (await first.get("/")).is_stored
        assert first.calls == 1
