"""Everything at once: readers of several variants, writers, evictions, clients that go away.

What has to hold: nobody gets another variant's response, or two responses, or half of one; and once
an eviction has returned, no request that begins later in that process gets what was there before.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from asynccache import Cache
from asynccache.http.policy import OutputPolicy
from tests.http.site import Answer, Exchange, Site

PAGES = 3
LANGUAGES = ("de", "en", "fr")
SECONDS = 1.0

POLICIES = {
    "vary": OutputPolicy(ttl=0.05, stale_while_revalidate=0, tags=["all"]),
    "policy": OutputPolicy(ttl=60, tags=["all"], vary_by_header=["accept-language"]),
    "fleet": OutputPolicy(ttl=60, tags=["all"], lock="fleet", lock_timeout=0.2),
    "rfc": OutputPolicy(mode="rfc", tags=["all"]),
}


class Torment:
    """A source, some processes that serve it, and those who use and change it."""

    def __init__(self, seed: int, policy: str, caches: list[Cache]) -> None:
        self.chance = random.Random(seed)
        self.policy = policy
        self.source = Counter[str]()
        self.seen: dict[tuple[int, str], int] = {}
        self.wrong: list[str] = []
        self.answers = 0
        self.is_over = False
        self.stored = 0
        self.sites = [Site(cache, self.respond, [POLICIES[policy]]) for cache in caches]

    async def respond(self, exchange: Exchange) -> None:
        """Read the source, take some time, respond; or fail, or say that it is not to be stored."""
        page, language = exchange.path, exchange.header("accept-language")
        if exchange.scope["method"] != "GET":
            self.source[page] += 1
            return await exchange.respond("", status=204)
        version = self.source[page]
        await asyncio.sleep(self.chance.random() * 0.01)
        if self.chance.random() < 0.03:
            raise RuntimeError("broken")
        headers = [("cache-control", "max-age=1"), ("etag", f'"{version} {language}"')]
        if self.policy != "policy":
            headers.append(("vary", "accept-language"))
        if self.chance.random() < 0.05:
            headers = [("cache-control", "no-store")]
        await exchange.start(headers)
        await exchange.body(f"{page} {language} ".encode(), more=True)
        if self.chance.random() < 0.1:
            await asyncio.sleep(0.005)
        return await exchange.body(f"{version}".encode())

    async def read(self, number: int) -> None:
        """Ask for pages, and look at what comes."""
        site = self.sites[number % len(self.sites)]
        while not self.is_over:
            page = f"/{self.chance.randrange(PAGES)}"
            language = self.chance.choice(LANGUAGES)
            least = self.seen.get((id(site), page), 0)
            asking = asyncio.ensure_future(site.get(page, [("accept-language", language)]))
            if self.chance.random() < 0.2:
                await asyncio.sleep(self.chance.random() * 0.01)
                asking.cancel()
            await asyncio.wait([asking])
            if asking.cancelled():
                continue
            error = asking.exception()
            if error is None:
                self.check(asking.result(), page, language, least)
            elif not isinstance(error, RuntimeError):
                raise error
            await asyncio.sleep(0)

    def check(self, answer: Answer, page: str, language: str, least: int) -> None:
        """Note what is wrong with an answer."""
        kinds = [message["type"] for message in answer.messages]
        if kinds.count("http.response.start") != 1 or answer.messages[-1].get("more_body"):
            self.wrong.append(f"messages: {kinds}")
            return
        self.answers += 1
        self.stored += answer.is_stored
        got_page, got_language, version = answer.body.decode().split()
        if (got_page, got_language) != (page, language):
            self.wrong.append(f"{page} {language} got {answer.body!r}")
        if int(version) < least:
            self.wrong.append(f"{page}: version {version} after {least} was evicted")

    async def write(self) -> None:
        """Change the source, evict what was made of it, and note from when on it has to be new."""
        while not self.is_over:
            await asyncio.sleep(self.chance.random() * 0.05)
            site = self.chance.choice(self.sites)
            page = f"/{self.chance.randrange(PAGES)}"
            how = self.chance.choice(["unsafe", "url", "tag"])
            if how == "unsafe":
                await site.get(page, method="POST")
            else:
                self.source[page] += 1
            version = self.source[page]
            if how == "url":
                await site.output.evict_url(f"http://site.test{page}")
            elif how == "tag":
                await site.output.evict_tags("all")
            key = (id(site), page)
            self.seen[key] = max(self.seen.get(key, 0), version)

    async def run(self) -> None:
        """Let all of them run for a while; then look at what is left."""
        everybody: list[asyncio.Task[Any]] = [
            asyncio.create_task(self.read(number)) for number in range(12)
        ]
        everybody.append(asyncio.create_task(self.write()))
        await asyncio.sleep(SECONDS)
        self.is_over = True
        async with asyncio.timeout(10):
            await asyncio.gather(*everybody)
        await asyncio.sleep(0.3)
        for site in self.sites:
            assert not site.output.leading
            for page in range(PAGES):
                for language in LANGUAGES:
                    asked = [("accept-language", language)]
                    answer = await self.until_served(site, f"/{page}", asked)
                    self.check(answer, f"/{page}", language, self.source[f"/{page}"])

    async def until_served(self, site: Site, url: str, asked: list[tuple[str, str]]) -> Answer:
        """Ask until the application does not fail."""
        while True:
            try:
                return await site.get(url, asked)
            except RuntimeError:
                continue


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seed", [1])
async def test_in_one_process(policy: str, seed: int) -> None:
    """With memory alone."""
    before = asyncio.all_tasks()
    async with Cache() as cache:
        torment = Torment(seed, policy, [cache])
        await torment.run()
    assert torment.wrong == []
    assert torment.answers > 200
    assert torment.stored > 50
    assert asyncio.all_tasks() == before


@pytest.mark.integration
@pytest.mark.parametrize("policy", POLICIES)
async def test_in_two_processes(redis_url: str, policy: str) -> None:
    """With Redis between them; what one has evicted the other may serve for a moment."""
    async with (
        Cache(redis_url, max_staleness=0.4) as one,
        Cache(redis_url, max_staleness=0.4) as two,
    ):
        torment = Torment(3, policy, [one, two])
        await torment.run()
    assert torment.wrong == []
    assert torment.stored > 50
