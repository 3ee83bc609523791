"""Entries for the tests of the L1 engine."""

from __future__ import annotations

from asynccache.core.policy import Lifetime
from asynccache.memory.engine import MemoryEngine
from asynccache.memory.entry import Entry


def entry(
    key: str, value: object = "v", *, since: float = 0.0, ttl: float | None = None, grace: float = 0
) -> Entry:
    """Return an entry; by default one that never expires."""
    return Entry(key, value, encoded=False, since=since, left=Lifetime(ttl, grace))


def filled(engine: MemoryEngine, *keys: str) -> MemoryEngine:
    """Return an engine with an entry for each key, the oldest first."""
    for key in keys:
        engine.put(entry(key), 0.0)
    return engine


def hit(engine: MemoryEngine, key: str) -> None:
    """Read a key as the cache does."""
    found = engine.lookup(key)
    assert found is not None
    found.hits += 1
