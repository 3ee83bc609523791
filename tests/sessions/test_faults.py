"""Faults of the store and of the application, by the checklist's numbers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from asynccache import MemorySessionStore, SessionClosed, SessionManager, SessionMiddleware
from tests.sessions.site import KEY, Site, ask, cookie_of, sets_cookie
from tests.sessions.visits import begun, data, store_of
from tests.support.redis_server import RedisServer


@pytest.fixture
async def site(own_redis: RedisServer) -> AsyncIterator[Site]:
    """A site whose Redis may be tormented."""
    site = Site(redis=own_redis.url, io_timeout=0.5)
    yield site
    await store_of(site).close()


@pytest.mark.parametrize("fault", ["freeze", "kill"])
async def test_f1_f2_without_the_store(site: Site, own_redis: RedisServer, fault: str) -> None:
    cookie = await begun(site)
    (own_redis.pause if fault == "freeze" else own_redis.kill)()
    began = time.monotonic()

    responses = await asyncio.gather(
        ask(site, "/read", cookie), ask(site, "/set?b=1", cookie), ask(site, "/set?c=1")
    )

    assert time.monotonic() - began < 2.0
    for response in responses:
        assert response.status_code == 503
        assert response.headers["retry-after"].isdigit()
        assert not sets_cookie(response)
    assert (await ask(site, "/read")).status_code == 200
    assert (await ask(site, "/untouched")).status_code == 200
    assert (await ask(site, "/read", "garbage")).status_code == 200
    if fault == "freeze":
        own_redis.resume()
        async with asyncio.timeout(5):
            while (response := await ask(site, "/read", cookie)).status_code == 503:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert response.json()["a"] == "1"


async def test_f1_anonymous_by_option(own_redis: RedisServer) -> None:
    site = Site(redis=own_redis.url, io_timeout=0.3, on_store_error="anonymous")
    cookie = await begun(site)
    own_redis.pause()

    about = await ask(site, "/about", cookie)
    read, written = await ask(site, "/read", cookie), await ask(site, "/set?b=1", cookie)

    assert about.json()["available"] is False
    assert (read.status_code, read.json()) == (200, {})
    assert written.status_code == 503
    assert not any(map(sets_cookie, (about, read, written)))
    own_redis.resume()
    await store_of(site).close()


DAMAGE = [
    b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94",  # a pickle
    *(b"[" * 100_000, b"\xff\xfe", b"1e999", b"NaN", b"", b"{"),
]


@pytest.mark.parametrize("raw", DAMAGE, ids=range(len(DAMAGE)))
async def test_f5_damaged_values_are_absent_and_healed(redis_url: str, raw: bytes) -> None:
    site = Site(redis=redis_url)
    cookie = await begun(site)
    redis = Redis.from_url(redis_url)
    (key,) = await redis.keys("acs:s:*")
    await redis.hset(key, ".a", raw)

    assert await data(site, cookie) == {}
    healed = cookie_of(await ask(site, "/set?a=2", cookie))

    assert await data(site, healed) == {"a": "2"}
    assert "damaged" in site.events
    await redis.aclose()
    await store_of(site).close()


async def test_f5_another_type_or_half_a_record_is_absent(redis_url: str) -> None:
    site = Site(redis=redis_url)
    redis = Redis.from_url(redis_url)
    for torment in ("string", "half", "number"):
        cookie = await begun(site)
        key = (await redis.keys("acs:s:*"))[0]
        if torment == "string":
            await redis.set(key, "x")
        elif torment == "half":
            await redis.hdel(key, "c")
        else:
            await redis.hset(key, "a", "-1e9")
        assert await data(site, cookie) == {}
        healed = cookie_of(await ask(site, "/set?b=2", cookie))
        assert await data(site, healed) == {"b": "2"}
        await redis.flushdb()
    await redis.aclose()
    await store_of(site).close()


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/fail?status=500", "1"),
        ("/fail?status=503", "1"),
        ("/fail?status=404", "failed"),
        ("/raise", "raised"),
    ],
)
async def test_f6_what_a_status_saves(path: str, kept: str) -> None:
    site = Site(store=MemorySessionStore())
    cookie = await begun(site)

    await ask(site, path, cookie)

    assert await data(site, cookie) == {"a": kept}


async def test_f6_a_frozen_session_is_not_saved_late() -> None:
    site = Site(store=MemorySessionStore())
    cookie = await begun(site)

    await ask(site, "/background?status=500", cookie)

    assert await data(site, cookie) == {"a": "1"}


async def test_f6_a_logout_holds_whatever_comes_after() -> None:
    site = Site(store=MemorySessionStore())
    cookie = await begun(site)

    response = await ask(site, "/logout_then_fail", cookie)

    assert response.status_code == 500
    assert await data(site, cookie) == {}


@pytest.mark.parametrize("path", ["/odd", "/large"])
async def test_f8_what_cannot_be_kept_leaves_what_was(path: str) -> None:
    site = Site(store=MemorySessionStore())
    cookie = await begun(site)

    response = await ask(site, path, cookie)

    assert response.status_code == 500
    assert await data(site, cookie) == {"a": "1"}


async def test_f9_late_writes_of_a_session_are_saved() -> None:
    site = Site(store=MemorySessionStore())
    cookie = await begun(site)

    await ask(site, "/stream", cookie)
    await ask(site, "/background", cookie)

    assert await data(site, cookie) == {"a": "1", "streamed": True, "later": True}


async def test_f9_late_writes_without_a_session_are_refused() -> None:
    site = Site(store=MemorySessionStore())

    transport = httpx.ASGITransport(app=site.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://site.test") as client:
        with pytest.raises(SessionClosed):
            await client.get("/background")


async def test_f10_a_cancelled_request_writes_all_or_nothing(
    site: Site, own_redis: RedisServer
) -> None:
    cookie = await begun(site)
    for number in range(40):
        task = asyncio.create_task(ask(site, f"/set?x={number}&y={number}", cookie))
        for _ in range(number):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        found = await data(site, cookie)
        assert found.get("x") == found.get("y")
    for _ in range(20):
        mine, other = await begun(site, a="mine"), await begun(site, a="other")
        tasks = [asyncio.create_task(ask(site, "/read", mine)) for _ in range(5)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        assert await data(site, other) == {"a": "other"}
        for task in tasks[1:]:
            assert (await task).json() == {"a": "mine"}


async def test_f11_flushed_scripts_and_full_memory(site: Site, own_redis: RedisServer) -> None:
    cookie = await begun(site)
    redis = Redis.from_url(own_redis.url)
    await redis.script_flush()
    assert (await ask(site, "/set?a=2", cookie)).status_code == 200

    await redis.config_set("maxmemory", "1")
    read, written = await ask(site, "/read", cookie), await ask(site, "/set?a=3", cookie)
    await redis.config_set("maxmemory", "0")

    assert (read.status_code, read.json()) == (200, {"a": "2"})
    assert written.status_code == 503
    assert await data(site, cookie) == {"a": "2"}
    await redis.aclose()


async def test_nested_changes_are_seen_and_emptied_sessions_end() -> None:
    site = Site(store=MemorySessionStore())
    cookie = cookie_of(await ask(site, "/append?item=1"))

    await ask(site, "/nested", cookie)
    assert await data(site, cookie) == {"list": ["1", "nested"]}
    ended = await ask(site, "/clear", cookie)

    assert "Max-Age=0" in ended.headers["set-cookie"]
    assert await data(site, cookie) == {}


async def test_every_key_has_a_time_to_live(redis_url: str) -> None:
    site = Site(redis=redis_url, idle_timeout=60)
    cookie = cookie_of(await ask(site, "/login"))
    await ask(site, "/set?a=1", cookie)
    await ask(site, "/logout", cookie)
    await begun(site)
    redis = Redis.from_url(redis_url)

    lives = [await redis.pttl(key) async for key in redis.scan_iter()]

    assert len(lives) >= 2
    assert all(life > 0 for life in lives)
    await redis.aclose()
    await store_of(site).close()


def sockets(store: Any) -> Starlette:
    """Return an application with a WebSocket that does what it is told."""

    async def talk(socket: WebSocket) -> None:
        if "make" in socket.query_params:
            socket.session["made"] = 1
        await socket.accept()
        try:
            while (word := await socket.receive_text()) != "end":
                if word == "valid":
                    await socket.send_json(await socket.session.is_valid())  # type: ignore[attr-defined]
                elif word == "read":
                    await socket.send_json(dict(socket.session.items()))
                else:
                    socket.session[word] = 1
                    if word == "save":
                        await socket.session.save()  # type: ignore[attr-defined]
                    await socket.send_json("ok")
            await socket.close()
        except WebSocketDisconnect:
            pass

    app = Starlette(routes=[WebSocketRoute("/talk", talk)])
    app.add_middleware(SessionMiddleware, secret_key=KEY, store=store)
    return app


def test_w_websockets_load_save_and_notice_revocation() -> None:
    store = MemorySessionStore()
    client = TestClient(sockets(store))

    with client.websocket_connect("/talk?make=1") as socket:
        told: Any = socket.extra_headers  # its type says None
        headers: list[tuple[bytes, bytes]] = list(told)
        (line,) = [value for name, value in headers if name == b"set-cookie"]
        cookie = line.split(b";")[0].decode()
        place = next(iter(store._kept))
        socket.send_text("word")
        socket.receive_json()
        socket.send_text("end")
    with client.websocket_connect("/talk", headers={"cookie": cookie}) as socket:
        socket.send_text("read")
        assert socket.receive_json() == {"made": 1, "word": 1}
        socket.send_text("valid")
        assert socket.receive_json() is True
        asyncio.run(SessionManager(store=store).revoke(place))
        socket.send_text("valid")
        assert socket.receive_json() is False
        socket.send_text("end")


class _Down(MemorySessionStore):
    async def load(self, place: str) -> Any:
        await asyncio.sleep(0)
        raise TimeoutError


def test_w_a_websocket_is_told_to_come_back() -> None:
    client = TestClient(sockets(_Down()))

    with (
        pytest.raises(WebSocketDisconnect) as caught,
        client.websocket_connect("/talk", headers={"cookie": "session=" + "a" * 64}),
    ):
        pass

    assert caught.value.code == 1013


class _Unwritable(MemorySessionStore):
    async def create(self, *arguments: Any, **options: Any) -> Any:
        raise TimeoutError


async def test_w_a_denial_that_cannot_be_saved_is_a_close() -> None:
    async def deny(socket: WebSocket) -> None:
        socket.session["a"] = 1
        await socket.send_denial_response(PlainTextResponse("no", 403))

    app = Starlette(routes=[WebSocketRoute("/talk", deny)])
    app.add_middleware(SessionMiddleware, secret_key=KEY, store=_Unwritable())

    with (
        pytest.raises(WebSocketDisconnect) as caught,
        TestClient(app).websocket_connect("/talk"),
    ):
        pass

    assert caught.value.code == 1013
