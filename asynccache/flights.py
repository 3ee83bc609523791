"""The table of flights: at most one that can be joined for each key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from asynccache.clock import Clock
from asynccache.errors import CacheClosed, LoadCancelled
from asynccache.flight import Flight, Loading, copy_of
from asynccache.tasks import OwnedTasks

T = TypeVar("T")

Deliver: TypeAlias = Callable[[str, T], None]
"""Ends the flight of one key with its value: nobody waits for the rest of the work."""

Work: TypeAlias = Callable[[Deliver[T], Collection[str]], Awaitable[None]]
"""Finds the values of some keys, and delivers each as soon as it is stored. Some keys may have been
overtaken between the call that started the flight and its first step: theirs are not stored."""


class FlightTable:
    """The flights of one cache.

    Args:
        tasks: Where flights run.
        clock: Tells when a flight began.
        is_recent: Tells whether a flight that began at an instant may be joined: after a stall of
            this process its value may have been invalidated without anybody here having heard.
        on_old: Is told the key of a flight that is not: what it brings may be older than what is
            loaded next.

    Attributes:
        joined: How many callers were served by a flight that another one had started.
    """

    __slots__ = ("_clock", "_flights", "_is_recent", "_on_old", "_running", "_tasks", "joined")

    def __init__(
        self,
        tasks: OwnedTasks,
        clock: Clock,
        is_recent: Callable[[float], bool],
        on_old: Callable[[str], object] | None = None,
    ) -> None:
        self._tasks = tasks
        self._clock = clock
        self._is_recent = is_recent
        self._on_old = on_old
        self._flights: dict[str, Flight[Any]] = {}
        self._running: set[Flight[Any]] = set()  # with those that can no longer be joined
        self.joined = 0

    def join(self, key: str) -> Flight[Any] | None:
        """Return the flight of a key, to be awaited; None: there is none that is recent enough."""
        flight = self._flights.get(key)
        if flight is None:
            return None
        if not self._is_recent(flight.began):
            self.detach(key)
            if self._on_old is not None:
                self._on_old(key)
            return None
        self.joined += 1
        return flight

    def start(
        self,
        keys: Sequence[str],
        work: Work[T],
        *,
        cancel_abandoned: bool,
        owner: object = None,
    ) -> dict[str, Flight[T]]:
        """Start one piece of work that is the flight of some keys, which have none.

        Args:
            keys: The keys.
            work: Delivers the value of every key, or raises.
            cancel_abandoned: Cancel the work when nobody waits for any of it.
            owner: Whose method the work is, for those who wait; see `Flight`.

        Raises:
            RecursiveLoad: The caller is a loader of one of the keys.
        """
        loading = Loading(keys, self)
        loading.refuse_repetition()
        began = self._clock.monotonic()
        flights: dict[str, Flight[T]] = {}

        def abandoned() -> None:
            wanted = any(flight.waiters and not flight.done for flight in flights.values())
            if cancel_abandoned and not wanted:
                self._detach(flights)
                self._running.difference_update(flights.values())
                task.cancel()

        def deliver(key: str, value: T) -> None:
            self._detach({key: flights[key]})
            self._running.discard(flights[key])
            flights[key].succeed(value)

        async def run() -> None:
            overtaken = [key for key in keys if self._flights.get(key) is not flights[key]]
            try:
                await work(deliver, overtaken)
            except BaseException as error:
                self._detach(flights)
                self._running.difference_update(flights.values())
                own = error
                for key, flight in flights.items():
                    if not flight.done:
                        flight.fail(self._for_waiters(own, key))
                        own = copy_of(error)
                del own  # its traceback holds this frame
                if not isinstance(error, Exception):
                    raise
            finally:
                loading.done = True

        for key in keys:
            flights[key] = Flight(key, loading, began, abandoned, owner)
        # Registered first: an eager task factory runs the loader inside create_task.
        self._flights.update(flights)
        self._running.update(flights.values())
        context = self._tasks.new_context()
        loading.enter(context)
        task = self._tasks.spawn(run(), name=f"asynccache load {keys[0]!r}", context=context)
        return flights

    def has(self, key: str) -> bool:
        """Tell whether a key has a flight, without joining it."""
        return key in self._flights

    def detach(self, key: str) -> None:
        """Let nobody join the key's flight any more; those who wait still get its result."""
        self._flights.pop(key, None)

    def detach_matching(self, matches: Callable[[str], bool]) -> None:
        """Detach the flights of every key for which a predicate holds."""
        for key in [key for key in self._flights if matches(key)]:
            del self._flights[key]

    def detach_all(self) -> None:
        """Detach every flight."""
        self._flights.clear()

    def end_all(self) -> None:
        """Let nobody wait any longer: the cache is closed, and some loads do not end."""
        self.detach_all()
        for flight in self._running:
            flight.fail(_closed(flight.key))
        self._running.clear()

    def _detach(self, flights: Mapping[str, Flight[Any]]) -> None:
        for key, flight in flights.items():
            if self._flights.get(key) is flight:
                del self._flights[key]

    def _for_waiters(self, error: BaseException, key: str) -> BaseException:
        """Return what waiters get: never somebody else's CancelledError."""
        if not isinstance(error, asyncio.CancelledError):
            return error
        if self._tasks.cancelling:
            return _closed(key)
        cancelled = LoadCancelled(f"the loader of {key!r} cancelled itself")
        cancelled.__cause__ = error
        return cancelled

    def __len__(self) -> int:
        return len(self._running)


def _closed(key: str) -> CacheClosed:
    return CacheClosed(f"the cache was closed while {key!r} was loaded")
