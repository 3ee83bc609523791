"""The visitors: real HTTP requests, many at a time, measured and checked."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, Protocol

import aiohttp

from asynccache.demo.consistency import Consistency
from asynccache.demo.errors import DemoProblem
from asynccache.demo.measurement import Figures, Measurement
from asynccache.demo.plan import Plan, action_at
from asynccache.demo.zipf import Popularity

REQUEST_TIMEOUT = 15.0
"""Seconds; a shop that needs longer has lost its visitor, and the request counts as failed."""

FOLLOWERS = 8
"""Writes followed to the other workers at a time: enough to catch any fault, too few to be load."""

Report = Callable[[float, float], None]
"""Called with the seconds that have passed and the present requests a second."""


class Served(Protocol):
    """A worker as a visitor knows it."""

    @property
    def url(self) -> str:
        """Where it answers."""
        ...

    async def stats(self, session: aiohttp.ClientSession) -> Mapping[str, Any]:
        """Return what it says about itself."""
        ...


async def measure(workers: Sequence[Served], plan: Plan, report: Report) -> Measurement:
    """Put the planned load on the workers and measure it.

    Raises:
        DemoProblem: A worker does not answer, or no request was answered in time.
    """
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        crowd = Crowd(session, workers, plan)
        async with crowd:
            await crowd.observe(plan.warmup, 0.0, report)
            before, started = await crowd.figures(), time.perf_counter()
            crowd.latencies = []
            await crowd.observe(plan.seconds, plan.warmup, report)
            after, ended = await crowd.figures(), time.perf_counter()
            latencies, crowd.latencies = crowd.latencies, []
    if not latencies:
        raise DemoProblem(
            f"no request was answered in {plan.seconds:g} s (failures: {dict(crowd.failures)}); "
            "try a longer --seconds"
        )
    return Measurement(
        ended - started, sorted(latencies), crowd.failures, after.since(before), crowd.consistency
    )


class Crowd:
    """Visitors with their wishes, and what they went through."""

    def __init__(
        self, session: aiohttp.ClientSession, workers: Sequence[Served], plan: Plan
    ) -> None:
        self.latencies: list[float] = []
        self.failures: Counter[str] = Counter()
        self.consistency = Consistency()
        self._session = session
        self._workers = workers
        self._plan = plan
        self._products = Popularity(plan.products, plan.skew, plan.seed)
        self._categories = Popularity(plan.categories, plan.skew, plan.seed)
        self._following = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = True

    async def __aenter__(self) -> Crowd:
        for number in range(self._plan.connections):
            self._tasks.add(asyncio.create_task(self._visit(number)))
        return self

    async def __aexit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self._open = False
        if failure is not None:
            for task in self._tasks:
                task.cancel()
        # Otherwise each finishes the request that is under way; a bug in here comes out now.
        await asyncio.gather(*self._tasks, return_exceptions=failure is not None)

    async def figures(self) -> Figures:
        """Ask all workers for their counters at one moment.

        Raises:
            DemoProblem: A worker does not answer any more.
        """
        try:
            return Figures.summed(
                await asyncio.gather(*(worker.stats(self._session) for worker in self._workers))
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DemoProblem(
                f"a worker stopped answering ({type(error).__name__}) after these failures: "
                f"{dict(self.failures)}"
            ) from None

    async def observe(self, seconds: float, passed: float, report: Report) -> None:
        """Wait, and report four times a second."""
        started = time.perf_counter()
        while (elapsed := time.perf_counter() - started) < seconds:
            answered = len(self.latencies)
            pause = min(0.25, seconds - elapsed)
            await asyncio.sleep(pause)
            report(passed + elapsed + pause, (len(self.latencies) - answered) / pause)

    async def _visit(self, number: int) -> None:
        chance = random.Random(f"{self._plan.seed}/{number}")  # noqa: S311  to repeat, no secret
        while self._open:
            worker = self._workers[int(chance.random() * len(self._workers))]
            action = action_at(chance.random())
            wish = chance.random()
            try:
                if action == "product":
                    await self._get(f"{worker.url}/products/{self._products.item_at(wish)}")
                elif action == "category":
                    await self._get(f"{worker.url}/categories/{self._categories.item_at(wish)}")
                elif action == "bestsellers":
                    await self._get(f"{worker.url}/bestsellers")
                else:
                    product = self._products.item_at(wish)
                    await self._change_price(worker, product, 500 + int(chance.random() * 50_000))
            except (aiohttp.ClientError, TimeoutError) as error:
                self._failed(error)
                await asyncio.sleep(0.05)

    async def _get(self, url: str) -> bytes:
        started = time.perf_counter()
        async with self._session.get(url) as response:
            response.raise_for_status()
            body = await response.read()
        self.latencies.append(time.perf_counter() - started)
        return body

    async def _change_price(self, worker: Served, product: int, price_cents: int) -> None:
        url = f"{worker.url}/products/{product}"
        started = time.perf_counter()
        async with self._session.put(f"{url}/price", json={"price_cents": price_cents}) as response:
            response.raise_for_status()
            change = await response.json()
        acknowledged = time.perf_counter()
        self.latencies.append(acknowledged - started)
        for other in self._workers:
            if self._open and other is not worker and self._following < FOLLOWERS:
                self._following += 1
                self._tasks.add(asyncio.create_task(self._follow(other, change, acknowledged)))
        page = json.loads(await self._get(url))
        self.consistency.seen_by_writer(product, change["version"], page["version"])

    async def _follow(self, other: Served, change: dict[str, Any], acknowledged: float) -> None:
        url = f"{other.url}/products/{change['id']}"
        try:
            for attempt in count():
                began = time.perf_counter() - acknowledged
                async with self._session.get(url) as response:
                    response.raise_for_status()
                    page = await response.json()
                ended = time.perf_counter() - acknowledged
                if self.consistency.seen_by_other(
                    change["id"], change["version"], page["version"], began=began, ended=ended
                ):
                    return
                await asyncio.sleep(min(0.1, 0.002 * 2**attempt))
        except (aiohttp.ClientError, TimeoutError) as error:
            self._failed(error)
        finally:
            self._following -= 1

    def _failed(self, error: aiohttp.ClientError | TimeoutError) -> None:
        if isinstance(error, aiohttp.ClientResponseError):
            self.failures[f"HTTP {error.status}"] += 1
        else:
            self.failures[type(error).__name__] += 1
