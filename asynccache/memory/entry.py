"""One value in L1, and why entries leave."""

from __future__ import annotations

from enum import Enum
from typing import Any

from asynccache.core.policy import Lifetime

FOREVER = float("inf")


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


class Entry:
    """A value and the moments that matter to it, in seconds of the cache's clock.

    Attributes:
        key: The user's key.
        value: The value itself, or its payload when ``encoded``.
        encoded: The value is a payload, to be decoded for each reader.
        soft: Until then "return it" is all that is needed; the one compare of a hit. It is the
            earliest of ``expiry`` and the end of the last proof that the value is current.
        expiry: The end of its freshness in this process.
        hard: Until then it may stand in for a failing loader.
        grace: How long that is after the end of its ttl, in seconds.
        weight: What the weigher said.
        hits: How often it was read; never reset, so that it serves eviction and statistics.
        seen: What ``hits`` was when the eviction hand last passed.
    """

    __slots__ = (
        "encoded",
        "expiry",
        "grace",
        "hard",
        "hits",
        "key",
        "seen",
        "soft",
        "value",
        "weight",
    )

    def __init__(
        self,
        key: str,
        value: Any,
        *,
        encoded: bool,
        since: float,
        left: Lifetime,
        l1_ttl: float | None = None,
        proven: float = FOREVER,
        weight: int = 1,
    ) -> None:
        """Make an entry.

        Args:
            key: The user's key.
            value: The value, or its payload.
            encoded: Which of the two.
            since: The instant from which its lifetime counts.
            left: What is left of its lifetime at that instant.
            l1_ttl: How long this process may keep it at most, in seconds; None: no such limit.
            proven: Until then it is known to be current.
            weight: Its weight, where there is no weigher.
        """
        ttl_end = FOREVER if left.fresh is None else since + left.fresh
        self.key = key
        self.value = value
        self.encoded = encoded
        self.expiry = ttl_end if l1_ttl is None else min(ttl_end, since + l1_ttl)
        self.soft = min(self.expiry, proven)
        self.hard = ttl_end + left.grace
        self.grace = left.grace
        self.weight = weight
        self.hits = 0
        self.seen = 0
