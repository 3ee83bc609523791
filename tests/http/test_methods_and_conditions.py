"""Checklist 18 to 24: HEAD, parts, conditions, codings, and what unsafe requests do."""

from __future__ import annotations

import pytest

from asynccache.http.policy import OutputPolicy
from tests.http.site import Exchange, Pairs, site

EVERYTHING = OutputPolicy(ttl=60)
MODIFIED = "Tue, 14 Nov 2023 20:00:00 GMT"


async def page(exchange: Exchange) -> None:
    """Respond with ten bytes and validators."""
    await exchange.respond(
        "0123456789",
        [
            ("etag", '"v1"'),
            ("last-modified", MODIFIED),
            ("cache-control", "max-age=60"),
            ("vary", "accept"),
            ("x-a", "1"),
            ("content-length", "10"),
        ],
    )


async def test_18_head_never_fills_get() -> None:
    """And a GET's response answers HEAD, without content and with its length."""

    async def handler(exchange: Exchange) -> None:
        body = "" if exchange.scope["method"] == "HEAD" else "0123456789"
        await exchange.respond(body)

    async with site(handler, EVERYTHING) as here:
        await here.get("/", method="HEAD")
        assert (await here.get("/")).body == b"0123456789"
        head = await here.get("/", method="HEAD")

        assert (head.status, head.body, head["content-length"]) == (200, b"", "10")
        assert head.is_stored
        assert here.calls == 2


async def test_19_parts_are_cut_from_what_is_whole() -> None:
    """A stored 200 answers them; several at once get all of it."""
    async with site(page, EVERYTHING) as here:
        await here.get("/")
        part = await here.get("/", [("range", "bytes=2-4")])
        assert (part.status, part.body, part["content-range"]) == (206, b"234", "bytes 2-4/10")
        assert part["content-length"] == "3"
        assert (await here.get("/", [("range", "bytes=-3")])).body == b"789"
        assert (await here.get("/", [("range", "bytes=20-")])).status == 416
        assert (await here.get("/", [("range", "bytes=0-1,4-5")])).body == b"0123456789"
        assert (await here.get("/", [("range", "lines=0-1")])).status == 200
        old = [("range", "bytes=2-4"), ("if-range", '"old"')]
        assert (await here.get("/", old)).status == 200
        new = [("range", "bytes=2-4"), ("if-range", '"v1"')]
        assert (await here.get("/", new)).status == 206
        assert here.calls == 1


async def test_19_a_206_is_never_stored() -> None:
    """Neither for the part nor for the whole."""

    async def handler(exchange: Exchange) -> None:
        if exchange.header("range"):
            await exchange.respond("234", [("content-range", "bytes 2-4/10")], 206)
        else:
            await exchange.respond("0123456789")

    async with site(handler, OutputPolicy(ttl=60, statuses=[200, 206])) as here:
        asked = [("range", "bytes=2-4")]
        for _ in range(2):
            answer = await here.get("/", asked)
            assert (answer.status, answer.is_stored) == (206, False)
        assert (await here.get("/")).body == b"0123456789"


async def test_20_the_applications_304_is_never_stored() -> None:
    """The application is asked for the whole; what it sends otherwise is for that client alone."""

    async def handler(exchange: Exchange) -> None:
        assert exchange.header("if-none-match") is None
        await page(exchange)

    async with site(handler, EVERYTHING) as here:
        first = await here.get("/", [("if-none-match", '"v1"')])
        assert (first.status, first.body) == (304, b"")
        assert (await here.get("/")).body == b"0123456789"
        assert here.calls == 1

    async def stubborn(exchange: Exchange) -> None:
        await exchange.start([("etag", '"v1"')], 304)
        await exchange.body()

    async with site(stubborn, OutputPolicy(ttl=60, mode="rfc"), hit_for_miss=0) as here:
        for _ in range(2):
            assert not (await here.get("/")).is_stored
        assert here.calls == 2


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ([("if-none-match", '"v1"')], 304),
        ([("if-none-match", 'W/"v1"')], 304),
        ([("if-none-match", '"v0", "v1"')], 304),
        ([("if-none-match", '"v0"'), ("if-none-match", '"v1"')], 304),
        ([("if-none-match", "*")], 304),
        ([("if-none-match", '"v0"')], 200),
        ([("if-none-match", "v1")], 200),
        ([("if-modified-since", MODIFIED)], 304),
        ([("if-modified-since", "Tue, 14 Nov 2023 19:00:00 GMT")], 200),
        ([("if-modified-since", "yesterday")], 200),
        ([("if-none-match", '"v0"'), ("if-modified-since", MODIFIED)], 200),
        ([("if-match", '"v1"')], 200),
        ([("if-match", '"v0"')], 412),
    ],
)
async def test_21_conditions_on_a_hit(asked: Pairs, status: int) -> None:
    """RFC 9110, 13: weak comparison, lists, ``*``, precedence; a 304 keeps what it must."""
    async with site(page, EVERYTHING) as here:
        await here.get("/")
        answer = await here.get("/", asked)

        assert answer.status == status
        assert here.calls == 1
        if status == 304:
            assert answer.body == b""
            assert answer["etag"] == '"v1"'
            assert answer["cache-control"] == "max-age=60"
            assert answer["vary"] == "accept"
            assert answer["x-a"] is None
            assert answer["content-length"] is None


