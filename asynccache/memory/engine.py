"""The L1 engine: a bounded dict with second-chance eviction. Owned by one event loop.

Eviction is second chance (CLOCK; Corbató 1968) in order of insertion: the hand takes the oldest
entry; one that was read since the hand last passed goes to the back, any other leaves. A hit
therefore costs one increment and moves nothing. The order is an OrderedDict's, whose first key is
found at once; a dict searches past all that was deleted at its front.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from asynccache.core.arguments import checked_callable, positive_int, wrong_type
from asynccache.errors import InvalidArgument
from asynccache.memory.entry import Entry, RemovalCause

Weigher: TypeAlias = Callable[[str, Any], int]
RemovalListener: TypeAlias = Callable[[str, Any, RemovalCause], None]

MOST_MOVES = 64
"""Steps of the hand for one eviction; after so many second chances the next entry leaves anyway."""


@dataclass(frozen=True, slots=True)
class MemoryStatistics:
    """What an engine holds and has done.

    Attributes:
        entries: Entries held.
        weight: Sum of their weights.
        hits: Reads that an entry answered.
        evictions: Entries that left to keep the bound, or were found expired by the hand.
        rejected: Entries that were heavier than the whole bound.
    """

    entries: int
    weight: int
    hits: int
    evictions: int
    rejected: int


class MemoryEngine:
    """Entries by key, bounded by number and by weight.

    Args:
        max_entries: The most entries to hold.
        max_bytes: The most weight to hold; None: no such bound.
        weigher: Gives the weight of a key and value; called once for each put.
        on_removal: Is told the key, value and cause of each removal, from `drain_removals`.

    Raises:
        ArgumentTypeError: An argument has the wrong type.
        InvalidArgument: A bound is less than 1.

    ``on_pending``, where it is set, is called when there is something to be told to ``on_removal``.
    ``lookup(key)`` is the dict's own ``get``, the same for as long as the engine lives: it returns
    the `Entry` or None, and its caller compares ``soft`` and adds to ``hits``.
    """

    __slots__ = (
        "_entries",
        "_evictions",
        "_max_bytes",
        "_max_entries",
        "_on_removal",
        "_past_hits",
        "_rejected",
        "_removals",
        "_weigher",
        "_weight",
        "lookup",
        "on_pending",
    )

    def __init__(
        self,
        max_entries: int = 10_000,
        max_bytes: int | None = None,
        weigher: Weigher | None = None,
        on_removal: RemovalListener | None = None,
    ) -> None:
        self._max_entries = positive_int(max_entries, "max_entries")
        self._max_bytes = None if max_bytes is None else positive_int(max_bytes, "max_bytes")
        if weigher is not None:
            checked_callable(weigher, "weigher", "a function of a key and a value, or None")
        if on_removal is not None:
            checked_callable(
                on_removal, "on_removal", "a function of a key, value and cause, or None"
            )
        self._weigher = weigher
        self._on_removal = on_removal
        self._removals: deque[tuple[str, Any, RemovalCause]] = deque()
        self._weight = 0
        self._past_hits = 0
        self._evictions = 0
        self._rejected = 0
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self.lookup: Callable[[str], Entry | None] = self._entries.get
        self.on_pending: Callable[[], None] | None = None

    def put(self, entry: Entry, now: float) -> bool:
        """Hold an entry, replacing the one with its key.

        Args:
            entry: The entry; its weight is set here when there is a weigher.
            now: The present moment, for finding expired entries first.

        Returns:
            False when it is heavier than the whole bound: then nothing is held for its key.

        Raises:
            InvalidArgument: The weigher gave something else than a whole number of at least 0.
        """
        if self._weigher is not None:
            entry.weight = _checked_weight(self._weigher(entry.key, entry.value))
        self._remove(entry.key, RemovalCause.REPLACED)
        if self._max_bytes is not None and entry.weight > self._max_bytes:
            self._rejected += 1
            return False
        self._make_room(entry.weight, now)
        self._entries[entry.key] = entry
        self._weight += entry.weight
        return True

    def delete(self, key: str) -> bool:
        """Forget a key; tell whether it was held."""
        return self._remove(key, RemovalCause.EXPLICIT)

    def delete_matching(self, matches: Callable[[str], bool]) -> int:
        """Forget every key for which a predicate holds; return how many."""
        return sum(self.delete(key) for key in [key for key in self._entries if matches(key)])

    def clear(self) -> int:
        """Forget everything; return how many entries that were."""
        count = len(self._entries)
        for entry in self._entries.values():
            self._past_hits += entry.hits
            self._note(entry, RemovalCause.EXPLICIT)
        self._entries.clear()
        self._weight = 0
        return count

    def drain_removals(self) -> None:
        """Deliver the pending removals to the listener; call it outside of puts and reads."""
        while self._removals and self._on_removal is not None:
            self._on_removal(*self._removals.popleft())

    def statistics(self) -> MemoryStatistics:
        """Return what the engine holds and has done."""
        return MemoryStatistics(
            entries=len(self._entries),
            weight=self._weight,
            hits=self._past_hits + sum(entry.hits for entry in self._entries.values()),
            evictions=self._evictions,
            rejected=self._rejected,
        )

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __repr__(self) -> str:
        bound = "" if self._max_bytes is None else f", {self._weight}/{self._max_bytes} bytes"
        return f"<MemoryEngine {len(self._entries)}/{self._max_entries} entries{bound}>"

    def _make_room(self, weight: int, now: float) -> None:
        while self._entries and (
            len(self._entries) >= self._max_entries
            or (self._max_bytes is not None and self._weight + weight > self._max_bytes)
        ):
            self._evict_one(now)

    def _evict_one(self, now: float) -> None:
        moves = 0
        while True:
            key, entry = next(iter(self._entries.items()))
            if now >= entry.hard:
                cause = RemovalCause.EXPIRED
                break
            if entry.hits == entry.seen or moves == MOST_MOVES:
                cause = RemovalCause.SIZE
                break
            entry.seen = entry.hits
            self._entries.move_to_end(key)
            moves += 1
        self._remove(key, cause)

    def _remove(self, key: str, cause: RemovalCause) -> bool:
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self._weight -= entry.weight
        self._past_hits += entry.hits
        self._evictions += cause.was_evicted
        self._note(entry, cause)
        return True

    def _note(self, entry: Entry, cause: RemovalCause) -> None:
        if self._on_removal is None:
            return
        if not self._removals and self.on_pending is not None:
            self.on_pending()
        self._removals.append((entry.key, entry.value, cause))


def _checked_weight(weight: int) -> int:
    """Return a weight, unless it would make the sum of all weights meaningless."""
    if not isinstance(weight, int):
        raise wrong_type("weigher", weight, "a function that returns a whole number")
    if weight < 0:
        raise InvalidArgument("weigher", f"must return a number of at least 0, got {weight!r}")
    return weight
