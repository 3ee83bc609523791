"""User keys to Redis keys, injectively, one hash slot per key.

A cache keeps up to five Redis keys for each user key, with the same hash tag, so that a script may
touch them in a cluster::

    shop:r:{product:42}     the record; everything under ``shop:r:`` is a record
    shop:l:{product:42}     the lease of whoever loads it; outside the records' prefix
    shop:q:{product:42}     is there while somebody waits for another process's load
    shop:w:{product:42}     the intents of those who are about to change its source
    shop:s:{product:42}     until when its source's replicas may be behind
    shop:t:{products}       the token of a tag; ``shop:era`` is the one of the whole namespace

Braces, control characters and the percent sign are escaped as ``%XX``. A key longer than 200 bytes
is replaced by its beginning and a hash; the record's checksum covers the whole key.
"""

from __future__ import annotations

import re
from hashlib import blake2b

from asynccache.core.arguments import wrong_type
from asynccache.errors import InvalidArgument

LONGEST_PLAIN_BYTES = 200
"""Redis compares keys byte by byte; past this a hash is cheaper for everybody."""

HASHED_MARK = "%~"
"""Begins the name of a hashed key. An escaped key never holds it: % is followed by hex there."""

_KEPT_CHARACTERS = 40
_TO_ESCAPE = re.compile(r"[%{}\x00-\x1f\x7f-\x9f]")
_ESCAPED = re.compile(r"%([0-9A-F]{2})")
_NAMESPACE = re.compile(r"[A-Za-z0-9._:/@-]{1,64}")


def checked_namespace(namespace: object) -> str:
    """Return a namespace as it is.

    Raises:
        ArgumentTypeError: It is not a str.
        InvalidArgument: It is empty, long, or holds characters with a meaning in Redis patterns.
    """
    if not isinstance(namespace, str):
        raise wrong_type("namespace", namespace, "a str")
    if not _NAMESPACE.fullmatch(namespace):
        raise InvalidArgument(
            "namespace", f"must be 1 to 64 letters, digits or any of ._:/@- , got {namespace!r}"
        )
    return namespace


def escape(text: str) -> str:
    """Return text without braces, which could end a hash tag, and without control characters."""
    return _TO_ESCAPE.sub(lambda match: f"%{ord(match.group()):02X}", text)


def unescape(text: str) -> str:
    """Return the text that ``escape`` was given."""
    return _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), text)


class KeySpace:
    """The Redis keys of one namespace.

    Args:
        namespace: The prefix of everything; see `checked_namespace`.
        db: The number of Redis's database. Keys belong to one, but a channel belongs to all.
    """

    __slots__ = (
        *("channel", "era", "intents", "leases", "namespace", "records", "sequence"),
        *("settlings", "tag_clock", "tags", "waits"),
    )

    def __init__(self, namespace: str, db: int = 0) -> None:
        self.namespace = namespace
        self.records = f"{namespace}:r:"
        self.leases = f"{namespace}:l:"
        self.waits = f"{namespace}:q:"
        self.intents = f"{namespace}:w:"
        self.settlings = f"{namespace}:s:"
        self.tags = f"{namespace}:t:"
        self.era = f"{namespace}:era"
        self.tag_clock = f"{namespace}:clock"
        self.sequence = f"{namespace}:bus:sequence"
        self.channel = f"{namespace}:bus:{db}" if db else f"{namespace}:bus"

    def record(self, key: str) -> str:
        """Return the Redis key of a user key's record."""
        return f"{self.records}{{{_tag(key)}}}"

    def lease(self, key: str) -> str:
        """Return the Redis key of a user key's lease, in the same slot as its record."""
        return f"{self.leases}{{{_tag(key)}}}"

    def wait(self, key: str) -> str:
        """Return the Redis key that is there while somebody waits for a user key; same slot."""
        return f"{self.waits}{{{_tag(key)}}}"

    def intent(self, key: str) -> str:
        """Return the Redis key of the intents to change a user key's source; same slot."""
        return f"{self.intents}{{{_tag(key)}}}"

    def settling(self, key: str) -> str:
        """Return the Redis key that is there while a user key's source settles; same slot."""
        return f"{self.settlings}{{{_tag(key)}}}"

    def probe(self, nonce: str) -> str:
        """Return a Redis key among those of the records that is no record's."""
        return f"{self.records}probe:{nonce}"

    def token(self, tag: str) -> str:
        """Return the Redis key of a tag's token; of the namespace's for the empty tag."""
        return f"{self.tags}{{{_tag(tag)}}}" if tag else self.era

    def identity(self, key: str) -> bytes:
        """Return what the checksum of a record covers besides the record itself."""
        # Not an f-string: it would take the name, not the text, of an Enum member that is a str.
        return self.namespace.encode() + b"\0" + key.encode()

    def name_of(self, redis_key: bytes) -> str | None:
        """Return the escaped name inside a record's or lease's Redis key; None: not ours."""
        try:
            text = redis_key.decode()
        except UnicodeDecodeError:
            return None
        for prefix in (self.records, self.leases):
            if text.startswith(prefix + "{") and text.endswith("}"):
                return text[len(prefix) + 1 : -1]
        return None


def _tag(key: str) -> str:
    escaped = escape(key)
    if len(escaped) * 4 <= LONGEST_PLAIN_BYTES or len(escaped.encode()) <= LONGEST_PLAIN_BYTES:
        return escaped
    digest = blake2b(key.encode(), digest_size=20, person=b"asynccache.key").hexdigest()
    return f"{HASHED_MARK}{escape(key[:_KEPT_CHARACTERS])}~{digest}"


def kept_beginning(name: str) -> str | None:
    """Return how a hashed key begins, from its escaped name; None: the name holds a whole key."""
    if not name.startswith(HASHED_MARK):
        return None
    return unescape(name[len(HASHED_MARK) : name.rindex("~")])
