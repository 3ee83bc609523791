"""One value in L1, and why entries leave."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from asynccache.core.policy import Lifetime

FOREVER = float("inf")

NOWHERE: Final = 0
SMALL: Final = 1
MAIN: Final = 2


class RemovalCause(Enum):
    """Why an entry left L1."""

    EXPLICIT = "explicit"
    """It was deleted or cleared."""
    REPLACED = "replaced"
    """It got a new value."""
    EXPIRED = "expired"
    """It was past its lifetime and its grace."""
    SIZE = "size"
    """The bound was reached."""

    @property
    def was_evicted(self) -> bool:
        """Tell whether the engine removed it of its own accord."""
        return self in (RemovalCause.EXPIRED, RemovalCause.SIZE)


class Extra:
    """What few entries have.

    Attributes:
        tags: The value's tags.
        etag: What its source can be asked with whether it has changed.
        version: Of the value; 0: it has none.
    """

    __slots__ = ("etag", "tags", "version")

    def __init__(
        self, tags: tuple[str, ...] = (), etag: str | None = None, version: int = 0
    ) -> None:
        self.tags = tags
        self.etag = etag
        self.version = version


class Entry:
    """A value and the moments that matter to it, in seconds of the cache's clock.

    Where msgspec is installed, a type with the same fields is used that the garbage collector does
    not look at; see `asynccache.memory.kinds`.

    Attributes:
        key: The user's key.
        value: The value itself, or its payload when ``encoded``; None when the entry has left.
        encoded: The value is a payload, to be decoded for each reader.
        expiry: The end of its freshness in this process.
        soft: Until then "return it" is all that is needed; one of the two compares of a hit. It is
            the earliest of ``expiry``, ``eager`` and the end of the last proof that the value is
            current.
        hard: The end of any use that it may be of: until then it may stand in for a failing loader.
        grace: How long that is after the end of its ttl, in seconds.
        born: When it was loaded or stored, as far as this process knows.
        eager: From then on a read with a loader refreshes it in the background.
        extra: What few entries have.
        weight: What the weigher said.
        epoch: That of the engine when it was put, one more when ``encoded``; the other compare of
            a hit.
        hits: How often it was read; never reset, so that it serves eviction and statistics.
        seen: What ``hits`` was when the eviction hand last passed, and less for each second chance
            that is left.
        queue: Which of the engine's queues it is in.
        due: The second whose bucket has it; -1: none.
    """

    __slots__ = (
        "born",
        "due",
        "eager",
        "encoded",
        "epoch",
        "expiry",
        "extra",
        "grace",
        "hard",
        "hits",
        "key",
        "queue",
        "seen",
        "soft",
        "value",
        "weight",
    )

    def __init__(  # noqa: PLR0917  # as a struct's; keywords would cost as much as the rest
        self,
        key: str,
        value: Any,
        encoded: bool,
        expiry: float,
        soft: float,
        hard: float,
        grace: float,
        born: float = 0.0,
        eager: float = FOREVER,
        extra: Extra | None = None,
    ) -> None:
        self.key = key
        self.value = value
        self.encoded = encoded
        self.expiry = expiry
        self.soft = soft
        self.hard = hard
        self.grace = grace
        self.born = born
        self.eager = eager
        self.extra = extra
        self.weight = 1
        self.epoch = 0
        self.hits = 0
        self.seen = 0
        self.queue = NOWHERE
        self.due = -1


def new_entry(
    key: str,
    value: Any,
    *,
    encoded: bool,
    since: float,
    left: Lifetime,
    l1_ttl: float | None = None,
    proven: float = FOREVER,
    age: float = 0.0,
    eager: float = FOREVER,
    extra: Extra | None = None,
    kind: type[Entry] = Entry,
) -> Entry:
    """Return an entry.

    Args:
        key: The user's key.
        value: The value, or its payload.
        encoded: Which of the two.
        since: The instant from which its lifetime counts.
        left: What is left of its lifetime at that instant.
        l1_ttl: How long this process may keep it at most, in seconds; None: no such limit.
        proven: Until then it is known to be current.
        age: How old the value was at ``since``, in seconds.
        eager: From then on it is to be refreshed.
        extra: What few entries have.
        kind: Its type; see `entry_type`.
    """
    ttl_end = FOREVER if left.fresh is None else since + left.fresh
    expiry = ttl_end if l1_ttl is None else min(ttl_end, since + l1_ttl)
    # Without grace it is of no use once this process has to ask Redis again.
    hard = ttl_end + left.grace if left.grace else expiry
    soft = min(expiry, proven, eager)
    return kind(key, value, encoded, expiry, soft, hard, left.grace, since - age, eager, extra)
