"""A reverse proxy with our output cache in front of it, for suites that test shared caches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from asynccache import Cache
from asynccache.http.middleware import OutputCacheMiddleware
from asynccache.http.policy import OutputPolicy

_OF_ONE_CONNECTION = frozenset({
    *(b"connection", b"keep-alive", b"transfer-encoding", b"te", b"upgrade", b"date", b"server"),
})  # fmt: skip


class Proxy:
    """Forwards requests to an origin, byte for byte.

    Args:
        origin: Its URL, without a path.
    """

    def __init__(self, origin: str) -> None:
        self._origin = origin
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._client = httpx.AsyncClient(timeout=10, limits=limits)
        self._client.headers.clear()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Forward a request."""
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        query = scope["query_string"]
        url = self._origin + scope["raw_path"].decode() + (f"?{query.decode()}" if query else "")
        headers = [field for field in scope["headers"] if field[0] not in {b"host", b"connection"}]
        request = self._client.build_request(scope["method"], url, content=body or None)
        request.headers = httpx.Headers([*headers, (b"host", request.url.netloc)])
        if body and b"content-length" not in dict(headers):
            request.headers["content-length"] = str(len(body))
        response = await self._client.send(request, stream=True)
        try:
            kept = [
                (name.lower(), value)
                for name, value in response.headers.raw
                if name.lower() not in _OF_ONE_CONNECTION - {b"date", b"connection"}
            ]
            await send(
                {"type": "http.response.start", "status": response.status_code, "headers": kept}
            )
            async for chunk in response.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        finally:
            await response.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def make_app(origin: str, url: str, **policy: Any) -> Any:
    """Return the proxy behind an output cache in RFC mode.

    Args:
        origin: The origin's URL, without a path.
        url: The cache's.
        **policy: Settings of the policy.
    """
    cache = Cache(url)
    app = OutputCacheMiddleware(
        Proxy(origin),
        cache=cache,
        policies=[OutputPolicy(mode="rfc", heuristic=0.1, **policy)],
        cache_status=True,
        targets=["surrogate-control"],
        hit_for_miss=0,
    )

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with cache:
            yield

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            return await app(scope, receive, send)
        await receive()
        async with lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return None

    return application
