"""Which life of which server is being spoken to: records of another one do not count.

A server that restarts from an old snapshot, and a replica that is promoted before it has heard of a
delete, bring back what was deleted (races 14 and 15). Both have another ``run_id``; one that has
been a replica meanwhile has another ``master_replid`` at least.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from asynccache.core.record import NO_TOKEN, TOKEN_BYTES
from asynccache.redis.transport import Command

QUESTIONS: Final[Sequence[Command]] = (("INFO", "server"), ("INFO", "replication"))

RECHECK_SECONDS: Final = 10.0
"""A server that loses its last replica gives itself another ``master_replid`` an hour later. Until
all processes know it they do not find each other's records."""

_NAMES = (re.compile(rb"^run_id:(\w+)", re.MULTILINE), re.compile(rb"^master_replid:(\w+)", re.M))


_TIME = re.compile(rb"^server_time_usec:(\d{1,18})\b", re.MULTILINE)


class Life(NamedTuple):
    """What a server has told of itself.

    Attributes:
        stamp: Which life of which server it is.
        told: Its time, in seconds; None: it does not tell.
        asked: When it was asked, by the loop's clock.
        answered: When its answer was read.
    """

    stamp: bytes
    told: float | None
    asked: float
    answered: float


def life_of(replies: Sequence[Any], asked: float, answered: float) -> Life:
    """Return what the answers to `QUESTIONS` tell."""
    first = replies[0]
    time = _TIME.search(first) if isinstance(first, bytes) else None
    told = None if time is None else int(time[1]) / 1e6
    return Life(_stamp_of(replies), told, asked, answered)


def _stamp_of(replies: Sequence[Any]) -> bytes:
    """Return the stamp of the server that has answered.

    A server that does not say, as some managed ones do, has no stamp but zeros: its data counts
    whatever has happened to it.
    """
    found: list[bytes] = []
    for name, reply in zip(_NAMES, replies, strict=True):
        match = name.search(reply) if isinstance(reply, bytes) else None
        if match is None:
            return NO_TOKEN
        found.append(match[1])
    return blake2b(b" ".join(found), digest_size=TOKEN_BYTES, person=b"asynccache.life").digest()
