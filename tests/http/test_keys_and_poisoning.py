"""Checklist 1 to 12: what tells responses apart, and what nobody can slip into them."""

from __future__ import annotations

import pytest

from asynccache.http.policy import OutputPolicy
from tests.http.site import Exchange, Pairs, site

EVERYTHING = OutputPolicy(ttl=60)


async def echo(exchange: Exchange) -> None:
    """Respond with what was asked for and how often anything was."""
    await exchange.respond(f"{exchange.number} {exchange.scope['raw_path']!r}")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a%2Fb", "/a/b"),
        ("/a", "/A"),
        ("/a", "/a/"),
        ("/?a=1&a=2", "/?a=2&a=1"),
        ("/?a=1", "/?a=1&"),
        ("/?a", "/?a="),
        ("/?", "/?x"),
        ("/a?b", "/a%3Fb"),
        ("/%61", "/a"),
    ],
)
async def test_01_each_url_has_a_response_of_its_own(one: str, other: str) -> None:
    """Scheme, host, raw path and raw query are in the key."""
    async with site(echo, EVERYTHING) as here:
        first = await here.get(one)
        second = await here.get(other)

        assert first.body != second.body
        assert (await here.get(one)).body == first.body
        assert (await here.get(other)).body == second.body
        assert here.calls == 2


async def test_01_scheme_and_host_are_in_the_key() -> None:
    """The same path of another origin is something else."""
    async with site(echo, EVERYTHING) as here:
        await here.get("/")
        await here.get("/", scheme="https")
        await here.get("/", [("host", "other.test")])
        await here.get("/", [("host", "SITE.test")])

        assert here.calls == 3


async def test_02_parts_cannot_be_shifted_into_each_other() -> None:
    """``/ab`` + ``c`` is not ``/a`` + ``bc``."""
    policy = OutputPolicy(ttl=60, vary_by_header=["x-one", "x-two"])
    async with site(echo, policy) as here:
        await here.get("/", [("x-one", "ab"), ("x-two", "c")])
        await here.get("/", [("x-one", "a"), ("x-two", "bc")])
        await here.get("/", [("x-one", "abc")])

        assert here.calls == 3


@pytest.mark.parametrize("how", ["vary", "policy"])
async def test_03_an_absent_field_is_not_an_empty_one(how: str) -> None:
    """Several lines of one field are one with commas."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond(
            repr(exchange.header("x-tenant")), [("vary", "X-Tenant")] if how == "vary" else []
        )

    policy = OutputPolicy(ttl=60, vary_by_header=["x-tenant"] if how == "policy" else None)
    async with site(handler, policy) as here:
        assert (await here.get("/")).body == b"None"
        assert (await here.get("/", [("x-tenant", "")])).body == b"''"
        assert (await here.get("/")).body == b"None"
        assert (await here.get("/", [("x-tenant", "a"), ("x-tenant", "b")])).body == b"'a, b'"
        assert (await here.get("/", [("x-tenant", "a, b")])).is_stored


@pytest.mark.parametrize(
    "lines", [["*"], ["accept, *"], ["accept", "*"], ["*, accept"], [" * "], ["accept,*,x"]]
)
async def test_04_vary_star_is_not_stored(lines: list[str]) -> None:
    """Wherever the star stands, on whatever line."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond("x", [("vary", line) for line in lines])

    async with site(handler, EVERYTHING) as here:
        await here.get("/")
        assert not (await here.get("/")).is_stored
        assert here.calls == 2


async def test_05_no_request_gets_a_response_whose_vary_it_does_not_match() -> None:
    """The responses of one URL may vary by different fields."""

    async def handler(exchange: Exchange) -> None:
        language, theme = exchange.header("accept-language"), exchange.header("x-theme")
        by = "x-theme" if language == "de" else "accept-language"
        await exchange.respond(f"{language} {theme}", [("vary", by)])

    async with site(handler, EVERYTHING) as here:
        for _ in range(4):
            for language in ("de", "en", "fr"):
                for theme in ("dark", "light"):
                    asked = [("accept-language", language), ("x-theme", theme)]
                    answer = await here.get("/", asked)
                    said_language, said_theme = answer.body.decode().split()
                    if said_language == "de":
                        assert said_theme == theme
                    else:
                        assert said_language == language
        assert here.calls < 24


async def test_06_variants_are_bounded() -> None:
    """Ten thousand values of a field leave the newest few, in L1 as in Redis."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond("x", [("vary", "user-agent")])

    async with site(handler, OutputPolicy(ttl=600, max_variants=32)) as here:
        for number in range(500):
            await here.get("/", [("user-agent", f"agent {number}")])

        assert here.cache.statistics().l1_entries <= 33 + 1
        assert (await here.get("/", [("user-agent", "agent 499")])).is_stored
        assert not (await here.get("/", [("user-agent", "agent 0")])).is_stored


async def test_07_five_spellings_that_choose_gzip_are_one_variant() -> None:
    """The application sees one spelling, too."""
    seen: set[str | None] = set()

    async def handler(exchange: Exchange) -> None:
        seen.add(exchange.header("accept-encoding"))
        await exchange.respond("x", [("vary", "Accept-Encoding")])

    async with site(handler, EVERYTHING) as here:
        for spelling in ("gzip", "GZIP", "gzip;q=1.0", "deflate;q=0, gzip", " gzip ;q=0.9"):
            await here.get("/", [("accept-encoding", spelling)])

        assert here.calls == 1
        assert len(seen) == 1


async def test_08_hosts_that_are_not_allowed_create_no_entries() -> None:
    """They are served all the same: refusing them is another middleware's work."""
    async with site(echo, EVERYTHING, allowed_hosts=["site.test"]) as here:
        for number in range(10):
            assert (await here.get("/", [("host", f"evil{number}.test")])).status == 200

        assert here.cache.statistics().l1_entries == 0
        await here.get("/")
        assert (await here.get("/")).is_stored


