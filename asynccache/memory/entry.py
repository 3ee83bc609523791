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
        soft: The earliest moment at which anything but "return it" is needed.
        hard: Until then it may stand in for a failing loader.
        grace: How long that is after its expiry, in seconds.
        proven: Until then it needs no proof of the bus: it was read from its source less than
            ``max_staleness`` ago.
        weight: What the weigher said.
        hits: How often it was read; never reset, so that it serves eviction and statistics.
        seen: What ``hits`` was when the eviction hand last passed.
    """

    __slots__ = (
        "encoded",
        "grace",
        "hard",
        "hits",
        "key",
        "proven",
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
        l1_ttl: float | None,
        proven: float = FOREVER,
        weight: int = 1,
    ) -> None:
        expiry = FOREVER if left.fresh is None else since + left.fresh
        self.key = key
        self.value = value
        self.encoded = encoded
        self.soft = expiry if l1_ttl is None else min(expiry, since + l1_ttl)
        self.hard = expiry + left.grace
        self.grace = left.grace
        self.proven = proven
        self.weight = weight
        self.hits = 0
        self.seen = 0
