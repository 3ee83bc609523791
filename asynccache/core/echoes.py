"""Echoes: Redis tells of what this process has written itself, as it does of any other change.

A push names a key and nothing else. Whether it tells of our own write or of somebody else's can
only be seen from what the key holds. So what has been written lately is remembered here: a digest
of the record, for how long it was stored, and whose fence was open. A push for any other key is
news; a push for one of these is looked into, as long as L1 has nothing for the key but what was
written, or is about to.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from asynccache.core.fence import Fence
from asynccache.core.record import PERSISTENT

MOST_WRITTEN: Final = 20_000
"""Some 6 MB; of what was written before these an echo costs L1 the entry, and nothing else."""


class Written:
    """What was written for a key.

    Args:
        key: The key.
        record: The bytes.
        px: For how many milliseconds; 0: for ever.
        since: An instant before that, in seconds.
        fence: That of the operation that has written it.

    Attributes:
        key: The key.
        since: See above.
        fence: See above.
        is_kept: The operation has put the value into L1 as well.
    """

    __slots__ = ("_digest", "_px", "fence", "is_kept", "key", "since")

    def __init__(self, key: str, record: bytes, px: int, since: float, fence: Fence) -> None:
        self.key = key
        self.since = since
        self.fence = fence
        self.is_kept = False
        self._px = px
        self._digest = _digest(record)

    def stands(self, value: object, pttl: object, now: float) -> bool:
        """Tell whether Redis holds it still, for as long as it was to.

        Args:
            value: The answer to GET.
            pttl: The answer to PTTL: somebody may have brought its end forward.
            now: An instant after both.
        """
        if not isinstance(value, bytes) or not isinstance(pttl, int):
            return False
        if _digest(value) != self._digest:
            return False
        if not self._px:
            return pttl == PERSISTENT
        # By two clocks, each of which measures a time of its own; to the millisecond below.
        return pttl >= max(0, self._px - (now - self.since) * 1000 - 1)


class Echoes:
    """What one process has written lately. Not for more than one event loop.

    Args:
        name: Returns the Redis key of a key's record.
    """

    __slots__ = ("_name", "_written")

    def __init__(self, name: Callable[[str], str]) -> None:
        self._name = name
        self._written: dict[str, Written] = {}  # the oldest first

    def expect(self, written: Written) -> None:
        """Remember what is about to be written."""
        name = self._name(written.key)
        self._written.pop(name, None)
        if len(self._written) >= MOST_WRITTEN:
            del self._written[next(iter(self._written))]
        self._written[name] = written

    def find(self, name: str) -> Written | None:
        """Return what was last written under a Redis key, if it is remembered."""
        return self._written.get(name)

    def installed(self, key: str, by: Fence | None) -> None:
        """Take note that L1 has got a value for a key.

        Args:
            key: The key.
            by: The fence of the operation that has written the value; None: it was read.
        """
        name = self._name(key)
        written = self._written.get(name)
        if written is None:
            return
        if written.fence is by:
            written.is_kept = True
        else:
            del self._written[name]  # it tells nothing about what L1 has now

    def forget_before(self, instant: float) -> None:
        """Forget what was written before an instant: its echo has come."""
        for name, written in list(self._written.items()):
            if written.since >= instant:
                break
            del self._written[name]

    def __len__(self) -> int:
        return len(self._written)


def _digest(record: bytes) -> bytes:
    return blake2b(record, digest_size=16).digest()
