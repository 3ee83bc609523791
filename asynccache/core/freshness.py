"""What an answer from Redis means for the reader that asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from asynccache.core.policy import Lifetime
from asynccache.core.record import RecordFormat
from asynccache.errors import DecodeError


class Decoder(Protocol):
    """The half of a codec that reading needs."""

    @property
    def identifier(self) -> int: ...

    def decode(self, payload: bytes) -> Any:
        """Return the value of a payload, or raise DecodeError."""
        ...


@dataclass(frozen=True, slots=True)
class Fresh:
    """A value that may be returned and kept in L1 for what is left of its lifetime."""

    value: Any
    payload: bytes | None
    left: Lifetime


@dataclass(frozen=True, slots=True)
class Stale:
    """A value past its lifetime and inside its grace: only for when the loader fails."""

    value: Any
    left: Lifetime


@dataclass(frozen=True, slots=True)
class Miss:
    """Nothing to return. ``damaged`` says why, when bytes were there that are not a record."""

    damaged: str | None = None


Reading: TypeAlias = Fresh | Stale | Miss


def interpret(
    raw: object, pttl: object, *, identity: bytes, records: RecordFormat, decoder: Decoder
) -> Reading:
    """Return what the replies to GET and PTTL mean. Whatever they hold, this does not raise.

    Args:
        raw: The reply to GET: bytes, None, or the error that a wrong Redis type gives.
        pttl: The reply to PTTL: milliseconds, or -1 without expiry.
        identity: What the record's checksum has to cover besides the record.
        records: Reads records.
        decoder: Reads payloads.
    """
    if raw is None:
        return Miss()
    if not isinstance(raw, bytes) or not isinstance(pttl, int):
        return Miss(damaged="wrong Redis type")
    if pttl == -2:  # it expired between the two commands
        return Miss()
    try:
        record = records.unpack(identity, raw)
        if record.payload is None:
            value: Any = record.counter
        elif record.codec != decoder.identifier:
            return Miss(damaged="written by another codec")
        else:
            value = decoder.decode(record.payload)
    except DecodeError as error:
        return Miss(damaged=str(error))
    left = record.left(pttl)
    if left.fresh is None or left.fresh > 0:
        return Fresh(value, record.payload, left)
    return Stale(value, left) if left.grace > 0 else Miss()
