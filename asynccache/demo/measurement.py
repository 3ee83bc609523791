"""What one run gave, as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from asynccache.demo.consistency import Consistency

COUNTED = ("l1_hits", "l2_hits", "misses", "loads", "coalesced")


@dataclass(frozen=True)
class Figures:
    """Counters of all workers, at one moment or between two.

    Attributes:
        database_queries: Statements that the workers ran.
        cache: The cache's counters, or None when the workers have no cache.
    """

    database_queries: int
    cache: Mapping[str, int] | None

    @classmethod
    def summed(cls, workers: Iterable[Mapping[str, Any]]) -> Figures:
        """Add up what the workers said about themselves."""
        workers = list(workers)
        caches = [worker["cache"] for worker in workers if worker["cache"] is not None]
        return cls(
            sum(worker["database_queries"] for worker in workers),
            {name: sum(cache[name] for cache in caches) for name in COUNTED} if caches else None,
        )

    def since(self, earlier: Figures) -> Figures:
        """Return what was added after an earlier moment."""
        cache = None
        if self.cache is not None and earlier.cache is not None:
            cache = {name: count - earlier.cache[name] for name, count in self.cache.items()}
        return Figures(self.database_queries - earlier.database_queries, cache)


@dataclass(frozen=True)
class Measurement:
    """One run's result.

    Attributes:
        seconds: How long was measured.
        latencies: Seconds that each answered request took, sorted.
        failures: Why requests failed, from the first second of the load to the last.
        figures: What the workers counted while it was measured.
        consistency: What was checked from the first second to the last.
    """

    seconds: float
    latencies: Sequence[float]
    failures: Counter[str]
    figures: Figures
    consistency: Consistency

    @property
    def rate(self) -> float:
        """Requests answered a second."""
        return len(self.latencies) / self.seconds

    @property
    def queries_per_request(self) -> float:
        """Database queries for each request answered."""
        return self.figures.database_queries / max(1, len(self.latencies))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed.

    Args:
        ordered: The values, sorted; at least one.
        share: More than 0, at most 1.
    """
    return ordered[max(0, ceil(share * len(ordered)) - 1)]