async def test_22_codings_do_not_share_a_generated_etag() -> None:
    """It is made of the bytes that are stored, and never replaces the application's."""

    async def handler(exchange: Exchange) -> None:
        coded = "gzip" in (exchange.header("accept-encoding") or "")
        headers = [("vary", "accept-encoding")]
        if coded:
            headers.append(("content-encoding", "gzip"))
        if exchange.path == "/own":
            headers.append(("etag", '"own"'))
        await exchange.respond("same bytes", headers)

    async with site(handler, OutputPolicy(ttl=60, etag=True)) as here:
        tags = set()
        for coding in ("gzip", "identity"):
            await here.get("/", [("accept-encoding", coding)])
            tags.add((await here.get("/", [("accept-encoding", coding)]))["etag"])
        assert len(tags) == 2
        assert None not in tags
        await here.get("/own")
        assert (await here.get("/own"))["etag"] == '"own"'


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "FROB"])
@pytest.mark.parametrize("status", [200, 204, 303, 400, 404, 500])
async def test_23_a_success_of_an_unsafe_method_invalidates(method: str, status: int) -> None:
    """All variants of the URL, and of what Location and Content-Location name; errors do not."""

    async def handler(exchange: Exchange) -> None:
        if exchange.scope["method"] == "GET":
            await exchange.respond("x", [("vary", "accept")])
        else:
            await exchange.respond(
                "", [("location", "/located"), ("content-location", "content?q=1")], status
            )

    urls = ("/things", "/located", "/content?q=1", "/other")
    async with site(handler, EVERYTHING) as here:
        for url in urls:
            for accept in ("a", "b"):
                await here.get(url, [("accept", accept)])
        await here.get("/things", method=method)

        gone = {
            url
            for url in urls
            for accept in ("a", "b")
            if not (await here.get(url, [("accept", accept)])).is_stored
        }
        assert gone == (set(urls) - {"/other"} if status < 400 else set())


async def test_23_other_origins_are_left_alone() -> None:
    """Who may speak for one may not speak for another."""

    async def handler(exchange: Exchange) -> None:
        headers = [("location", "http://other.test/")] if exchange.scope["method"] == "PUT" else []
        await exchange.respond("x", headers)

    async with site(handler, EVERYTHING) as here:
        other = [("host", "other.test")]
        await here.get("/", other)
        await here.get("/a", method="PUT")

        assert (await here.get("/", other)).is_stored


@pytest.mark.parametrize("how", ["url", "tag", "everything", "unsafe"])
async def test_24_what_began_before_an_invalidation_is_not_stored(how: str) -> None:
    """The application answers with what it read before the change."""
    changed = False

    async def handler(exchange: Exchange) -> None:
        nonlocal changed
        if exchange.scope["method"] == "POST":
            return await exchange.respond("done")
        read = "new" if changed else "old"
        if exchange.number == 1:
            changed = True
            if how == "url":
                await here.output.evict_url("http://site.test/")
            elif how == "tag":
                await here.output.evict_tags("things")
            elif how == "everything":
                await here.output.evict_all()
            else:
                await here.get("/", method="POST")
        return await exchange.respond(read)

    async with site(handler, OutputPolicy(ttl=60, tags=["things"])) as here:
        assert (await here.get("/")).body == b"old"
        assert (await here.get("/")).body == b"new"
        assert (await here.get("/")).is_stored


async def test_22_codings_do_not_share_the_applications_strong_etag() -> None:
    """As middleware leaves it that compresses: both still validate, but parts are not mixed."""

    async def handler(exchange: Exchange) -> None:
        coded = "gzip" in (exchange.header("accept-encoding") or "")
        coding = [("content-encoding", "gzip")] if coded else []
        body = "coded bytes" if coded else "plain bytes"
        await exchange.respond(body, [("etag", '"e"'), ("vary", "accept-encoding"), *coding])

    gzip, plain = [("accept-encoding", "gzip")], [("accept-encoding", "identity")]
    async with site(handler, EVERYTHING) as here:
        for asked in (gzip, plain):
            await here.get("/", asked)
        assert (await here.get("/", gzip))["etag"] == 'W/"e"'
        assert (await here.get("/", plain))["etag"] == '"e"'
        for asked in (gzip, plain):
            answer = await here.get("/", [*asked, ("if-none-match", '"e"')])
            assert answer.status == 304
        mixed = [("range", "bytes=0-1"), ("if-range", '"e"')]
        assert (await here.get("/", [*gzip, *mixed])).status == 200
        assert (await here.get("/", [*plain, *mixed])).status == 206
        assert here.calls == 2
