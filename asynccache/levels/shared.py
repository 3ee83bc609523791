"""The two levels and what they share, as readers and writers get them."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from asynccache.clock import Clock
from asynccache.codecs.base import Codec
from asynccache.core.expectation import Expectation
from asynccache.core.freshness import Fresh, Miss, Reading, Stale, Unsure, interpret
from asynccache.core.keys import KeySpace
from asynccache.core.policy import Lifetime
from asynccache.core.record import NO_TOKEN, TOKEN_BYTES, RecordFormat
from asynccache.core.tags import NAMESPACE
from asynccache.events import Damaged, Events, Unacknowledged
from asynccache.levels.bulkhead import Bulkhead
from asynccache.levels.first import FirstLevel
from asynccache.levels.journal import Journal
from asynccache.levels.leases import Leases
from asynccache.levels.negatives import Negatives
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
    events: Events

    def note(self, keys: Collection[str], *, is_write: bool = True) -> None:
        """Note keys whose change has yet to reach Redis, or may not have.

        Args:
            keys: The keys.
            is_write: Somebody has written or invalidated them; else they were only loaded.
        """
        self.journal.note(keys)
        self._noted(is_write=is_write)

    def note_tags(self, tags: Collection[str]) -> None:
        """Note tags whose invalidation has yet to reach Redis, or may not have."""
        self.journal.note_tags(tags)
        self._noted()

    def note_all(self) -> None:
        """Note that everything has to be deleted in Redis."""
        self.journal.note_all()
        self._noted()

    def _noted(self, *, is_write: bool = True) -> None:
        self.replay.kick()
        if is_write:
            self.events.emit(Unacknowledged(len(self.journal)))


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
    bulkhead: Bulkhead
    negatives: Negatives
    events: Events
    expectation: Expectation = field(default_factory=Expectation)

    async def learn(self, tags: Iterable[str]) -> dict[str, bytes]:
        """Return the tokens of some tags and of the namespace: a round trip, unless all are known.

        Raises:
            Unavailable: Redis cannot be asked.
        """
        wanted = dict.fromkeys((NAMESPACE, *tags))
        # Of what is invalid here and not yet in Redis the token there is that of old values. It is
        # replaced while this read goes on, perhaps, and then nothing would tell that it was old.
        tokens = {tag: secrets.token_bytes(TOKEN_BYTES) for tag in wanted if self._is_unsaid(tag)}
        tokens |= {
            tag: known
            for tag in wanted
            if tag not in tokens and (known := self.first.tokens.known(tag))
        }
        missing = [tag for tag in wanted if tag not in tokens]
        if missing and self.second is not None:
            asof, changes = self.clock.monotonic(), self.first.tokens.changes
            found = await self.second.store.ensure(missing)
            self.first.tokens.keep(found, asof, changes)
            tokens |= found
        return tokens

    def _is_unsaid(self, tag: str) -> bool:
        return self.second is not None and self.second.journal.holds_tag((tag,))

    async def read(
        self, keys: Sequence[str], tokens: Mapping[str, bytes]
    ) -> list[tuple[Raw, Reading]]:
        """Read some keys in Redis: one round trip, and one more for tags not heard of before.

        Args:
            keys: The keys.
            tokens: Tokens that are known, from `learn`.

        Raises:
            Unavailable: Redis cannot be asked.
        """
        if self.second is None or not keys:
            return []
        raws = await self.second.store.read(keys)
        return await self.interpret_all(dict(zip(keys, raws, strict=True)), tokens)

    async def interpret_all(
        self, raws: Mapping[str, Raw], tokens: Mapping[str, bytes]
    ) -> list[tuple[Raw, Reading]]:
        """Return what Redis's answers mean, asking for the tokens of tags that are not known."""
        readings = {key: self.interpret(key, raw, tokens) for key, raw in raws.items()}
        unsure = {key: each for key, each in readings.items() if isinstance(each, Unsure)}
        if unsure:
            tags = {tag for each in unsure.values() for tag in each.tags}
            learned = {**tokens, **await self.learn(tags)}
            for key in unsure:
                readings[key] = self.interpret(key, raws[key], learned)
        return [(raws[key], readings[key]) for key in raws]

    def interpret(self, key: str, raw: Raw, tokens: Mapping[str, bytes]) -> Reading:
        """Return what Redis's answer for a key means, and count damage."""
        if self.second is None:
            return Miss()
        known = self.first.tokens.known
        reading = interpret(
            raw.value,
            raw.pttl,
            identity=self.keys.identity(key),
            records=self.records,
            decoder=self.codec,
            stamp=self.second.store.stamp(key),
            token=lambda tag: tokens.get(tag) or known(tag),
        )
        if isinstance(reading, Fresh | Stale) and self.second.journal.holds_tag(
            reading.record.tags
        ):
            return Miss()  # invalidated here, and Redis does not know it yet
        if isinstance(reading, Miss) and reading.damaged is not None:
            self.counters.damaged += 1
            self.events.emit(Damaged(key, reading.damaged))
            logger.warning("the record of %r is damaged: %s", key, reading.damaged)
        return reading

    def _stamp(self, key: str) -> bytes:
        return NO_TOKEN if self.second is None else self.second.store.stamp(key)

    def item(
        self,
        key: str,
        payload: bytes,
        lifetime: Lifetime,
        tokens: Mapping[str, bytes],
        *,
        tags: Iterable[str] = (),
        etag: str | None = None,
        version: int = 0,
        load_ms: int = 0,
        stamp: bytes | None = None,
    ) -> Item:
        """Return the record of a payload, ready to be stored.

        Args:
            key: The key.
            payload: The codec's bytes.
            lifetime: How long it lives from now.
            tokens: Those of its tags and of the namespace, from before the value was loaded.
            tags: Its tags.
            etag: What its source can be asked with whether it has changed.
            version: Of the value; 0: none.
            load_ms: How long its loader took, in milliseconds.
            stamp: The incarnation of the server that has permitted it; None: the present one.
        """
        record = self.records.pack(
            self.keys.identity(key),
            payload,
            codec=self.codec.identifier,
            lifetime=lifetime,
            load_ms=load_ms,
            version=version,
            stamp=self._stamp(key) if stamp is None else stamp,
            era=tokens[NAMESPACE],
            tags={tag: tokens[tag] for tag in tags},
            etag=etag,
        )
        return Item(record, lifetime.total_ms)
