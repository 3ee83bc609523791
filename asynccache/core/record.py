"""The bytes that Redis keeps for a key, and what they mean when they come back.

::

    0   2  magic "ac"
    2   1  version
    3   1  codec
    4   8  fresh: milliseconds from storing to expiry, 0 = never        (big-endian, as all numbers)
    12  8  grace: milliseconds after that in which it may stand in for a failing loader
    20  4  load time: milliseconds that the loader took
    24 16  checksum over all the rest, the namespace and the key; keyed when there is a secret
    40     payload

No clock is compared across machines: the server's PTTL says what is left, so a record is fresh
while ``PTTL > grace``. The ``EXPIRE`` and ``TOUCH`` scripts read ``grace`` at its fixed place.

A counter (``cache.incr``) is the exception: Redis itself adds to it, so it is a bare number.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest

from asynccache.core.policy import Lifetime
from asynccache.errors import DecodeError

MAGIC = b"ac"
VERSION = 1
CHECKSUM_BYTES = 16
_FIELDS = struct.Struct(">2sBBQQI")
HEADER_BYTES = _FIELDS.size + CHECKSUM_BYTES
_COUNTER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
_COUNTERS = range(-(2**63), 2**63)
"""What Redis can count to; any other number is not a counter of its own."""
_LONGEST_LOAD_MS = 2**32 - 1

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
    """

    payload: bytes | None
    counter: int = 0
    codec: int = 0
    fresh_ms: int = 0
    grace_ms: int = 0
    load_ms: int = 0

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
        self, identity: bytes, payload: bytes, *, codec: int, lifetime: Lifetime, load_ms: int = 0
    ) -> bytes:
        """Return the bytes of a record.

        Args:
            identity: The namespace and key that it belongs to.
            payload: The codec's bytes.
            codec: The codec's identifier, 0 to 255.
            lifetime: How long it lives from now.
            load_ms: How long its loader took, in milliseconds.
        """
        fields = _FIELDS.pack(
            MAGIC,
            VERSION,
            codec,
            lifetime.fresh_ms,
            lifetime.grace_ms,
            min(load_ms, _LONGEST_LOAD_MS),
        )
        return fields + self._checksum(identity, fields, payload) + payload

    def unpack(self, identity: bytes, raw: bytes) -> Record:
        """Return the record in bytes from Redis.

        Args:
            identity: The namespace and key that it was asked for under.
            raw: The bytes; anything at all.

        Raises:
            DecodeError: They are not a record of this key, version and secret.
        """
        if not raw.startswith(MAGIC) and _COUNTER.fullmatch(raw) and int(raw) in _COUNTERS:
            return Record(None, counter=int(raw))
        if len(raw) < HEADER_BYTES:
            raise DecodeError("too short for a record")
        magic, version, codec, fresh_ms, grace_ms, load_ms = _FIELDS.unpack_from(raw)
        if magic != MAGIC or version != VERSION:
            raise DecodeError("not a record of this version")
        payload = raw[HEADER_BYTES:]
        checksum = self._checksum(identity, raw[: _FIELDS.size], payload)
        if not compare_digest(checksum, raw[_FIELDS.size : HEADER_BYTES]):
            raise DecodeError("wrong checksum")
        return Record(payload, 0, codec, fresh_ms, grace_ms, load_ms)

    def _checksum(self, identity: bytes, fields: bytes, payload: bytes) -> bytes:
        state = blake2b(
            fields, digest_size=CHECKSUM_BYTES, key=self._key, person=b"asynccache.rec1"
        )
        state.update(len(identity).to_bytes(4, "big"))
        state.update(identity)
        state.update(payload)
        return state.digest()
