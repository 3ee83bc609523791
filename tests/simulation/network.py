"""The way between a cache and its server: delays, and what can become of requests and replies.

A connection keeps the order of what goes each way. Its requests may be lost, be carried out while
their replies are lost, or arrive late, after their sender has given up.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any, Literal

from redis.exceptions import ResponseError

from asynccache.redis.tracking import INVALIDATIONS
from asynccache.redis.transport import Command
from tests.simulation.redis_double import RedisDouble

Trouble = Literal["none", "requests lost", "replies lost", "requests late", "refused"]

LATE = (0.3, 3.0)
"""Seconds by which a request is late."""


class Network:
    """Between one process and the server.

    Args:
        server: The server.
        chance: Decides how long everything takes.

    Attributes:
        trouble: What becomes of what is sent now.
        slowest: Seconds that a hop takes at most.
    """

    def __init__(self, server: RedisDouble, chance: random.Random) -> None:
        self.server = server
        self.chance = chance
        self.trouble: Trouble = "none"
        self.slowest = 0.01
        self._connections: dict[Connection | Subscription, None] = {}  # in their order

    def hop(self) -> float:
        """Return how long something is under way."""
        return self.chance.uniform(0.0002, self.slowest)

    def connect(self, on_lost: Callable[[], None]) -> Connection:
        """Return a connection for commands.

        Args:
            on_lost: Is told when it is reset.
        """
        connection = Connection(self, on_lost)
        self._connections[connection] = None
        return connection

    async def subscribe(self) -> Subscription:
        """Return a connection for a bus.

        Raises:
            ConnectionError: It is refused.
        """
        await asyncio.sleep(self.hop())
        if self.trouble != "none":
            raise ConnectionRefusedError
        subscription = Subscription(self)
        self._connections[subscription] = None
        return subscription

    def reset(self) -> None:
        """End every connection."""
        for connection in list(self._connections):
            connection.reset()

    def slow_down(self) -> None:
        """Let everything take long from now on."""
        self.slowest = 0.2

    def reset_bus(self) -> None:
        """End what is listened on."""
        for connection in list(self._connections):
            if isinstance(connection, Subscription):
                connection.reset()

    def deafen(self) -> None:
        """Let nothing arrive any more on what is listened on, without telling anybody."""
        for connection in self._connections:
            if isinstance(connection, Subscription):
                connection.is_dead = True

    def forget(self, connection: Connection | Subscription) -> None:
        """Take note that a connection has ended."""
        self._connections.pop(connection, None)


class _Way:
    """One direction of a connection."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._last = 0.0

    def carry(self, arrive: Callable[..., object], *what: Any, late: float = 0.0) -> None:
        loop = asyncio.get_running_loop()
        self._last = max(self._last, loop.time() + self._network.hop() + late)
        loop.call_at(self._last, arrive, *what)


class Connection:
    """Carries commands."""

    def __init__(self, network: Network, on_lost: Callable[[], None]) -> None:
        self._network = network
        self._there, self._back = _Way(network), _Way(network)
        self._on_lost = on_lost
        self._life = network.server.life
        self.is_open = True

    def send(self, commands: Sequence[Command], future: asyncio.Future[list[Any]]) -> None:
        """Send commands; their replies come to the future, or never."""
        trouble = self._network.trouble
        if trouble in ("requests lost", "refused"):
            return
        late = self._network.chance.uniform(*LATE) if trouble == "requests late" else 0.0
        self._there.carry(self._arrived, commands, future, late=late)

    def _arrived(self, commands: Sequence[Command], future: asyncio.Future[list[Any]]) -> None:
        if self._life != self._network.server.life:
            return  # to whom it was sent is no more
        replies = [self._network.server.execute(command) for command in commands]
        if self.is_open and self._network.trouble != "replies lost":
            self._back.carry(self._answered, replies, future)

    def _answered(self, replies: list[Any], future: asyncio.Future[list[Any]]) -> None:
        if self.is_open and not future.done():
            future.set_result(replies)

    def close(self) -> None:
        """Hang up. What is under way to the server arrives all the same."""
        self.is_open = False
        self._network.forget(self)

    def reset(self) -> None:
        """Be ended by somebody else."""
        if self.is_open:
            self.close()
            self._on_lost()


class Subscription:
    """What a bus listens on: as much of a redis-py connection as it uses."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._there, self._back = _Way(network), _Way(network)
        self._life = network.server.life
        self._heard: asyncio.Queue[Any] = asyncio.Queue()
        self._channel = self._prefix = b""
        self.is_dead = False
        self._is_open = True

    async def send_command(self, name: str, *arguments: str | bytes, check_health: bool) -> None:
        """Send INFO, CLIENT, SUBSCRIBE or PING."""
        assert not check_health
        if not self._is_open:
            raise ConnectionResetError
        if not self.is_dead and self._network.trouble in ("none", "replies lost"):
            self._there.carry(self._arrived, name, *map(_bytes, arguments))

    def _arrived(self, name: str, *arguments: bytes) -> None:
        if self._life != self._network.server.life or not self._is_open:
            return
        if name == "INFO":
            self._reply(ResponseError("NOPERM"))
        elif name == "CLIENT":
            self._asked(*arguments)
        elif arguments == (INVALIDATIONS,):
            self._reply([b"subscribe", INVALIDATIONS, 1])
        elif name == "SUBSCRIBE":
            (self._channel,) = arguments
            listeners = self._network.server.subscribers.setdefault(self._channel, [])
            listeners.append(self._published)
            self._reply([b"subscribe", self._channel, 1])
        else:
            self._reply([b"pong", b""])

    def _asked(self, command: bytes, *arguments: bytes) -> None:
        if command == b"ID":
            self._reply(7)
            return
        assert arguments[:-1] == (b"ON", b"REDIRECT", b"7", b"BCAST", b"PREFIX")
        self._prefix = arguments[-1]
        self._network.server.trackers.append(self._pushed)
        self._reply(b"OK")

    def _pushed(self, names: list[bytes] | None) -> None:
        ours = None if names is None else [each for each in names if each.startswith(self._prefix)]
        if ours or ours is None:
            self._reply([b"message", INVALIDATIONS, ours])

    def _published(self, message: bytes) -> None:
        self._reply([b"message", self._channel, message])

    def _reply(self, reply: Any) -> None:
        if not self.is_dead and self._network.trouble in ("none", "requests late"):
            self._back.carry(self._heard.put_nowait, reply)

    async def read_response(self, **options: bool) -> Any:
        """Return what comes next."""
        reply = await self._heard.get()
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def disconnect(self, *, nowait: bool) -> None:
        """Hang up."""
        self._is_open = False
        self._network.forget(self)
        if self._pushed in self._network.server.trackers:
            self._network.server.trackers.remove(self._pushed)
        for listeners in self._network.server.subscribers.values():
            if self._published in listeners:
                listeners.remove(self._published)

    def reset(self) -> None:
        """Be ended by somebody else."""
        if self._is_open:
            self._is_open = False
            self._network.forget(self)
            self._heard.put_nowait(ConnectionResetError())


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def stamp_of(server: RedisDouble) -> bytes:
    """Return the stamp of a server's life."""
    return server.life.to_bytes(8, "big")
