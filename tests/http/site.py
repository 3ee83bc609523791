"""A site behind an output cache, asked as a server would ask it: by ASGI messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from asynccache import Cache
from asynccache.clock import ManualClock
from asynccache.http.cache import OutputCache
from asynccache.http.middleware import OutputCacheMiddleware
from asynccache.http.policy import OutputPolicy

Pairs = Iterable[tuple[str, str]]
Handler = Callable[["Exchange"], Awaitable[None]]

START_OF_TIME = 1_700_000_000.0
"""What the wall says at the beginning: 14 November 2023, 22:13:20."""


@dataclass
class Answer:
    """What a client got.

    Attributes:
        status: The status code; 0: none came.
        headers: The fields.
        body: The content.
        messages: All messages, as they came.
    """

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __getitem__(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None

    @property
    def is_stored(self) -> bool:
        """It came out of the cache."""
        return self["age"] is not None


@dataclass
class Exchange:
    """One request, as the application under test sees it."""

    scope: dict[str, Any]
    receive: Any
    send: Any
    number: int

    @property
    def path(self) -> str:
        """The request's path."""
        path: str = self.scope["path"]
        return path

    def header(self, name: str) -> str | None:
        """Return a field of the request."""
        values = [v.decode("latin-1") for k, v in self.scope["headers"] if k == name.encode()]
        return ", ".join(values) if values else None

    async def start(self, headers: Pairs = (), status: int = 200, **more: Any) -> None:
        """Send the start of the response."""
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        await self.send({"type": "http.response.start", "status": status, "headers": raw, **more})

    async def body(self, body: bytes = b"", *, more: bool = False) -> None:
        """Send content."""
        await self.send({"type": "http.response.body", "body": body, "more_body": more})

    async def respond(self, body: str | bytes = "", headers: Pairs = (), status: int = 200) -> None:
        """Send the whole response."""
        content = body.encode() if isinstance(body, str) else body
        await self.start([("content-type", "text/plain"), *headers], status)
        await self.body(content)


class Site:
    """The site.

    Args:
        cache: Where responses are stored.
        handler: The application.
        policies: The output cache's.
        **options: Its other settings.

    Attributes:
        calls: How often the application was run.
        clock: The cache's clock; `advance` moves it and the wall together.
    """

    def __init__(
        self,
        cache: Cache,
        handler: Handler,
        policies: Iterable[OutputPolicy] = (),
        **options: Any,
    ) -> None:
        self.calls = 0
        self.cache = cache
        self.handler = handler
        self.wall = START_OF_TIME
        self.output = OutputCache(cache, policies, wall=lambda: self.wall, **options)
        self.app = OutputCacheMiddleware(self._run, output=self.output)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        clock = self.cache.clock
        assert isinstance(clock, ManualClock)
        clock.advance(seconds)
        self.wall += seconds

    async def _run(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls += 1
        await self.handler(Exchange(scope, receive, send, self.calls))

    def scope(
        self, url: str = "/", headers: Pairs = (), method: str = "GET", **more: Any
    ) -> dict[str, Any]:
        """Return the scope of a request."""
        path, _, query = url.partition("?")
        names = {name.lower() for name, _ in headers}
        fields = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
        if "host" not in names:
            fields.insert(0, (b"host", b"site.test"))
        return {
            "type": "http",
            "method": method,
            "scheme": "http",
            "http_version": "1.1",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": fields,
            "server": ("site.test", 80),
            "client": ("127.0.0.1", 1234),
            "extensions": {},
            **more,
        }

    async def get(
        self,
        url: str = "/",
        headers: Pairs = (),
        method: str = "GET",
        *,
        content: bytes = b"",
        **more: Any,
    ) -> Answer:
        """Ask for something, and return all of the answer."""
        answer = Answer()
        asked = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if asked.is_set():
                await asyncio.get_running_loop().create_future()
            asked.set()
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            answer.messages.append(dict(message))
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [
                    (name.decode(), value.decode("latin-1")) for name, value in message["headers"]
                ]
            elif message["type"] == "http.response.body":
                answer.body += message.get("body", b"")

        await self.app(self.scope(url, headers, method, **more), receive, send)
        return answer


@asynccontextmanager
async def site(
    handler: Handler,
    *policies: OutputPolicy,
    url: str = "memory://",
    shutdown_timeout: float = 5.0,
    **options: Any,
) -> AsyncIterator[Site]:
    """Run a site with a cache of its own whose clock stands still.

    Args:
        handler: The application.
        *policies: The output cache's.
        url: The cache's.
        shutdown_timeout: The cache's.
        **options: The output cache's other settings.
    """
    async with Cache(url, clock=ManualClock(), shutdown_timeout=shutdown_timeout) as cache:
        yield Site(cache, handler, policies, **options)
