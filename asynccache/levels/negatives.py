"""Values that say that there is nothing: kept for less long, and only so many of them.

Whoever asks for ids that do not exist could fill the cache with their absence. So negative entries
have a quota in L1, the oldest going first. A key that stays absent is asked for less and less
often: each time in a row doubles its time, up to the ordinary ttl.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MOST_DOUBLINGS: Final = 16


class Negatives:
    """The keys of this process's negative entries, the oldest first.

    Args:
        quota: How many there may be.
        drop: Forgets the entry of a key.
    """

    __slots__ = ("_drop", "_quota", "_times")

    def __init__(self, quota: int, drop: Callable[[str], object]) -> None:
        self._quota = quota
        self._drop = drop
        self._times: dict[str, int] = {}

    def ttl(self, key: str, first: float, ordinary: float | None) -> float:
        """Note that a key was found absent; return for how many seconds to believe it.

        Args:
            key: The key.
            first: Seconds for the first time.
            ordinary: Never longer than that, in seconds; None: without limit.
        """
        times = self._times.pop(key, 0)
        self._times[key] = min(times + 1, MOST_DOUBLINGS)
        if len(self._times) > self._quota:
            oldest = next(iter(self._times))
            del self._times[oldest]
            self._drop(oldest)
        ttl: float = first * 2.0**times
        return ttl if ordinary is None else min(ttl, ordinary)

    def exists(self, key: str) -> None:
        """Note that a key has a value."""
        self._times.pop(key, None)

    def __len__(self) -> int:
        return len(self._times)
