"""The whole demo: seed, measure without the cache, measure with it, tell."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from redis.exceptions import RedisError
from rich.console import Console

from asynccache.demo.errors import DemoProblem
from asynccache.demo.load import measure
from asynccache.demo.locate import Shop, locate_shop
from asynccache.demo.measurement import Measurement
from asynccache.demo.plan import BESTSELLERS, CATEGORIES, PRODUCTS, WRITES, Plan
from asynccache.demo.progress import Stages
from asynccache.demo.redis_server import place, remove_namespace, require_redis
from asynccache.demo.report import show
from asynccache.demo.server import Worker, last_lines, require_free, running_workers

SETTLING = 1.0
"""Seconds of load before the run without a cache is measured: connections open, nothing fills."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user asked for.

    Attributes:
        redis: The URL of the Redis to share, or None for a cache in memory alone.
        workers: How many processes serve the shop.
        serve: Whether to keep the shop up after the table.
        host: The address to serve at.
        port: The first worker's port when the shop is kept up.
        seconds: How long each of the two runs is measured.
        warmup: How long the cache, which begins empty, is under load before that.
        connections: How many visitors there are at a time.
        products: How many products the shop has.
        skew: The exponent of Zipf's law.
        seed: The same seed makes the same visitors.
    """

    redis: str | None
    workers: int
    serve: bool
    host: str
    port: int
    seconds: float
    warmup: float
    connections: int
    products: int
    skew: float
    seed: int


class Demo:
    """One run of the demo.

    Args:
        options: What the user asked for.
        console: Where to show it.
    """

    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._console = console
        self._stages = Stages(console)

    async def run(self) -> bool:
        """Run everything; return whether nothing failed and nothing was stale.

        Raises:
            DemoProblem: The demo cannot run here.
        """
        options = self._options
        shop = locate_shop()
        ports = await self._ports()
        free = [0] * options.workers
        self._console.print(self._title(), soft_wrap=True, highlight=False)
        self._console.print()
        original = await self._seeded(shop)
        with tempfile.TemporaryDirectory(prefix="asynccache-demo-") as name:
            folder = Path(name)
            # Each run gets its own copy: both begin with the same prices.
            for run in ("without", "with"):
                await asyncio.to_thread(shutil.copyfile, original, folder / run)
            settings = {"ASYNCCACHE_URL": "off", "SHOP_DATABASE": str(folder / "without")}
            async with running_workers(shop, settings, options.host, free) as workers:
                without = await self._measured(
                    "without cache", shop, workers, min(SETTLING, options.warmup)
                )
            async with self._cache_settings() as settings:
                settings["SHOP_DATABASE"] = str(folder / "with")
                async with running_workers(shop, settings, options.host, ports) as workers:
                    cached = await self._measured("with cache", shop, workers, options.warmup)
                    self._console.print()
                    show(self._console, without, cached, redis=options.redis is not None)
                    if options.serve:
                        await self._serve(workers)
        self._console.print(self._next(), soft_wrap=True, highlight=False)
        return all(not run.failures and not run.consistency.violations for run in (without, cached))

    async def _ports(self) -> list[int]:
        options = self._options
        if options.redis is not None:
            await require_redis(options.redis)
        elif options.workers > 1:
            raise DemoProblem(
                f"{options.workers} workers are {options.workers} processes: they need Redis to "
                "share what is cached and to tell each other what changed; "
                "add --redis redis://127.0.0.1:6379/0"
            )
        if not options.serve:
            return [0] * options.workers
        ports = list(range(options.port, options.port + options.workers))
        require_free(options.host, ports)
        return ports

    def _title(self) -> str:
        options = self._options
        workers = "1 worker" if options.workers == 1 else f"{options.workers} workers"
        cache = "memory" if options.redis is None else f"memory and {place(options.redis)}"
        return (
            f"[bold]asynccache demo[/bold]: a FastAPI shop, {options.products:,} products in "
            "SQLite, without a cache and with it\n"
            f"{workers}, {options.connections} visitors at a time, cache in {cache}; each run "
            f"measured for {options.seconds:g} s after a warm-up\n"
            f"{PRODUCTS:.0%} products and {CATEGORIES:.0%} categories by Zipf's law (exponent "
            f"{options.skew:g}), {BESTSELLERS:.0%} bestsellers, {WRITES:.0%} price changes"
        )

    async def _seeded(self, shop: Shop) -> Path:
        seeding = shop.module("seeding")
        products = self._options.products
        # Nobody opens this file, it is only copied; so it is the same each time.
        path: Path = seeding.default_path().with_name(
            f"demo-{seeding.DATA_VERSION}-{products}.sqlite3"
        )
        with self._stages.stage("seed", 1.0) as advance:

            def progress(done: int, total: int) -> None:
                advance(done / total, f"{done:,} of {total:,} rows")

            if not await asyncio.to_thread(seeding.seed, path, products, progress):
                advance(1.0, "the database of an earlier run")
        return path

    @asynccontextmanager
    async def _cache_settings(self) -> AsyncIterator[dict[str, str]]:
        redis = self._options.redis
        if redis is None:
            yield {"ASYNCCACHE_URL": "memory://"}
            return
        # A prefix of its own, so that the cache begins empty and nobody's keys are touched.
        namespace = f"demo-{secrets.token_hex(4)}"
        try:
            yield {"ASYNCCACHE_URL": redis, "ASYNCCACHE_NAMESPACE": namespace}
        finally:
            # Where Redis has gone meanwhile, its keys go at the end of their ttl.
            with suppress(RedisError, OSError):
                await remove_namespace(redis, namespace)

    async def _measured(
        self, label: str, shop: Shop, workers: list[Worker], warmup: float
    ) -> Measurement:
        options = self._options
        plan = Plan(
            connections=options.connections,
            products=options.products,
            categories=shop.module("seeding").CATEGORIES,
            skew=options.skew,
            seed=options.seed,
            warmup=warmup,
            seconds=options.seconds,
        )
        with self._stages.stage(label, plan.warmup + plan.seconds) as advance:

            def report(passed: float, rate: float) -> None:
                phase = "warming up, " if passed <= plan.warmup else ""
                advance(passed, f"{phase}{rate:,.0f} requests/s")

            measured = await measure(workers, plan, report)
            advance(plan.warmup + plan.seconds, f"{measured.rate:,.0f} requests/s")
        if measured.failures:
            for worker in workers:
                for line in last_lines(worker.errors, 3):
                    self._console.print(f"a worker said: {line}", soft_wrap=True, markup=False)
        return measured

    async def _serve(self, workers: list[Worker]) -> None:
        url = workers[0].url
        self._console.print()
        self._console.print(
            f"The shop stays up at {' and '.join(worker.url for worker in workers)} until Ctrl-C:",
            f"  curl -s {url}/products/42",
            f"  curl -s -X PUT {url}/products/42/price -H 'Content-Type: application/json' "
            "-d '{\"price_cents\": 1999}'",
            f"  curl -s {url}/stats",
            sep="\n",
            soft_wrap=True,
            highlight=False,
        )
        exits = [asyncio.create_task(worker.process.wait()) for worker in workers]
        try:
            await asyncio.wait(exits, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            # Ctrl-C is how this is meant to end: the demo succeeded, and says so.
            self._console.print()
            return
        finally:
            for task in exits:
                task.cancel()
        raise DemoProblem("a worker of the shop ended by itself")

    def _next(self) -> str:
        if self._options.redis is None:
            return (
                "Try next: asynccache demo --redis redis://127.0.0.1:6379/0 --workers 2\n"
                "          (two processes that invalidate each other), or --serve to play with it"
            )
        return "Try next: --serve, then change a price at one worker and read it at the other"
