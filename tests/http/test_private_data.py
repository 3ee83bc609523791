"""Checklist 13 to 17: what belongs to one client stays with it."""

from __future__ import annotations

import asyncio

import pytest

from asynccache.http.policy import OutputPolicy
from tests.http.site import Exchange, Handler, Pairs, site

EVERYTHING = OutputPolicy(ttl=60)


def responding(headers: Pairs, body: str = "x") -> Handler:
    """Return an application that responds with some fields."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond(body, headers)

    return handler


@pytest.mark.parametrize("cookie", [None, "session=1", "other=2"])
async def test_13_responses_that_set_cookies_are_not_stored(cookie: str | None) -> None:
    """Whatever cookies the request had."""
    asked = [] if cookie is None else [("cookie", cookie)]
    async with site(responding([("set-cookie", "session=secret")]), EVERYTHING) as here:
        await here.get("/", asked)
        assert not (await here.get("/", asked)).is_stored


async def test_13_opted_in_they_are_stored_without_it() -> None:
    """The first client gets its cookie; nobody else does."""
    policy = OutputPolicy(ttl=60, allow_set_cookie=True)
    async with site(responding([("set-cookie", "session=secret"), ("x-a", "1")]), policy) as here:
        assert (await here.get("/"))["set-cookie"] == "session=secret"
        stored = await here.get("/")

        assert stored.is_stored
        assert stored["set-cookie"] is None
        assert stored["x-a"] == "1"


@pytest.mark.parametrize(
    ("control", "is_stored"),
    [
        (None, False),
        ("max-age=60", False),
        ("public", True),
        ("s-maxage=60", True),
        ("must-revalidate, max-age=60", True),
    ],
)
async def test_14_requests_with_credentials(control: str | None, is_stored: bool) -> None:
    """Their responses are stored only if they say that others may have them (RFC 9111, 3.5)."""
    headers = [] if control is None else [("cache-control", control)]
    asked = [("authorization", "Bearer secret")]
    async with site(responding(headers), EVERYTHING, hit_for_miss=0) as here:
        await here.get("/", asked)
        assert (await here.get("/", asked)).is_stored is is_stored
        assert (await here.get("/")).is_stored is is_stored


async def test_14_they_are_not_answered_from_what_others_got() -> None:
    """Neither read nor stored, unless the response says so."""
    async with site(responding([]), EVERYTHING) as here:
        await here.get("/")
        assert not (await here.get("/", [("authorization", "x")])).is_stored
        assert (await here.get("/")).is_stored


async def test_14_a_policy_may_tell_them_apart() -> None:
    """Each has its own."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond(f"for {exchange.header('authorization')}")

    async with site(handler, OutputPolicy(ttl=60, vary_by_header=["Authorization"])) as here:
        for _ in range(2):
            for who in ("a", "b"):
                answer = await here.get("/", [("authorization", who)])
                assert answer.body == f"for {who}".encode()
        assert here.calls == 2


@pytest.mark.parametrize(
    "lines",
    [
        ["no-store"],
        ["private"],
        ["NO-STORE"],
        ["Private"],
        ["public", "no-store"],
        ["max-age=60, private"],
        ["public, max-age=60", "private"],
        ['private, x="a,b"'],
    ],
)
async def test_15_private_and_no_store_beat_every_policy(lines: list[str]) -> None:
    """In any case, on any line."""
    headers = [("cache-control", line) for line in lines]
    async with site(responding(headers), EVERYTHING) as here:
        await here.get("/")
        assert not (await here.get("/")).is_stored


@pytest.mark.parametrize(
    "headers", [[("cache-control", "private")], [("set-cookie", "a=b")], [("vary", "x-user")]]
)
async def test_16_those_who_wait_share_nothing_private(headers: Pairs) -> None:
    """Each gets the response to its own request."""

    async def handler(exchange: Exchange) -> None:
        await asyncio.sleep(0.01)
        await exchange.respond(f"for {exchange.header('x-user')}", headers)

    async with site(handler, EVERYTHING) as here:
        answers = await asyncio.gather(
            *(here.get("/", [("x-user", str(number))]) for number in range(10))
        )

        assert [a.body.decode() for a in answers] == [f"for {number}" for number in range(10)]


async def test_17_cache_status_tells_no_secrets() -> None:
    """No key, cookie or query is in it; without being asked it is not there at all."""
    async with site(responding([]), EVERYTHING, cache_status=True) as here:
        for _ in range(2):
            answer = await here.get("/?token=secret", [("cookie", "session=secret")])
            assert "secret" not in (answer["cache-status"] or "")
        assert answer["cache-status"] == "asynccache; hit; ttl=60"
    async with site(responding([]), EVERYTHING) as here:
        assert (await here.get("/"))["cache-status"] is None


async def test_17_logs_tell_no_secrets(caplog: pytest.LogCaptureFixture) -> None:
    """Not even when something goes wrong."""

    async def handler(exchange: Exchange) -> None:
        if exchange.number > 1:
            raise RuntimeError("the database is down")
        await exchange.respond("x")

    policy = OutputPolicy(ttl=10, stale_if_error=60)
    async with site(handler, policy) as here:
        await here.get("/?token=secret", [("cookie", "session=secret")])
        here.advance(20)
        assert (await here.get("/?token=secret", [("cookie", "session=secret")])).status == 200

    assert "secret" not in caplog.text


async def test_14_credentials_keep_no_page_from_being_stored() -> None:
    """Whoever sends them gets a response of its own, and changes nothing for the others."""
    go_on = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        if exchange.number == 1:
            await go_on.wait()
        await exchange.respond(f"{exchange.header('authorization')}")

    async with site(handler, EVERYTHING) as here:
        known = asyncio.create_task(here.get("/", [("authorization", "secret")]))
        await asyncio.sleep(0.01)
        second = await asyncio.wait_for(here.get("/", [("authorization", "other")]), 5)
        assert second.body == b"other"
        waiting = asyncio.create_task(here.get("/"))
        await asyncio.sleep(0.01)
        go_on.set()
        assert (await known).body == b"secret"
        assert (await waiting).body == b"None"
        answer = await here.get("/")
        assert (answer.body, answer.is_stored) == (b"None", True)
