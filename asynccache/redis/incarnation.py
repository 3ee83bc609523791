"""Which life of which server is being spoken to: records of another one do not count.

A server that restarts from an old snapshot, and a replica that is promoted before it has heard of a
delete, bring back what was deleted (races 14 and 15). Both have another ``run_id``; one that has
been a replica meanwhile has another ``master_replid`` at least.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final

from asynccache.core.record import NO_TOKEN, TOKEN_BYTES
from asynccache.redis.transport import Command

QUESTIONS: Final[Sequence[Command]] = (("INFO", "server"), ("INFO", "replication"))

RECHECK_SECONDS: Final = 10.0
"""A server that loses its last replica gives itself another ``master_replid`` an hour later. Until
all processes know it they do not find each other's records."""

_NAMES = (re.compile(rb"^run_id:(\w+)", re.MULTILINE), re.compile(rb"^master_replid:(\w+)", re.M))


def stamp_of(replies: Sequence[Any]) -> bytes:
    """Return the stamp of the server that has answered `QUESTIONS`.

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