@pytest.mark.parametrize("name", ["x-forwarded-host", "x-original-url", "x-forwarded-prefix"])
async def test_09_a_field_that_applications_reflect_cannot_poison(name: str) -> None:
    """By default it tells responses apart."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond(f"link to {exchange.header(name)}")

    async with site(handler, EVERYTHING) as here:
        assert b"evil" in (await here.get("/", [(name, "evil")])).body
        assert b"evil" not in (await here.get("/")).body
        assert (await here.get("/", [(name, "evil")])).is_stored


async def test_09_any_field_can_be_declared_keyed_or_be_stripped() -> None:
    """What is stripped the application does not see."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond(f"{exchange.header('x-a')} {exchange.header('x-b')}")

    async with site(handler, EVERYTHING, keyed_headers=["X-A"], stripped_headers=["X-B"]) as here:
        assert (await here.get("/", [("x-a", "1"), ("x-b", "evil")])).body == b"1 None"
        assert (await here.get("/", [("x-b", "evil")])).body == b"None None"


@pytest.mark.parametrize("name", ["x-http-method-override", "x-http-method", "x-method-override"])
async def test_09_a_get_that_overrides_its_method_bypasses(name: str) -> None:
    """For the application it is no GET."""
    async with site(echo, EVERYTHING) as here:
        for _ in range(2):
            assert not (await here.get("/", [(name, "DELETE")])).is_stored
        await here.get("/")

        assert here.calls == 3


@pytest.mark.parametrize("headers", [[("content-length", "3")], [("transfer-encoding", "chunked")]])
async def test_10_a_get_with_a_body_bypasses(headers: Pairs) -> None:
    """Neither answered from the cache nor stored in it."""
    async with site(echo, EVERYTHING) as here:
        await here.get("/", headers, content=b"abc")
        await here.get("/")
        await here.get("/", headers, content=b"abc")

        assert here.calls == 3


async def test_11_a_path_alone_makes_nothing_cacheable() -> None:
    """Web cache deception: the name looks like a file's."""
    async with site(echo, OutputPolicy("/static/{path:path}", ttl=60)) as here:
        for url in ("/account/x.css", "/account/static/x.css", "/account/..%2fstatic/x.css"):
            await here.get(url)
            assert not (await here.get(url)).is_stored


@pytest.mark.parametrize("url", ["/" + "a" * 20_000, "/%0d%0a%00", "/?" + "%0a" * 100])
async def test_12_no_url_breaks_a_key(url: str) -> None:
    """Long ones are hashed, not cut; their bytes do not get into Redis."""
    async with site(echo, EVERYTHING) as here:
        first = await here.get(url)
        assert (await here.get(url)).body == first.body
        assert (await here.get(url + "b")).body != first.body
        assert here.calls == 2


async def test_12_bodies_in_this_process_are_bounded_in_total() -> None:
    """The oldest go; what is larger than all of it is not kept here."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond(b"x" * 10_000)

    async with site(handler, EVERYTHING, max_total_size=55_000) as here:
        for number in range(20):
            await here.get(f"/{number}")

        assert here.cache.statistics().l1_entries == 5
        assert (await here.get("/19")).is_stored
        assert not (await here.get("/0")).is_stored


async def test_01_the_port_that_a_scheme_has_anyway_is_no_other_host() -> None:
    """Evicting by URL would miss it."""
    async with site(echo, EVERYTHING) as here:
        await here.get("/", [("host", "site.test:80")])
        assert (await here.get("/")).is_stored
        assert not (await here.get("/", [("host", "site.test:8080")])).is_stored
        await here.output.evict_url("http://site.test:80/")
        assert not (await here.get("/")).is_stored


@pytest.mark.parametrize(
    "lines", [["gzip", "gzip;q=0"], ["gzip;q=0", "gzip"], ["identity", "gzip;q=0, br;q=0"]]
)
async def test_07_lines_of_accept_encoding_are_one_value(lines: list[str]) -> None:
    """What one of them allows another may refuse: the application sees what the key says."""

    async def handler(exchange: Exchange) -> None:
        taken = exchange.header("accept-encoding") or ""
        await exchange.respond(f"{'gzip' in taken}", [("vary", "accept-encoding")])

    async with site(handler, EVERYTHING) as here:
        await here.get("/", [("accept-encoding", line) for line in lines])
        assert (await here.get("/", [("accept-encoding", "identity")])).body == b"False"
        assert (await here.get("/", [("accept-encoding", "gzip")])).body == b"True"
