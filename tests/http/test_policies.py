"""Policies: opt-in, laid over each other, by route or condition, with hooks."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asynccache import Cache
from asynccache.errors import ArgumentTypeError, InvalidArgument
from asynccache.http.cache import OutputCache
from asynccache.http.context import OutputCacheContext
from asynccache.http.decorator import output_cache
from asynccache.http.policy import OutputPolicy
from tests.http.site import Exchange, Site, site


async def counting(exchange: Exchange) -> None:
    """Respond with how often it was run."""
    await exchange.respond(f"{exchange.number}")


async def test_nothing_is_cached_that_no_policy_matches() -> None:
    """Not even what says that it may be."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond("x", [("cache-control", "public, max-age=60")])

    async with site(handler, OutputPolicy("/a", ttl=60)) as here:
        await here.get("/b")
        assert not (await here.get("/b")).is_stored


async def test_the_last_opinion_wins() -> None:
    """What one leaves open, those before it have said."""
    policies = [
        OutputPolicy(ttl=10, etag=True),
        OutputPolicy("/long/{path:path}", ttl=100),
        OutputPolicy("/long/never", enabled=False),
        OutputPolicy("/plain", etag=False),
    ]
    async with site(counting, *policies) as here:
        for url in ("/short", "/long/x", "/long/never", "/plain"):
            await here.get(url)
        here.advance(50)
        assert not (await here.get("/short")).is_stored
        assert (await here.get("/long/x")).is_stored
        assert (await here.get("/long/x"))["etag"] is not None
        assert not (await here.get("/long/never")).is_stored
        await here.get("/plain")
        assert (await here.get("/plain"))["etag"] is None


async def test_conditions_look_at_the_request() -> None:
    """They are asked each time."""
    policy = OutputPolicy(ttl=60, when=lambda scope: scope["query_string"] != b"debug")
    async with site(counting, policy) as here:
        await here.get("/")
        assert (await here.get("/")).is_stored
        await here.get("/?debug")
        assert not (await here.get("/?debug")).is_stored


@pytest.mark.parametrize(
    ("settings", "same", "other"),
    [
        ({"vary_by_query": ["page"]}, ("/?page=1&utm=a", "/?utm=b&page=1"), "/?page=2"),
        ({"vary_by_query": ["a", "b"]}, ("/?a=1&b=2", "/?b=2&a=1"), "/?a=2&b=1"),
        ({"vary_by_query": ["a"]}, ("/?a=x%20y", "/?%61=x+y"), "/?a=x&a=y"),
        ({"vary_by_query": []}, ("/?a=1", "/?a=2"), "/other"),
        ({"vary_by_route": ["id"], "path": "/{id}/{slug}"}, ("/1/a", "/1/b"), "/2/a"),
    ],
)
async def test_what_of_the_url_tells_responses_apart(
    settings: dict[str, Any], same: tuple[str, str], other: str
) -> None:
    """Only what the policy names."""
    async with site(counting, OutputPolicy(ttl=60, **settings)) as here:
        assert (await here.get(same[0])).body == (await here.get(same[1])).body
        assert (await here.get(same[0])).body != (await here.get(other)).body


async def test_cookies_and_functions_tell_responses_apart() -> None:
    """One cookie of several; whatever a function says of the scope."""
    policy = OutputPolicy(
        ttl=60, vary_by_cookie=["theme"], vary_by=lambda scope: scope["headers"][0][1]
    )
    async with site(counting, policy) as here:
        one = await here.get("/", [("cookie", "id=1; theme=dark")])
        assert (await here.get("/", [("cookie", "theme=dark; id=2")])).body == one.body
        assert (await here.get("/", [("cookie", "theme=light")])).body != one.body
        assert (await here.get("/")).body != one.body


async def test_hooks_are_called_in_order_and_may_refuse() -> None:
    """Before the lookup, before serving, before storing."""
    called: list[str] = []

    async def on_request(context: OutputCacheContext) -> None:
        called.append("request")
        context.lookup = context.scope["path"] != "/nolookup"
        context.vary_by("tenant", context.scope["path"])
        context.add_tags("hooked")

    def on_serve(context: OutputCacheContext) -> None:
        called.append("serve")
        assert context.response is not None
        context.lookup = context.age < 30

    def on_store(context: OutputCacheContext) -> None:
        called.append("store")
        assert context.response is not None
        context.storage = b"secret" not in context.response.body

    async def handler(exchange: Exchange) -> None:
        await exchange.respond("a secret" if exchange.path == "/secret" else "x")

    policy = OutputPolicy(ttl=60, on_request=on_request, on_serve=on_serve, on_store=on_store)
    async with site(handler, policy) as here:
        await here.get("/")
        await here.get("/")
        assert called == ["request", "store", "request", "serve"]
        here.advance(40)
        assert not (await here.get("/")).is_stored
        await here.get("/secret")
        assert not (await here.get("/secret")).is_stored
        for _ in range(2):
            assert not (await here.get("/nolookup")).is_stored
        await here.output.evict_tags("hooked")
        assert not (await here.get("/")).is_stored


async def test_a_store_hook_that_fails_costs_the_storage_only() -> None:
    """The client gets its response."""

    def on_store(context: OutputCacheContext) -> None:
        raise RuntimeError("broken hook")

    async with site(counting, OutputPolicy(ttl=60, on_store=on_store)) as here:
        assert (await here.get("/")).status == 200
        assert not (await here.get("/")).is_stored


