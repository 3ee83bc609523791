"""The L1 engine: a dict, bounded by number and by weight. Owned by one event loop.

Reading is the dict's own `get`, two compares and a count, all of it in the caller's coroutine; what
is evicted is up to the `Queues`, what expires when to the `Buckets`. Nothing here waits, reads a
clock or starts a task: the moment is an argument, and what there is no time for now is left for
`work`, which a shell calls between other things.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from asynccache.core.arguments import checked_callable, positive_int
from asynccache.memory.buckets import CHECK_EVERY, Buckets
from asynccache.memory.entry import NOWHERE, Entry, RemovalCause
from asynccache.memory.graveyard import Graveyard
from asynccache.memory.hooks import Hooks
from asynccache.memory.kinds import entry_type
from asynccache.memory.queues import MOST_CHANCES, SMALL_SHARE, Queues
from asynccache.memory.statistics import MemoryStatistics
from asynccache.memory.weighing import Weigher, checked_weight, estimated_weight

RemovalListener: TypeAlias = Callable[[str, Any, RemovalCause], None]

MOST_EVICTIONS: Final = 32
"""Entries that leave for one that is put; if that is not room enough the rest leaves in `work`."""

FREED_AT_ONCE: Final = 256
"""Entries that `clear` frees before it returns: a tenth of a millisecond."""


EPOCH_STEP: Final = 2
"""The odd numbers are for entries whose value is encoded."""


class MemoryEngine:
    """Entries by key, bounded by number and by weight.

    Args:
        max_entries: The most entries to hold; never more, at any moment.
        max_bytes: The most weight to hold; None: no such bound. For a moment it may be more, while
            room is made for an entry that is as heavy as many others.
        weigher: Gives the weight of a key and what is kept for it; called once for each put. None:
            an estimate of their bytes where there is ``max_bytes``, else 1.
        on_removal: Is told the key, value and cause of each removal, from `drain_removals`.
        hooks: Shared with other engines; None: its own.
        buckets: Shared with other engines, which are cleared together; None: its own.

    Raises:
        ArgumentTypeError: An argument has the wrong type.
        InvalidArgument: A bound is less than 1.

    Attributes:
        entries: To be read by key and not changed; the same for as long as the engine lives. What
            is found is served if ``soft`` and ``epoch`` allow it, and a hit is added to ``hits``.
        epoch: That of the entries which may be served at once, if their value is kept as it is;
            one more is that of those whose value is encoded. So one compare tells both.
        floor: What has an older epoch was cleared.
        entry_type: The type of entries to put.
        hooks: Whom it tells that there is something to do.
    """

    __slots__ = (
        "_buckets",
        "_evictions",
        "_expirations",
        "_graveyard",
        "_is_overweight",
        "_max_bytes",
        "_max_entries",
        "_on_removal",
        "_past_hits",
        "_queues",
        "_rejected",
        "_removals",
        "_weigher",
        "_weight",
        "entries",
        "entry_type",
        "epoch",
        "floor",
        "hooks",
    )

    def __init__(
        self,
        max_entries: int = 10_000,
        max_bytes: int | None = None,
        weigher: Weigher | None = None,
        on_removal: RemovalListener | None = None,
        *,
        hooks: Hooks | None = None,
        buckets: Buckets | None = None,
    ) -> None:
        self._max_entries = positive_int(max_entries, "max_entries")
        self._max_bytes = None if max_bytes is None else positive_int(max_bytes, "max_bytes")
        if weigher is not None:
            checked_callable(weigher, "weigher", "a function of a key and a value, or None")
        elif max_bytes is not None:
            weigher = estimated_weight
        if on_removal is not None:
            checked_callable(
                on_removal, "on_removal", "a function of a key, value and cause, or None"
            )
        self._weigher = weigher
        self._on_removal = on_removal
        self._removals: deque[tuple[str, Any, RemovalCause]] = deque()
        self._queues = Queues(self._max_entries)
        self._buckets = Buckets() if buckets is None else buckets
        self._graveyard = Graveyard()
        self._is_overweight = False
        self._weight = 0
        self._past_hits = 0
        self._evictions = 0
        self._expirations = 0
        self._rejected = 0
        # With what was cleared and is not freed yet.
        self.entries: dict[str, Entry] = {}
        self.epoch = 0
        self.floor = 0
        self.entry_type = entry_type()
        self.hooks = hooks or Hooks()

    def get(self, key: str) -> Entry | None:
        """Return the entry of a key, whatever its lifetime; None: there is none."""
        entry = self.entries.get(key)
        return None if entry is None or entry.epoch < self.floor else entry

    def put(self, entry: Entry, now: float) -> bool:
        """Hold an entry, replacing the one with its key.

        Args:
            entry: The entry, of ``entry_type``; its weight is set here when there is a weigher.
            now: The present moment, for finding expired entries first.

        Returns:
            False when it is heavier than the whole bound: then nothing is held for its key.

        Raises:
            InvalidArgument: The weigher gave something else than a whole number of at least 0.
        """
        if self._weigher is not None:
            entry.weight = checked_weight(self._weigher(entry.key, entry.value))
        place = NOWHERE
        old = self.entries.get(entry.key)
        if old is not None:
            if old.epoch < self.floor:
                self._bury(old)
            else:
                # As wanted as the value before it: same queue, same second chances.
                place = old.queue
                entry.seen = -min(old.hits - old.seen, MOST_CHANCES)
                self._remove(old, RemovalCause.REPLACED)
        if self._max_bytes is not None and entry.weight > self._max_bytes:
            self._rejected += 1
            return False
        self._make_room(entry.weight, now)
        entry.epoch = self.epoch + entry.encoded
        self.entries[entry.key] = entry
        self._weight += entry.weight
        self._queues.add(entry, place)
        if self._buckets.add(entry):
            self.hooks.on_expiring()
        return True

    def renew(self, entry: Entry) -> None:
        """Take note that ``hard`` of an entry that is held has changed."""
        if entry.due < 0 and self._buckets.add(entry):  # else it is looked at when it was due
            self.hooks.on_expiring()

    def delete(self, key: str) -> bool:
        """Forget a key; tell whether it was held."""
        entry = self.get(key)
        if entry is None:
            return False
        self._remove(entry, RemovalCause.EXPLICIT)
        return True

    def delete_matching(self, matches: Callable[[str], bool]) -> int:
        """Forget every key for which a predicate holds; return how many."""
        return sum(self.delete(key) for key in [key for key in self if matches(key)])

    def clear(self) -> int:
        """Forget everything; return how many entries that were.

        It takes no longer for a million entries: they are not served any more, and freed later.
        """
        count = self.bury_all()
        if self._graveyard.work(self._bury, some_work()):
            self.hooks.on_work()
        return count

    def advance(self) -> int:
        """Let no entry be served without a look at its tags; return the new epoch."""
        self.epoch += EPOCH_STEP
        self.hooks.on_epoch(self.epoch)
        return self.epoch

    def bury_all(self) -> int:
        """Do what `clear` does, and leave the freeing to `work`."""
        count = len(self)
        self.epoch += EPOCH_STEP
        self.floor = self.epoch
        self.hooks.on_epoch(self.epoch)
        self._weight = 0
        self._is_overweight = False
        self._graveyard.add(self._queues.drain(), self._buckets.drain())
        return count

    # What is done between other things.

    def expire(self, entry: Entry) -> None:
        """Remove an entry that has expired."""
        self._remove(entry, RemovalCause.EXPIRED)

    def sweep(self, now: float, is_over: Callable[[], bool]) -> bool:
        """Remove what has expired, as long as there is time; tell whether something is left.

        Args:
            now: The present moment.
            is_over: Is asked now and then whether to stop.
        """
        return self._buckets.sweep(now, self.expire, is_over)

    def work(self, now: float, is_over: Callable[[], bool]) -> bool:
        """Free what was cleared and make room that is still missing; see `sweep`."""
        if self._is_overweight:
            self._is_overweight = False
            self._make_room(0, now)
        return self._graveyard.work(self._bury, is_over) or self._is_overweight

    @property
    def next_due(self) -> float:
        """The moment at which something expires; infinite: never."""
        return self._buckets.next_due

    def drain_removals(self) -> None:
        """Deliver the pending removals to the listener; call it outside of puts and reads."""
        while self._removals and self._on_removal is not None:
            self._on_removal(*self._removals.popleft())

    # What there is.

    def statistics(self) -> MemoryStatistics:
        """Return what the engine holds and has done; it visits every entry."""
        return MemoryStatistics(
            entries=len(self),
            weight=self._weight,
            hits=self._past_hits + sum(entry.hits for entry in self.entries.values()),
            evictions=self._evictions,
            expirations=self._expirations,
            rejected=self._rejected,
        )

    def __len__(self) -> int:
        return len(self._queues)

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def __iter__(self) -> Iterator[str]:
        return iter([key for key, entry in self.entries.items() if entry.epoch >= self.floor])

    def __repr__(self) -> str:
        bound = "" if self._max_bytes is None else f", {self._weight}/{self._max_bytes} bytes"
        return f"<MemoryEngine {len(self)}/{self._max_entries} entries{bound}>"

    # How it is done.

    def _make_room(self, weight: int, now: float) -> None:
        for _ in range(MOST_EVICTIONS):
            if len(self._queues) >= self._max_entries:
                small_is_full = self._queues.small_count * SMALL_SHARE >= self._max_entries
            elif self._max_bytes is not None and self._weight + weight > self._max_bytes:
                small_is_full = self._queues.small_weight * SMALL_SHARE >= self._max_bytes
            else:
                return
            entry = self._queues.victim(now, small_is_full=small_is_full)
            if entry is None:
                return
            self._left(entry, _cause_of(entry, now))
        if self._max_bytes is not None and self._weight + weight > self._max_bytes:
            self._is_overweight = True
            self.hooks.on_work()

    def _remove(self, entry: Entry, cause: RemovalCause) -> None:
        self._queues.remove(entry, remember=cause is not RemovalCause.REPLACED)
        self._left(entry, cause)

    def _left(self, entry: Entry, cause: RemovalCause) -> None:
        """Forget an entry that is in no queue any more."""
        self._weight -= entry.weight
        self._evictions += cause is RemovalCause.SIZE
        self._expirations += cause is RemovalCause.EXPIRED
        if entry.due >= 0:
            self._buckets.left(entry)
        self._free(entry, cause)

    def _bury(self, entry: Entry) -> None:
        """Free an entry that was cleared."""
        entry.queue = NOWHERE
        self._free(entry, RemovalCause.EXPLICIT)

    def _free(self, entry: Entry, cause: RemovalCause) -> None:
        if self.entries.get(entry.key) is entry:
            del self.entries[entry.key]
        self._past_hits += entry.hits
        self._note(entry, cause)
        # Queues and buckets hold the entry for a while yet; what it has held is free.
        entry.value = None

    def _note(self, entry: Entry, cause: RemovalCause) -> None:
        if self._on_removal is None:
            return
        if not self._removals:
            self.hooks.on_pending()
        self._removals.append((entry.key, entry.value, cause))


def some_work() -> Callable[[], bool]:
    """Return what stops the freeing of entries when some have been freed."""
    left = FREED_AT_ONCE

    def is_over() -> bool:
        nonlocal left
        left -= CHECK_EVERY
        return left <= 0

    return is_over


def _cause_of(entry: Entry, now: float) -> RemovalCause:
    return RemovalCause.EXPIRED if now >= entry.hard else RemovalCause.SIZE
