"""Checklist 29 to 37: bodies, messages, neighbours, and everything that breaks."""

from __future__ import annotations

import asyncio
import gzip
import logging
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse
from starlette.routing import Route

from asynccache import Cache
from asynccache.http.middleware import OutputCacheMiddleware
from asynccache.http.policy import OutputPolicy
from tests.http.site import Exchange, Site, site

EVERYTHING = OutputPolicy(ttl=60)


async def test_29_the_first_chunk_does_not_wait_for_the_last() -> None:
    """The response is stored while it passes."""
    got = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.body(b"first", more=True)
        await asyncio.wait_for(got.wait(), 5)
        await exchange.body(b" last")

    async with site(handler, EVERYTHING) as here:

        async def send(message: Any) -> None:
            if message.get("body") == b"first":
                got.set()

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        await here.app(here.scope("/"), receive, send)
        assert (await here.get("/")).body == b"first last"
        assert here.calls == 1


async def test_29_event_streams_are_never_kept() -> None:
    """An endless one blocks neither memory nor a second client."""

    async def handler(exchange: Exchange) -> None:
        await exchange.start([("content-type", "text/event-stream; charset=utf-8")])
        for _ in range(3):
            await exchange.body(b"data: x\n\n", more=True)
        if exchange.number == 1:
            await asyncio.sleep(60)
        await exchange.body()

    async with site(handler, EVERYTHING) as here:
        first = asyncio.create_task(here.get("/"))
        await asyncio.sleep(0.01)
        second = await asyncio.wait_for(here.get("/"), 5)
        assert second.body == b"data: x\n\n" * 3
        assert here.cache.statistics().l1_entries == 0
        first.cancel()


async def test_30_what_is_too_large_passes() -> None:
    """All of it, and no more of it is kept."""

    async def handler(exchange: Exchange) -> None:
        await exchange.start()
        for _ in range(10):
            await exchange.body(b"0123456789", more=True)
        await exchange.body()

    async with site(handler, OutputPolicy(ttl=60, max_body_size=99), hit_for_miss=0) as here:
        for _ in range(2):
            answer = await here.get("/")
            assert (len(answer.body), answer.is_stored) == (100, False)
    async with site(handler, OutputPolicy(ttl=60, max_body_size=100)) as here:
        await here.get("/")
        assert (await here.get("/")).is_stored


@pytest.mark.parametrize("how", ["raises", "stops", "too short", "too long"])
async def test_31_incomplete_responses_are_not_stored(how: str) -> None:
    """RFC 9111, 3.3. What the application raises is raised."""

    async def handler(exchange: Exchange) -> None:
        length = {"too short": "20", "too long": "3"}.get(how, "10")
        await exchange.start([("content-length", length)])
        await exchange.body(b"01234", more=True)
        if how == "raises":
            raise RuntimeError("broken")
        if how != "stops":
            await exchange.body(b"56789")

    async with site(handler, EVERYTHING, hit_for_miss=0) as here:
        for _ in range(2):
            if how == "raises":
                with pytest.raises(RuntimeError, match="broken"):
                    await here.get("/")
            else:
                assert not (await here.get("/")).is_stored
        assert here.calls == 2


async def test_31_a_client_that_goes_away_leaves_nothing_behind() -> None:
    """Sending to it fails in the middle."""

    async def handler(exchange: Exchange) -> None:
        await exchange.start()
        await exchange.body(b"first", more=True)
        await exchange.body(b"last")

    async with site(handler, EVERYTHING) as here:

        async def send(message: Any) -> None:
            if message.get("body") == b"first":
                raise OSError("the client has gone")

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        with pytest.raises(OSError, match="gone"):
            await here.app(here.scope("/"), receive, send)
        assert not (await here.get("/")).is_stored
        assert (await here.get("/")).is_stored


async def test_32_files_are_sent_as_content() -> None:
    """The extensions by which they would bypass us are hidden."""

    async def handler(exchange: Exchange) -> None:
        assert set(exchange.scope["extensions"]) == {"http.response.early_hint"}
        await exchange.respond("x")

    async with site(handler, EVERYTHING) as here:
        names = ("pathsend", "zerocopysend", "early_hint")
        await here.get("/", extensions={f"http.response.{name}": {} for name in names})
        assert here.calls == 1


