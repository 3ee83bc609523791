"""What an answer from Redis means for the reader that asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from asynccache.core.policy import Lifetime
from asynccache.core.record import Record, RecordFormat
from asynccache.core.tags import NAMESPACE
from asynccache.errors import DecodeError


class Decoder(Protocol):
    """The half of a codec that reading needs."""

    @property
    def identifier(self) -> int: ...

    def decode(self, payload: bytes) -> Any:
        """Return the value of a payload, or raise DecodeError."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """A value that is there."""

    value: Any
    record: Record
    left: Lifetime

    @property
    def age(self) -> float:
        """Seconds since it was stored; 0 where that is not known."""
        if self.left.fresh is None or not self.record.fresh_ms:
            return 0.0
        past_ttl = self.record.grace_ms / 1000 - self.left.grace
        return max(0.0, self.record.fresh_ms / 1000 - self.left.fresh + past_ttl)


@dataclass(frozen=True, slots=True)
class Fresh(Found):
    """A value that may be returned and kept in L1 for what is left of its lifetime."""


@dataclass(frozen=True, slots=True)
class Stale(Found):
    """A value past its lifetime and inside its grace: only for when the loader fails."""


@dataclass(frozen=True, slots=True)
class Miss:
    """Nothing to return. ``damaged`` says why, when bytes were there that are not a record."""

    damaged: str | None = None


@dataclass(frozen=True, slots=True)
class Unsure:
    """A record for whose tags, or for `NAMESPACE`, the tokens have to be asked for first."""

    tags: tuple[str, ...]


Reading: TypeAlias = Fresh | Stale | Miss | Unsure


def interpret(
    raw: object,
    pttl: object,
    *,
    identity: bytes,
    records: RecordFormat,
    decoder: Decoder,
    stamp: bytes,
    token: Callable[[str], bytes | None],
) -> Reading:
    """Return what the replies to GET and PTTL mean. Whatever they hold, this does not raise.

    Args:
        raw: The reply to GET: bytes, None, or the error that a wrong Redis type gives.
        pttl: The reply to PTTL: milliseconds, or -1 without expiry.
        identity: What the record's checksum has to cover besides the record.
        records: Reads records.
        decoder: Reads payloads.
        stamp: The incarnation of the server that was asked. Of another one it may be a record that
            was deleted, and has come back with an old snapshot or an old replica (race 14).
        token: Returns the present token of a tag, and for "" that of the namespace; None: unknown.
    """
    if raw is None:
        return Miss()
    if not isinstance(raw, bytes) or not isinstance(pttl, int):
        return Miss(damaged="wrong Redis type")
    if pttl == -2:  # it expired between the two commands
        return Miss()
    try:
        record = records.unpack(identity, raw)
        invalid = _invalidity(record, stamp, token)
        if invalid is not None:
            return invalid
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
        return Fresh(value, record, left)
    return Stale(value, record, left) if left.grace > 0 else Miss()


def _invalidity(
    record: Record, stamp: bytes, token: Callable[[str], bytes | None]
) -> Miss | Unsure | None:
    if record.stamp != stamp:
        return Miss()
    tokens = {NAMESPACE: record.era, **record.tags}
    present = {tag: token(tag) for tag in tokens}
    if any(present[tag] not in (None, tokens[tag]) for tag in tokens):
        return Miss()
    unknown = tuple(tag for tag, known in present.items() if known is None)
    return Unsure(unknown) if unknown else None
