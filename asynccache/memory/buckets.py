"""Which entries expire when: a queue for each second, and a heap of the seconds.

To add an entry is an append. One that gets a longer life stays where it is until its old second is
due, and is put into another bucket then, so that renewing is free. An entry is in one bucket at
most; one that has left stays in its queue until that is due, or until half of the queue has left.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import ceil, inf
from typing import Final

from asynccache.memory.entry import NOWHERE, Entry
from asynccache.memory.fifo import SMALL_CHUNK, Fifo

LATEST: Final = float(1 << 60)
"""Seconds past which a moment counts as never."""

_FEWEST_TO_SIFT: Final = 64

CHECK_EVERY: Final = 8
"""Entries between two looks at the clock."""


class _Bucket:
    __slots__ = ("entries", "left")

    def __init__(self) -> None:
        self.entries = Fifo(chunk=SMALL_CHUNK)
        self.left = 0  # of them, those that have left the cache


class Buckets:
    """The entries of one engine that expire."""

    __slots__ = ("_buckets", "_seconds")

    def __init__(self) -> None:
        self._buckets: dict[int, _Bucket] = {}
        self._seconds: list[int] = []

    def add(self, entry: Entry) -> bool:
        """Note an entry; tell whether it is the only one. One that never expires is not noted."""
        if entry.hard > LATEST:
            return False
        second = max(ceil(entry.hard), 0)
        bucket = self._buckets.get(second)
        if bucket is None:
            bucket = self._buckets[second] = _Bucket()
            heappush(self._seconds, second)
        bucket.entries.append(entry)
        entry.due = second
        return len(self._seconds) == 1 and len(bucket.entries) == 1

    def left(self, entry: Entry) -> None:
        """Take note that an entry has left the cache."""
        bucket = self._buckets.get(entry.due)
        entry.due = -1
        if bucket is None:
            return
        bucket.left += 1
        if bucket.left > _FEWEST_TO_SIFT and 2 * bucket.left > len(bucket.entries):
            # Else whatever is overwritten a thousand times would be kept a thousand times.
            here = [each for each in bucket.entries if each.queue != NOWHERE]
            bucket.entries = Fifo(here, SMALL_CHUNK)
            bucket.left = 0

    def sweep(
        self, now: float, expire: Callable[[Entry], None], is_over: Callable[[], bool]
    ) -> bool:
        """Expire what is due, as long as there is time.

        Args:
            now: The present moment.
            expire: Removes an entry.
            is_over: Is asked now and then whether to stop.

        Returns:
            Whether something that is due is left.
        """
        since_check = 0
        while self._seconds and self._seconds[0] <= now:
            second = self._seconds[0]
            entries = self._buckets[second].entries
            while entries:
                entry = entries.popleft()
                if entry.queue != NOWHERE and entry.due == second:
                    if now >= entry.hard:
                        entry.due = -1
                        expire(entry)
                    else:
                        self.add(entry)  # it was renewed
                since_check += 1
                if since_check % CHECK_EVERY == 0 and is_over():
                    return True
            heappop(self._seconds)
            del self._buckets[second]
        return False

    def drain(self) -> list[Fifo]:
        """Take everything out at once; return what was in the buckets."""
        drained = [bucket.entries for bucket in self._buckets.values()]
        self._buckets, self._seconds = {}, []
        return drained

    @property
    def next_due(self) -> float:
        """The moment at which something is due; infinite: never."""
        return self._seconds[0] if self._seconds else inf

    def __len__(self) -> int:
        return sum(len(bucket.entries) - bucket.left for bucket in self._buckets.values())
