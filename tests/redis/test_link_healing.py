"""How a link heals: probes, what is done first, and what is told."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar

import pytest

from asynccache.errors import CacheClosed, Unavailable
from tests.redis.conftest import OpenLink
from tests.redis.outages import DEADLINE, HEALED, healed, refused
from tests.support.redis_server import RedisServer
from tests.support.scripted_server import ScriptedServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration


async def test_a_probe_that_is_never_answered_is_given_up(open_link: OpenLink) -> None:
    """What a dead route has swallowed never comes back: the next probe is a new connection."""
    hangs = False

    async def answers(command: list[bytes]) -> bytes:
        if hangs:
            await asyncio.Event().wait()
        return b"+PONG\r\n"

    async with ScriptedServer(answers) as server:
        link = await open_link(server.url, op_timeout=DEADLINE)
        hangs = True
        await refused(link)
        probes = server.accepted
        await until(lambda: server.accepted > probes)
        hangs = False

        assert await healed(link) < HEALED


async def test_a_restarted_server_is_found_again(
    own_redis: RedisServer, open_link: OpenLink
) -> None:
    """At its old port, within a second, without any caller having tried it."""
    link = await open_link(own_redis.url, op_timeout=DEADLINE)
    await link.call(("PING",))
    own_redis.kill()
    await refused(link)
    await asyncio.sleep(1)  # long enough for the longest wait between probes
    own_redis.start()

    assert await until(lambda: link.breaker.state == "closed") < HEALED
    assert await link.call(("PING",)) == [b"PONG"]


async def test_an_outage_at_the_start_heals_by_itself(
    own_redis: RedisServer, open_link: OpenLink
) -> None:
    """A process that comes up before its Redis is as well off as any other."""
    own_redis.kill()
    link = await open_link(own_redis.url, op_timeout=DEADLINE)
    await refused(link)
    own_redis.start()

    assert await healed(link) < HEALED


async def test_what_has_to_be_done_first_is_done_before_anyone_is_let_through(
    own_redis: RedisServer, open_link: OpenLink
) -> None:
    """Healing speaks to Redis while calls still fail; they pass when it has ended."""
    seen = []

    async def heal() -> None:
        seen.append(await refused(link) < 1)
        seen.append(await link.unguarded.call(("PING",)) == [b"PONG"])

    link = await open_link(own_redis.url, on_heal=heal, op_timeout=DEADLINE * 8)
    own_redis.kill()
    await refused(link)
    own_redis.start()
    await healed(link)

    assert seen == [True, True]


@pytest.mark.parametrize(
    ("failure", "errors"), [(Unavailable("no"), 0), (KeyError("bug"), 3), (None, 3)]
)
async def test_healing_that_fails_is_tried_again(
    own_redis: RedisServer,
    open_link: OpenLink,
    caplog: pytest.LogCaptureFixture,
    failure: Exception | None,
    errors: int,
) -> None:
    """Whatever goes wrong in it, the prober lives, the breaker stays open, and bugs are logged."""
    attempts = 0

    async def heal() -> None:
        nonlocal attempts
        attempts += 1
        assert link.breaker.state == "open"
        if attempts <= 3:
            raise failure or asyncio.CancelledError

    link = await open_link(own_redis.url, on_heal=heal)
    own_redis.kill()
    await refused(link)
    own_redis.start()
    await healed(link)

    assert attempts == 4
    assert [record.levelname for record in caplog.records].count("ERROR") == errors


async def test_healing_knows_nothing_of_the_caller_that_met_the_outage(
    own_redis: RedisServer, open_link: OpenLink
) -> None:
    """The prober outlives that request: its transaction, tenant or trace are not borrowed."""
    request: ContextVar[str] = ContextVar("request", default="none")
    seen = []

    async def heal() -> None:
        seen.append(request.get())

    link = await open_link(own_redis.url, on_heal=heal)
    own_redis.kill()
    request.set("a request")
    await refused(link)
    own_redis.start()
    await healed(link)

    assert seen == ["none"]


async def test_openings_and_healings_are_logged_once(
    own_redis: RedisServer, open_link: OpenLink, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning when Redis is given up, one line when it is back, however many calls."""
    caplog.set_level(logging.INFO, "asynccache")
    link = await open_link(own_redis.url)
    for _ in range(2):
        own_redis.kill()
        await asyncio.gather(*(refused(link) for _ in range(50)))
        own_redis.start()
        await healed(link)

    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"] * 2
    assert link.breaker.openings == 2


async def test_closing_ends_a_prober_wherever_it_is(
    own_redis: RedisServer, open_link: OpenLink
) -> None:
    """Between two probes, in a probe that hangs, and in healing that hangs: no task is left."""
    before = asyncio.all_tasks()
    sleeping = await open_link("redis://127.0.0.1:1")
    await refused(sleeping)
    await sleeping.close()

    own_redis.pause()
    probing = await open_link(own_redis.url, op_timeout=DEADLINE)
    await refused(probing)
    await asyncio.sleep(0.1)
    await probing.close()

    is_healing = asyncio.Event()

    async def hang() -> None:
        is_healing.set()
        await asyncio.Event().wait()

    healing = await open_link(own_redis.url, on_heal=hang, op_timeout=DEADLINE)
    await refused(healing)
    own_redis.resume()
    async with asyncio.timeout(10):
        await is_healing.wait()
    await healing.close()

    assert asyncio.all_tasks() == before
    with pytest.raises(CacheClosed):
        await healing.call(("PING",))
