"""A running cache: the parts put together, and their beginning and end in the right order."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar
from weakref import WeakSet

from asynccache.clock import Clock
from asynccache.codecs.base import Codec
from asynccache.core.keys import KeySpace
from asynccache.core.messages import Kind, Message
from asynccache.core.pattern import Pattern
from asynccache.core.policy import Policy
from asynccache.core.record import RecordFormat
from asynccache.errors import CacheClosed, InvalidArgument, WrongLoop, WrongProcess
from asynccache.events import BusOpened, Events, Gap, Observer, RedisBack, RedisLost
from asynccache.health import Health, diagnose
from asynccache.levels.bulkhead import Bulkhead
from asynccache.levels.first import FirstLevel
from asynccache.levels.journal import Journal
from asynccache.levels.leases import Leases
from asynccache.levels.local_writer import OneLevelWriter
from asynccache.levels.negatives import Negatives
from asynccache.levels.pushes import Pushes
from asynccache.levels.reader import Reader
from asynccache.levels.replay import Replay
from asynccache.levels.shared import Levels, SecondLevel
from asynccache.levels.verification import Verification, Verifier
from asynccache.levels.writer import TwoLevelWriter, Writer
from asynccache.memory.entry import FOREVER
from asynccache.memory.janitor import Janitor
from asynccache.memory.sharded import Engine
from asynccache.redis.bus import Bus
from asynccache.redis.linking import AnyLink, make_link
from asynccache.redis.settings import RedisSettings
from asynccache.redis.store import RedisStore
from asynccache.redis.tracking import Tracking
from asynccache.statistics import Counters, Statistics, Tracked
from asynccache.tasks import OwnedTasks

logger = logging.getLogger("asynccache")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a cache was made with; `Cache` documents each."""

    name: str
    keys: KeySpace
    redis: RedisSettings | None
    policy: Policy
    codec: Codec
    records: RecordFormat
    clock: Clock
    max_staleness: float
    shutdown_timeout: float
    max_concurrent_loads: int | None
    max_negatives: int
    outage_staleness: float
    observer: Observer | None
    random: Callable[[], float] = random.random


