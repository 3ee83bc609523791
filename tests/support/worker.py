"""A worker process with a cache of its own, told what to do by lines of JSON.

Its clock is the machine's, so that moments in two workers can be compared.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest import mock

from asynccache import Policy
from tests.support.caches import Caches, bus_open

_ROOT = Path(__file__).parents[2]


class Worker:
    """A worker process; an async context manager that starts it and ends it.

    Args:
        url: Where its cache's Redis is.
        **options: Of the cache; ``bus_url``: where its bus listens, if that is elsewhere; and
            ``lease``: how long its leases last, in seconds.
    """

    def __init__(self, url: str, **options: Any) -> None:
        self._arguments = (url, json.dumps(options))
        self._process: asyncio.subprocess.Process
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count()
        self._reader: asyncio.Task[None]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ask(self, do: str, **arguments: Any) -> Any:
        """Let it do something and return the answer. See the methods of `_Server`."""
        return await self.tell(do, **arguments)

    def tell(self, do: str, **arguments: Any) -> asyncio.Future[Any]:
        """Let it do something, and return a future for the answer."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([number, do, arguments]).encode() + b"\n")
        return answer

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def __aenter__(self) -> Worker:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.worker",
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=_ROOT,
        )
        self._reader = asyncio.create_task(self._read())
        async with asyncio.timeout(30):
            await self.ask("statistics")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.returncode is None:
            self.signal(signal.SIGCONT)
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                async with asyncio.timeout(20):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
        await self._process.wait()
        await self._reader

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            number, answer = json.loads(line)
            self._answers.pop(number).set_result(answer)
        for unanswered in self._answers.values():
            unanswered.cancel()


@asynccontextmanager
async def two_workers(url: str, **options: Any) -> AsyncIterator[tuple[Worker, Worker]]:
    """Start two workers at once; the options are the second one's."""
    async with AsyncExitStack() as stack:
        first, second = await asyncio.gather(
            stack.enter_async_context(Worker(url)),
            stack.enter_async_context(Worker(url, **options)),
        )
        yield first, second


class _Server:
    """What a worker does. Each method is called by the line that names it."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache
        self._may_return = asyncio.Event()

    async def get(self, key: str) -> Any:
        """Return what the cache has for a key, or None."""
        return await self._cache.get(key, None)

    async def load(self, key: str, value: Any, *, slow: bool = False, ttl: float = 300) -> Any:
        """Return a key's value; ``value`` is what the source has now. Slow: until `finish`."""

        async def loader() -> Any:
            if slow:
                await self._may_return.wait()
            return value

        return await self._cache.get_or_load(key, loader, policy=Policy(ttl=ttl))

    async def finish(self) -> None:
        """Let slow loads return."""
        self._may_return.set()

    async def set(self, key: str, value: Any) -> float:
        """Set a key; return the moment before."""
        before = time.monotonic()
        await self._cache.set(key, value)
        return before

    async def delete(self, key: str) -> bool:
        """Delete a key; return whether that was acknowledged."""
        return bool((await self._cache.delete(key)).acknowledged)

    async def watch(self, key: str, value: Any) -> float:
        """Return the moment at which a key has a value."""
        while await self._cache.get(key, None) != value:  # noqa: ASYNC110 - it is what is measured
            await asyncio.sleep(0.001)
        return time.monotonic()

    async def watch_leaving(self, key: str, old: Any) -> float:
        """Ask for a key in a loop; return the last moment at which its value was still the old."""
        last = 0.0
        while True:
            asked = time.monotonic()
            if await self._cache.get(key, None) != old:
                return last
            last = asked
            await asyncio.sleep(0.005)

    async def bus_open(self) -> float:
        """Wait until the bus is open; return the seconds that it took."""
        return await bus_open(self._cache)

    async def statistics(self) -> dict[str, Any]:
        """Return some of the cache's statistics."""
        statistics = self._cache.statistics()
        names = ("l1_hits", "l2_hits", "loads", "gaps", "bus", "breaker", "fills_refused")
        return {name: getattr(statistics, name) for name in names}


async def _serve(url: str, options: dict[str, Any]) -> None:
    if lease := options.pop("lease", None):
        mock.patch("asynccache.levels.leases.LEASE_SECONDS", lease).start()
        for module in ("leases", "claims"):
            mock.patch(f"asynccache.levels.{module}.LEASE_MS", round(lease * 1000)).start()
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with Caches() as caches, asyncio.TaskGroup() as tasks:
        server = _Server(await caches.start(url, **options))

        async def answer(number: int, do: str, arguments: dict[str, Any]) -> None:
            result = await getattr(server, do)(**arguments)
            sys.stdout.write(json.dumps([number, result]) + "\n")
            sys.stdout.flush()

        async for line in lines:
            tasks.create_task(answer(*json.loads(line)))


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], json.loads(sys.argv[2])))
