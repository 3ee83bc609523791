"""A TCP proxy that misbehaves on command: the network between the cache and its Redis."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from types import TracebackType

from tests.support.ports import free_port

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


async def stop_serving(server: asyncio.Server) -> None:
    """Take no new connection any more; those that are taken at this moment are served still.

    CPython up to 3.12.1 loses a connection that is taken while its server is closed (gh-109564).
    """
    for listening in server.sockets:
        asyncio.get_running_loop().remove_reader(listening.fileno())
    for _ in range(5):
        await asyncio.sleep(0)
    server.close()


class FaultProxy:
    """A proxy in front of a loopback port; an async context manager.

    It starts by passing everything. `cut`, `hold` and `delay` make it fail, `release` and
    `restore` make it whole again.

    Args:
        target_port: The port of the real server.

    Attributes:
        port: Its own port, the same in all modes.
        accepted: How many connections it has accepted.
    """

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self.accepted = 0
        self._target_port = target_port
        self._delay = 0.0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._stranded: list[asyncio.Event] = []
        self._answering = asyncio.Event()
        self._answering.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """The URL of database 0 of the server behind it."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def __aenter__(self) -> FaultProxy:
        await self._listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.cut()

    async def cut(self) -> None:
        """Reset every connection (RST) and refuse new ones."""
        if self._server is not None:
            server, self._server = self._server, None
            await stop_serving(server)
        await self.reset()

    async def reset(self) -> None:
        """Reset every connection (RST); new ones are accepted."""
        for client in self._clients:
            sock = client.get_extra_info("socket")
            with contextlib.suppress(OSError):  # its client has closed it at this moment
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(2):  # an aborted transport is gone a turn or two of the loop later
            await asyncio.sleep(0)

    def hold(self, *, replies_only: bool = False) -> None:
        """Accept connections and bytes but forward nothing, no end of a stream either.

        Args:
            replies_only: Forward what goes to the server.
        """
        self._answering.clear()
        if not replies_only:
            self._flowing.clear()

    def strand(self) -> None:
        """Hold what is on its way on the connections that there are, whoever hangs up; new ones
        are well. `release` lets it arrive, late."""
        self._stranded.append(self._flowing)
        self._flowing.clear()
        self._flowing = asyncio.Event()
        self._flowing.set()

    def release(self) -> None:
        """Forward what was held, and go on forwarding."""
        for gate in (*self._stranded, self._flowing, self._answering):
            gate.set()
        self._stranded.clear()

    def delay(self, seconds: float) -> None:
        """Let every piece of data wait before it is forwarded, in both directions.

        Args:
            seconds: How long; 0 forwards at once.
        """
        self._delay = seconds

    async def restore(self) -> None:
        """Undo everything: accept connections and forward without delay."""
        self.delay(0)
        self.release()
        if self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:  # cut while this connection was on its way here
            writer.transport.abort()
            return
        self.accepted += 1
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        self._clients.add(writer)
        task.add_done_callback(self._tasks.discard)
        # Also for a task that is cancelled before its first step.
        task.add_done_callback(lambda _: self._forget(writer))

    def _forget(self, client: asyncio.StreamWriter) -> None:
        self._clients.discard(client)
        client.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        flowing = self._flowing
        try:
            await flowing.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            ends.append(far_writer)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, far_writer, flowing))
                pumps.create_task(self._pump(far_reader, writer, self._answering))
        except OSError:
            pass  # the target refuses: so does the proxy
        finally:
            self._clients.discard(writer)
            for end in ends:
                end.transport.abort()
            await asyncio.sleep(0)  # an aborted transport is gone one turn of the loop later

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                if self._delay:
                    await asyncio.sleep(self._delay)
                await gate.wait()
                writer.write(data)
                await writer.drain()
        await gate.wait()
        writer.close()

    def __repr__(self) -> str:
        if self._server is None:
            mode = "cut"
        elif not self._flowing.is_set():
            mode = "holding"
        else:
            mode = f"delaying {self._delay:g} s" if self._delay else "passing"
        return f"<FaultProxy [port {self.port}, {mode}, {len(self._clients)} connections]>"
