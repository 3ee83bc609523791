"""The two levels and what they share, as readers and writers get them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from asynccache.clock import Clock
from asynccache.codecs.base import Codec
from asynccache.core.freshness import Miss, Reading, interpret
from asynccache.core.keys import KeySpace
from asynccache.core.policy import Lifetime
from asynccache.core.record import RecordFormat
from asynccache.levels.first import FirstLevel
from asynccache.levels.journal import Journal
from asynccache.levels.leases import Leases
from asynccache.levels.replay import Replay
from asynccache.levels.store import Item, Raw, Store
from asynccache.statistics import Counters
from asynccache.tasks import OwnedTasks

logger = logging.getLogger("asynccache")


@dataclass(frozen=True, slots=True)
class SecondLevel:
    """Redis and what goes with it."""

    store: Store
    leases: Leases
    journal: Journal
    replay: Replay

    def note(self, keys: Collection[str]) -> None:
        """Note keys whose change has yet to reach Redis, or may not have."""
        self.journal.note(keys)
        self.replay.kick()

    def note_all(self) -> None:
        """Note that everything has to be deleted in Redis."""
        self.journal.note_all()
        self.replay.kick()


@dataclass(frozen=True, slots=True)
class Levels:
    """Everything that reading and writing share."""

    first: FirstLevel
    second: SecondLevel | None
    codec: Codec
    records: RecordFormat
    keys: KeySpace
    clock: Clock
    random: Callable[[], float]
    counters: Counters
    tasks: OwnedTasks

    def interpret(self, key: str, raw: Raw) -> Reading:
        """Return what Redis's answer for a key means, and count damage."""
        reading = interpret(
            raw.value,
            raw.pttl,
            identity=self.keys.identity(key),
            records=self.records,
            decoder=self.codec,
        )
        if isinstance(reading, Miss) and reading.damaged is not None:
            self.counters.damaged += 1
            logger.warning("the record of %r is damaged: %s", key, reading.damaged)
        return reading

    def item(self, key: str, payload: bytes, lifetime: Lifetime, load_ms: int = 0) -> Item:
        """Return the record of a payload, ready to be stored."""
        record = self.records.pack(
            self.keys.identity(key),
            payload,
            codec=self.codec.identifier,
            lifetime=lifetime,
            load_ms=load_ms,
        )
        return Item(record, lifetime.total_ms)
