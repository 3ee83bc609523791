"""Many small engines for one that would be large.

A dict that grows moves all of its entries at once: 9 ms for a hundred thousand of them, 90 ms for a
million, in which nothing else runs. Sixteen dicts are moved one by one. Choosing among them costs
each read some 100 ns, so that only large caches are divided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol, TypeAlias

from asynccache.core.arguments import positive_int
from asynccache.memory.buckets import Buckets
from asynccache.memory.engine import MemoryEngine, RemovalListener, some_work
from asynccache.memory.entry import Entry
from asynccache.memory.hooks import Hooks
from asynccache.memory.statistics import MemoryStatistics
from asynccache.memory.weighing import Weigher

SHARDS: Final = 16

LARGEST_UNDIVIDED: Final = 250_000
"""Entries past which an engine is divided: a dict of so many is moved in some 20 ms."""


class _Divided:
    """One entry by its key, from several dicts."""

    __slots__ = ("_dicts",)

    def __init__(self, dicts: list[dict[str, Entry]]) -> None:
        self._dicts = dicts

    def __getitem__(self, key: str) -> Entry:
        return self._dicts[hash(key) % SHARDS][key]


class ShardedEngine:
    """An engine made of several, by the hash of the key. See `MemoryEngine`.

    Each has its part of both bounds, so that together they keep them.
    """

    __slots__ = (
        *("_buckets", "_max_bytes", "_max_entries", "_shards"),
        *("entries", "entry_type", "epoch", "floor", "hooks"),
    )

    def __init__(
        self,
        max_entries: int = 1_000_000,
        max_bytes: int | None = None,
        weigher: Weigher | None = None,
        on_removal: RemovalListener | None = None,
    ) -> None:
        self._max_entries = positive_int(max_entries, "max_entries")
        self._max_bytes = None if max_bytes is None else positive_int(max_bytes, "max_bytes")
        entries = max(self._max_entries // SHARDS, 1)
        weight = None if self._max_bytes is None else max(self._max_bytes // SHARDS, 1)
        self.hooks = Hooks()
        self._buckets = Buckets()  # one set: sixteen would be mostly empty
        self._shards = [
            MemoryEngine(
                *(entries, weight, weigher, on_removal), hooks=self.hooks, buckets=self._buckets
            )
            for _ in range(SHARDS)
        ]
        self.entries = _Divided([shard.entries for shard in self._shards])
        self.entry_type = self._shards[0].entry_type
        self.epoch = 0
        self.floor = 0

    def get(self, key: str) -> Entry | None:
        """See `MemoryEngine.get`."""
        return self._shard(key).get(key)

    def put(self, entry: Entry, now: float) -> bool:
        """See `MemoryEngine.put`."""
        return self._shard(entry.key).put(entry, now)

    def renew(self, entry: Entry) -> None:
        """See `MemoryEngine.renew`."""
        self._shard(entry.key).renew(entry)

    def delete(self, key: str) -> bool:
        """See `MemoryEngine.delete`."""
        return self._shard(key).delete(key)

    def delete_matching(self, matches: Callable[[str], bool]) -> int:
        """See `MemoryEngine.delete_matching`."""
        return sum(shard.delete_matching(matches) for shard in self._shards)

    def clear(self) -> int:
        """See `MemoryEngine.clear`."""
        count = sum(shard.bury_all() for shard in self._shards)
        self.epoch = self._shards[0].epoch
        self.floor = self._shards[0].floor
        if self.work(0.0, some_work()):
            self.hooks.on_work()
        return count

    def advance(self) -> int:
        """See `MemoryEngine.advance`."""
        for shard in self._shards:
            self.epoch = shard.advance()
        return self.epoch

    def sweep(self, now: float, is_over: Callable[[], bool]) -> bool:
        """See `MemoryEngine.sweep`."""
        return self._buckets.sweep(now, self._expire, is_over)

    def work(self, now: float, is_over: Callable[[], bool]) -> bool:
        """See `MemoryEngine.work`."""
        return any(shard.work(now, is_over) for shard in self._shards)

    @property
    def next_due(self) -> float:
        """See `MemoryEngine.next_due`."""
        return self._buckets.next_due

    def drain_removals(self) -> None:
        """See `MemoryEngine.drain_removals`."""
        for shard in self._shards:
            shard.drain_removals()

    def statistics(self) -> MemoryStatistics:
        """See `MemoryEngine.statistics`."""
        return MemoryStatistics.sum(shard.statistics() for shard in self._shards)

    def _expire(self, entry: Entry) -> None:
        self._shard(entry.key).expire(entry)

    def _shard(self, key: str) -> MemoryEngine:
        return self._shards[hash(key) % SHARDS]

    def __len__(self) -> int:
        return sum(map(len, self._shards))

    def __contains__(self, key: str) -> bool:
        return key in self._shard(key)

    def __iter__(self) -> Iterator[str]:
        for shard in self._shards:
            yield from shard

    def __repr__(self) -> str:
        weight = self.statistics().weight if self._max_bytes is not None else 0
        bound = "" if self._max_bytes is None else f", {weight}/{self._max_bytes} bytes"
        return f"<ShardedEngine {len(self)}/{self._max_entries} entries{bound}>"


Engine: TypeAlias = MemoryEngine | ShardedEngine


class Table(Protocol):
    """The entries of an engine, by key."""

    def __getitem__(self, key: str, /) -> Entry:
        """Return a key's entry.

        Raises:
            KeyError: There is none.
        """
        ...


def make_engine(
    max_entries: int = 10_000,
    max_bytes: int | None = None,
    weigher: Weigher | None = None,
    on_removal: RemovalListener | None = None,
) -> Engine:
    """Return the engine for so many entries; see `MemoryEngine` for the arguments."""
    positive_int(max_entries, "max_entries")
    kind = MemoryEngine if max_entries <= LARGEST_UNDIVIDED else ShardedEngine
    return kind(max_entries, max_bytes, weigher, on_removal)