async def test_32_other_messages_pass() -> None:
    """Early hints, trailers, and what nobody knows yet."""

    async def handler(exchange: Exchange) -> None:
        await exchange.send({"type": "http.response.early_hint", "links": [b"</a.css>"]})
        await exchange.send({"type": "x.unknown"})
        await exchange.start(trailers=True)
        await exchange.body(b"x")
        await exchange.send({"type": "http.response.trailers", "headers": [], "more": False})

    async with site(handler, EVERYTHING) as here:
        answer = await here.get("/")
        assert [message["type"].rpartition(".")[2] for message in answer.messages] == [
            *("early_hint", "unknown", "start", "body", "trailers"),
        ]


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
async def test_32_other_protocols_are_untouched(kind: str) -> None:
    """The very objects of the server reach the application."""
    seen: list[object] = []

    async def app(*given: object) -> None:
        seen.extend(given)

    async def receive() -> Any:
        return {}

    async def send(message: object) -> None: ...

    scope = {"type": kind}
    await OutputCacheMiddleware(app, cache=Cache())(scope, receive, send)
    assert seen[0] is scope
    assert seen[1] is receive
    assert seen[2] is send


async def test_33_what_is_sent_is_not_what_is_stored() -> None:
    """Middleware outside edits the list in place; duplicates and their order are kept."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond("x", [("link", "a"), ("x-b", "1"), ("link", "c")])

    async with site(handler, EVERYTHING) as here:
        first = await here.get("/")
        first.messages[0]["headers"].append((b"x-evil", b"1"))
        second = await here.get("/")
        second.messages[0]["headers"].clear()
        third = await here.get("/")

        links = [field for field in third.headers if field[0] in {"link", "x-b"}]
        assert links == [("link", "a"), ("x-b", "1"), ("link", "c")]
        assert third["x-evil"] is None


def starlette(
    cache: Cache, inside: list[Middleware], outside: list[Middleware]
) -> tuple[Starlette, list[int]]:
    """Return an application with an output cache between other middleware."""
    calls: list[int] = []

    def endpoint(request: Request) -> PlainTextResponse:
        calls.append(1)
        return PlainTextResponse("a text that is long enough to be compressed " * 20)

    ours = Middleware(OutputCacheMiddleware, cache=cache, policies=[EVERYTHING])
    return Starlette(routes=[Route("/", endpoint)], middleware=[*outside, ours, *inside]), calls


@pytest.mark.parametrize("where", ["inside", "outside"])
async def test_34_gzip_inside_and_outside(where: str) -> None:
    """Every client can decode what it gets."""
    zipping = [Middleware(GZipMiddleware)]
    async with Cache() as cache:
        app, calls = starlette(
            cache, zipping if where == "inside" else [], zipping if where == "outside" else []
        )

        async def handler(exchange: Exchange) -> None:
            await app(exchange.scope, exchange.receive, exchange.send)

        here = Site(cache, handler)
        here.app = app  # type: ignore[assignment]
        # Outside, Starlette's own middleware takes "gzip;q=0" for gzip.
        refusing = ["gzip;q=0"] if where == "inside" else []
        for spelling in ("gzip", "identity", None, "br", "gzip, br", "*", "x-gzip", *refusing):
            asked = [] if spelling is None else [("accept-encoding", spelling)]
            for _ in range(2):
                answer = await here.get("/", asked)
                coded = answer["content-encoding"] == "gzip"
                body = gzip.decompress(answer.body) if coded else answer.body
                assert body.startswith(b"a text")
                if coded:
                    assert spelling is not None
                    assert "gzip" in spelling
                    assert spelling != "gzip;q=0"
        # Inside: no field, nothing that is known, gzip, br, both.
        assert len(calls) == (1 if where == "outside" else 5)


async def test_35_cors_outside_gives_each_origin_its_own() -> None:
    """The stored response has no Access-Control fields, and the middleware adds them."""
    cors = Middleware(CORSMiddleware, allow_origins=["https://a.test", "https://b.test"])
    async with Cache() as cache:
        app, calls = starlette(cache, [], [cors])

        async def handler(exchange: Exchange) -> None:
            await app(exchange.scope, exchange.receive, exchange.send)

        here = Site(cache, handler)
        here.app = app  # type: ignore[assignment]
        await here.get("/")
        for origin in ("https://a.test", "https://b.test"):
            answer = await here.get("/", [("origin", origin)])
            assert answer["access-control-allow-origin"] == origin
        assert len(calls) == 1


@pytest.mark.parametrize("how", ["raises", "500", "502", "503", "504", "500 and raises", "400"])
@pytest.mark.parametrize("age", [5, 100])
async def test_36_stale_if_error(how: str, age: int, caplog: pytest.LogCaptureFixture) -> None:
    """An exception and a 5xx both count as errors; a 400 is an answer."""

    async def handler(exchange: Exchange) -> None:
        if exchange.number == 1:
            return await exchange.respond("good")
        if how[0].isdigit():
            await exchange.respond("bad", status=int(how[:3]))
        if "raises" in how:
            raise RuntimeError("broken")
        return None

    async with site(handler, OutputPolicy(ttl=10, stale_if_error=60)) as here:
        await here.get("/")
        here.advance(10 + age)
        stands_in = age <= 60 and how != "400"
        with caplog.at_level(logging.ERROR):
            if "raises" in how and not stands_in:
                with pytest.raises(RuntimeError, match="broken"):
                    await here.get("/")
                return
            answer = await here.get("/")
        assert answer.body == (b"good" if stands_in else b"bad")
        assert here.output.statistics()["errors"] == stands_in
        assert ("broken" in caplog.text) is ("raises" in how)


@pytest.mark.parametrize("control", ["must-revalidate", "proxy-revalidate", "s-maxage=10"])
@pytest.mark.parametrize("how", ["error", "revalidate"])
async def test_36_what_forbids_stale_responses(control: str, how: str) -> None:
    """RFC 9111, 4.2.4: nothing that a policy says is stronger."""

    async def handler(exchange: Exchange) -> None:
        status = 500 if exchange.number > 1 and how == "error" else 200
        await exchange.respond(
            f"{exchange.number}", [("cache-control", f"max-age=10, {control}")], status
        )

    policy = OutputPolicy(ttl=10, stale_if_error=60, stale_while_revalidate=60)
    async with site(handler, policy) as here:
        await here.get("/")
        here.advance(15)
        assert (await here.get("/")).body == b"2"


async def test_files_and_their_validators(tmp_path: object) -> None:
    """Starlette's FileResponse is stored whole, and its ETag answers conditions."""
    from pathlib import Path  # noqa: PLC0415

    path = Path(str(tmp_path)) / "file.txt"
    path.write_bytes(b"0123456789" * 10_000)

    async def handler(exchange: Exchange) -> None:
        response = FileResponse(path)
        await response(exchange.scope, exchange.receive, exchange.send)

    async with site(handler, EVERYTHING) as here:
        first = await here.get("/")
        assert len(first.body) == 100_000
        etag = first["etag"]
        assert etag is not None
        assert (await here.get("/", [("if-none-match", etag)])).status == 304
        assert (await here.get("/", [("range", "bytes=0-9")])).body == b"0123456789"
        assert here.calls == 1


async def test_a_stored_response_says_how_long_it_is() -> None:
    """Though it was sent in chunks, when nobody knew; a 204 has no length."""

    async def handler(exchange: Exchange) -> None:
        await exchange.start(status=204 if exchange.path == "/none" else 200)
        if exchange.path != "/none":
            await exchange.body(b"0123", more=True)
        await exchange.body()

    async with site(handler, OutputPolicy(ttl=60, statuses=[200, 204])) as here:
        for url, length in (("/", "4"), ("/none", None)):
            assert (await here.get(url))["content-length"] is None
            assert (await here.get(url))["content-length"] == length
