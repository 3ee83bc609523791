"""The second level as the cache sees it: bytes by key, leases, and nothing that decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol

from asynccache.core.pattern import Pattern


class Raw(NamedTuple):
    """The replies to GET and PTTL for one key, as they came."""

    value: object
    pttl: object


class Item(NamedTuple):
    """A record to be stored, and for how many milliseconds; 0: for ever."""

    record: bytes
    px: int


class Lease(NamedTuple):
    """The answer to asking for permission to load.

    Attributes:
        granted: This process may load, and fill with its token.
        raw: What the key held at that moment: it may have been filled just before.
        denied: Nobody can be granted it now (Redis has no memory left): to wait is of no use.
        is_written: Somebody is about to change the source: nothing may be kept.
        settling_ms: For so long what is loaded may be old: it may be kept no longer.
        clock: That of the tags at that moment; None: it cannot be told.
    """

    granted: bool
    raw: Raw
    denied: bool = False
    is_written: bool = False
    settling_ms: int = 0
    clock: int | None = None


class Outcome(IntEnum):
    """What became of a record that was to be stored."""

    OLDER = 0
    """What is there has a higher version."""
    STORED = 1
    UNKEPT = 2
    """Somebody is about to change the source: nothing is kept now."""


class Store(Protocol):
    """A second level. Every method raises `Unavailable` when it cannot be asked, and only that.

    Methods that change a key also take its lease away and tell the other processes, in this order:
    a process that hears of the change must not find the old value afterwards (race 9).
    """

    @property
    def settled_at(self) -> float:
        """From which time of the loop's clock on no `put`, `add` or `increment` that has failed
        so far will be carried out any more."""
        ...

    async def read(self, keys: Sequence[str]) -> list[Raw]:
        """Return what some keys hold, in order, in one round trip."""
        ...

    async def acquire(
        self, keys: Sequence[str], token: bytes, lease_ms: int, *, steal: bool = False
    ) -> list[Lease]:
        """Ask for permission to load some keys.

        Args:
            keys: The keys.
            token: Identifies the one who asks; fresh for each load.
            lease_ms: How long the permission lasts unless it is renewed.
            steal: Take the lease from whoever holds it, whose fill will then be refused.
        """
        ...

    async def lease_left(self, key: str) -> tuple[Raw, int]:
        """Return what a key holds, and its lease's remaining milliseconds (PTTL's answer).

        Whoever fills the key or gives its lease up afterwards says so on the bus.
        """
        ...

    async def renew(self, keys: Collection[str], token: bytes, lease_ms: int) -> None:
        """Keep the leases that are still this token's."""
        ...

    async def release(self, keys: Collection[str], token: bytes) -> None:
        """Give back the leases that are still this token's."""
        ...

    async def fill(
        self, items: Mapping[str, Item], token: bytes, *, announce: bool = False
    ) -> set[str]:
        """Store records whose leases are still this token's; return the keys that were stored.

        Args:
            items: The records.
            token: The leases' token.
            announce: Tell the others, who may hold an older value.
        """
        ...

    def stamp(self, key: str) -> bytes:
        """Return the incarnation of the server that has a key, 8 bytes: see `core.record`."""
        ...

    async def meet(self, keys: Sequence[str]) -> None:
        """Make sure that `stamp` knows of some keys."""
        ...

    async def ensure(self, tags: Sequence[str]) -> dict[str, bytes]:
        """Return the tokens of some tags ("": the namespace's), made for those that have none."""
        ...

    async def ensure_unless_later(self, tags: Sequence[str], clock: int) -> dict[str, bytes] | None:
        """Return the tokens of some tags; None: one was invalidated after a time of the clock.

        None as well where that is not known.
        """
        ...

    async def invalidate_tags(self, tags: Sequence[str]) -> None:
        """Replace the tokens of some tags, and tell the others."""
        ...

    async def renew_era(self) -> None:
        """Replace the namespace's token, and tell the others: everything is invalid."""
        ...

    async def mark(self, key: str, nonce: bytes, ms: int) -> None:
        """Announce that a key's source is about to be changed, for so long at most."""
        ...

    async def unmark(self, key: str, nonce: bytes) -> int:
        """Take that back, and remove the key; return 1 if it was there."""
        ...

    async def put(self, items: Mapping[str, Item], version: int = 0) -> list[Outcome]:
        """Store records whatever is there; return what became of each.

        Args:
            items: The records.
            version: Of all of them; 0: they have none, and the last one wins.
        """
        ...

    async def add(self, key: str, item: Item) -> bool:
        """Store a record unless there is a fresh one; tell whether it was stored."""
        ...

    async def increment(self, key: str, amount: int, px: int, prefix: bytes) -> int | Raw:
        """Add to a counter, made with ``px`` where there is none; return the count.

        Args:
            key: The key.
            amount: What to add.
            px: Milliseconds, for a new counter; 0: without expiry.
            prefix: What stands in front of a counter's number; see `core.record`.

        Returns:
            The count, or what the key holds when that is not a counter.

        Raises:
            OverflowError: The count would leave the range of 64 bits.
        """
        ...

    async def exchange(self, key: str, old: bytes, new: bytes) -> bool:
        """Put bytes in the place of those that were read (empty: remove them), if still there."""
        ...

    async def forget(self, keys: Sequence[str], settle_ms: int = 0) -> int:
        """Remove some keys; return how many were there.

        Args:
            keys: The keys.
            settle_ms: For so long what is loaded for them may be old; see `Lease`.
        """
        ...

    async def expire(self, keys: Sequence[str]) -> int:
        """End the freshness of some keys, keep their grace; return how many were fresh."""
        ...

    async def touch(self, key: str, fresh_ms: int) -> bool:
        """Give a fresh key a new lifetime; tell whether it was fresh.

        The lease stays where it is: the value is the same.
        """
        ...

    async def forget_matching(self, pattern: Pattern) -> int:
        """Remove the keys that match; return how many."""
        ...
