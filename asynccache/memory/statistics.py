"""What an engine holds and has done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class MemoryStatistics:
    """A snapshot of one engine.

    Attributes:
        entries: Entries held.
        weight: Sum of their weights.
        hits: Reads that an entry answered.
        evictions: Entries that left to keep a bound.
        expirations: Entries that left because they were of no use any more.
        rejected: Entries that were heavier than the whole bound.
    """

    entries: int = 0
    weight: int = 0
    hits: int = 0
    evictions: int = 0
    expirations: int = 0
    rejected: int = 0

    @classmethod
    def sum(cls, several: Iterable[MemoryStatistics]) -> MemoryStatistics:
        """Return the sums of several engines' figures."""
        each = list(several)
        names = [field.name for field in fields(cls)]
        return cls(**{name: sum(getattr(one, name) for one in each) for name in names})
