"""How much is found: our engine beside other orders, on the same requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from asynccache.core.policy import Lifetime
from asynccache.memory.entry import new_entry
from asynccache.memory.sharded import make_engine
from tests.benchmarks.policies import arc, belady, lru

SHARES = (0.01, 0.1)
"""Sizes, as parts of the number of different keys."""

FLOORS: Mapping[tuple[str, float], float] = MappingProxyType(
    {
        ("web12", 0.01): 40.3,
        ("web12", 0.1): 71.5,
        ("oltp", 0.01): 45.8,
        ("oltp", 0.1): 67.2,
        ("orm-busy", 0.1): 86.3,
        ("zipf", 0.01): 57.3,
        ("zipf", 0.1): 75.7,
    }
)
"""Hit ratios in percent below which the engine must not fall, on a million requests at most."""


@dataclass(frozen=True, slots=True)
class Ratios:
    """The hit ratios on some requests, in percent; None: not measured."""

    name: str
    share: float
    capacity: int
    ours: float
    others: Mapping[str, float | None]

    @property
    def floor(self) -> float | None:
        """What ours must not fall below."""
        return FLOORS.get((self.name, self.share))


def ours(requests: Sequence[str], capacity: int) -> int:
    """Return how many the engine answers, read and filled as a cache does it."""
    engine = make_engine(capacity)
    entries, lifetime, kind = engine.entries, Lifetime(None, 0.0), engine.entry_type
    hits = 0
    for key in requests:
        try:
            entries[key].hits += 1
            hits += 1
        except KeyError:
            new = new_entry(key, 1, encoded=False, since=0.0, left=lifetime, kind=kind)
            engine.put(new, 0.0)
    if len(engine) > capacity or engine.statistics().hits != hits:
        raise AssertionError(f"the engine miscounts: {engine!r}")
    return hits


def theine(requests: Sequence[str], capacity: int) -> int | None:
    """Return how many theine answers (W-TinyLFU); None: it is not installed."""
    try:
        from theine import Cache  # noqa: PLC0415  # it is optional
    except ImportError:
        return None
    cache: Cache[str, int] = Cache(capacity)
    hits = 0
    for key in requests:
        _, found = cache.get(key)
        if found:
            hits += 1
        else:
            cache.set(key, 1)
    cache.close()
    return hits


OTHERS: Mapping[str, Callable[[Sequence[str], int], int | None]] = MappingProxyType(
    {"LRU": lru, "ARC": arc, "theine": theine, "Belady": belady}
)


def measure(named: Iterable[tuple[str, list[str]]]) -> list[Ratios]:
    """Return the hit ratios on some requests, for each size."""
    measured = []
    for name, requests in named:
        different = len(set(requests))
        for share in SHARES:
            capacity = max(int(different * share), 1)
            percent = 100 / len(requests)
            others: dict[str, float | None] = {}
            for other, hits_of in OTHERS.items():
                hits = hits_of(requests, capacity)
                others[other] = None if hits is None else hits * percent
            mine = ours(requests, capacity) * percent
            measured.append(Ratios(name, share, capacity, mine, others))
    return measured
