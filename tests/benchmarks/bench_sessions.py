"""Sessions beside starsessions and Starlette's signed cookie: ``nox -s bench_sessions``.

One process asks applications that differ in their session middleware only, all at the same real
Redis. A figure is a rate, and what it is of the rate of Starlette's signed cookie in the same run;
beside it stand the commands that Redis was asked for each request.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware as SignedCookie
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starsessions import SessionAutoloadMiddleware, regenerate_session_id
from starsessions import SessionMiddleware as Starsessions
from starsessions.stores.redis import RedisStore

from asynccache import Session, SessionMiddleware
from tests.support.redis_server import RedisServer

KEY = "k" * 32
CALLERS = 32
SECONDS = 1.5
ROUNDS = 3

VALUES = {f"key{number}": f"value {number}" for number in range(8)}


async def untouched(request: Request) -> Response:
    """Do not look at the session."""
    return PlainTextResponse("")


async def read(request: Request) -> Response:
    """Look at the session."""
    return PlainTextResponse(str(request.session.get("key1")))


async def modify(request: Request) -> Response:
    """Change one value."""
    request.session["key2"] = str(time.monotonic())
    return PlainTextResponse("")


async def begin(request: Request) -> Response:
    """Begin a session."""
    request.session.update(VALUES)
    return PlainTextResponse("")


async def regenerate(request: Request) -> Response:
    """Replace the identifier."""
    session: Any = request.session
    if isinstance(session, Session):
        session.regenerate()
    elif "session_handler" in request.scope:
        regenerate_session_id(request)
    return PlainTextResponse("")


KINDS = {
    "no cookie": untouched,
    "untouched": untouched,
    "read": read,
    "modified": modify,
    "first write": begin,
}


@dataclass(frozen=True)
class Candidate:
    """An application with one of the middlewares."""

    name: str
    app: Starlette


def application() -> Starlette:
    """Return an application without sessions."""
    handlers: list[Callable[..., Any]] = [untouched, read, modify, begin, regenerate]
    return Starlette(routes=[Route(f"/{each.__name__}", each) for each in handlers])


def candidates(url: str) -> list[Candidate]:
    """Return what is compared; the first is what the others are measured by."""
    signed, ours, theirs = application(), application(), application()
    signed.add_middleware(SignedCookie, secret_key=KEY)
    ours.add_middleware(SessionMiddleware, secret_key=KEY, redis=url)
    theirs.add_middleware(SessionAutoloadMiddleware)
    theirs.add_middleware(
        Starsessions, store=RedisStore(connection=Redis.from_url(url)), cookie_https_only=False
    )
    return [
        Candidate("Starlette", signed),
        Candidate("asynccache", ours),
        Candidate("starsessions", theirs),
    ]


async def ask(app: Starlette, path: str, cookie: str | None) -> list[bytes]:
    """Send a request; return what cookies were set."""
    headers = [(b"host", b"site.test")]
    if cookie is not None:
        headers.append((b"cookie", cookie.encode()))
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "http",
        "root_path": "",
        "headers": headers,
        "server": ("site.test", 80),
        "client": ("127.0.0.1", 1),
    }
    cookies: list[bytes] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200, message
            cookies.extend(value for name, value in message["headers"] if name == b"set-cookie")

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    await app(scope, receive, send)
    return cookies


async def begun(app: Starlette) -> str:
    """Begin a session, and return its cookie as a browser sends it."""
    (line,) = await ask(app, "/begin", None)
    (morsel,) = SimpleCookie(line.decode()).values()
    return f"{morsel.key}={morsel.coded_value}"


async def rate(app: Starlette, kind: str, cookies: list[str]) -> float:
    """Return requests in a second of processor time and waiting."""
    path = f"/{KINDS[kind].__name__}"
    until = time.perf_counter() + SECONDS
    done = 0

    async def caller(cookie: str | None) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await ask(app, path, cookie)
            done += 1

    began = time.perf_counter()
    bare = kind in ("no cookie", "first write")
    await asyncio.gather(*(caller(None if bare else cookie) for cookie in cookies))
    return done / (time.perf_counter() - began)


async def commands(redis: Redis, app: Starlette, kind: str) -> float:
    """Return how many commands Redis is asked for one request."""
    cookie = None if kind in ("no cookie", "first write") else await begun(app)
    path = f"/{KINDS[kind].__name__}"
    await ask(app, path, cookie)
    before = (await redis.info("commandstats")).items()
    counted = {name: stat["calls"] for name, stat in before}
    for _ in range(20):
        await ask(app, path, cookie)
    after = await redis.info("commandstats")
    # What a script calls is counted too; the script is what was sent.
    scripts = {"cmdstat_evalsha", "cmdstat_eval"}
    inside = {"hmget", "hset", "hget", "hincrby", "hdel", "pexpire", "time", "exists"}
    sent = 0
    for name, stat in after.items():
        if name == "cmdstat_info" or (name[8:] in inside and scripts & set(after)):
            continue
        sent += stat["calls"] - counted.get(name, 0)
    return sent / 20


async def compare(url: str) -> None:
    """Measure and print."""
    redis = Redis.from_url(url)
    these = candidates(url)
    cookies = {each.name: [await begun(each.app) for _ in range(CALLERS)] for each in these}
    print(f"{'request':<14}" + "".join(f"{each.name:>34}" for each in these))
    for kind in KINDS:
        rates = {each.name: 0.0 for each in these}
        for _ in range(ROUNDS):
            for each in these:
                measured = await rate(each.app, kind, cookies[each.name])
                rates[each.name] = max(rates[each.name], measured)
        cells = []
        for each in these:
            await redis.config_resetstat()
            asked = await commands(redis, each.app, kind)
            share = rates[each.name] / rates[these[0].name]
            cells.append(f"{rates[each.name]:>10,.0f}/s {share:>5.2f}x {asked:>5.2f} commands")
        print(f"{kind:<14}" + "".join(f"{cell:>34}" for cell in cells))
    await redis.aclose()


def main() -> int:
    """Run the comparison at a Redis of its own."""
    with RedisServer() as server:
        asyncio.run(compare(server.url))
    return 0


if __name__ == "__main__":
    sys.exit(main())
