"""A newspaper behind the output cache: ``uvicorn --factory examples.newspaper.app:create_app``.

Every kind of caching that an HTTP response can ask for, to be tried with a browser and with curl;
README.md says how.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from asynccache import (
    Cache,
    OutputCache,
    OutputCacheContext,
    OutputCacheMiddleware,
    OutputPolicy,
    get_output_cache,
    output_cache,
)

PAGE = """<!doctype html><title>{title}</title><h1>{title}</h1><p>{text}</p>
<p>Made at {now}. <a href="/">Front page</a></p>"""

Output = Annotated[OutputCacheContext, Depends(get_output_cache)]


def create_app(url: str | None = None) -> FastAPI:
    """Build the newspaper.

    Args:
        url: The cache's; None: what ``NEWSPAPER_CACHE`` says, else memory alone.
    """
    cache = Cache(url or os.environ.get("NEWSPAPER_CACHE", "memory://"))
    output = OutputCache(
        cache,
        [
            OutputPolicy(ttl=10, stale_if_error=600, etag=True),
            OutputPolicy("/articles/{article}", ttl=60, tags=["article:{article}"]),
            OutputPolicy("/archive/{path:path}", mode="rfc", etag=True),
            OutputPolicy("/account", enabled=False),
        ],
        cache_status=True,
    )
    app = FastAPI(title="Newspaper", lifespan=cache.lifespan)
    app.add_middleware(OutputCacheMiddleware, output=output)
    add_articles(app, output)
    add_weather(app)

    @app.get("/archive/{year}")
    async def archive(year: int) -> PlainTextResponse:
        """Its own header decides: ten seconds, then validated."""
        headers = {"cache-control": "max-age=10", "last-modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
        return PlainTextResponse(f"All of {year}. " * 100, headers=headers)

    @app.get("/account")
    async def account() -> PlainTextResponse:
        """Never cached: a policy says so, and so does its header."""
        return PlainTextResponse(now(), headers={"cache-control": "private"})

    @app.get("/statistics")
    @output_cache(enabled=False)
    async def statistics() -> dict[str, int]:
        """What the output cache has done."""
        return output.statistics()

    return app


def add_articles(app: FastAPI, output: OutputCache) -> None:
    """Add the front page, and articles that can be written."""
    articles = {"1": "Cache is king"}

    @app.get("/")
    @output_cache(ttl=5, stale_while_revalidate=60)
    async def front(output: Output) -> HTMLResponse:
        """Stale for a minute rather than slow: refreshed in the background."""
        output.add_tags("articles")
        await asyncio.sleep(0.5)
        links = "".join(
            f'<li><a href="/articles/{key}">{text}</a>' for key, text in articles.items()
        )
        return page("Front page", f"<ul>{links}</ul>")

    @app.get("/articles/{article}")
    async def read(article: str, accept_language: Annotated[str, Header()] = "en") -> HTMLResponse:
        """Varies by language; a minute."""
        if article not in articles:
            raise HTTPException(404)
        answer = page(articles[article], f"In {accept_language}.")
        answer.headers["vary"] = "accept-language"
        return answer

    @app.put("/articles/{article}")
    async def write(article: str, request: Request) -> Response:
        """Invalidates the article's own page; the front page by its tag."""
        articles[article] = (await request.body()).decode()
        await output.evict_tags("articles")
        return Response(status_code=204)


def add_weather(app: FastAPI) -> None:
    """Add a page that can be broken."""
    broken = {"now": False}

    @app.get("/weather")
    async def weather() -> PlainTextResponse:
        """Fails when asked to; ten minutes of stale answers hide it."""
        if broken["now"]:
            raise RuntimeError("the weather service does not answer")
        return PlainTextResponse(f"Rain, as of {now()}")

    @app.post("/weather/{state}")
    async def switch(state: str) -> dict[str, bool]:
        """Break the weather, or repair it."""
        broken["now"] = state == "broken"
        return broken


def page(title: str, text: str) -> HTMLResponse:
    """Return a page."""
    return HTMLResponse(PAGE.format(title=title, text=text, now=now()))


def now() -> str:
    """Return the time, so that one sees what was made when."""
    return datetime.now(UTC).strftime("%H:%M:%S")
