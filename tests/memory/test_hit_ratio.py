"""How much is found: on requests whose keys are as popular as words are."""

from __future__ import annotations

import random
from bisect import bisect
from collections import OrderedDict
from itertools import accumulate

import pytest

from asynccache.core.policy import Lifetime
from asynccache.memory.entry import new_entry
from asynccache.memory.sharded import make_engine

REQUESTS = 200_000
KEYS = 20_000


def zipf_requests() -> list[str]:
    """Return requests: the n-th key is asked for 1/n as often as the first one."""
    chance = random.Random(42)
    weights = list(accumulate(1 / rank for rank in range(1, KEYS + 1)))
    return [f"k{bisect(weights, chance.random() * weights[-1])}" for _ in range(REQUESTS)]


def lru_hits(requests: list[str], capacity: int) -> int:
    """Return how many of the requests the least recently used order would answer."""
    held: OrderedDict[str, None] = OrderedDict()
    hits = 0
    for key in requests:
        if key in held:
            held.move_to_end(key)
            hits += 1
        else:
            held[key] = None
            if len(held) > capacity:
                held.popitem(last=False)
    return hits


def engine_hits(requests: list[str], capacity: int) -> int:
    """Return how many the engine answers, read and filled as a cache does it."""
    engine = make_engine(capacity)
    entries, lifetime = engine.entries, Lifetime(None, 0.0)
    hits = 0
    for key in requests:
        try:
            entries[key].hits += 1
            hits += 1
        except KeyError:
            engine.put(new_entry(key, 1, encoded=False, since=0.0, left=lifetime), 0.0)
    assert hits == engine.statistics().hits
    return hits


# The floors are what it reaches, less half a point: which keys share a place in the ghost depends
# on how Python was started.
@pytest.mark.parametrize(("share", "floor", "ahead"), [(0.01, 51.4, 10.0), (0.1, 72.2, 5.0)])
def test_the_hit_ratio_on_zipf_requests(share: float, floor: float, ahead: float) -> None:
    """A floor, and so many points more than by the order of last use."""
    requests = zipf_requests()
    capacity = int(len(set(requests)) * share)
    percent = 100 / len(requests)

    assert engine_hits(requests, capacity) * percent >= floor
    assert engine_hits(requests, capacity) - lru_hits(requests, capacity) >= ahead / percent
