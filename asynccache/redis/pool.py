"""Connections of redis-py, each lent to one operation at a time.

The pools of redis-py are not used. Under maintenance notifications, their default, they hand out
connections on which another command's reply is still waiting (redis-py #4252); the plain one
raises when all connections are in use, and the blocking one loses wake-ups when callers are
cancelled: they wait although connections are free, until their time is up.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection, Connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from asynccache.redis.faults import TRANSPORT_ERRORS, is_refusal
from asynccache.redis.settings import RedisSettings
from asynccache.redis.transport import Command

_BATCH = 500
"""Commands in one write. The replies to them wait in the server's memory until all are read."""

_REPLIES_PER_PROGRESS = 8

Packed = list[tuple[list[bytes], int]]
"""Writes, each with the number of commands in it."""


class Pool:
    """Lends connections; whoever finds none free waits in line.

    A connection comes back only after every reply on it was read, or it is cut: what is still on
    its way could be given to the next one as the reply to another command.

    Args:
        settings: Where Redis is, and how many connections there may be.
    """

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._free = asyncio.Semaphore(settings.max_connections)
        self._idle: list[AbstractConnection] = []
        self._lent: set[AbstractConnection] = set()
        self._all_back = asyncio.Event()
        self._closed = False
        # Never connected: packing needs its encoder only.
        self._packer = make_connection(settings)

    def pack(self, commands: Sequence[Command]) -> Packed:
        """Return what has to be sent for some commands.

        Raises:
            DataError: An argument is not a str, bytes, int or float.
        """
        batches = [commands[i : i + _BATCH] for i in range(0, len(commands), _BATCH)]
        return [(self._packer.pack_commands(batch), len(batch)) for batch in batches]

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[AbstractConnection]:
        """Lend a connection, the one that was used last. If the block fails it is cut."""
        async with self._free:
            connection = self._idle.pop() if self._idle else make_connection(self._settings)
            self._lent.add(connection)
            try:
                yield connection
            except BaseException:
                await cut(connection)
                raise
            finally:
                self._lent.discard(connection)
                self._idle.append(connection)
                if not self._lent:
                    self._all_back.set()

    async def ready(self, connection: AbstractConnection) -> bool:
        """Connect a connection unless it is connected and fit for use.

        Returns:
            Whether it was connected already: then it may turn out to be dead all the same.

        Raises:
            TRANSPORT_ERRORS: It cannot be connected, or the pool was closed.
        """
        if self._closed:
            raise RedisConnectionError("the pool is closed")
        if connection.is_connected:
            if not await _is_stale(connection):
                return True
            await cut(connection)
        await connect(connection)
        return False

    def abort_idle(self) -> None:
        """Abort the connections that nobody uses now; whoever gets one next connects anew."""
        for connection in self._idle:
            _abort(connection)

    async def close(self) -> None:
        """Cut every connection and wait until those who use them have noticed."""
        self._closed = True
        while self._lent:
            self._all_back.clear()
            for connection in self._lent:
                _abort(connection)
            await self._all_back.wait()
        for connection in self._idle:
            await cut(connection)
        for _ in range(2):  # a transport that was aborted is gone a turn or two of the loop later
            await asyncio.sleep(0)

    def __repr__(self) -> str:
        connected = sum(connection.is_connected for connection in self._idle)
        return f"<Pool [{len(self._lent)} in use, {connected} idle]>"


def make_connection(settings: RedisSettings) -> AbstractConnection:
    """Return a connection that is not connected yet.

    It retries nothing, decodes nothing, and has no deadline for an answer: the one who asks has
    one, for everything together. redis-py's own would cost a task for each command on Python 3.11
    and would begin anew with each reply of a batch.
    """
    arguments: dict[str, Any] = {
        "socket_timeout": None,
        "socket_connect_timeout": settings.connect_timeout,
        "health_check_interval": 0,  # a PING in front of a command; a dead connection is retried
        "protocol": 2,  # RESP3 saves nothing here and costs a HELLO
        "client_name": settings.client_name,
        **_SAY_NOTHING,
    }
    if settings.connection_class is not None:
        return settings.connection_class(**settings.connection_options, **arguments)
    arguments |= {
        "db": settings.db,
        "username": settings.username,
        "password": settings.password,
    }
    if settings.unix_socket is not None:
        return UnixDomainSocketConnection(path=settings.unix_socket, **arguments)
    arguments |= {"host": settings.host, "port": settings.port, "socket_keepalive": True}
    if not settings.tls:
        return Connection(**arguments)
    return SSLConnection(
        ssl_cert_reqs="required" if settings.tls_verify else "none",
        ssl_check_hostname=settings.tls_verify,
        ssl_ca_certs=settings.tls_ca_file,
        ssl_certfile=settings.tls_cert_file,
        ssl_keyfile=settings.tls_key_file,
        **arguments,
    )


async def connect(connection: AbstractConnection) -> None:
    """Connect and introduce ourselves: AUTH, CLIENT SETNAME, SELECT, as far as needed."""
    await connection.connect()  # type: ignore[no-untyped-call]  # redis-py left it untyped


async def send(connection: AbstractConnection, *command: str | bytes) -> None:
    """Send one command and wait for no reply."""
    await connection.send_command(*command, check_health=False)


async def exchange(
    connection: AbstractConnection,
    packed: Packed,
    replies: list[Any],
    on_progress: Callable[[], None] | None = None,
) -> None:
    """Send packed commands and append their replies, as soon as they come.

    Args:
        connection: Carries them; connected.
        packed: The commands.
        replies: Takes the replies.
        on_progress: Is called after every few replies.

    Raises:
        TRANSPORT_ERRORS: Redis could not be asked, or said so itself.
    """
    for pieces, count in packed:
        await connection.send_packed_command(pieces, check_health=False)
        for _ in range(count):
            try:
                reply = await connection.read_response()
            except ResponseError as error:
                if is_refusal(error):
                    raise
                # Its traceback would keep the frames, and so the replies, in a reference cycle.
                reply = error.with_traceback(None)
            replies.append(reply)
            if on_progress is not None and len(replies) % _REPLIES_PER_PROGRESS == 0:
                on_progress()


async def cut(connection: AbstractConnection) -> None:
    """Disconnect at once. The connection can be connected again."""
    _abort(connection)
    await connection.disconnect(nowait=True)


def _abort(connection: AbstractConnection) -> None:
    # Closing would first wait, for minutes if need be, until the peer has taken what is unsent.
    # redis-py has no public way to the stream; fakeredis's stream has no transport.
    transport = getattr(_writer_of(connection), "transport", None)
    if transport is not None:
        transport.abort()


async def _is_stale(connection: AbstractConnection) -> bool:
    """Tell whether a connection is dead, or holds bytes that nobody asked for."""
    transport = getattr(_writer_of(connection), "transport", None)
    if transport is not None and transport.is_closing():
        return True  # a reset, which the check for bytes and for the end of the stream overlooks
    # redis-py 8 renamed it.
    check = getattr(connection, "can_read", None) or connection.can_read_destructive
    try:
        return bool(await check())
    except TRANSPORT_ERRORS:
        return True


def _writer_of(connection: AbstractConnection) -> Any:
    return getattr(connection, "_writer", None)


# CLIENT SETINFO is two more commands on every connection, and an error on a server before 7.2.
_SAY_NOTHING: dict[str, Any] = (
    {"driver_info": None}
    if "driver_info" in inspect.signature(AbstractConnection.__init__).parameters
    else {"lib_name": None, "lib_version": None}
)
