"""The link on uvloop, whose transports and turns are not asyncio's own."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from asynccache.errors import Unavailable
from asynccache.redis.link import Link
from asynccache.redis.listening import Listening, track
from asynccache.redis.settings import RedisSettings
from tests.redis.outages import DEADLINE, FIRST_CALL, HEALED, costs_nothing, healed, refused
from tests.support.listener import Ear
from tests.support.redis_server import RedisServer
from tests.support.scripted_server import ScriptedServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration

CERTIFICATE = Path(__file__).parents[1] / "support" / "localhost.pem"


def on_uvloop(
    url: str, work: Callable[[Link], Awaitable[None]], *, ear: Ear | None = None, **settings: Any
) -> None:
    """Run something with a link on a uvloop of its own; nothing may complain at the end."""
    complaints: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
        listening = None if ear is None else Listening([track("r:")], ear)
        link = Link(replace(RedisSettings.from_url(url), **settings), listening=listening)
        await link.start()
        try:
            await work(link)
        finally:
            await link.close()
        assert len(asyncio.all_tasks()) == 1

    uvloop.run(main())
    assert complaints == []


def test_replies_are_matched_under_cancellation(redis_url: str) -> None:
    """Of thousands of calls a third is cancelled anywhere: the others get their own replies."""

    async def work(link: Link) -> None:
        chance = random.Random(3)
        for round_ in range(60):
            tasks = {
                f"{round_}:{n}": asyncio.create_task(link.call(("ECHO", f"{round_}:{n}")))
                for n in range(50)
            }
            for task in chance.sample(list(tasks.values()), 16):
                await asyncio.sleep(0 if chance.random() < 0.5 else 0.000_2)
                task.cancel()
            await asyncio.wait(tasks.values(), timeout=10)
            answers = {text: t.result() for text, t in tasks.items() if not t.cancelled()}
            assert answers == {text: [text.encode()] for text in answers}
            assert len(answers) >= 34
        assert (link.unavailable, link.breaker.openings) == (0, 0)

    on_uvloop(redis_url, work, op_timeout=10.0)


def test_large_values_pass_both_ways(redis_url: str) -> None:
    """Far beyond any buffer, with back-pressure on the way out."""
    value = random.Random(1).randbytes(20_000_000)

    async def work(link: Link) -> None:
        replies = await asyncio.gather(
            link.call(("SET", "k", value)), *(link.call(("ECHO", n)) for n in range(100))
        )
        assert replies[0] == [b"OK"]
        assert replies[1:] == [[b"%d" % n] for n in range(100)]
        assert await link.call(("GET", "k")) == [value]

    on_uvloop(redis_url, work, op_timeout=10.0)


def test_a_frozen_server_costs_one_deadline_once(own_redis: RedisServer) -> None:
    """uvloop runs timers before it reads sockets; the figures are the same."""

    async def work(link: Link) -> None:
        await link.call(("PING",))
        own_redis.pause()
        assert DEADLINE * 0.9 < await refused(link) < FIRST_CALL
        assert await costs_nothing(link)
        own_redis.resume()
        assert await healed(link) < HEALED

    on_uvloop(own_redis.url, work, op_timeout=DEADLINE)


def test_a_killed_server_is_found_again(own_redis: RedisServer) -> None:
    """At once unavailable, and back after the restart."""

    async def work(link: Link) -> None:
        await link.call(("PING",))
        own_redis.kill()
        await refused(link)
        own_redis.start()
        assert await healed(link) < HEALED

    on_uvloop(own_redis.url, work, op_timeout=DEADLINE)


def test_pushes_arrive(redis_url: str) -> None:
    """Tracking on the connection that carries everything."""
    ear = Ear()

    async def work(link: Link) -> None:
        await until(lambda: bool(ear.open))
        other = Link(link.settings)
        await other.start()
        await other.call(("SET", "r:a", 1))
        await link.call(("PING",))
        assert ear.keys == [b"r:a"]
        await other.close()

    on_uvloop(redis_url, work, ear=ear, op_timeout=10.0)


def test_tls_works() -> None:
    """The transport of an encrypted connection is taken over as well."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)

    async def main() -> None:
        async def pong(command: list[bytes]) -> bytes:
            return b"+PONG\r\n"

        async with ScriptedServer(pong, tls=context) as server:
            settings = RedisSettings.from_url(server.url)
            link = Link(replace(settings, tls_ca_file=str(CERTIFICATE), op_timeout=10.0))
            await link.start()
            assert (
                await asyncio.gather(*(link.call(("PING",)) for _ in range(50))) == [[b"PONG"]] * 50
            )
            await link.close()
            strict = Link(settings)
            await strict.start()
            with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
                await strict.call(("PING",))
            await strict.close()

    uvloop.run(main())
