"""The port through which everything else speaks to Redis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

Argument: TypeAlias = str | bytes | int | float

Command: TypeAlias = tuple[Argument, ...]
"""A command's name and its arguments: ``("SET", "key", b"value", "PX", 1_000)``."""


class Carrier(Protocol):
    """Carries commands to Redis and replies back."""

    async def call(self, *commands: Command, retry: bool = True) -> list[Any]:
        """Send some commands together and return their replies, in order.

        A reply is as Redis sent it: bytes, int, None, or a list of these (and what else RESP3 has:
        bool, float, dict, for commands that answer so). The reply of a command
        that Redis refused is a `redis.exceptions.ResponseError`, returned in its place and never
        raised: it says something about that command, and nothing about the others.

        The commands are no transaction, and a call that fails or is cancelled may have taken
        effect, in part or as a whole.

        Args:
            *commands: The commands.
            retry: Whether they may be sent a second time, on a new connection, when the one in
                use turns out to be dead before anything was answered. The server may have
                carried out the first sending: say no for what must not happen twice (INCR).

        Raises:
            Unavailable: Redis cannot be asked; its cause says why.
        """
        ...


class Transport(Carrier, Protocol):
    """A carrier, and what has to be known of the servers behind it."""

    @property
    def is_ordered(self) -> bool:
        """Whether the commands of one call are carried out in their order. In a cluster only those
        for keys of one slot are: the others are with other servers."""
        ...

    @property
    def generation(self) -> int:
        """Changes whenever keys were found to have moved from one server to another."""
        ...

    def stamp(self, key: str) -> bytes | None:
        """Return the incarnation of the server that has a key, 8 bytes; another one after a
        restart and after a failover. None: that server was never asked for anything."""
        ...

    def time(self, key: str) -> float | None:
        """Return the time of the server that has a key, by its own clock, in seconds, and never
        ahead of it; None: it has not told."""
        ...

    @property
    def op_timeout(self) -> float:
        """Seconds that a call may take if nothing of its answer comes."""
        ...

    async def primaries(self) -> Sequence[Carrier]:
        """Return a carrier to each server that holds keys, for what each must be asked (SCAN).

        Raises:
            Unavailable: Nobody can be asked which servers there are.
        """
        ...
