"""RFC mode: the response's own header decides (RFC 9111, 5861, 9211, 9213, 9875)."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from asynccache.http.policy import OutputPolicy
from tests.http.site import Exchange, Handler, Pairs, site

RFC = OutputPolicy(mode="rfc")
MODIFIED = "Tue, 14 Nov 2023 20:00:00 GMT"


def responding(headers: Pairs, status: int = 200) -> Handler:
    """Return an application that responds with some fields."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond(f"{exchange.number}", headers, status)

    return handler


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([("cache-control", "max-age=60")], 60),
        ([("cache-control", "s-maxage=30, max-age=60")], 30),
        ([("cache-control", "MAX-AGE=60")], 60),
        ([("cache-control", 'max-age="60"')], 60),
        ([("cache-control", "max-age=60"), ("age", "20")], 40),
        ([("expires", "Tue, 14 Nov 2023 22:14:20 GMT")], 60),
        ([("expires", "Tue, 14 Nov 2023 22:14:20 GMT"), ("cache-control", "max-age=5")], 5),
        ([("date", "Tue, 14 Nov 2023 22:13:20 GMT"), ("cache-control", "max-age=7")], 7),
    ],
)
async def test_freshness(headers: Pairs, seconds: int) -> None:
    """RFC 9111, 4.2."""
    async with site(responding(headers), RFC) as here:
        await here.get("/")
        here.advance(seconds - 1)
        assert (await here.get("/")).body == b"1"
        here.advance(2)
        assert (await here.get("/")).body == b"2"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("cache-control", "max-age=0")],
        [("cache-control", "no-cache")],
        [("expires", "0")],
        [("cache-control", "max-age=-1")],
        [("pragma", "x")],
    ],
)
async def test_what_is_not_fresh_is_not_served(headers: Pairs) -> None:
    """Without a validator it is not even stored."""
    async with site(responding(headers), RFC) as here:
        await here.get("/")
        assert (await here.get("/")).body == b"2"


async def test_the_heuristic_is_an_option() -> None:
    """A share of the time since it was modified (RFC 9111, 4.2.2)."""
    headers = [("last-modified", "Tue, 14 Nov 2023 22:11:40 GMT")]
    async with site(responding(headers), OutputPolicy(mode="rfc", heuristic=0.1)) as here:
        await here.get("/")
        here.advance(9)
        assert (await here.get("/")).body == b"1"
        here.advance(2)
        assert (await here.get("/")).body == b"2"


@pytest.mark.parametrize("status", [200, 203, 204, 301, 404, 410, 500, 503])
async def test_any_final_status_with_freshness_is_stored(status: int) -> None:
    """RFC 9111, 3."""
    headers = [("cache-control", "max-age=60")]
    async with site(responding(headers, status), RFC) as here:
        await here.get("/")
        answer = await here.get("/")
        assert (answer.status, answer.is_stored) == (status, True)


async def test_validation_with_the_application() -> None:
    """What is stale is asked about; a 304 makes it fresh again, with what the 304 says."""
    asked: list[str | None] = []

    async def handler(exchange: Exchange) -> None:
        asked.append(exchange.header("if-none-match"))
        headers = [("etag", '"v1"'), ("cache-control", "max-age=10")]
        if exchange.number == 1:
            await exchange.respond("body", [*headers, ("x-a", "old"), ("x-b", "kept")])
        else:
            await exchange.start([*headers, ("x-a", "new")], 304)
            await exchange.body()

    async with site(handler, RFC) as here:
        await here.get("/")
        here.advance(15)
        answer = await here.get("/", [("if-none-match", '"other"')])
        assert (answer.status, answer.body) == (200, b"body")
        assert (answer["x-a"], answer["x-b"]) == ("new", "kept")
        here.advance(5)
        again = await here.get("/", [("if-none-match", '"v1"')])
        assert again.status == 304
        assert asked == [None, '"v1"']


