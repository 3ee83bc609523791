"""What a store keeps of a session, and what an identifier is worth beside it.

A record is a few fields of one letter, and the session's own under a dot and their keys.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

LARGEST: Final = 2**53
"""Milliseconds: what is larger is damage, and Lua could not reckon with it."""


class Verdict(Enum):
    """What an identifier is worth."""

    MISSING = "missing"  # there is no such session, or none any more
    CURRENT = "current"
    PREVIOUS = "previous"  # renewed a moment ago, and good for requests that are under way
    SUPERSEDED = "superseded"  # replaced at a login a moment ago: it opens nothing
    ENDED = "ended"  # by logout or revocation, a moment ago
    STALE = "stale"  # the place is right and the verifier is not

    @property
    def opens(self) -> bool:
        """Whether the session may be read and written."""
        return self in (Verdict.CURRENT, Verdict.PREVIOUS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A session as it is stored; times in milliseconds since 1970 by the store's clock.

    Attributes:
        digest: Of the verifier.
        previous: Of the one before.
        previous_until: How long that one means something.
        mode: What it means: "g" (it still opens the session) or "s" (it does not).
        created: When the session began.
        login: When its user was authenticated; 0: nobody was.
        deadline: When it ends, whatever happens.
        idle: How long it lives without a request.
        renewed: When its identifier was made.
        user: Whose it is; empty: nobody's.
        generation: Another one after each login.
        data: The session's own values, encoded.
    """

    digest: bytes = field(repr=False)
    previous: bytes = field(default=b"", repr=False)
    previous_until: int = 0
    mode: str = ""
    created: int
    login: int = 0
    deadline: int
    idle: int
    renewed: int
    user: str = ""
    generation: str = field(default="", repr=False)
    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)


class Tombstone:
    """What is left, for a while, of a session that was ended."""

    def __repr__(self) -> str:
        return "<Tombstone>"


TOMBSTONE: Final = Tombstone()


def parse_record(fields: Mapping[bytes, bytes]) -> SessionRecord | Tombstone | None:
    """Return what a store's fields say; None: nothing, or nothing that could be understood."""
    if b"k" not in fields:
        return TOMBSTONE if b"x" in fields else None
    try:
        return SessionRecord(
            digest=fields[b"k"],
            previous=fields.get(b"p", b""),
            previous_until=_number(fields.get(b"px", b"0")),
            mode=fields.get(b"pm", b"").decode("ascii"),
            created=_number(fields[b"c"]),
            login=_number(fields.get(b"l", b"0")),
            deadline=_number(fields[b"a"]),
            idle=_number(fields[b"i"]),
            renewed=_number(fields[b"r"]),
            user=fields.get(b"u", b"").decode(),
            generation=fields.get(b"g", b"").decode("ascii"),
            data={key[1:].decode(): raw for key, raw in fields.items() if key[:1] == b"."},
        )
    except (KeyError, ValueError):
        return None


def judge(
    found: SessionRecord | Tombstone | None, digests: Sequence[bytes], now: int
) -> tuple[Verdict, bytes]:
    """Return what an identifier is worth, and by which of its digests.

    Args:
        found: What stands at its place.
        digests: Of its verifier, by each key.
        now: Milliseconds since 1970 by the store's clock.
    """
    if found is None:
        return Verdict.MISSING, b""
    if isinstance(found, Tombstone):
        return Verdict.ENDED, b""
    if found.deadline <= now:
        return Verdict.MISSING, b""
    matching = [each for each in digests if hmac.compare_digest(each, found.digest)]
    if matching:
        return Verdict.CURRENT, matching[0]
    matching = [each for each in digests if hmac.compare_digest(each, found.previous)]
    if matching and found.previous_until > now:
        return (Verdict.PREVIOUS if found.mode == "g" else Verdict.SUPERSEDED), matching[0]
    return Verdict.STALE, b""


def touch_is_due(record: SessionRecord, ttl: int, now: int, interval: int) -> bool:
    """Tell whether a session's life has to be extended because it was asked for.

    Args:
        record: The session.
        ttl: Milliseconds that it would live without; less than 0: for ever, which must not be.
        now: Milliseconds since 1970 by the store's clock.
        interval: Milliseconds that its life may be shorter than it could be.
    """
    return ttl < 0 or min(record.idle, record.deadline - now) - ttl >= interval


def _number(raw: bytes) -> int:
    if not raw.isdigit() or len(raw) > 16 or (number := int(raw)) > LARGEST:
        raise ValueError
    return number
