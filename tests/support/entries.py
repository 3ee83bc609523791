"""Entries for the tests of the L1 engine."""

from __future__ import annotations

from typing import TypeVar

from asynccache.core.policy import Lifetime
from asynccache.memory.entry import Entry, new_entry
from asynccache.memory.sharded import Engine


def entry(
    key: str,
    value: object = "v",
    *,
    since: float = 0.0,
    ttl: float | None = None,
    grace: float = 0,
    encoded: bool = False,
    kind: type[Entry] = Entry,
) -> Entry:
    """Return an entry; by default one that never expires."""
    left = Lifetime(ttl, grace)
    return new_entry(key, value, encoded=encoded, since=since, left=left, kind=kind)


E = TypeVar("E", bound=Engine)


def filled(engine: E, *keys: str) -> E:
    """Return an engine with an entry for each key, the oldest first."""
    for key in keys:
        engine.put(entry(key), 0.0)
    return engine


def hit(engine: Engine, key: str) -> None:
    """Read a key as the cache does."""
    found = engine.get(key)
    assert found is not None
    found.hits += 1
