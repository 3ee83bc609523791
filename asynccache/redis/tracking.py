"""Server-assisted tracking: Redis itself tells of every record that changes, whoever changes it.

The pushes come on the connection of the bus, in one order with its messages and PONGs. A server
that speaks RESP2 sends them like messages of a channel with a fixed name, to the connection that it
was told to send them to: here, to itself.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal, Protocol

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from asynccache.core.record import NO_TOKEN
from asynccache.redis.connections import send
from asynccache.redis.incarnation import QUESTIONS, life_of
from asynccache.redis.transport import Command

logger = logging.getLogger("asynccache")

MOST_UNANSWERED: Final = 3
"""Connections that may end over the question, before one does without it."""

INVALIDATIONS: Final = b"__redis__:invalidate"
"""The channel of all servers."""


class PushTaker(Protocol):
    """Who is told what was pushed."""

    def pushed(self, names: Sequence[bytes]) -> None:
        """Take the Redis keys of records that were changed; it does not raise."""
        ...

    async def settled(self) -> None:
        """Wait until all is applied that was pushed so far."""
        ...


class Tracking:
    """One bus's use of it.

    Args:
        prefix: What the Redis keys of records begin with.
        probe: Returns the Redis key of a nonce, under the prefix, which is nobody's record.
        touch: Changes a key that is not there, and leaves it so.
        taker: Is told what was pushed.
        stamp: Returns the incarnation of the server that is asked for records; None: not known yet.

    Attributes:
        state: "on": proved to be heard; "off": not proved yet; "refused": the server does without.
    """

    def __init__(
        self,
        prefix: str,
        probe: Callable[[str], str],
        touch: Callable[[str], Awaitable[None]],
        taker: PushTaker,
        stamp: Callable[[], bytes | None],
    ) -> None:
        self._prefix = prefix
        self._probe = probe
        self._touch = touch
        self._taker = taker
        self._stamp = stamp
        self._own_stamp = NO_TOKEN  # that of the server that pushes
        self._awaited = b""
        self._arrived = asyncio.Event()
        self._said: str | None = None
        self._unanswered = 0
        self.state: Literal["on", "off", "refused"] = "off"

    async def begin(self, connection: AbstractConnection) -> bool:
        """Ask a new connection's server for pushes; return whether it agrees.

        If it does not, the connection is of no use any more.

        Raises:
            TRANSPORT_ERRORS: The connection is lost.
        """
        self.state = "off"
        if self._unanswered >= MOST_UNANSWERED:
            self._unanswered = 0
            self.refuse("the connection ends when it is asked for")
            return False
        self._unanswered += 1
        self._own_stamp = await _stamp_of(connection)
        try:
            number = await _ask(connection, "CLIENT", "ID")
            # Redirected: RESP2 has no other way. By prefix: the server remembers no reader.
            options = ("REDIRECT", str(number), "BCAST", "PREFIX", self._prefix)
            await _ask(connection, "CLIENT", "TRACKING", "ON", *options)
            await _ask(connection, "SUBSCRIBE", INVALIDATIONS)
        except ResponseError as error:
            self._unanswered = 0
            self.refuse(str(error))
            return False
        self._unanswered = 0
        return True

    @property
    def is_elsewhere(self) -> bool:
        """Whether another server pushes than the one that holds the records.

        After a failover an old master may go on answering to who is connected to it.
        """
        asked = self._stamp()
        return NO_TOKEN not in (asked, self._own_stamp) and asked not in (None, self._own_stamp)

    def end(self) -> None:
        """Take note that the connection has ended."""
        if self.state == "on":
            self.state = "off"

    async def touch(self) -> None:
        """Let something be pushed, for `arrived`.

        Raises:
            Unavailable: Redis cannot be asked.
        """
        name = self._probe(secrets.token_hex(8))
        self._awaited = name.encode()
        self._arrived.clear()
        await self._touch(name)

    async def arrived(self) -> None:
        """Wait until what was touched has been pushed: from now on every change is."""
        await self._arrived.wait()
        self.state = "on"
        self._said = None

    def refuse(self, reason: str) -> None:
        """Go on without; it is said once."""
        self.state = "refused"
        if self._said is None:
            logger.warning(
                "Redis does not push what changes (CLIENT TRACKING: %s): only changes by caches "
                "are heard",
                reason,
            )
        self._said = reason

    def take(self, data: object) -> str | None:
        """Take what was pushed; return why everything has to be forgotten, None: it has not."""
        if self.state == "refused":
            return None  # it comes late, and nothing relies on it
        if data is None:
            return "Redis has lost all its keys"
        if not isinstance(data, list) or not all(isinstance(name, bytes) for name in data):
            return "garbage among the pushes"  # anybody may publish on any channel
        if self._awaited in data:
            self._arrived.set()
        self._taker.pushed(data)
        return None

    async def settled(self) -> None:
        """See `PushTaker.settled`."""
        await self._taker.settled()


async def _stamp_of(connection: AbstractConnection) -> bytes:
    return life_of([await _told(connection, each) for each in QUESTIONS], 0, 0).stamp


async def _told(connection: AbstractConnection, question: Command) -> object:
    try:
        return await _ask(connection, *map(str, question))
    except ResponseError:
        return None  # it does not tell who it is


async def _ask(connection: AbstractConnection, *command: str | bytes) -> object:
    await send(connection, *command)
    reply: object = await connection.read_response()
    return reply
