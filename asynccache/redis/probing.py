"""What a server that was given up has to answer before it is asked again.

PING is enough after silence. A server that *answered*, but as a replica, or for a cluster that is
down, answers PING all the same: it is asked for what it had refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ClusterDownError, ReadOnlyError

from asynccache.redis.faults import is_refusal
from asynccache.redis.transport import Command


def questions(refusal: Exception | None) -> list[Command]:
    """Return what to ask.

    Args:
        refusal: The last error reply for which the server was given up; None: it was silent.
    """
    asked: list[Command] = [("PING",)]
    if isinstance(refusal, ReadOnlyError):
        asked.append(("ROLE",))
    elif isinstance(refusal, ClusterDownError):
        asked.append(("CLUSTER", "INFO"))
    return asked


def check(replies: Sequence[Any]) -> None:
    """Raise unless the server that gave these replies can be used.

    Args:
        replies: To `questions`, in order. One that was not answered, because the user may not ask
            it, counts for nothing.

    Raises:
        RedisError: It cannot; the message says why.
    """
    for reply in replies:
        if isinstance(reply, Exception) and is_refusal(reply):
            raise reply
        match reply:
            case [b"slave", *_]:
                raise ReadOnlyError("it is a replica")
            case bytes() if b"cluster_state:fail" in reply:
                raise ClusterDownError("CLUSTERDOWN the cluster is down")