async def test_a_handler_speaks_through_the_request() -> None:
    """Tags, a ttl, and no."""

    async def handler(exchange: Exchange) -> None:
        context = exchange.scope["state"]["output_cache"]
        context.add_tags("by handler")
        context.ttl = 5
        await exchange.start()
        await exchange.body(b"known", more=True)
        if exchange.path == "/no":
            context.no_store()
        await exchange.body()

    async with site(handler, OutputPolicy(ttl=60)) as here:
        await here.get("/")
        assert (await here.get("/")).is_stored
        await here.output.evict_tags("by handler")
        assert not (await here.get("/")).is_stored
        here.advance(6)
        assert not (await here.get("/")).is_stored
        await here.get("/no")
        assert not (await here.get("/no")).is_stored


async def test_tags_have_the_paths_parameters_in_them() -> None:
    """So that one product's pages can be evicted."""
    policy = OutputPolicy("/products/{id:int}", ttl=60, tags=["products", "product:{id}"])
    async with site(counting, policy) as here:
        for url in ("/products/1", "/products/2"):
            await here.get(url)
        await here.output.evict_tags("product:1")
        assert not (await here.get("/products/1")).is_stored
        assert (await here.get("/products/2")).is_stored


async def test_evictions() -> None:
    """By URL with all its variants, by tag, and everything."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond("x", [("vary", "accept")])

    async with site(handler, OutputPolicy(ttl=60, vary_by_cookie=["a"])) as here:

        async def stored(url: str) -> bool:
            asked = [("accept", "b"), ("cookie", "a=1")]
            for _ in range(3):
                await here.get(url, asked)
            return (await here.get(url, asked)).is_stored

        for url in ("/?a=1", "/b"):
            assert await stored(url)
        calls = here.calls
        await here.output.evict_url("http://SITE.test/?a=1")
        assert (await here.get("/b", [("accept", "b"), ("cookie", "a=1")])).is_stored
        assert here.calls == calls
        assert not (await here.get("/?a=1", [("accept", "b"), ("cookie", "a=1")])).is_stored
        await stored("/?a=1")
        await here.output.evict_all()
        assert not (await here.get("/b", [("accept", "b"), ("cookie", "a=1")])).is_stored
        for wrong in ("/relative", "ftp://site.test/", ""):
            with pytest.raises(InvalidArgument, match="url"):
                await here.output.evict_url(wrong)


async def test_endpoints_are_found_by_the_applications_routes() -> None:
    """A stored response is served without routing."""
    calls: list[str] = []

    @output_cache(ttl=60, tags=["thing:{id}"])
    async def thing(request: Request) -> PlainTextResponse:
        calls.append(request.path_params["id"])
        return PlainTextResponse("thing")

    @output_cache("short", vary_by_query=[])
    async def named(request: Request) -> PlainTextResponse:
        calls.append("named")
        return PlainTextResponse("named")

    async def plain(request: Request) -> PlainTextResponse:
        calls.append("plain")
        return PlainTextResponse("plain")

    app = Starlette(
        routes=[
            Route("/things/{id}", thing),
            Route("/plain", plain),
            Mount("/mounted", routes=[Route("/named", named)]),
        ]
    )
    async with Cache() as cache:
        output = OutputCache(cache, [OutputPolicy(name="short", ttl=5)])
        from asynccache.http.middleware import OutputCacheMiddleware  # noqa: PLC0415

        app.add_middleware(OutputCacheMiddleware, output=output)

        async def handler(exchange: Exchange) -> None:
            await app(exchange.scope, exchange.receive, exchange.send)

        here = Site(cache, handler)
        here.app = app  # type: ignore[assignment]
        for _ in range(2):
            for url in ("/things/1", "/things/2", "/plain", "/mounted/named?x"):
                assert (await here.get(url)).status == 200
        assert sorted(calls) == ["1", "2", "named", "plain", "plain"]
        await output.evict_tags("thing:1")
        await here.get("/things/1")
        await here.get("/things/2")
        assert calls.count("1") == 2
        assert calls.count("2") == 1


@pytest.mark.parametrize(
    ("settings", "argument"),
    [
        ({"path": "products"}, "path"),
        ({"path": "/{id}{id}"}, "path"),
        ({"ttl": 0}, "ttl"),
        ({"ttl": -1}, "ttl"),
        ({"heuristic": 2}, "heuristic"),
        ({"mode": "other"}, "mode"),
        ({"lock": "other"}, "lock"),
        ({"statuses": [99]}, "statuses"),
        ({"max_body_size": 0}, "max_body_size"),
        ({"vary_by_header": ["a b"]}, "vary_by_header"),
        ({"path": "/a", "vary_by_route": ["id"]}, "vary_by_route"),
        ({"tags": [""]}, "tags"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], argument: str) -> None:
    """The error says which argument it was."""
    with pytest.raises(InvalidArgument) as caught:
        OutputPolicy(**settings)
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("settings", "argument"),
    [
        ({"path": 1}, "path"),
        ({"etag": "yes"}, "etag"),
        ({"when": True}, "when"),
        ({"vary_by_query": "page"}, "vary_by_query"),
        ({"name": 1}, "name"),
    ],
)
def test_wrong_types_are_named(settings: dict[str, Any], argument: str) -> None:
    """Likewise."""
    with pytest.raises(ArgumentTypeError) as caught:
        OutputPolicy(**settings)
    assert caught.value.argument == argument


def test_decorators_need_parentheses() -> None:
    """Else the endpoint would be taken for the policy."""
    with pytest.raises(ArgumentTypeError, match="parentheses"):
        output_cache(counting)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="path"):
        output_cache(path="/x")
