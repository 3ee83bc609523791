"""What was cleared, until there is time to free it.

Freeing a million entries takes a second. So `clear` sets the epoch forward, which nothing that was
put before may be served in, and leaves the rest to slices of work between other things.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from asynccache.memory.buckets import CHECK_EVERY
from asynccache.memory.entry import NOWHERE, Entry
from asynccache.memory.fifo import Fifo


class Graveyard:
    """Entries that are to be freed."""

    __slots__ = ("_entries", "_references")

    def __init__(self) -> None:
        self._entries: deque[Fifo] = deque()
        self._references: deque[Fifo] = deque()

    def add(self, entries: Iterable[Fifo], references: Iterable[Fifo]) -> None:
        """Take what was cleared.

        Args:
            entries: Each entry once; some may have left on their own.
            references: What else has held them, to be freed after them.
        """
        self._entries.extend(row for row in entries if row)
        self._references.extend(row for row in references if row)

    def work(self, bury: Callable[[Entry], None], is_over: Callable[[], bool]) -> bool:
        """Free entries as long as there is time.

        Args:
            bury: Frees an entry.
            is_over: Is asked now and then whether to stop.

        Returns:
            Whether some are left.
        """
        since_check = 0
        for rows, is_buried in ((self._entries, True), (self._references, False)):
            while rows:
                row = rows[0]
                while row:
                    entry = row.popleft()
                    if is_buried and entry.queue != NOWHERE:
                        bury(entry)
                    since_check += 1
                    if since_check % CHECK_EVERY == 0 and is_over():
                        return True
                rows.popleft()
        return False

    def __len__(self) -> int:
        return sum(map(len, self._entries))
