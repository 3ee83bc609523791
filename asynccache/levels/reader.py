"""Reading: which keys the first level answers, which flights are joined, and which are started."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from inspect import isawaitable
from typing import Any

from asynccache.core.arguments import wrong_type
from asynccache.core.freshness import Fresh, Miss
from asynccache.core.policy import Policy
from asynccache.errors import Unavailable
from asynccache.flight import Flight
from asynccache.flights import Deliver, FlightTable, Work
from asynccache.levels.calling import BulkLoader
from asynccache.levels.first import Held
from asynccache.levels.loading import LoadRun
from asynccache.levels.shared import Levels, SecondLevel
from asynccache.memory.entry import Entry
from asynccache.types import MISSING, Missing

EAGER_RETRY = 5.0
"""Seconds after which an eager refresh is tried again when nothing has come of it."""


class Reader:
    """Answers reads that the first level's own lookup did not.

    Args:
        levels: Where values are.

    Attributes:
        on_loader: Is told of loaders that may be called at any time; None: nobody.
    """

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self.on_loader: Callable[[str, Callable[[], Awaitable[Any]]], None] | None = None

    async def get(self, keys: Sequence[str], policy: Policy) -> dict[str, Any]:
        """Return the values of the keys that are there, without loading.

        Args:
            keys: The keys.
            policy: How values found in Redis are kept in L1.
        """
        second = self._levels.second

        def start(missing: list[str]) -> dict[str, Flight[Held | Missing]]:
            if second is None:
                self._levels.counters.misses += len(missing)
                return {}

            async def read(deliver: Deliver[Held | Missing], overtaken: Collection[str]) -> None:
                await self._read(missing, second, policy, deliver, overtaken)

            return self._levels.first.reads.start(missing, read, cancel_abandoned=False)

        return await self._gather(keys, self._levels.first.reads, start)

    async def _read(
        self,
        keys: Sequence[str],
        second: SecondLevel,
        policy: Policy,
        deliver: Deliver[Held | Missing],
        overtaken: Collection[str],
    ) -> None:
        levels = self._levels
        usable = [key for key in keys if not second.journal.holds(key)]
        found: set[str] = set()
        with levels.first.fences.over(*usable) as fence:
            asof = levels.clock.monotonic()
            try:
                tokens = await levels.learn(())
                asof = levels.clock.monotonic()
                readings = await levels.read(usable, tokens)
            except Unavailable:
                readings = []
            for key, (raw, reading) in zip(usable, readings, strict=False):
                if isinstance(reading, Fresh):
                    held = levels.first.hold_reading(reading, policy, fence.epoch)
                    if fence.intact(key) and key not in overtaken:
                        levels.first.install(
                            key, held, left=reading.left, policy=policy, asof=asof, since=asof
                        )
                    found.add(key)
                    deliver(key, held)
                elif isinstance(reading, Miss) and reading.damaged and isinstance(raw.value, bytes):
                    await self._remove_damaged(key, raw.value, second)
        levels.counters.l2_hits += len(found)
        levels.counters.misses += len(keys) - len(found)
        for key in keys:
            if key not in found:
                deliver(key, MISSING)

    async def _remove_damaged(self, key: str, bytes_read: bytes, second: SecondLevel) -> None:
        """Remove a damaged record, unless somebody has replaced it by now."""
        try:
            await second.store.exchange(key, bytes_read, b"")
        except Unavailable:
            return

    async def load(
        self,
        key: str,
        loader: Callable[[], Awaitable[Any]],
        policy: Policy,
        *,
        registered: bool,
        refresh: bool = False,
        tags: tuple[str, ...] = (),
    ) -> Held:
        """Return the value of a key that the first level does not answer, loading it if need be.

        Args:
            key: The key.
            loader: Loads its value.
            policy: How it is kept and loaded.
            registered: The loader outlives the call: its load may finish without waiters.
            refresh: Load it whatever is there.
            tags: What the value is tagged with, besides what its loader says.

        Returns:
            The value, for `FirstLevel.take`.
        """
        first = self._levels.first
        loads = first.loads
        if self.on_loader is not None and (registered or policy.background):
            self.on_loader(key, loader)
        if refresh:
            loads.detach(key)
        while True:
            asked_at = first.engine.epoch
            flight = loads.join(key)
            if flight is None:
                work = LoadRun(self._levels, [key], _only(loader), policy, tags)
                entrance = work.refresh if refresh else work.get_or_load
                flight = self._fly([key], work, entrance, policy, registered)[key]
            held = await self._patiently(flight, policy, registered)
            if held is not MISSING and not first.is_overtaken(held, asked_at):
                return held
            # A bulk load that was joined had no value for the key, or one of the value's tags was
            # invalidated before this caller came: load it after all.
            loads.joined -= 1

    async def _patiently(
        self, flight: Flight[Held | Missing], policy: Policy, registered: bool
    ) -> Held | Missing:
        """Wait for a flight; for as long as the policy says, if there is a value in its grace."""
        patience = policy.soft_timeout
        if patience is None or not (registered or policy.background):
            return await flight.wait()
        waiter = flight.enlist()
        try:
            await asyncio.wait((waiter,), timeout=patience)
            work = flight.work
            held = work.in_grace(flight.key) if isinstance(work, LoadRun) else None
            if not waiter.done() and held is not None:
                self._levels.counters.stale_served += 1
                return held
            return await waiter
        finally:
            flight.leave(waiter)
            del waiter  # it holds the exception, whose traceback would hold it

    def refresh_soon(
        self,
        entry: Entry,
        loader: Callable[[], Awaitable[Any]],
        policy: Policy,
        *,
        registered: bool,
        tags: tuple[str, ...] = (),
    ) -> None:
        """Refresh an entry in the background, whose time for that has come.

        Args:
            entry: The entry.
            loader: See `load`, as for the rest.
            policy: How the value is kept and loaded.
            registered: A loader that may not outlive the call is not called.
            tags: What the value is tagged with.
        """
        # Once for each entry, and again if nothing comes of it.
        entry.eager = self._levels.clock.monotonic() + EAGER_RETRY
        loads = self._levels.first.loads
        if not (registered or policy.background) or loads.has(entry.key):
            return
        work = LoadRun(self._levels, [entry.key], _only(loader), policy, tags)
        self._levels.counters.eager_refreshes += 1
        self._fly([entry.key], work, work.refresh_eagerly, policy, registered=True)

    async def load_many(
        self,
        keys: Sequence[str],
        loader: BulkLoader,
        policy: Policy,
        *,
        registered: bool,
        tags: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        """Return the values of some keys, loading those that are missing in one call.

        Args:
            keys: The keys.
            loader: Returns the values of the keys that it is given, or of some of them.
            policy: How they are kept and loaded.
            registered: The loader outlives the call: its load may finish without waiters.
            tags: What the values are tagged with, besides what their loader says.
        """

        async def load_missing(keys: list[str]) -> Mapping[str, Any]:
            awaitable = loader(keys)
            if not isawaitable(awaitable):
                raise wrong_type("load_missing", awaitable, "a function that returns an awaitable")
            return await awaitable

        def start(missing: list[str]) -> dict[str, Flight[Held | Missing]]:
            work = LoadRun(self._levels, missing, load_missing, policy, tags)
            return self._fly(missing, work, work.get_or_load, policy, registered)

        return await self._gather(keys, self._levels.first.loads, start)

    async def _gather(
        self,
        keys: Sequence[str],
        table: FlightTable,
        start: Callable[[list[str]], Mapping[str, Flight[Held | Missing]]],
    ) -> dict[str, Any]:
        """Return the values of some keys: from L1, from flights, and from those that are started.

        Args:
            keys: The keys.
            table: The flights that may be joined.
            start: Starts the flights of keys that have none.
        """
        values: dict[str, Any] = {}
        wanted = list(dict.fromkeys(keys))
        while wanted:
            asked_at = self._levels.first.engine.epoch
            found, flights, missing = self._sort(wanted, table)
            if missing:
                flights |= start(missing)
            arrived, wanted = await self._arrivals(flights, asked_at)
            values |= found | arrived
        return {key: values[key] for key in dict.fromkeys(keys) if key in values}

    def _sort(
        self, keys: Sequence[str], table: FlightTable
    ) -> tuple[dict[str, Any], dict[str, Flight[Held | Missing]], list[str]]:
        """Return the values that L1 has, the flights to join, and the keys of neither."""
        values: dict[str, Any] = {}
        flights: dict[str, Flight[Held | Missing]] = {}
        rest: list[str] = []
        for key in dict.fromkeys(keys):
            value = self._levels.first.get(key)
            if value is not MISSING:
                values[key] = value
            elif (flight := table.join(key)) is not None:
                flights[key] = flight
            else:
                rest.append(key)
        return values, flights, rest

    def _fly(
        self,
        keys: Sequence[str],
        work: LoadRun,
        entrance: Work[Held | Missing],
        policy: Policy,
        registered: bool,
    ) -> dict[str, Flight[Held | Missing]]:
        cancel = policy.cancel_abandoned
        return self._levels.first.loads.start(
            keys,
            entrance,
            cancel_abandoned=not (registered or policy.background) if cancel is None else cancel,
            owner=work,
        )

    async def _arrivals(
        self, flights: Mapping[str, Flight[Held | Missing]], asked_at: int
    ) -> tuple[dict[str, Any], list[str]]:
        """Wait for some flights; return the values that they had, and the keys to ask for again."""
        waiters = {}
        helds: dict[str, Held | Missing] = {}
        try:
            # Enlisted in all of them at once, so that none is abandoned while another is awaited.
            for key, flight in flights.items():
                waiters[key] = flight.enlist()
            for key in flights:
                helds[key] = await waiters[key]
        finally:
            # Taken out: a waiter holds its exception, whose traceback holds this frame.
            for key in list(waiters):
                flights[key].leave(waiters.pop(key))
        first = self._levels.first
        found = {key: held for key, held in helds.items() if not isinstance(held, Missing)}
        overtaken = [key for key, held in found.items() if first.is_overtaken(held, asked_at)]
        values = {key: first.take(held) for key, held in found.items() if key not in overtaken}
        return values, overtaken


def _only(loader: Callable[[], Awaitable[Any]]) -> BulkLoader:
    """Return a loader of one key as one of several."""

    async def load_one(keys: list[str]) -> Mapping[str, Any]:
        awaitable = loader()
        if not isawaitable(awaitable):
            raise wrong_type("loader", awaitable, "a function that returns an awaitable")
        return {keys[0]: await awaitable}

    return load_one
