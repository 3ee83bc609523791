"""The link as a cache knows it, over a simulated network: one connection, a deadline, a breaker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from asynccache.core.breaker import Breaker
from asynccache.core.server_time import ServerTime
from asynccache.errors import CacheClosed, Unavailable
from asynccache.redis.transport import Carrier, Command
from tests.simulation.network import Connection, Network, Subscription
from tests.simulation.redis_double import RedisDouble

OP_TIMEOUT = 0.25
HANDSHAKE: Command = ("PTTL", "handshake")
"""Stands for all that is said first."""


class SimulatedLink:
    """A transport to the server double. See `asynccache.redis.link.Link`, which it stands for."""

    is_ordered = True
    generation = 0
    op_timeout = OP_TIMEOUT

    def __init__(
        self,
        network: Network,
        on_incarnation: Callable[[], None],
        stamp: Callable[[RedisDouble], bytes],
    ) -> None:
        self._stamp_of = stamp
        self._network = network
        self._on_incarnation = on_incarnation
        self._connection: Connection | None = None
        self._pending: dict[asyncio.Future[list[Any]], None] = {}
        self._breaker = Breaker()
        self._prober: asyncio.Task[None] | None = None
        self._stamp: bytes | None = None
        self._time = ServerTime()
        self._is_closed = False
        self.unavailable = 0

    @property
    def state(self) -> str:
        """See `Link.state`."""
        return self._breaker.state

    async def start(self) -> None:
        """See `Link.start`."""

    async def close(self) -> None:
        """See `Link.close`."""
        self._is_closed = True
        if self._prober is not None:
            self._prober.cancel()
            with suppress(asyncio.CancelledError):
                await self._prober
        self._drop(CacheClosed("closed"))

    def stamp(self, key: str) -> bytes | None:
        """See `Transport.stamp`."""
        return self._stamp

    def time(self, key: str) -> float | None:
        """See `Transport.time`."""
        return self._time.at(asyncio.get_running_loop().time())

    async def primaries(self) -> Sequence[Carrier]:
        """See `Transport.primaries`."""
        return [self]

    async def dial_owner(self, key: str) -> Subscription:
        """See `Link.dial_owner`."""
        return await self._network.subscribe()

    async def call(self, *commands: Command, retry: bool = True) -> list[Any]:
        """See `Carrier.call`."""
        if self._is_closed:
            raise CacheClosed("closed")
        if self._breaker.state == "open":
            self.unavailable += 1
            raise Unavailable("given up")
        try:
            async with asyncio.timeout(OP_TIMEOUT):
                while True:
                    try:
                        return await self._ask(commands)
                    except ConnectionResetError:
                        if not retry:
                            raise
                        retry = False
        except TimeoutError:
            self._give_up()
            raise Unavailable("no answer in time") from None
        except (ConnectionError, Unavailable) as error:
            self._give_up()
            raise Unavailable("the connection was lost") from error

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        connection = self._connection or await self._connect()
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._pending[future] = None
        connection.send(commands, future)
        try:
            return await future
        finally:
            self._pending.pop(future, None)

    async def _connect(self) -> Connection:
        if self._network.trouble == "refused":
            await asyncio.sleep(self._network.hop())
            raise ConnectionRefusedError
        loop = asyncio.get_running_loop()
        connection = self._network.connect(lambda: self._lost(connection))
        asked = loop.time()
        answer: asyncio.Future[list[Any]] = loop.create_future()
        connection.send([HANDSHAKE], answer)
        try:
            await answer
        except BaseException:
            connection.close()
            raise
        if self._connection is not None or self._is_closed:
            connection.close()
            if self._is_closed:
                raise CacheClosed("closed")
            return self._connection or connection
        server = self._network.server
        self._time.observe(server.milliseconds / 1000, asked, loop.time())
        former, self._stamp = self._stamp, self._stamp_of(server)
        self._connection = connection
        if former not in (None, self._stamp):
            self._on_incarnation()
        return connection

    def _lost(self, connection: Connection) -> None:
        if connection is self._connection:
            self._drop(ConnectionResetError())

    def _drop(self, error: Exception) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        pending, self._pending = self._pending, {}
        for future in pending:
            if not future.done():
                future.set_exception(error)

    def _give_up(self) -> None:
        self.unavailable += 1
        if self._is_closed:
            return
        self._drop(Unavailable("given up"))
        stamp = self._breaker.permit()
        if stamp is not None and self._breaker.failure(stamp):
            self._prober = asyncio.get_running_loop().create_task(self._probe())

    async def _probe(self) -> None:
        while True:
            await asyncio.sleep(self._breaker.probe_delay(self._network.chance.random()))
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(OP_TIMEOUT):
                    await self._connect()
                self._breaker.close()
                return
