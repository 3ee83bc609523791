"""Starts the server and the workers, and breaks things between them."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import RedisServer

_ROOT = Path(__file__).parents[2]

AFTERWARDS = 3.0
"""Seconds after a fault that do not count as without faults: L1 is filled again."""


@dataclass(frozen=True)
class Plan:
    """What is run.

    Attributes:
        seconds: For how long.
        workers: How many processes; the first of them announces its writes and may be killed.
        seed: Of everything.
        keys: How many keys there are.
        rate: Reads a second in each process.
        writes: The share of operations that write.
        bound: The caches' max_staleness, in seconds.
        faults: The kinds, see `Conductor`.
        pause: Seconds between faults, on average.
    """

    seconds: float
    workers: int = 4
    seed: int = 1
    keys: int = 200
    rate: float = 200.0
    writes: float = 0.008
    bound: float = 1.0
    faults: Sequence[str] = ()
    pause: float = 4.0


class Conductor:
    """One run. Every method whose name begins with ``fault_`` is a kind of fault.

    Args:
        plan: What to do.
        directory: Where the source and the histories are.

    Attributes:
        done: How often each kind of fault was made.
        windows: When there were faults.
    """

    def __init__(self, plan: Plan, directory: Path) -> None:
        self._plan = plan
        self._directory = directory
        self._random = random.Random(plan.seed)
        self._server = RedisServer()
        self._proxies: list[FaultProxy] = []
        self._workers: list[asyncio.subprocess.Process] = []
        self.done: Counter[str] = Counter()
        self.windows: list[tuple[float, float]] = []

    async def run(self) -> None:
        """Run all of it.

        Raises:
            RuntimeError: A worker has ended with an error.
        """
        plan = self._plan
        async with AsyncExitStack() as stack:
            stack.enter_context(self._server)
            for _ in range(plan.workers):
                proxy = FaultProxy(self._server.port)
                self._proxies.append(await stack.enter_async_context(proxy))
            stack.callback(self._kill_all)
            for number in range(plan.workers):
                self._workers.append(await self._start_worker(number))
            self._note(time.monotonic() - 10, time.monotonic() + AFTERWARDS)
            await self._torment(time.monotonic() + plan.seconds)
            for worker in self._workers:
                worker.send_signal(signal.SIGUSR1)
            codes = await asyncio.gather(*(worker.wait() for worker in self._workers))
        if any(codes):
            raise RuntimeError(f"workers ended with {codes}")

    async def _torment(self, until: float) -> None:
        kinds = list(self._plan.faults)
        while (left := until - time.monotonic()) > 0:
            pause = self._plan.pause * (0.5 + self._random.random())
            if not kinds or left < pause + 4:
                await asyncio.sleep(left)
                return
            await asyncio.sleep(pause)
            # Each kind in turn, in a new order each time.
            if self.done.total() % len(kinds) == 0:
                self._random.shuffle(kinds)
            kind = kinds[self.done.total() % len(kinds)]
            fault: Callable[[], Awaitable[None]] = getattr(self, f"fault_{kind}")
            began = time.monotonic()
            await fault()
            self.done[kind] += 1
            self._note(began, time.monotonic() + AFTERWARDS)

    def _note(self, begin: float, end: float) -> None:
        self.windows.append((begin, end))

    # Links.

    async def fault_cut(self) -> None:
        """Break a link, and refuse new connections for a while."""
        proxy = self._random.choice(self._proxies)
        await proxy.cut()
        await self._some_time()
        await proxy.restore()

    async def fault_hold(self) -> None:
        """Let a link hang half open: bytes are taken and not passed on."""
        proxy = self._random.choice(self._proxies)
        proxy.hold()
        await self._some_time()
        proxy.release()

    async def fault_stall(self) -> None:
        """Pass on what goes to the server, and hold what comes back."""
        proxy = self._random.choice(self._proxies)
        proxy.hold(replies_only=True)
        await self._some_time()
        proxy.release()

    async def fault_delay(self) -> None:
        """Let a link be slow."""
        proxy = self._random.choice(self._proxies)
        proxy.delay(0.03 + 0.12 * self._random.random())
        await self._some_time()
        proxy.delay(0)

    async def fault_reset(self) -> None:
        """Reset a link's connections."""
        await self._random.choice(self._proxies).reset()

    # The server.

    async def fault_freeze(self) -> None:
        """Stop the server for a while."""
        self._server.pause()
        await self._some_time()
        self._server.resume()

    async def fault_restart_empty(self) -> None:
        """Kill the server and start it with nothing."""
        self._server.kill()
        await asyncio.sleep(self._random.random())
        self._server.remove_snapshot()
        await asyncio.to_thread(self._server.start)

    async def fault_restart_from_snapshot(self) -> None:
        """Save, go on for a while, kill the server and start it with what was saved."""
        self._server.command("SAVE")
        await self._some_time()
        self._server.kill()
        await asyncio.to_thread(self._server.start)
        self._server.remove_snapshot()

    async def fault_flush(self) -> None:
        """Remove everything."""
        self._server.command("FLUSHALL")

    async def fault_kill_clients(self) -> None:
        """Let the server hang up."""
        self._server.command("CLIENT", "KILL", "TYPE", "normal")
        self._server.command("CLIENT", "KILL", "TYPE", "pubsub")

    async def fault_garbage(self) -> None:
        """Write garbage over records, leases, tokens and control keys."""
        names = [f"faults:r:{{k{n}}}" for n in range(20)] + [f"faults:l:{{k{n}}}" for n in range(9)]
        names += ["faults:bus:sequence", "faults:era", "faults:clock", "faults:t:{t1}"]
        for name in names:
            self._server.command("SET", name, f"garbage{self._random.random()}")

    # Workers.

    async def fault_stop_worker(self) -> None:
        """Stop a worker for longer than its cache may believe what it has."""
        worker = self._random.choice(self._workers)
        worker.send_signal(signal.SIGSTOP)
        await asyncio.sleep(self._plan.bound * (1 + 2 * self._random.random()))
        worker.send_signal(signal.SIGCONT)

    async def fault_kill_worker(self) -> None:
        """Kill the worker that announces its writes, and start another one in its place."""
        self._workers[0].kill()
        await self._workers[0].wait()
        self._workers[0] = await self._start_worker(0)

    # How it is done.

    async def _some_time(self) -> None:
        await asyncio.sleep(0.3 + 2.2 * self._random.random())

    async def _start_worker(self, number: int) -> asyncio.subprocess.Process:
        plan = self._plan
        options: dict[str, Any] = {
            "url": self._proxies[number].url,
            "directory": str(self._directory),
            "keys": plan.keys,
            "seed": plan.seed * 100 + number,
            "rate": plan.rate,
            "writes": plan.writes,
            "bound": plan.bound,
            "careful": number == 0,
        }
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.faults.worker", json.dumps(options)),
            stdout=asyncio.subprocess.PIPE,
            cwd=_ROOT,
        )
        assert worker.stdout is not None
        async with asyncio.timeout(30):
            await worker.stdout.readline()
        return worker

    def _kill_all(self) -> None:
        for worker in self._workers:
            if worker.returncode is None:
                worker.kill()


FAULTS = tuple(name.removeprefix("fault_") for name in vars(Conductor) if name.startswith("fault_"))
"""The kinds of faults."""
