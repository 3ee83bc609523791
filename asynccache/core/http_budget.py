"""How many bytes of responses one process keeps, whatever else its L1 is bounded by."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

FIELD_BYTES = 64
"""About what two objects for a field take besides their content."""


class Budget:
    """Counts the bytes of responses, the last stored last.

    L1 evicts entries without telling: those are found out when the budget is used up, but not so
    often that it would cost more than storing does.

    Args:
        limit: Bytes that there may be.
        is_kept: Tells whether L1 still has a key.
    """

    __slots__ = ("_added", "_is_kept", "_limit", "_sizes", "total")

    def __init__(self, limit: int, is_kept: Callable[[str], bool]) -> None:
        self._limit = limit
        self._is_kept = is_kept
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._added = 0  # since it was last found out
        self.total = 0

    def add(self, key: str, size: int) -> list[str]:
        """Count a response; return the keys that L1 has to give up for it.

        Args:
            key: Its key.
            size: Its bytes.
        """
        self._remove(key)
        if size > self._limit:
            return [key]  # all the others would not make room for it
        self._sizes[key] = size
        self.total += size
        self._added += 1
        if self.total > self._limit and 2 * self._added >= len(self._sizes):
            self._added = 0
            for known in [each for each in self._sizes if each != key and not self._is_kept(each)]:
                self._remove(known)
        gone: list[str] = []
        while self.total > self._limit and self._sizes:
            oldest = next(iter(self._sizes))
            self._remove(oldest)
            gone.append(oldest)
        return gone

    def _remove(self, key: str) -> None:
        self.total -= self._sizes.pop(key, 0)

    def __len__(self) -> int:
        return len(self._sizes)
