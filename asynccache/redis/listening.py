"""Listening to what a server sends unasked, on the connection that carries everything else."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from asynccache.redis.transport import Command

_log = logging.getLogger("asynccache")


class PushListener(Protocol):
    """Who is told what comes unasked. Every method is synchronous.

    Between `connected` and `disconnected` nothing is missed, and what comes is in order with the
    replies: a push was sent by the server before every reply that is delivered after it.
    """

    def connected(self, source: str) -> None:
        """The server at an address has accepted the greeting: from here on it pushes."""
        ...

    def pushed(self, source: str, push: list[Any]) -> None:
        """Something has come, as RESP3 has it: ``[b"invalidate", [b"key"]]``."""
        ...

    def disconnected(self, source: str, reason: str) -> None:
        """Pushes may be missing from now on, until the next `connected`."""
        ...

    def refused(self, source: str, error: Exception) -> None:
        """The server does not accept the greeting; nothing will be pushed."""
        ...


@dataclass(frozen=True, slots=True)
class Listening:
    """What to say to a server so that it pushes, and who listens.

    Args:
        greeting: Sent first on every connection, for example `track`'s; it has a reply.
        listener: Is told. While there is one, a lost connection is replaced without a call.
    """

    greeting: Sequence[Command]
    listener: PushListener

    @property
    def wanted(self) -> int:
        """How many replies the greeting gets: SUBSCRIBE is answered by a push."""
        return sum(command[0] != "SUBSCRIBE" for command in self.greeting)

    def tell(self, method: str, *arguments: Any) -> None:
        """Tell the listener; what it raises is logged and disturbs nobody."""
        try:
            getattr(self.listener, method)(*arguments)
        except Exception:  # noqa: BLE001  # it runs inside the reading of everybody's replies
            _log.exception("a listener to Redis's pushes failed")


def track(*prefixes: str) -> Command:
    """Return the command that makes a server push the name of every key that changes.

    BCAST: by prefix, without a memory of who has read what in the server; NOLOOP: not what plain
    commands on this connection change (scripts are pushed all the same).

    Args:
        *prefixes: None of them the beginning of another.
    """
    options = [word for prefix in prefixes for word in ("PREFIX", prefix)]
    return ("CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP", *options)
