"""Singleflight: one load serves every caller that waits for its key in this process.

After Go's ``x/sync/singleflight``, with asyncio's extra endings. A flight is a task of the cache,
never of a caller, and each caller waits on a future of its own. So:

* a caller that is cancelled or timed out leaves, and nobody else notices;
* when the last one has left, the load is cancelled, unless its loader is a registered one;
* a failure reaches every waiter as the loader's own exception, each with a copy of its own;
* a flight that is finished, abandoned or overtaken by an invalidation is never joined again;
* a loader that waits for its own key, directly or through other loaders, gets `RecursiveLoad`.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable
from contextvars import Context, ContextVar
from typing import Generic, TypeVar

from asynccache.errors import RecursiveLoad

T = TypeVar("T")

_current: ContextVar[Loading | None] = ContextVar("asynccache_loading", default=None)


class Loading:
    """One run of a loader: the node of the graph of who waits for whom.

    Args:
        keys: What it loads.
        owner: Whose keys they are: the same key of another cache is another key.

    Attributes:
        done: It has ended.
    """

    __slots__ = ("_blocked_on", "_keys", "_owner", "_started_by", "done")

    def __init__(self, keys: Iterable[str], owner: object) -> None:
        self.done = False
        self._keys = frozenset(keys)
        self._owner = owner
        self._started_by = _first_running(_current.get())
        # A loader may wait for several others at once, and several times for one.
        self._blocked_on: dict[Loading, int] = {}

    def enter(self, context: Context) -> None:
        """Make code that runs in a context count as part of this load."""
        context.run(_current.set, self)

    def refuse_repetition(self) -> None:
        """Refuse to be started, directly or through others, by a load of one of its own keys.

        An invalidation detaches a load from its key. A loader that invalidates or refreshes its
        own key therefore finds nobody to wait for, and would start itself again without end.

        Raises:
            RecursiveLoad: That is so.
        """
        starter = self._started_by
        while starter is not None:
            if starter._owner is self._owner and not starter._keys.isdisjoint(self._keys):
                raise RecursiveLoad(min(starter._keys & self._keys))
            starter = _first_running(starter._started_by)

    def block_on(self, other: Loading) -> None:
        """Note that this load waits for another one."""
        self._blocked_on[other] = self._blocked_on.get(other, 0) + 1

    def unblock(self, other: Loading) -> None:
        """Note that this load no longer waits for another one."""
        if self._blocked_on.get(other, 0) > 1:
            self._blocked_on[other] -= 1
        else:
            self._blocked_on.pop(other, None)

    def waits_for(self, other: Loading) -> bool:
        """Tell whether this load is another one, or waits for it directly or through others."""
        seen: set[Loading] = set()
        to_visit = [self]
        while to_visit:
            loading = to_visit.pop()
            if loading is other:
                return True
            if loading not in seen:
                seen.add(loading)
                to_visit.extend(loading._blocked_on)
        return False


def is_nested() -> bool:
    """Tell whether the load that runs here was started by another one, which waits for it."""
    loading = _current.get()
    return loading is not None and _first_running(loading._started_by) is not None


def _first_running(loading: Loading | None) -> Loading | None:
    # What a loader has started may outlive it; from then on it is an ordinary caller.
    while loading is not None and loading.done:
        loading = loading._started_by
    return loading


class Flight(Generic[T]):
    """A key's load and those who wait for it.

    Args:
        key: What is loaded.
        loading: The run of the loader that will give the result.
        began: The instant at which it began.
        on_abandoned: Is called when the last waiter leaves before the end.
        work: What does it.

    Attributes:
        key: What is loaded.
        loading: The run of the loader that will give the result.
        began: The instant at which it began.
        work: What does it; None once it has ended.
        done: The load has ended.
    """

    __slots__ = (
        "_error",
        "_on_abandoned",
        "_value",
        "_waiters",
        "began",
        "done",
        "key",
        "loading",
        "work",
    )

    def __init__(
        self,
        key: str,
        loading: Loading,
        began: float,
        on_abandoned: Callable[[], None],
        work: object = None,
    ) -> None:
        self.key = key
        self.loading = loading
        self.began = began
        self.work = work
        self.done = False
        self._on_abandoned = on_abandoned
        self._waiters: dict[asyncio.Future[T], None] = {}  # who came first is woken first
        # Written once, before ``done`` is set; read only after it. With eager tasks a load may be
        # over before its first caller waits.
        self._value: T
        self._error: BaseException | None = None

    @property
    def waiters(self) -> int:
        """How many callers wait."""
        return len(self._waiters)

    async def wait(self) -> T:
        """Return the load's result.

        Raises:
            RecursiveLoad: The caller is a loader that this flight itself waits for.
            BaseException: Whatever the load ended with.
        """
        waiter = self.enlist()
        try:
            return await waiter
        finally:
            self.leave(waiter)
            del waiter  # it holds the exception, whose traceback would hold it

    def enlist(self) -> asyncio.Future[T]:
        """Return a future for the result, to be handed to `leave` whatever happens.

        Raises:
            RecursiveLoad: The caller is a loader that this flight itself waits for.
        """
        blocked = _current.get()
        if blocked is not None and not self.done:
            if self.loading.waits_for(blocked):
                raise RecursiveLoad(self.key)
            blocked.block_on(self.loading)
        waiter: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self.done:
            self._settle(waiter, self._error and copy_of(self._error))
        self._waiters[waiter] = None
        return waiter

    def leave(self, waiter: asyncio.Future[T]) -> None:
        """Stop waiting, with or without a result."""
        blocked = _current.get()
        if blocked is not None:
            blocked.unblock(self.loading)
        self._waiters.pop(waiter, None)
        if not self._waiters:
            self._error = None  # its traceback holds its frames, and they hold this flight
            self._on_abandoned()

    def succeed(self, value: T) -> None:
        """End the load with a value."""
        self._value = value
        self._end()
        for waiter in self._waiters:
            self._settle(waiter, None)

    def fail(self, error: BaseException) -> None:
        """End the load with an exception."""
        self._error = error
        self._end()
        own: BaseException = error
        for waiter in self._waiters:
            self._settle(waiter, own)
            own = copy_of(error)

    def _end(self) -> None:
        self.done = True
        self._on_abandoned = _nothing  # it holds the flight
        self.work = None

    def _settle(self, waiter: asyncio.Future[T], error: BaseException | None) -> None:
        if waiter.done():
            return
        if error is None:
            waiter.set_result(self._value)
        else:
            waiter.set_exception(error)
            waiter.exception()  # counts as retrieved: its caller may be cancelled meanwhile

    def __repr__(self) -> str:
        state = "done" if self.done else f"{self.waiters} waiting"
        return f"<Flight {self.key!r} {state}>"


def _nothing() -> None:
    """Nobody is left to be told."""


def copy_of(error: BaseException) -> BaseException:
    """Return an exception of the same type, contents and traceback.

    Raising one object in several tasks would show each of them the others' frames, context and
    notes. An exception that cannot be copied faithfully is shared after all: its type matters more.
    """
    twin = _twin_of(error)
    if twin is None:
        return error
    twin.__cause__ = error.__cause__
    twin.__context__ = error.__context__
    twin.__suppress_context__ = error.__suppress_context__
    if hasattr(error, "__notes__"):
        twin.__notes__ = list(error.__notes__)
    return twin.with_traceback(error.__traceback__)


def _twin_of(error: BaseException) -> BaseException | None:
    for make in (copy.copy, _rebuilt):
        try:
            twin = make(error)
            alike = twin.args == error.args and str(twin) == str(error)
        except Exception:  # noqa: BLE001, S112 - code of the user's, which may raise anything
            continue
        if alike and type(twin) is type(error):
            return twin
    return None


def _rebuilt(error: BaseException) -> BaseException:
    """Copy an exception whose constructor takes other arguments than it hands on to its base."""
    twin = type(error).__new__(type(error), *error.args)
    vars(twin).update(vars(error))
    return twin