async def test_no_cache_is_validated_each_time() -> None:
    """It is stored, and never served without asking."""

    async def handler(exchange: Exchange) -> None:
        headers = [("etag", '"v1"'), ("cache-control", "no-cache")]
        if exchange.header("if-none-match") == '"v1"':
            await exchange.start(headers, 304)
            await exchange.body()
        else:
            await exchange.respond("body", headers)

    async with site(handler, RFC) as here:
        for _ in range(3):
            assert (await here.get("/")).body == b"body"
        assert here.calls == 3


async def test_a_changed_response_replaces_the_stored_one() -> None:
    """The application answered the condition with a 200."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond(
            f"{exchange.number}", [("etag", f'"{exchange.number}"'), ("cache-control", "max-age=5")]
        )

    async with site(handler, RFC) as here:
        await here.get("/")
        here.advance(10)
        assert (await here.get("/")).body == b"2"
        assert (await here.get("/")).body == b"2"


async def test_stale_windows_come_from_the_response() -> None:
    """RFC 5861."""

    async def handler(exchange: Exchange) -> None:
        if exchange.number > 1:
            await exchange.respond("bad", status=503)
        else:
            await exchange.respond("good", [("cache-control", "max-age=5, stale-if-error=20")])

    async with site(handler, RFC) as here:
        await here.get("/")
        here.advance(15)
        assert (await here.get("/")).body == b"good"
        here.advance(15)
        assert (await here.get("/")).body == b"bad"


@pytest.mark.parametrize(
    ("targets", "seconds"), [([], 10), (["app-cache-control"], 100), (["other", "x"], 10)]
)
async def test_targeted_fields(targets: list[str], seconds: int) -> None:
    """RFC 9213: a listed one replaces Cache-Control; others change nothing, and pass."""
    headers = [("app-cache-control", "max-age=100"), ("cache-control", "max-age=10")]
    async with site(responding(headers), RFC, targets=targets) as here:
        await here.get("/")
        here.advance(seconds - 1)
        answer = await here.get("/")
        assert answer.body == b"1"
        assert answer["app-cache-control"] == "max-age=100"
        here.advance(2)
        assert (await here.get("/")).body == b"2"


async def test_cache_status() -> None:
    """RFC 9211: what was done, appended to what caches further on have said."""
    headers = [("cache-control", "max-age=10"), ("cache-status", "Origin; hit")]
    async with site(responding(headers), RFC, cache_status=True) as here:
        first, second = await here.get("/"), await here.get("/")
        assert (
            first["cache-status"] == "Origin; hit, asynccache; fwd=uri-miss; fwd-status=200; stored"
        )
        assert second["cache-status"] == "Origin; hit, asynccache; hit; ttl=10"
        posted = await here.get("/", method="POST")
        assert "asynccache" not in (posted["cache-status"] or "")


async def test_cache_groups() -> None:
    """RFC 9875: groups are tags of their origin, which unsafe responses may invalidate."""

    async def handler(exchange: Exchange) -> None:
        if exchange.scope["method"] == "POST":
            await exchange.respond("", [("cache-group-invalidation", '"scripts"')])
        elif exchange.path == "/safe":
            await exchange.respond("x", [("cache-group-invalidation", '"scripts"')])
        else:
            await exchange.respond(
                "x", [("cache-control", "max-age=60"), ("cache-groups", '"scripts", "all"')]
            )

    other = [("host", "other.test")]
    async with site(handler, RFC) as here:
        await here.get("/a")
        await here.get("/a", other)
        await here.get("/safe")
        assert (await here.get("/a")).is_stored
        await here.get("/elsewhere", method="POST")
        assert not (await here.get("/a")).is_stored
        assert (await here.get("/a", other)).is_stored


@pytest.mark.parametrize("directive", ["no-cache", "no-store", "max-age=0", "only-if-cached"])
async def test_clients_cannot_force_a_refresh(directive: str) -> None:
    """Otherwise anybody could load the application at will."""
    async with site(responding([("cache-control", "max-age=60")]), RFC) as here:
        await here.get("/")
        answer = await here.get("/", [("cache-control", directive), ("pragma", "no-cache")])
        assert answer.is_stored


async def test_fields_of_one_connection_are_not_stored() -> None:
    """RFC 9111, 3.1: nor are those that Connection names, or that are qualified away."""
    headers = [
        ("cache-control", 'max-age=60, no-cache="x-c"'),
        *(("connection", "x-a"), ("x-a", "1"), ("keep-alive", "5"), ("x-b", "1"), ("x-c", "1")),
    ]
    async with site(responding(headers), RFC) as here:
        await here.get("/")
        answer = await here.get("/")
        assert answer["x-b"] == "1"
        for name in ("connection", "x-a", "keep-alive", "x-c"):
            assert answer[name] is None


HONEST = OutputPolicy(mode="rfc", honor_request_cache_control=True)


@pytest.mark.parametrize("directive", ["no-cache", "max-age=0", "max-age=5", "min-fresh=60"])
async def test_clients_may_be_honoured(directive: str) -> None:
    """Opted in: they get a new response, and so does everybody after them."""
    async with site(responding([("cache-control", "max-age=60")]), HONEST) as here:
        await here.get("/")
        here.advance(10)
        assert (await here.get("/", [("cache-control", "max-age=20")])).body == b"1"
        assert (await here.get("/", [("cache-control", directive)])).body == b"2"
        assert (await here.get("/")).body == b"2"


async def test_only_if_cached() -> None:
    """504 without a stored response (RFC 9111, 5.2.1.7)."""
    asked = [("cache-control", "only-if-cached")]
    async with site(responding([("cache-control", "max-age=60")]), HONEST) as here:
        assert (await here.get("/", asked)).status == 504
        assert here.calls == 0
        await here.get("/")
        assert (await here.get("/", asked)).body == b"1"


async def test_a_client_may_forbid_storage() -> None:
    """No-store in the request (RFC 9111, 5.2.1.5)."""
    async with site(responding([("cache-control", "max-age=60")]), HONEST) as here:
        await here.get("/", [("cache-control", "no-store")])
        assert (await here.get("/")).body == b"2"
        assert (await here.get("/")).body in {b"2", b"3"}


async def test_cache_status_of_those_who_wait() -> None:
    """They went further, together (RFC 9211, 2.6)."""

    async def handler(exchange: Exchange) -> None:
        await asyncio.sleep(0.02)
        await exchange.respond("x", [("cache-control", "max-age=10")])

    async with site(handler, RFC, cache_status=True) as here:
        told = Counter(
            answer["cache-status"] for answer in await asyncio.gather(*[here.get() for _ in "abc"])
        )
    assert told == {
        "asynccache; fwd=uri-miss; fwd-status=200; stored": 1,
        "asynccache; fwd=uri-miss; ttl=10; collapsed": 2,
    }


async def test_the_application_is_asked_with_its_own_tag() -> None:
    """Though a weaker one is stored, because there are two codings; also the second time."""
    asked: list[str | None] = []

    async def handler(exchange: Exchange) -> None:
        asked.append(exchange.header("if-none-match"))
        headers = [("etag", '"e"'), ("cache-control", "max-age=5"), ("vary", "accept-encoding")]
        if asked[-1] == '"e"':
            await exchange.start(headers, 304)
            await exchange.body()
        else:
            await exchange.respond("coded", [*headers, ("content-encoding", "gzip")])

    async with site(handler, RFC) as here:
        for _ in range(3):
            answer = await here.get("/", [("accept-encoding", "gzip")])
            assert (answer.body, answer["content-encoding"]) == (b"coded", "gzip")
            here.advance(10)
        assert answer["etag"] == 'W/"e"'
    assert asked == [None, '"e"', '"e"']


@pytest.mark.parametrize("vary", [[], [("vary", "accept")]])
async def test_the_longest_lifetime(vary: list[tuple[str, str]]) -> None:
    """What is more than anybody can keep is kept for as long as can be."""
    async with site(responding([("cache-control", "max-age=2147483648"), *vary]), RFC) as here:
        await here.get("/")
        assert (await here.get("/")).body == b"1"
