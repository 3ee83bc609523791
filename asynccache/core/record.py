"""The bytes that Redis keeps for a key, and what they mean when they come back.

::

    0   2  magic "ac"
    2   1  version of the format
    3   1  codec
    4   8  fresh: milliseconds from storing to expiry, 0 = never        (big-endian, as all numbers)
    12  8  grace: milliseconds after that in which it may stand in for a failing loader
    20  4  load time: milliseconds that the loader took
    24  8  version of the value, 0 = it has none
    32  8  incarnation of the server that it was stored in
    40  8  era: the namespace's token, which ``clear`` replaces
    48  2  length of the extras
    50 16  checksum over all the rest, the namespace and the key; keyed when there is a secret
    66     extras: the tokens that its tags had when its load began, and its validator; payload

No clock is compared across machines: the server's PTTL says what is left, so a record is fresh
while ``PTTL > grace``. The scripts read ``grace`` and the version at their fixed places.

A counter (``cache.incr``) is ``#``, the incarnation and the era in hexadecimal, a colon and the
number, because Redis itself adds to it; no secret covers it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from hmac import compare_digest
from typing import Any

import msgpack

from asynccache.core.policy import Lifetime
from asynccache.errors import DecodeError

MAGIC = b"ac"
VERSION = 2
CHECKSUM_BYTES = 16
_FIELDS = struct.Struct(">2sBBQQIQ8s8sH")
HEADER_BYTES = _FIELDS.size + CHECKSUM_BYTES
_COUNTER = re.compile(rb"#([0-9a-f]{16})([0-9a-f]{16}):(0|-?[1-9][0-9]{0,18})")
_COUNTERS = range(-(2**63), 2**63)
"""What Redis can count to; any other number is not a counter of its own."""
_LONGEST_LOAD_MS = 2**32 - 1
NO_TOKEN = bytes(8)
TOKEN_BYTES = len(NO_TOKEN)

PERSISTENT = -1
"""What PTTL answers for a key without expiry."""


@dataclass(frozen=True, slots=True)
class Record:
    """A value as Redis keeps it.

    Attributes:
        payload: The codec's bytes; None: this is a counter.
        counter: The number, for a counter.
        codec: The identifier of the codec that wrote the payload.
        fresh_ms: Its lifetime when it was stored, in milliseconds; 0: no expiry.
        grace_ms: Its grace when it was stored, in milliseconds.
        load_ms: How long its loader took, in milliseconds.
        version: The version of the value; 0: it has none.
        stamp: The incarnation of the server that it was stored in.
        era: The namespace's token when its load began.
        tags: The tokens that its tags had when its load began.
        etag: What its source can be asked with whether it has changed.
    """

    payload: bytes | None
    counter: int = 0
    codec: int = 0
    fresh_ms: int = 0
    grace_ms: int = 0
    load_ms: int = 0
    version: int = 0
    stamp: bytes = NO_TOKEN
    era: bytes = NO_TOKEN
    tags: Mapping[str, bytes] = field(default_factory=dict)
    etag: str | None = None

    def left(self, pttl_ms: int) -> Lifetime:
        """Return what is left of its lifetime.

        Args:
            pttl_ms: The server's answer to PTTL, read together with the record.
        """
        if pttl_ms == PERSISTENT:
            return Lifetime(None, self.grace_ms / 1000)
        fresh = max(0, pttl_ms - self.grace_ms)
        return Lifetime(fresh / 1000, min(pttl_ms, self.grace_ms) / 1000)


class RecordFormat:
    """Builds and reads records.

    Args:
        secret: Makes the checksum a keyed one (BLAKE2b's own MAC mode, RFC 7693 section 2.9), so
            that who can write to Redis but does not know it cannot forge a record; at most 64
            bytes are used, longer ones are hashed first. Empty: a plain checksum.
    """

    __slots__ = ("_key",)

    def __init__(self, secret: bytes = b"") -> None:
        self._key = secret if len(secret) <= blake2b.MAX_KEY_SIZE else blake2b(secret).digest()

    def pack(
        self,
        identity: bytes,
        payload: bytes,
        *,
        codec: int,
        lifetime: Lifetime,
        load_ms: int = 0,
        version: int = 0,
        stamp: bytes = NO_TOKEN,
        era: bytes = NO_TOKEN,
        tags: Mapping[str, bytes] | None = None,
        etag: str | None = None,
    ) -> bytes:
        """Return the bytes of a record.

        Args:
            identity: The namespace and key that it belongs to.
            payload: The codec's bytes.
            codec: The codec's identifier, 0 to 255.
            lifetime: How long it lives from now.
            load_ms: How long its loader took, in milliseconds.
            version: See `Record`, as for the rest.
            stamp: 8 bytes.
            era: 8 bytes.
            tags: Tokens of 8 bytes each.
            etag: A short text.
        """
        extras: bytes = (
            b"" if not tags and etag is None else msgpack.packb([dict(tags or {}), etag])
        )
        fields = _FIELDS.pack(
            MAGIC,
            VERSION,
            codec,
            lifetime.fresh_ms,
            lifetime.grace_ms,
            min(load_ms, _LONGEST_LOAD_MS),
            version,
            stamp,
            era,
            len(extras),
        )
        return b"".join(
            (fields, self._checksum(identity, fields, extras, payload), extras, payload)
        )

    def unpack(self, identity: bytes, raw: bytes) -> Record:
        """Return the record in bytes from Redis.

        Args:
            identity: The namespace and key that it was asked for under.
            raw: The bytes; anything at all.

        Raises:
            DecodeError: They are not a record of this key, version and secret.
        """
        if raw.startswith(b"#"):
            return _counter(raw)
        if len(raw) < HEADER_BYTES:
            raise DecodeError("too short for a record")
        magic, format_, codec, fresh_ms, grace_ms, load_ms, version, stamp, era, extra = (
            _FIELDS.unpack_from(raw)
        )
        if magic != MAGIC or format_ != VERSION:
            raise DecodeError("not a record of this version")
        body = HEADER_BYTES + extra
        extras, payload = raw[HEADER_BYTES:body], raw[body:]
        checksum = self._checksum(identity, raw[: _FIELDS.size], extras, payload)
        if len(extras) != extra or not compare_digest(checksum, raw[_FIELDS.size : HEADER_BYTES]):
            raise DecodeError("wrong checksum")
        tags, etag = _unpacked(extras) if extra else ({}, None)
        return Record(
            payload, 0, codec, fresh_ms, grace_ms, load_ms, version, stamp, era, tags, etag
        )

    def _checksum(self, identity: bytes, fields: bytes, extras: bytes, payload: bytes) -> bytes:
        state = blake2b(
            fields, digest_size=CHECKSUM_BYTES, key=self._key, person=b"asynccache.rec2"
        )
        state.update(len(identity).to_bytes(4, "big"))
        state.update(identity)
        state.update(extras)  # the fields tell where they end
        state.update(payload)
        return state.digest()


def counter_prefix(stamp: bytes, era: bytes) -> bytes:
    """Return what stands in front of a counter's number."""
    return b"#%b%b:" % (stamp.hex().encode(), era.hex().encode())


def _counter(raw: bytes) -> Record:
    match = _COUNTER.fullmatch(raw)
    if match is None or int(match[3]) not in _COUNTERS:
        raise DecodeError("not a counter")
    stamp, era = (bytes.fromhex(match[n].decode()) for n in (1, 2))
    return Record(None, counter=int(match[3]), stamp=stamp, era=era)


def _unpacked(extras: bytes) -> tuple[dict[str, bytes], str | None]:
    """Return tags and validator. Anybody may write a checksum where there is no secret."""
    try:
        tags, etag = msgpack.unpackb(extras)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException, RecursionError) as error:
        raise DecodeError("its extras cannot be read") from error
    if not isinstance(tags, dict) or not (etag is None or isinstance(etag, str)):
        raise DecodeError("its extras are of another shape")
    return {_text(tag): _token(token) for tag, token in tags.items()}, etag


def _text(tag: Any) -> str:
    if not isinstance(tag, str):
        raise DecodeError("a tag is no text")
    return tag


def _token(token: Any) -> bytes:
    if not isinstance(token, bytes) or len(token) != TOKEN_BYTES:
        raise DecodeError("a tag's token is of another length")
    return token
