"""Reading: which keys the first level answers, which flights are joined, and which are started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from inspect import isawaitable
from typing import Any

from asynccache.core.arguments import wrong_type
from asynccache.core.freshness import Fresh, Miss
from asynccache.core.policy import Policy
from asynccache.errors import Unavailable
from asynccache.flight import Flight
from asynccache.flights import Deliver, FlightTable
from asynccache.levels.first import Held
from asynccache.levels.loading import BulkLoader, LoadRun
from asynccache.levels.shared import Levels, SecondLevel
from asynccache.types import MISSING, Missing


class Reader:
    """Answers reads that the first level's own lookup did not.

    Args:
        levels: Where values are.
    """

    def __init__(self, levels: Levels) -> None:
        self._levels = levels

    async def get(self, keys: Sequence[str], policy: Policy) -> dict[str, Any]:
        """Return the values of the keys that are there, without loading.

        Args:
            keys: The keys.
            policy: How values found in Redis are kept in L1.
        """
        reads = self._levels.first.reads
        values, flights, to_read = self._sort(keys, reads)
        second = self._levels.second
        if second is None:
            self._levels.counters.misses += len(to_read)
        elif to_read:

            async def read(deliver: Deliver[Held | Missing], overtaken: Collection[str]) -> None:
                await self._read(to_read, second, policy, deliver, overtaken)

            flights |= reads.start(to_read, read, cancel_abandoned=False)
        values |= await self._arrivals(flights)
        return {key: values[key] for key in dict.fromkeys(keys) if key in values}

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
        asof = levels.clock.monotonic()
        with levels.first.fences.over(*usable) as fence:
            try:
                raws = await second.store.read(usable) if usable else []
            except Unavailable:
                raws = []
            for key, raw in zip(usable, raws, strict=False):
                reading = levels.interpret(key, raw)
                if isinstance(reading, Fresh):
                    held = levels.first.hold(reading.value, policy, reading.payload)
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
    ) -> Any:
        """Return the value of a key that the first level does not answer, loading it if need be.

        Args:
            key: The key.
            loader: Loads its value.
            policy: How it is kept and loaded.
            registered: The loader outlives the call: its load may finish without waiters.
            refresh: Load it whatever is there.
        """

        async def load_one(keys: list[str]) -> Mapping[str, Any]:
            awaitable = loader()
            if not isawaitable(awaitable):
                raise wrong_type("loader", awaitable, "a function that returns an awaitable")
            return {keys[0]: await awaitable}

        loads = self._levels.first.loads
        if refresh:
            loads.detach(key)
        while True:
            flight = loads.join(key)
            if flight is None:
                flight = self._start([key], load_one, policy, registered, refresh=refresh)[key]
            held = await flight.wait()
            if held is not MISSING:
                return self._levels.first.take(held)
            # A bulk load that was joined had no value for the key: load it after all.
            loads.joined -= 1

    async def load_many(
        self, keys: Sequence[str], loader: BulkLoader, policy: Policy, *, registered: bool
    ) -> dict[str, Any]:
        """Return the values of some keys, loading those that are missing in one call.

        Args:
            keys: The keys.
            loader: Returns the values of the keys that it is given, or of some of them.
            policy: How they are kept and loaded.
            registered: The loader outlives the call: its load may finish without waiters.
        """

        async def load_missing(keys: list[str]) -> Mapping[str, Any]:
            awaitable = loader(keys)
            if not isawaitable(awaitable):
                raise wrong_type("load_missing", awaitable, "a function that returns an awaitable")
            return await awaitable

        values, flights, to_load = self._sort(keys, self._levels.first.loads)
        if to_load:
            flights |= self._start(to_load, load_missing, policy, registered)
        values |= await self._arrivals(flights)
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

    def _start(
        self,
        keys: Sequence[str],
        loader: BulkLoader,
        policy: Policy,
        registered: bool,
        *,
        refresh: bool = False,
    ) -> dict[str, Flight[Held | Missing]]:
        run = LoadRun(self._levels, keys, loader, policy)
        cancel = policy.cancel_abandoned
        return self._levels.first.loads.start(
            keys,
            run.refresh if refresh else run.get_or_load,
            cancel_abandoned=not registered if cancel is None else cancel,
        )

    async def _arrivals(self, flights: Mapping[str, Flight[Held | Missing]]) -> dict[str, Any]:
        """Wait for some flights; return the values that they had."""
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
        return {
            key: self._levels.first.take(held)
            for key, held in helds.items()
            if not isinstance(held, Missing)
        }
