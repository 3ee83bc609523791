"""A tiny server that answers as a test tells it to: for what a real Redis cannot be made to say."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType

import hiredis

from tests.support.fault_proxy import stop_serving
from tests.support.ports import free_port

Answer = Callable[[list[bytes]], Awaitable[bytes | None]]
"""Receives a command and returns the raw reply; None: the server closes the connection."""


_WELCOME = {
    b"AUTH": b"+OK\r\n",
    b"CLIENT": b"+OK\r\n",
    b"HELLO": b"%1\r\n$5\r\nproto\r\n:3\r\n",
    b"SELECT": b"+OK\r\n",
}


class ScriptedServer:
    """A server on a loopback port; an async context manager.

    It welcomes every connection (HELLO, AUTH, CLIENT and SELECT succeed) and asks the test for the
    rest.

    Args:
        answer: The test's replies.
        greets: Whether the welcome is given too, or asked for like the rest.
        tls: With which certificate to encrypt; None: not at all.

    Attributes:
        port: Its port.
        received: Every command that has come, in order, over all connections.
        accepted: How many connections it has accepted.
    """

    def __init__(
        self, answer: Answer, *, greets: bool = True, tls: ssl.SSLContext | None = None
    ) -> None:
        self.port = free_port()
        self.received: list[list[bytes]] = []
        self.accepted = 0
        self._answer = answer
        self._greets = greets
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The URL of its database 0."""
        return f"{'rediss' if self._tls else 'redis'}://127.0.0.1:{self.port}/0"

    async def __aenter__(self) -> ScriptedServer:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, ssl=self._tls
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            await stop_serving(self._server)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def refuse(self) -> None:
        """Take no new connection any more."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Also for a task that is cancelled before its first step.
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        commands = hiredis.Reader()
        try:
            while data := await reader.read(65_536):
                commands.feed(data)
                while command := commands.gets():
                    self.received.append(command)
                    reply = _WELCOME.get(command[0]) if self._greets else None
                    if reply is None:
                        reply = await self._answer(command)
                    if reply is None:
                        return
                    writer.write(reply)
        except OSError:
            pass
        finally:
            writer.transport.abort()
            await asyncio.sleep(0)
