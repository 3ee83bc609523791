"""What processes tell each other over the bus: which keys to forget, never their values.

A message is a MessagePack array behind its sequence number, which Redis itself puts there::

    b"<sequence>|" + pack([version, origin, kind, [text, …]])

Keys, not values: a message that arrives late then costs one read and is never wrong (race 13).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import msgpack

from asynccache.errors import DecodeError

VERSION = 1
KEYS_PER_MESSAGE = 512
CHARACTERS_PER_MESSAGE = 32_768
"""Bounds on one message, of which Redis makes a copy for each listener."""

_LONGEST_SEQUENCE_DIGITS = 19


class Kind(IntEnum):
    """What a message asks its listeners to do."""

    FORGET_KEYS = 1
    FORGET_MATCHING = 2
    FORGET_ALL = 3
    PROBE = 4
    FORGET_TAGS = 5
    FILLED = 6


UNNUMBERED = b"0|"
"""In front of a message that may be lost: it is no news but a saving of time."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        origin: The sender's random identifier.
        kind: What to do.
        texts: Keys, tags, one pattern, or a probe's nonce.
    """

    origin: bytes
    kind: Kind
    texts: tuple[str, ...] = ()

    def pack(self) -> bytes:
        """Return the bytes that a sender hands to Redis."""
        packed: bytes = msgpack.packb([VERSION, self.origin, int(self.kind), list(self.texts)])
        return packed


def forget_keys(
    origin: bytes, keys: Sequence[str], kind: Kind = Kind.FORGET_KEYS
) -> Iterator[Message]:
    """Yield the messages that make others forget keys, or tags, of bounded size."""
    gathered: list[str] = []
    characters = 0
    for key in keys:
        characters += len(key)
        too_many = len(gathered) == KEYS_PER_MESSAGE or characters > CHARACTERS_PER_MESSAGE
        if gathered and too_many:
            yield Message(origin, kind, tuple(gathered))
            gathered, characters = [], len(key)
        gathered.append(key)
    if gathered:
        yield Message(origin, kind, tuple(gathered))


def unpack(data: object) -> tuple[int, Message]:
    """Return the sequence number and message in bytes from the bus.

    Raises:
        DecodeError: They are not a message of this version.
    """
    if not isinstance(data, bytes):
        raise DecodeError("not bytes")
    digits, bar, body = data.partition(b"|")
    if not bar or not digits.isdigit() or len(digits) > _LONGEST_SEQUENCE_DIGITS:
        raise DecodeError("no sequence number")
    try:
        version, origin, kind, texts = msgpack.unpackb(body)
        readable = isinstance(texts, list) and all(isinstance(text, str) for text in texts)
        if version == VERSION and isinstance(origin, bytes) and readable:
            return int(digits), Message(origin, Kind(kind), tuple(texts))
    except (ValueError, TypeError, msgpack.exceptions.UnpackException, RecursionError) as error:
        raise DecodeError("not a message") from error
    raise DecodeError("not a message of this version")
