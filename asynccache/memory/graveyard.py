"""What was cleared, until there is time to free it.

Freeing a million entries takes a second. So `clear` sets the epoch forward, which nothing that was
put before may be served in, and leaves the rest to slices of work between other things.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from asynccache.memory.buckets import CHECK_EVERY
from asynccache.memory.entry import NOWHERE, Entry


class Graveyard:
    """Entries that are to be freed."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: deque[deque[Entry] | list[Entry]] = deque()

    def add(self, rows: Iterable[deque[Entry] | list[Entry]]) -> None:
        """Take what was cleared; an entry may be in several rows, or have left on its own."""
        self._rows.extend(row for row in rows if row)

    def work(self, bury: Callable[[Entry], None], is_over: Callable[[], bool]) -> bool:
        """Free entries as long as there is time.

        Args:
            bury: Frees an entry.
            is_over: Is asked now and then whether to stop.

        Returns:
            Whether some are left.
        """
        since_check = 0
        while self._rows:
            row = self._rows[0]
            take = row.popleft if isinstance(row, deque) else row.pop
            while row:
                entry = take()
                if entry.queue != NOWHERE:
                    bury(entry)
                since_check += 1
                if since_check % CHECK_EVERY == 0 and is_over():
                    return True
            self._rows.popleft()
        return False

    def __len__(self) -> int:
        return sum(map(len, self._rows))
