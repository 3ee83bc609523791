"""Fences: what began before an invalidation may not be stored after it.

Whatever is going to store a value opens a fence over its key *before* it reads, and looks at the
fence before it stores. An invalidation poisons the fences over its key. See races 5 to 9, 24 and 25
in the guarantees: each is an operation that began earlier and stored later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager


class Fence:
    """The keys of one operation that is going to store values.

    Attributes:
        keys: The keys.
        epoch: That of the process when the operation began; see `asynccache.core.tags`.
    """

    __slots__ = ("_outdone", "_poisoned", "epoch", "keys")

    def __init__(self, keys: tuple[str, ...], epoch: int = 0) -> None:
        self.keys = keys
        self.epoch = epoch
        self._poisoned: set[str] = set()
        self._outdone: set[str] = set()

    def intact(self, key: str) -> bool:
        """Tell whether a value for the key may still be stored."""
        return key not in self._poisoned

    def poison(self, key: str) -> None:
        """Forbid storing a value for the key."""
        self._poisoned.add(key)

    def outdo(self, key: str) -> None:
        """Forbid it because a newer one may have been given out already."""
        self._poisoned.add(key)
        self._outdone.add(key)

    def is_outdone(self, key: str) -> bool:
        """Tell whether that was done."""
        return key in self._outdone


class Fences:
    """The open fences of one cache. Not for more than one event loop.

    Args:
        epoch: Returns that of what begins now; see `asynccache.core.tags`.
    """

    __slots__ = ("_epoch", "_open")

    def __init__(self, epoch: Callable[[], int] = lambda: 0) -> None:
        self._epoch = epoch
        # Several operations may work on one key at once: a read, a load that was detached, a set.
        self._open: dict[str, list[Fence]] = {}

    @contextmanager
    def over(self, *keys: str) -> Iterator[Fence]:
        """Open a fence over keys for the length of a ``with`` block."""
        fence = Fence(keys, self._epoch())
        for key in keys:
            self._open.setdefault(key, []).append(fence)
        try:
            yield fence
        finally:
            for key in keys:
                fences = self._open[key]
                fences.remove(fence)
                if not fences:
                    del self._open[key]

    def is_open(self, fence: Fence, key: str) -> bool:
        """Tell whether the operation of a fence over a key is still under way."""
        return fence in self._open.get(key, ())

    def poison(self, keys: Iterable[str], *, spare: Fence | None = None) -> None:
        """Poison the fences over some keys, but for the one of the operation that invalidates."""
        for key in keys:
            for fence in self._open.get(key, ()):
                if fence is not spare:
                    fence.poison(key)

    def outdo(self, key: str, *, spare: Fence) -> None:
        """Outdo the fences over a key, but for that of the operation that had the newer value."""
        for fence in self._open.get(key, ()):
            if fence is not spare:
                fence.outdo(key)

    def poison_matching(self, matches: Callable[[str], bool]) -> None:
        """Poison the fences over every key for which a predicate holds."""
        self.poison([key for key in self._open if matches(key)])

    def poison_all(self) -> None:
        """Poison every fence."""
        self.poison(list(self._open))

    def __len__(self) -> int:
        return len(self._open)
