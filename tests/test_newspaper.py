"""The example of the output cache does what its README says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from examples.newspaper.app import create_app


@asynccontextmanager
async def newspaper() -> AsyncIterator[httpx.AsyncClient]:
    """Serve the example."""
    app = create_app("memory://")
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://paper.test") as client:
            yield client


async def test_each_row_of_the_readme() -> None:
    """Hits, variants, conditions, parts, evictions, and what is never cached."""
    async with newspaper() as client:
        for url in ("/", "/articles/1", "/archive/2024", "/weather"):
            first, second = await client.get(url), await client.get(url)
            assert "stored" in first.headers["cache-status"], url
            assert "hit" in second.headers["cache-status"], url
            assert first.content == second.content
        german = await client.get("/articles/1", headers={"accept-language": "de"})
        assert "In de" in german.text
        etag = (await client.get("/articles/1")).headers["etag"]
        again = await client.get("/articles/1", headers={"if-none-match": etag})
        assert again.status_code == 304
        part = await client.get("/archive/2024", headers={"range": "bytes=0-9"})
        assert (part.status_code, part.text) == (206, "All of 202")
        for url in ("/account", "/statistics", "/articles/none"):
            for _ in range(2):
                assert "hit;" not in (await client.get(url)).headers.get("cache-status", "")

        assert (await client.put("/articles/1", content=b"New")).status_code == 204
        for language in ("en", "de"):
            answer = await client.get("/articles/1", headers={"accept-language": language})
            assert "<h1>New</h1>" in answer.text
        assert "New" in (await client.get("/")).text
