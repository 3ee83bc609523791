"""Real worker processes: started, waited for, and stopped whatever happens."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import IO, Any

import aiohttp

from asynccache.demo.errors import DemoProblem
from asynccache.demo.locate import Shop
from asynccache.demo.worker import listener

START_TIMEOUT = 20.0
"""Seconds until a worker must answer; a cold start on a busy machine takes three."""

STOP_TIMEOUT = 5.0
"""Seconds that a worker has to finish its requests before it is killed."""


@dataclass(frozen=True)
class Worker:
    """A running worker of the shop."""

    url: str
    process: asyncio.subprocess.Process
    errors: IO[bytes]

    async def stats(self, session: aiohttp.ClientSession) -> dict[str, Any]:
        """Return what the worker says about itself."""
        async with session.get(f"{self.url}/stats") as response:
            response.raise_for_status()
            figures: dict[str, Any] = await response.json()
        if figures["pid"] != self.process.pid:
            raise DemoProblem(f"{self.url} is answered by a process that is not the demo's")
        return figures


@asynccontextmanager
async def running_workers(
    shop: Shop, environment: Mapping[str, str], host: str, ports: Sequence[int]
) -> AsyncIterator[list[Worker]]:
    """Run one worker for each port.

    Args:
        shop: The application.
        environment: Variables for the workers, on top of this process's own.
        host: The address to listen on.
        ports: The ports to listen on; 0 for a free one.

    Raises:
        DemoProblem: A worker did not start; the message holds what it said.
    """
    async with AsyncExitStack() as stack:
        spawned = [
            await stack.enter_async_context(_spawned(shop, environment, host, port))
            for port in ports
        ]
        yield [await _ready(process, errors, host) for process, errors in spawned]


@asynccontextmanager
async def _spawned(
    shop: Shop, environment: Mapping[str, str], host: str, port: int
) -> AsyncIterator[tuple[asyncio.subprocess.Process, IO[bytes]]]:
    # The same import path as this process, whichever way it was started; -P adds nothing to it.
    path = os.pathsep.join(entry or "." for entry in sys.path)
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "asynccache.demo.worker"),
            *(shop.package, host, str(port)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **environment, "PYTHONPATH": path},
            # Ctrl-C is for this process, which then stops its workers in order.
            start_new_session=True,
        )
        try:
            yield process, errors
        finally:
            await _stop(process)


async def _ready(process: asyncio.subprocess.Process, errors: IO[bytes], host: str) -> Worker:
    try:
        async with asyncio.timeout(START_TIMEOUT), aiohttp.ClientSession() as session:
            assert process.stdout is not None  # noqa: S101  a PIPE was asked for
            port = int(await process.stdout.readline())
            address = f"[{host}]" if ":" in host else host
            worker = Worker(f"http://{address}:{port}", process, errors)
            # The port listens already: this is answered as soon as the application has started.
            await worker.stats(session)
    except (ValueError, TimeoutError, aiohttp.ClientError):
        said = "\n".join(last_lines(errors, 5))
        raise DemoProblem(f"a worker of the shop did not start; it said:\n{said}") from None
    return worker


def require_free(host: str, ports: Sequence[int]) -> None:
    """Check that ports can be listened on.

    Raises:
        DemoProblem: One cannot.
    """
    for port in ports:
        try:
            listener(host, port).close()
        except OSError as error:
            raise DemoProblem(
                f"--serve: cannot listen on {host}:{port} ({error.strerror}); "
                "choose another address with --host and --port"
            ) from None


def last_lines(file: IO[bytes], lines: int) -> list[str]:
    """Return the last lines of a file that another process writes."""
    file.seek(0)
    return file.read().decode(errors="replace").strip().splitlines()[-lines:]


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
    except TimeoutError:
        process.kill()
        await process.wait()
