"""The demo's visitors against servers whose faults are known: what they must notice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from asynccache.demo.errors import DemoProblem
from asynccache.demo.load import measure
from asynccache.demo.plan import Plan, action_at
from tests.support.ports import free_port

pytestmark = pytest.mark.integration

PLAN = Plan(connections=4, products=50, categories=5, skew=1.0, seed=1, warmup=0.1, seconds=0.4)


@dataclass
class Shop:
    """A shop of version numbers, with a fault."""

    fault: str = ""
    versions: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    async def stats(self, session: aiohttp.ClientSession) -> Mapping[str, Any]:
        """Return the figures of a worker without a cache."""
        async with session.get(f"{self.url}/stats") as response:
            response.raise_for_status()
        return {"database_queries": len(self.asked), "cache": None}

    async def get(self, request: web.Request) -> web.Response:
        """Show a product, or whatever else was asked for."""
        self.asked.append(request.path)
        refused = {"broken": "/categories", "refuses": "/"}.get(self.fault)
        if refused and request.path.startswith(refused) and request.path != "/stats":
            raise web.HTTPServiceUnavailable
        if self.fault == "dies" and len(self.asked) > 50:
            assert request.transport is not None
            request.transport.abort()
        version = self.versions.get(request.match_info.get("id", ""), 1)
        return web.json_response({"version": 1 if self.fault == "stale" else version})

    async def put(self, request: web.Request) -> web.Response:
        """Change a price."""
        self.asked.append(request.path)
        if self.fault == "refuses":
            raise web.HTTPServiceUnavailable
        product = request.match_info["id"]
        self.versions[product] = self.versions.get(product, 1) + 1
        return web.json_response({"id": int(product), "version": self.versions[product]})


@asynccontextmanager
async def serving(fault: str = "") -> AsyncIterator[Shop]:
    """Serve a shop on a free port."""
    shop = Shop(fault)
    app = web.Application()
    app.router.add_get("/products/{id}", shop.get)
    app.router.add_get("/{anything:.*}", shop.get)
    app.router.add_put("/products/{id}/price", shop.put)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    shop.url = f"http://127.0.0.1:{port}"
    try:
        yield shop
    finally:
        await runner.cleanup()


def ignore(passed: float, rate: float) -> None:
    """Show no progress."""


async def test_an_honest_shop_passes() -> None:
    """Every change is checked, nothing is stale, nothing failed, and all answers are timed."""
    async with serving() as shop:
        measured = await measure([shop], PLAN, ignore)
    assert measured.consistency.own_checked > 0
    assert measured.consistency.violations == 0
    assert not measured.failures
    assert measured.consistency.own_checked == sum(shop.versions.values()) - len(shop.versions)
    assert measured.latencies == sorted(measured.latencies)
    assert 0 < len(measured.latencies) <= len(shop.asked)
    assert measured.rate == pytest.approx(len(measured.latencies) / measured.seconds)
    assert measured.seconds == pytest.approx(PLAN.seconds, abs=0.3)


async def test_a_stale_shop_is_caught() -> None:
    """A shop that goes on showing the first version is found out at the first change."""
    async with serving("stale") as shop:
        measured = await measure([shop], PLAN, ignore)
    assert measured.consistency.own_stale == measured.consistency.own_checked > 0
    assert "then read version 1" in measured.consistency.examples[0]


async def test_a_change_is_looked_for_at_the_other_worker() -> None:
    """With two workers a change made at one is followed to the other until it is seen there."""
    async with serving() as shop:
        other = Shop(versions=shop.versions, url=shop.url)
        measured = await measure([shop, other], PLAN, ignore)
    assert 0 < measured.consistency.others_checked == len(measured.consistency.delays)
    assert measured.consistency.violations == 0
    assert max(measured.consistency.delays) < 1


async def test_failed_requests_are_counted_by_reason() -> None:
    """An error is a failure, not a fast answer."""
    async with serving("broken") as shop:
        measured = await measure([shop], PLAN, ignore)
    assert list(measured.failures) == ["HTTP 503"]
    assert measured.failures["HTTP 503"] > 0


async def test_a_dead_shop_ends_the_demo() -> None:
    """A worker that stops answering is a problem told in words, and no task is left behind."""
    async with serving("dies") as shop:
        with pytest.raises(DemoProblem, match="a worker stopped answering"):
            await measure([shop], PLAN, ignore)


async def test_a_shop_that_answers_nothing_is_told() -> None:
    """Without one good answer there is nothing to measure, and no table of zeros."""
    async with serving("refuses") as shop:
        with pytest.raises(DemoProblem, match=r"no request was answered in 0.4 s .*HTTP 503"):
            await measure([shop], PLAN, ignore)


async def test_the_same_seed_makes_the_same_visitor() -> None:
    """One visitor asks for the same pages in the same order, and with another seed for others."""
    asked = []
    for seed in (1, 1, 2):
        async with serving() as shop:
            await measure([shop], replace(PLAN, connections=1, seed=seed), ignore)
        asked.append([path for path in shop.asked if path != "/stats"][:50])
    assert len(asked[0]) == 50
    assert asked[0] == asked[1] != asked[2]


@pytest.mark.parametrize(
    ("point", "action"),
    [
        (0.0, "write"),
        (0.0099, "write"),
        (0.01, "category"),
        (0.2099, "category"),
        (0.2101, "bestsellers"),
        (0.4101, "product"),
        (0.9999, "product"),
    ],
)
def test_visitors_share_their_interests(point: float, action: str) -> None:
    """One request in a hundred is a write, a fifth are categories, a fifth bestsellers."""
    assert action_at(point) == action