class Runtime:
    """The parts of one cache between its start and its end.

    Args:
        configuration: What the cache was made with.
        engine: Its first level's entries.

    Attributes:
        first: The first level.
        reader: Answers reads.
        writer: Does writes.
    """

    def __init__(self, configuration: Configuration, engine: Engine) -> None:
        self._configuration = configuration
        self._loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        self._closed = False
        self._was_forked = False  # told by the fork: asking for the process's id takes longer
        self._counters = Counters()
        self._events = Events(configuration.observer)
        self._tasks = OwnedTasks()
        self._link: AnyLink | None = None
        self._store: RedisStore | None = None
        self._bus: Bus | None = None
        self._pushes: Pushes | None = None
        self._tracking: Tracking | None = None
        self._bus_task: asyncio.Task[None] | None = None
        redis = configuration.redis
        self.first = FirstLevel(
            engine,
            configuration.codec,
            configuration.clock,
            self._tasks,
            FOREVER if redis is None else configuration.max_staleness,
            outage_staleness=configuration.outage_staleness,
            is_down=self._is_down,
            random=configuration.random,
        )
        self._second = None if redis is None else self._connect(redis)
        levels = Levels(
            first=self.first,
            second=self._second,
            codec=configuration.codec,
            records=configuration.records,
            keys=configuration.keys,
            clock=configuration.clock,
            random=configuration.random,
            counters=self._counters,
            tasks=self._tasks,
            bulkhead=Bulkhead(configuration.max_concurrent_loads),
            events=self._events,
            negatives=Negatives(configuration.max_negatives, engine.delete),
        )
        self._levels = levels
        self._verifier: Verifier | None = None
        engine.hooks.on_pending = self._tell_removals_soon
        self._janitor = Janitor(engine, configuration.clock)
        self.reader = Reader(levels)
        self.writer: Writer = (
            OneLevelWriter(levels) if self._second is None else TwoLevelWriter(levels, self._second)
        )

    def _connect(self, redis: RedisSettings) -> SecondLevel:
        configuration = self._configuration
        origin = secrets.token_bytes(8)
        link = self._link = make_link(
            redis,
            on_incarnation=lambda: self.gap("Redis has begun another life"),
            on_state=self._redis_turned,
        )
        store = self._store = RedisStore(link, configuration.keys, origin)
        self._bus = Bus(
            dial=partial(link.dial_owner, configuration.keys.sequence),
            announcer=store,
            listener=self,
            channel=configuration.keys.channel,
            origin=origin,
            clock=configuration.clock,
            max_staleness=configuration.max_staleness,
            random=configuration.random,
            tracking=self._track(link, store) if redis.tracking else None,
        )
        journal = Journal()
        return SecondLevel(
            store=store,
            leases=Leases(store, self._tasks, configuration.random, self._is_heard),
            journal=journal,
            replay=Replay(
                *(journal, store, self._tasks, configuration.random),
                forget=self._forget,
                forget_tags=self.first.forget_tags,
            ),
            events=self._events,
        )

    def _track(self, link: AnyLink, store: RedisStore) -> Tracking:
        keys, clock = self._configuration.keys, self._configuration.clock
        self._pushes = Pushes(self.first, store, keys, clock, self._tasks)
        self._tracking = Tracking(
            *(keys.records, keys.probe, store.nudge, self._pushes),
            stamp=partial(link.stamp, keys.sequence),
        )
        return self._tracking

    def _redis_turned(self, address: str, reason: str | None) -> None:
        self._events.emit(RedisBack(address) if reason is None else RedisLost(address, reason))

    def _is_down(self) -> bool:
        return self._link is not None and self._link.state == "open"

    def _is_heard(self) -> bool:
        return self._configuration.clock.monotonic() < self.first.proven_until

    def _forget(self, keys: Sequence[str] | None) -> None:
        if keys is None:
            self.first.forget_all()
        else:
            self.first.forget(keys)

    def _tell_removals_soon(self) -> None:
        # Not at once: the listener is the user's, and may call the cache.
        if not self._loop.is_closed():
            self._loop.call_soon(self._tell_removals)

    def _tell_removals(self) -> None:
        try:
            self.first.engine.drain_removals()
        except Exception:
            logger.exception("on_removal raised")
            self._tell_removals_soon()

    @property
    def is_orphaned(self) -> bool:
        """Its process or event loop has gone, and everything that runs in it: a fork, a crash."""
        return os.getpid() != self._pid or self._loop.is_closed()

    async def start(self) -> None:
        """Start what runs in the background. Redis need not be there."""
        _running.add(self)
        if self._link is not None and self._bus is not None:
            await self._link.start()
            self._bus_task = self._tasks.spawn(self._bus.run(), name="asynccache bus")

    def spawn(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Do something that ends with the cache; see `Lifecycle.spawn`."""
        return self._tasks.spawn(work, name=name)

    async def close(self) -> None:
        """End everything: accept nothing, wait for loads and writes, flush the journal, hang up."""
        self._closed = True
        patience = self._configuration.shutdown_timeout
        try:
            if self._bus_task is not None:
                self._bus_task.cancel()
            left = await self._tasks.finish(patience)
            if left:
                logger.warning("%d loads ignored their cancellation and are still running", left)
            if self._second is not None:
                unsaid = await self._second.replay.flush(patience)
                if unsaid:
                    logger.warning(
                        "closed with %d keys of which Redis may hold older values", unsaid
                    )
                await self._tasks.finish(patience)
        finally:
            self.first.loads.end_all()
            self.first.reads.end_all()
            self.first.forget_all()
            self._janitor.close()
            if self._link is not None:
                await self._link.close()
            _running.discard(self)

    def abandon(self) -> None:
        """Be closed, where there is nothing to wait for: see `is_orphaned`."""
        self._closed = True
        self.first.close_until_proven()
        self._janitor.close()
        _running.discard(self)

    def check_usable(self) -> None:
        """Refuse use after the end, from another event loop, and in a forked child.

        Raises:
            CacheClosed: The cache was closed.
            WrongLoop: This is not the loop that it was started in.
            WrongProcess: This is not the process that it was started in.
        """
        if self._closed:
            raise CacheClosed(f"the cache {self._configuration.name!r} is closed")
        self.check_place()

    def check_place(self) -> None:
        """Refuse use from another event loop, and in a forked child. See `check_usable`."""
        name = self._configuration.name
        # A forked child has another loop too, but that is not what is wrong.
        if self._was_forked:
            raise WrongProcess(
                f"the cache {name!r} was started before this process was forked; start it in the "
                "worker, for example with lifespan=cache.lifespan"
            )
        if asyncio.get_running_loop() is not self._loop:
            raise WrongLoop(
                f"the cache {name!r} was started in another event loop; make one cache per loop"
            )

    # What the bus hears.

    def invalidated(self, message: Message) -> None:
        """See `asynccache.redis.bus.Listener`."""
        if self._second is not None and message.kind in (Kind.FILLED, Kind.FORGET_KEYS):
            self._second.leases.wake(message.texts)
        if message.kind is Kind.FILLED:
            return
        self._counters.invalidations_received += 1
        if message.kind is Kind.FORGET_KEYS:
            self.first.forget(message.texts)
        elif message.kind is Kind.FORGET_TAGS:
            self.first.forget_tags(message.texts)
        elif message.kind is Kind.FORGET_ALL:
            self.first.forget_all()
        elif message.kind is Kind.FORGET_MATCHING:
            for glob in message.texts:
                try:
                    self.first.forget_matching(Pattern(glob).matches)
                except InvalidArgument:  # garbage: who sent it is not to be trusted with less
                    self.first.forget_all()

    def proof(self, instant: float) -> None:
        """See `asynccache.redis.bus.Listener`."""
        was_heard = self._is_heard()
        self.first.prove(instant)
        if self._pushes is not None:
            # Whatever takes longer than this to be carried out has been given up.
            self._pushes.proved(instant - self._configuration.max_staleness)
        if not was_heard:
            self._events.emit(BusOpened())

    def gap(self, reason: str) -> None:
        """See `asynccache.redis.bus.Listener`."""
        self.first.close_until_proven()
        self._missed(reason)

    def lost(self, reason: str) -> None:
        """See `asynccache.redis.bus.Listener`."""
        self.first.suspend()
        self._missed(reason)

    def _missed(self, reason: str) -> None:
        logger.debug("invalidations may have been missed: %s", reason)
        self._counters.gaps += 1
        if self._second is not None:
            self._second.leases.wake_all()
        self._events.emit(Gap(reason))

    def abandon_in_child(self) -> None:
        """Serve nothing in a forked child: nobody tells it what to forget."""
        self._was_forked = True
        self.first.close_until_proven()

    def _bus_state(self) -> Literal["open", "closed", "none"]:
        if self._bus is None:
            return "none"
        return "open" if self._is_heard() else "closed"

    def _tracked(self) -> Tracked:
        if self._tracking is None:
            return "none" if self._bus is None else "off"
        return self._tracking.state

    def _lag(self) -> float | None:
        proven_until = self.first.proven_until
        if self._bus is None or not proven_until:
            return None
        asof = proven_until - self._configuration.max_staleness
        return max(0.0, self._configuration.clock.monotonic() - asof)

    def health(self) -> Health:
        """Return how the cache is."""
        link, second = self._link, self._second
        return diagnose(
            is_running=not self._closed,
            redis="none" if link is None else "down" if link.state == "open" else "up",
            bus=self._bus_state(),
            tracking=self._tracked(),
            lag=self._lag(),
            journal=0 if second is None else len(second.journal),
            last_error=getattr(link, "last_error", None),
        )

    def verify(self, sample: float | None) -> Verification:
        """Check a share of what is invalidated from now on; None: leave it as it is."""
        if self._verifier is None:
            bound = self._configuration.max_staleness
            self._verifier = Verifier(self._levels, bound, 0.0)
        if sample is not None:
            self._verifier.sample = sample
            self.first.on_forget = self._verifier.invalidated if sample else None
            self.reader.on_loader = self._verifier.loaded if sample else None
        return self._verifier.result()

    def statistics(self) -> Statistics:
        """Return what the cache has done, and its state."""
        memory = self.first.engine.statistics()
        counters = self._counters
        return Statistics(
            l1_hits=memory.hits,
            l2_hits=counters.l2_hits,
            misses=counters.misses,
            coalesced=self.first.loads.joined + self.first.reads.joined,
            loads=counters.loads,
            load_failures=counters.load_failures,
            stale_served=counters.stale_served,
            eager_refreshes=counters.eager_refreshes,
            damaged=counters.damaged,
            fills_refused=counters.fills_refused,
            invalidations_sent=0 if self._store is None else self._store.announced,
            invalidations_received=counters.invalidations_received,
            pushes_received=0 if self._pushes is None else self._pushes.received,
            gaps=counters.gaps,
            unavailable=0 if self._link is None else self._link.unavailable,
            evictions=memory.evictions,
            expirations=memory.expirations,
            l1_entries=memory.entries,
            l1_weight=memory.weight,
            flights=len(self.first.loads),
            journal=0 if self._second is None else len(self._second.journal),
            unproven_served=self.first.unproven_served,
            bus_lag=self._lag(),
            breaker="none" if self._link is None else self._link.state,
            bus=self._bus_state(),
            tracking=self._tracked(),
        )


_running: WeakSet[Runtime] = WeakSet()


def _abandon_all_in_child() -> None:
    for runtime in _running:
        runtime.abandon_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all_in_child)
