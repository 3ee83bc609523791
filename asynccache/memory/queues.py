"""Eviction by S3-FIFO: two queues, no list to relink on a hit.

Yang, Zhang, Qiu, Yue, Rashmi: "FIFO queues are all you need for cache eviction", SOSP 2023. New
keys enter a small queue, a tenth of the cache. Whoever was read more than once by the time it comes
to the front moves to the main queue, the others leave and are remembered by the ghost: one that
comes back soon enters the main queue at once. In the main queue whoever was read goes round again,
up to three times. So a scan passes through the small queue and leaves the rest alone.

A hit adds to the entry's count and moves nothing. An entry that was deleted stays in its queue,
marked, until it comes to the front or until the marked ones are as many as the others.
"""

from __future__ import annotations

from typing import Final

from asynccache.memory.entry import MAIN, NOWHERE, SMALL, Entry
from asynccache.memory.fifo import Fifo
from asynccache.memory.ghost import Ghost

MOST_MOVES: Final = 64
"""Steps of the hand for one eviction; after so many second chances the next entry leaves anyway.
In the measurements that costs a hundredth of a point of the hit ratio."""

MOST_CHANCES: Final = 3

SMALL_SHARE: Final = 10
"""The small queue has a tenth of the cache, as in the paper."""

_FEWEST_DEAD: Final = 1_024


class Queues:
    """The order in which entries leave.

    Args:
        capacity: How many entries there may be.

    Attributes:
        small_count: Entries in the small queue.
        small_weight: The sum of their weights.
    """

    __slots__ = ("_dead", "_ghost", "_live", "_main", "_small", "small_count", "small_weight")

    def __init__(self, capacity: int) -> None:
        self._small = Fifo()
        self._main = Fifo()
        self._ghost = Ghost(capacity)
        self._dead = 0  # entries in the two that are in no queue any more
        self._live = 0
        self.small_count = 0
        self.small_weight = 0

    def add(self, entry: Entry, place: int = NOWHERE) -> None:
        """Let an entry in.

        Args:
            entry: The entry; it is in no queue.
            place: The queue of the one that it replaces.
        """
        self._live += 1
        if place == MAIN or (place == NOWHERE and self._ghost.take(entry.key)):
            entry.queue = MAIN
            self._main.append(entry)
        else:
            entry.queue = SMALL
            self._small.append(entry)
            self.small_count += 1
            self.small_weight += entry.weight

    def remove(self, entry: Entry, *, remember: bool) -> None:
        """Take an entry out, wherever it is.

        Args:
            entry: The entry; it is in a queue.
            remember: Its value is gone, but the key is as wanted as it was: if it comes back it
                shall not have to prove that again.
        """
        if entry.queue == SMALL:
            self.small_count -= 1
            self.small_weight -= entry.weight
        elif remember:
            self._ghost.add(entry.key)
        entry.queue = NOWHERE
        self._live -= 1
        self._dead += 1
        if self._dead > _FEWEST_DEAD and self._dead > self._live:
            self._small = Fifo(each for each in self._small if each.queue == SMALL)
            self._main = Fifo(each for each in self._main if each.queue == MAIN)
            self._dead = 0

    def victim(self, now: float, *, small_is_full: bool) -> Entry | None:
        """Return the entry that has to leave, taken out of its queue; None: there is none.

        Args:
            now: The present moment: what has expired leaves before anything gets a second chance.
            small_is_full: The small queue has its share or more.
        """
        moves = 0
        while self._live:
            from_small = self.small_count > 0 and (small_is_full or self.small_count == self._live)
            entry = self._pop(self._small if from_small else self._main)
            if entry is None:
                continue
            if moves < MOST_MOVES and now < entry.hard and self._moves_on(entry):
                moves += 1
                continue
            if entry.queue == SMALL:
                self.small_count -= 1
                self.small_weight -= entry.weight
            if (entry.queue == SMALL) == (now < entry.hard):
                # Pushed out before it could prove itself, or proven and out of date.
                self._ghost.add(entry.key)
            entry.queue = NOWHERE
            self._live -= 1
            return entry
        return None

    def _pop(self, queue: Fifo) -> Entry | None:
        entry = queue.popleft()
        if entry.queue == NOWHERE:
            self._dead -= 1
            return None
        return entry

    def _moves_on(self, entry: Entry) -> bool:
        """Give an entry that was read another round in the main queue."""
        reads = entry.hits - entry.seen
        if entry.queue == SMALL:
            if reads <= 1:
                return False
            self.small_count -= 1
            self.small_weight -= entry.weight
            entry.queue = MAIN
            entry.seen = entry.hits
        else:
            if reads <= 0:
                return False
            entry.seen = entry.hits - min(reads, MOST_CHANCES) + 1
        self._main.append(entry)
        return True

    def drain(self) -> list[Fifo]:
        """Take everything out at once; return the queues, with what is marked in them."""
        drained = [self._small, self._main]
        self._small, self._main = Fifo(), Fifo()
        self._dead = self._live = self.small_count = self.small_weight = 0
        return drained

    def __len__(self) -> int:
        return self._live

    def __repr__(self) -> str:
        return f"<Queues {self.small_count} small, {self._live - self.small_count} main>"
