"""The first level: the engine's entries, and the rule that nothing old is stored in them.

`forget` is the one thing that an invalidation does here, wherever it comes from: a call, a message,
a gap. It drops the entries, poisons the fences of all that began earlier, and detaches the flights.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from asynccache.clock import Clock
from asynccache.codecs.base import Codec
from asynccache.codecs.immutable import is_immutable
from asynccache.core.eager import eager_at
from asynccache.core.echoes import Echoes, Written
from asynccache.core.fence import Fence, Fences
from asynccache.core.freshness import Found
from asynccache.core.policy import Lifetime, Policy
from asynccache.core.tags import Generations
from asynccache.errors import DecodeError, EncodeError
from asynccache.flights import FlightTable
from asynccache.levels.store import Item
from asynccache.levels.tokens import Tokens
from asynccache.memory.entry import FOREVER, Entry, Extra, new_entry
from asynccache.memory.sharded import Engine
from asynccache.tasks import OwnedTasks
from asynccache.types import MISSING, Missing

logger = logging.getLogger("asynccache")


Level: TypeAlias = Literal["L1", "L2", "loader"]


class Held:
    """A value on its way to callers and levels.

    Args:
        value: The value.
        payload: Its encoded form; None: the value may be handed to everybody as it is.
        unclaimed: Nobody else has the value, so that the first caller may have it undecoded.

    Attributes:
        extra: Its tags and validator, if it has any.
        epoch: The process's when what gave the value began.
        level: Where it was found.
        stale: It is past its lifetime.
        age: Seconds since it was loaded or stored, as far as is known.
        load_time: Seconds that its load took, as far as is known.
    """

    __slots__ = (
        *("age", "epoch", "extra", "level", "load_time", "payload", "stale", "unclaimed"),
        "value",
    )

    def __init__(self, value: Any, payload: bytes | None, *, unclaimed: bool = False) -> None:
        self.value = value
        self.payload = payload
        self.unclaimed = unclaimed
        self.extra: Extra | None = None
        self.epoch = 0
        self.level: Level = "loader"
        self.stale = False
        self.age = 0.0
        self.load_time = 0.0

    def take(self, decode: Callable[[bytes], Any]) -> Any:
        """Return the value for one more caller, who may change what it gets.

        Args:
            decode: The codec's.
        """
        if self.payload is None:
            return self.value
        if self.unclaimed:
            self.unclaimed = False
            return self.value
        return decode(self.payload)


class FirstLevel:
    """What one process keeps.

    Args:
        engine: Holds the entries.
        codec: Encodes the values that can be changed.
        clock: The cache's clock.
        tasks: Where flights run.
        max_staleness: Seconds for which a value may be served without proof of the bus since it
            was read; infinite when there are no other processes.
        outage_staleness: Seconds for which it may be served beyond that while Redis is down.
        is_down: Tells whether it is.
        random: Returns a number from 0 to below 1, for eager refreshes.

    Attributes:
        engine: Holds the entries.
        fences: The fences of all that is going to store values.
        generations: When each tag was last invalidated here.
        tokens: The tokens of tags that are known here.
        loads: The flights of loads.
        reads: The flights of reads that do not load.
        proven_until: Until then every entry may be served: the bus has proved that all
            invalidations older than that less ``max_staleness`` were applied.
        echoes: What was written lately, to be told from what others change; None: nobody tells.
        on_forget: Is told which keys were forgotten one by one; None: nobody.
        unproven_served: How often a value was served beyond its proof, because Redis was down.
    """

    __slots__ = (
        "_clock",
        "_codec",
        "_is_alone",
        "_is_down",
        "_lenient_until",
        "_max_staleness",
        "_outage_staleness",
        "_random",
        "echoes",
        "engine",
        "fences",
        "generations",
        "loads",
        "on_forget",
        "proven_until",
        "reads",
        "tokens",
        "unproven_served",
    )

    def __init__(
        self,
        engine: Engine,
        codec: Codec,
        clock: Clock,
        tasks: OwnedTasks,
        max_staleness: float,
        *,
        outage_staleness: float = 0.0,
        is_down: Callable[[], bool] = lambda: False,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.engine = engine
        self.fences = Fences(lambda: engine.epoch)
        self.generations = Generations()
        self.tokens = Tokens(self._is_recent, clock.monotonic)
        self.loads = FlightTable(tasks, clock, self._is_recent, self._overtake)
        self.reads = FlightTable(tasks, clock, self._is_recent, self._overtake)
        self.proven_until = FOREVER if max_staleness == FOREVER else 0.0
        self._codec = codec
        self._clock = clock
        self._max_staleness = max_staleness
        self._is_alone = max_staleness == FOREVER
        self._outage_staleness = outage_staleness
        self._is_down = is_down
        self._random = random
        self._lenient_until = 0.0  # while Redis is down
        self.unproven_served = 0
        self.on_forget: Callable[[Sequence[str]], None] | None = None
        self.echoes: Echoes | None = None

    def get(self, key: str) -> Any | Missing:
        """Return the value of a key that may be served now, or MISSING."""
        entry = self.servable(key)
        if entry is None:
            return MISSING
        value = self.value_of(entry)
        entry.hits += value is not MISSING
        return value

    def servable(self, key: str) -> Entry | None:
        """Return the entry of a key if it may be served now."""
        entry = self.current(key)
        if entry is None:
            return None
        now = self._clock.monotonic()
        if now >= entry.soft:
            if now >= entry.expiry:
                return None
            if now >= self.proven_until:
                if now >= self._lenient_until or not self._is_down():
                    return None
                self.unproven_served += 1
                return entry
            # Its own proof has run out and the bus has a later one. A gap drops every entry, so
            # that no entry outlives the proof that it is stamped with.
            entry.soft = min(entry.expiry, entry.eager, self.proven_until)
        return entry

    def look(self, key: str, *, stale: bool = False) -> Held | None:
        """Return the value of a key that may be served now, as a held one.

        Args:
            key: The key.
            stale: Also one past its lifetime, if it is in its grace and proved to be current.
        """
        entry = self.servable(key)
        if entry is not None:
            entry.hits += 1
            return self.held_of(entry)
        if stale and self._clock.monotonic() < self.proven_until:
            held = self.in_grace(key)
            if held is not None:
                held.stale = True
            return held
        return None

    def current(self, key: str) -> Entry | None:
        """Return the entry of a key unless one of its tags has been invalidated since."""
        entry = self.engine.get(key)
        if entry is None or entry.epoch >= self.engine.epoch:
            return entry
        if entry.extra is not None and self.generations.newest(entry.extra.tags) > entry.epoch:
            self.engine.delete(key)
            return None
        entry.epoch = self.engine.epoch + entry.encoded
        return entry

    def _overtake(self, key: str) -> None:
        """Let nothing be kept that began earlier: it would replace what is loaded now."""
        self.fences.poison([key])

    def _is_recent(self, asof: float) -> bool:
        """Tell whether what was current at an instant may be given to somebody who asks now."""
        now = self._clock.monotonic()
        return now < self.proven_until or now < asof + self._max_staleness

    def stale(self, key: str) -> Any | Missing:
        """Return a value that may stand in for a failing loader, or MISSING.

        An invalidation removes the entry, so that whatever is still here was never invalidated.
        Without grace nothing stands in, not even what was fresh but for a proof of the bus.
        """
        held = self.in_grace(key)
        return MISSING if held is None else held.value

    def in_grace(self, key: str) -> Held | None:
        """Return what `stale` does as a held value; None: there is none."""
        entry = self.current(key)
        if entry is None or not entry.grace or self._clock.monotonic() >= entry.hard:
            return None
        return self.held_of(entry)

    def held_of(self, entry: Entry) -> Held | None:
        """Return the value of a current entry as a held one; None: it cannot be decoded."""
        value = self.value_of(entry)
        if value is MISSING:
            return None
        held = Held(value, entry.value if entry.encoded else None, unclaimed=True)
        held.extra, held.epoch, held.level = entry.extra, entry.epoch, "L1"
        held.age = max(0.0, self._clock.monotonic() - entry.born)
        return held

    def value_of(self, entry: Entry) -> Any | Missing:
        """Return an entry's value; MISSING: it cannot be decoded, and is dropped."""
        if not entry.encoded:
            return entry.value
        try:
            return self._codec.decode(entry.value)
        except DecodeError:
            # It was decodable when it was kept: a constructor or validator of the user's has
            # changed its mind.
            self.engine.delete(entry.key)
            return MISSING

    def hold(self, value: Any, policy: Policy, payload: bytes | None = None) -> Held:
        """Return a value in the form in which it may be kept and handed to several callers.

        Args:
            value: The value.
            policy: Says whether the object itself may be shared.
            payload: Its encoded form, where that is known.

        Raises:
            EncodeError: It has to be encoded and cannot be, or what was encoded cannot be decoded.
        """
        if value is MISSING:
            raise EncodeError("value", Missing, "it stands for no value; store None, or delete")
        if policy.share:
            return Held(value, None)
        if is_immutable(value):
            if self._is_alone:
                # With Redis it would have to be encoded: what works in a test works in production.
                self._codec.encode(value)
            return Held(value, None)
        if payload is None:
            payload = self._codec.encode(value)
            try:
                # The loader may still have the object: even the first caller gets a copy.
                value = self._codec.decode(payload)
            except DecodeError as error:
                raise EncodeError(
                    "value", type(value), f"it can be encoded, but not decoded again: {error}"
                ) from error
        return Held(value, payload, unclaimed=True)

    def hold_reading(self, reading: Found, policy: Policy, epoch: int) -> Held:
        """Return a value that was read from Redis as a held one; see `hold`.

        Args:
            reading: What was read.
            policy: Says whether the object itself may be shared.
            epoch: The process's when the read began.
        """
        record = reading.record
        held = self.hold(reading.value, policy, record.payload)
        if record.tags or record.etag is not None:
            held.extra = Extra(tuple(record.tags), record.etag)
        held.epoch = epoch
        held.level = "L2"
        held.age = reading.age
        held.load_time = record.load_ms / 1000
        return held

    def take(self, held: Held) -> Any:
        """Return a held value for one more caller, who may change what it gets."""
        return held.take(self._codec.decode)

    def install(
        self,
        key: str,
        held: Held,
        *,
        left: Lifetime,
        policy: Policy,
        asof: float,
        since: float,
        written_by: Fence | None = None,
    ) -> bool:
        """Keep a value; the caller has looked at its fence.

        Args:
            key: The key.
            held: The value.
            left: What was left of its lifetime at ``since``.
            policy: Says how long L1 may keep it.
            asof: An instant at which it was certainly current: before it was read or loaded.
            since: The instant from which its lifetime counts.
            written_by: The fence of the operation that has stored it in Redis as well; None: it
                was read there, or is not there.

        Returns:
            False if one of its tags was invalidated meanwhile.
        """
        if held.extra is not None and self.generations.newest(held.extra.tags) > held.epoch:
            return False
        encoded = held.payload is not None
        entry = new_entry(
            key,
            held.payload if encoded else held.value,
            encoded=encoded,
            since=since,
            left=left,
            # Without Redis there is nothing to ask again: the value lives for its whole ttl.
            l1_ttl=None if self._is_alone else policy.l1_ttl,
            proven=asof + self._max_staleness,
            age=held.age,
            eager=self.eager_at(held, left=left, policy=policy, since=since),
            extra=held.extra,
            kind=self.engine.entry_type,
        )
        try:
            self.engine.put(entry, self._clock.monotonic())
        except Exception:
            # The user's weigher. The value is good, and whoever waits for it shall have it; the
            # one that it replaces is not.
            self.engine.delete(key)
            logger.exception("%r is not kept in L1: its weigher failed", key)
        if self.echoes is not None:
            self.echoes.installed(key, written_by)
        return True

    def expect(self, items: Mapping[str, Item], fence: Fence) -> None:
        """Take note of what is about to be stored in Redis, which may tell us of it.

        Args:
            items: The records.
            fence: That of the operation that stores them, and may `install` their values.
        """
        if self.echoes is not None:
            now = self._clock.monotonic()
            for key, item in items.items():
                self.echoes.expect(Written(key, item.record, item.px, now, fence))

    def eager_at(self, held: Held, *, left: Lifetime, policy: Policy, since: float) -> float:
        """Return the instant from which on a value is to be refreshed; see `install`."""
        return eager_at(
            policy.eager,
            since=since,
            left=left.fresh,
            lifetime=None if left.fresh is None else left.fresh + held.age,
            load_time=held.load_time,
            random=self._random(),
        )

    def forget(self, keys: Sequence[str], *, spare: Fence | None = None) -> None:
        """Drop some keys and overtake everything that began earlier, but for one operation."""
        for key in keys:
            self.engine.delete(key)
            self.loads.detach(key)
            self.reads.detach(key)
        self.fences.poison(keys, spare=spare)
        if self.on_forget is not None:
            self.on_forget(keys)

    def outdo(self, key: str, *, by: Fence) -> None:
        """Drop what may be older than a value that was given out and is not kept (G10).

        Args:
            key: The key.
            by: The fence of the operation that had the value.
        """
        if self._is_alone:
            return  # what is here was written here, and is nowhere else
        if by.is_outdone(key):
            return  # else of loads that overlap each would outdo the next, and none would be kept
        self.engine.delete(key)
        self.loads.detach(key)
        self.reads.detach(key)
        self.fences.outdo(key, spare=by)

    def forget_matching(self, matches: Callable[[str], bool]) -> int:
        """Drop the keys for which a predicate holds, likewise; return how many were held."""
        self.loads.detach_matching(matches)
        self.reads.detach_matching(matches)
        self.fences.poison_matching(matches)
        return self.engine.delete_matching(matches)

    def forget_tags(self, tags: Collection[str]) -> None:
        """Let no value be served any more that has one of some tags, however many have.

        What is loading at the moment is not served to those who ask later: see `is_overtaken`.
        """
        self.generations.invalidate(tags, self.engine.advance())
        self.tokens.forget(tags)

    def is_overtaken(self, held: Held, asked_at: int) -> bool:
        """Tell whether a value may not be given to a caller who asked at an epoch.

        One of its tags was invalidated after its load had begun and before the caller came; or
        after that, which may hide that it was so before as well.
        """
        if held.extra is None or held.epoch >= asked_at:
            return False
        return held.epoch < self.generations.newest(held.extra.tags)

    def forget_all(self) -> int:
        """Drop everything, likewise; return how many keys were held."""
        self.tokens.forget_all()
        self.loads.detach_all()
        self.reads.detach_all()
        self.fences.poison_all()
        return self.engine.clear()

    def prove(self, instant: float) -> None:
        """Note that every invalidation older than an instant of the clock has been applied."""
        self.proven_until = max(self.proven_until, instant + self._max_staleness)
        self._lenient_until = self.proven_until + self._outage_staleness

    def suspend(self) -> None:
        """Take note that the bus is lost: if Redis is down, what is here may serve for a while.

        Who comes back has to call `close_until_proven` before the next `prove`.
        """
        if not self._outage_staleness:
            self.close_until_proven()
            return
        self.proven_until = 0.0
        self.tokens.forget_all()
        self.loads.detach_all()
        self.reads.detach_all()
        self.fences.poison_all()

    def close_until_proven(self) -> None:
        """Stop serving on the strength of earlier proofs, and drop everything: there was a gap."""
        self.proven_until = 0.0
        self._lenient_until = 0.0
        self.forget_all()
