"""One connection as bytes out and replies in: the port, and its two implementations.

`DirectWire` takes the transport out of a connection that redis-py has connected, and reads it with
hiredis alone: no stream, no task, no lock between the socket and the replies. `StreamWire` speaks
through redis-py's public methods, for connections that have no transport of asyncio's, such as
fakeredis's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any, Final, Protocol

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, ResponseError

from asynccache.redis.connections import cut
from asynccache.redis.faults import TRANSPORT_ERRORS
from asynccache.redis.replies import reply_error

_INCOMPLETE: Final = object()


class Receiver(Protocol):
    """Who is told what a wire does. Every method is synchronous and does not raise."""

    def received(self, replies: list[Any], *, partial: bool) -> None:
        """Bytes have come: some whole replies and pushes in order, and perhaps the part of one."""
        ...

    def congested(self, *, is_congested: bool) -> None:
        """Say whether to stop writing: the peer takes bytes more slowly than they are written."""
        ...

    def lost(self, error: Exception) -> None:
        """Say that nothing more will come. Told once; not when the wire was aborted here."""
        ...


class Wire(Protocol):
    """One connection to a server."""

    @property
    def to_be_taken(self) -> int:
        """How many bytes were written and not taken by the kernel yet."""
        ...

    def open(self, receiver: Receiver) -> None:
        """Begin to deliver what comes."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes, now or as soon as the peer takes them."""
        ...

    def abort(self) -> None:
        """End the connection at once, with whatever is unsent."""
        ...


def wire_of(connection: AbstractConnection) -> Wire:
    """Return the best wire for a connection that is connected, and is left to the wire."""
    writer = getattr(connection, "_writer", None)  # redis-py has no public way to it
    if hasattr(getattr(writer, "transport", None), "set_protocol"):
        return DirectWire(connection)
    return StreamWire(connection)


class DirectWire(asyncio.Protocol):
    """A transport, and hiredis.

    Args:
        connection: Connected by redis-py, with no reply outstanding.
    """

    def __init__(self, connection: AbstractConnection) -> None:
        # The stream objects are kept: one that is collected closes its transport.
        writer: Any = connection._writer
        self._streams = (connection._reader, writer)
        self._transport: asyncio.Transport = writer.transport
        connection._reader = connection._writer = None  # it is ours now
        self._receiver: Receiver | None = None
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=reply_error, notEnoughData=_INCOMPLETE
        )

    def open(self, receiver: Receiver) -> None:
        """See `Wire.open`."""
        self._receiver = receiver
        self._transport.set_protocol(self)
        if self._transport.is_closing():  # it was lost before anybody could be told
            asyncio.get_running_loop().call_soon(self.connection_lost, None)
        else:
            self._transport.resume_reading()

    @property
    def to_be_taken(self) -> int:
        """See `Wire.to_be_taken`."""
        return self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """See `Wire.write`."""
        self._transport.write(data)

    def abort(self) -> None:
        """See `Wire.abort`."""
        self._receiver = None
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse bytes from the peer."""
        if self._receiver is None:
            return
        reader = self._reader
        replies: list[Any] = []
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _INCOMPLETE:
                replies.append(reply)
        except InvalidResponse as error:
            receiver = self._receiver
            self.abort()
            receiver.received(replies, partial=False)
            receiver.lost(error)
            return
        self._receiver.received(replies, partial=reader.has_data())

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        if self._receiver is not None:
            self._receiver.congested(is_congested=True)

    def resume_writing(self) -> None:
        """The transport's buffer has room again."""
        if self._receiver is not None:
            self._receiver.congested(is_congested=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.lost(exc or RedisConnectionError("the server closed the connection"))


class StreamWire:
    """redis-py's own reading and writing, in two tasks. It cannot tell a push from a reply.

    Args:
        connection: Connected, with no reply outstanding.
    """

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        self._receiver: Receiver | None = None
        self._unsent: deque[bytes] = deque()
        self._work = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def open(self, receiver: Receiver) -> None:
        """See `Wire.open`."""
        self._receiver = receiver
        loop = asyncio.get_running_loop()
        for work in (self._read(), self._send()):
            self._tasks.append(loop.create_task(work, name="asynccache wire"))

    @property
    def to_be_taken(self) -> int:
        """See `Wire.to_be_taken`."""
        return sum(map(len, self._unsent))

    def write(self, data: bytes) -> None:
        """See `Wire.write`."""
        self._unsent.append(data)
        self._work.set()

    def abort(self) -> None:
        """See `Wire.abort`."""
        self._receiver = None
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def _read(self) -> None:
        try:
            while self._receiver is not None:
                try:
                    reply = await self._connection.read_response(disable_decoding=True)
                except ResponseError as error:
                    reply = error.with_traceback(None)
                if self._receiver is not None:
                    self._receiver.received([reply], partial=False)
        except TRANSPORT_ERRORS as error:
            self._lose(error)
        finally:
            with suppress(*TRANSPORT_ERRORS):
                await cut(self._connection)

    async def _send(self) -> None:
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                data = b"".join(self._unsent)
                self._unsent.clear()
                await self._connection.send_packed_command(data, check_health=False)
        except TRANSPORT_ERRORS as error:
            self._lose(error)

    def _lose(self, error: Exception) -> None:
        receiver = self._receiver
        self.abort()
        if receiver is not None:
            receiver.lost(error)
