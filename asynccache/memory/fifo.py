"""A queue of entries into which the garbage collector does not look.

A full collection visits whatever a list or a deque holds: a million entries cost it tens of
milliseconds, although none of them can be garbage. A tuple of what is not tracked is not tracked
either, once a collection has seen it. So the queue is kept in tuples, but for its last few entries.
(A dict of such entries is not tracked at all, until CPython 3.14.)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Final

from asynccache.memory.entry import Entry

CHUNK: Final = 128
"""Entries in a tuple. What has been taken out of the first one is held until all of it has."""

SMALL_CHUNK: Final = 16
"""For where there are many short queues, whose last entries add up."""


class Fifo:
    """First in, first out.

    Args:
        entries: Those that are in it at first.
        chunk: Entries in a tuple.
    """

    __slots__ = ("_chunk", "_chunks", "_head", "_next", "_tail")

    def __init__(self, entries: Iterable[Entry] = (), chunk: int = CHUNK) -> None:
        self._chunk = chunk
        self._head: tuple[Entry, ...] = ()
        self._next = 0
        self._chunks: deque[tuple[Entry, ...]] = deque()
        self._tail: list[Entry] = []
        for entry in entries:
            self.append(entry)

    def append(self, entry: Entry) -> None:
        """Put an entry at the end."""
        tail = self._tail
        tail.append(entry)
        if len(tail) == self._chunk:
            self._chunks.append(tuple(tail))
            self._tail = []

    def popleft(self) -> Entry:
        """Take the first entry out.

        Raises:
            IndexError: There is none.
        """
        if self._next == len(self._head):
            if self._chunks:
                self._head = self._chunks.popleft()
            else:
                self._head = tuple(self._tail)
                self._tail = []
            self._next = 0
        entry = self._head[self._next]
        self._next += 1
        return entry

    def __len__(self) -> int:
        whole = self._chunk * len(self._chunks)
        return len(self._head) - self._next + whole + len(self._tail)

    def __iter__(self) -> Iterator[Entry]:
        first = islice(self._head, self._next, None)
        return chain(first, chain.from_iterable(self._chunks), self._tail)

    def __repr__(self) -> str:
        return f"<Fifo of {len(self)}>"
