"""When each tag was last invalidated in this process, in bounded memory.

One number for the whole process, the epoch, goes up with each invalidation. What began at an epoch
is out of date when one of its tags has been invalidated at a later one (guarantees, section 4).
"""

from __future__ import annotations

from collections.abc import Iterable

NAMESPACE = ""
"""Stands for the tag that every value has, whose token is the namespace's own. No tag is empty."""

MOST_TAGS = 10_000
"""Tags that are remembered one by one, some 1 MB. What is older than the oldest of them counts as
invalidated: misses, never a stale hit."""


class Generations:
    """The epoch at which each tag was last invalidated.

    Args:
        most: How many tags to remember.

    Attributes:
        floor: The epoch at which a tag that is not remembered may have been invalidated.
    """

    __slots__ = ("_epochs", "_most", "floor")

    def __init__(self, most: int = MOST_TAGS) -> None:
        self._most = most
        self._epochs: dict[str, int] = {}
        self.floor = 0

    def invalidate(self, tags: Iterable[str], epoch: int) -> None:
        """Note that tags have been invalidated at an epoch."""
        for tag in tags:
            self._epochs.pop(tag, None)  # the newest last
            self._epochs[tag] = epoch
        while len(self._epochs) > self._most:
            self.floor = max(self.floor, self._epochs.pop(next(iter(self._epochs))))

    def newest(self, tags: Iterable[str]) -> int:
        """Return the epoch at which some tags were last invalidated."""
        return max((self._epochs.get(tag, self.floor) for tag in tags), default=0)

    def __len__(self) -> int:
        return len(self._epochs)
