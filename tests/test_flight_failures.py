"""A failing load: everybody who waits gets the loader's own exception, and nothing is stored."""

from __future__ import annotations

import asyncio
import gc
import traceback
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from asynccache import MISSING, Cache, LoadCancelled, Policy
from tests.support.loading import Counted, HeldLoader, turns

pytestmark = pytest.mark.usefixtures("task_factory")


class NotFound(Exception):
    """An application's exception, with an attribute that is no argument."""

    def __init__(self, number: int) -> None:
        super().__init__(f"no product {number}")
        self.number = number


class Refused(Exception):
    """An exception whose constructor takes more than it hands on."""

    def __init__(self, number: int, *, reason: str) -> None:
        super().__init__(reason)
        self.number = number


class Uncopyable(Exception):
    """An exception that cannot be made from its arguments."""

    def __new__(cls, *, number: int) -> Uncopyable:
        return super().__new__(cls)

    def __init__(self, *, number: int) -> None:
        super().__init__()


class Unequal(Exception):
    """An exception whose text says which object it is."""

    def __str__(self) -> str:
        return f"at {id(self)}"


async def failures(cache: Cache, error: BaseException, count: int = 3) -> list[BaseException]:
    """Let a load fail for several callers, and return what each of them gets."""
    loader = HeldLoader(error)
    waiting = [asyncio.create_task(cache.get_or_load("key", loader)) for _ in range(count)]
    await loader.started()
    await turns()
    loader.let_go()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert loader.runs == 1
    return [outcome for outcome in outcomes if isinstance(outcome, BaseException)]


async def test_each_caller_gets_an_exception_of_its_own(cache: Cache) -> None:
    """One failure, as many equal exceptions as callers: type, arguments, attributes."""
    raised = await failures(cache, NotFound(7))

    assert [type(error) for error in raised] == [NotFound] * 3
    assert [error.number for error in raised if isinstance(error, NotFound)] == [7] * 3
    assert [str(error) for error in raised] == ["no product 7"] * 3
    assert len(set(map(id, raised))) == 3


async def test_the_traceback_shows_the_loader(cache: Cache) -> None:
    """Each caller sees where its loader failed."""
    for error in await failures(cache, NotFound(7)):
        names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        assert names[-1] == "__call__"
        assert names.count("wait") == 1


async def test_notes_are_not_shared(cache: Cache) -> None:
    """What one caller adds to its exception is not seen by the others; the loader's notes are."""
    original = NotFound(7)
    original.add_note("from the loader")
    first, *others = await failures(cache, original)
    first.add_note("from a caller")

    assert [error.__notes__ for error in others] == [["from the loader"]] * 2


async def test_cause_and_context_are_kept(cache: Cache) -> None:
    """A copy tells the same story as the original."""
    original = NotFound(7)
    original.__cause__ = cause = OSError("no route")

    assert [error.__cause__ for error in await failures(cache, original)] == [cause] * 3


async def test_a_caller_that_re_raises_does_not_lengthen_another_story(cache: Cache) -> None:
    """``raise … from`` in one caller leaves no trace in the others' exceptions."""
    first, *others = await failures(cache, NotFound(7))
    before = [len(traceback.extract_tb(error.__traceback__)) for error in others]
    with pytest.raises(NotFound):
        raise first from OSError("of the first caller")

    assert [error.__cause__ for error in others] == [None] * 2
    assert [len(traceback.extract_tb(error.__traceback__)) for error in others] == before


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no", 7),
        KeyError("k"),
        FileNotFoundError(2, "No such file", "shop.sqlite3"),
        ExceptionGroup("several", [ValueError(), KeyError()]),
        Refused(7, reason="sold out"),
        HTTPException(status_code=404, detail="no such product"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_usual_exceptions_are_copied(cache: Cache, error: Exception) -> None:
    """Whatever the constructor takes: the copies have the same text, arguments and attributes."""
    raised = await failures(cache, error)

    assert len(set(map(id, raised))) == 3
    assert [str(each) for each in raised] == [str(error)] * 3
    assert [each.args for each in raised] == [error.args] * 3
    assert [vars(each) for each in raised] == [vars(error)] * 3


@pytest.mark.parametrize("error", [Uncopyable(number=7), Unequal()])
async def test_what_cannot_be_copied_is_shared(cache: Cache, error: Exception) -> None:
    """The loader's own type matters more than a copy for everybody."""
    assert await failures(cache, error) == [error] * 3


async def test_nothing_is_stored_after_a_failure(cache: Cache) -> None:
    """The next call starts a new load, and its success is kept."""
    await failures(cache, NotFound(7))

    assert await cache.get("key") is MISSING
    assert await cache.get_or_load("key", Counted("found")) == "found"
    assert await cache.get("key") == "found"


async def test_failures_are_counted_once_for_all_callers(cache: Cache) -> None:
    """One failed load is one failure."""
    await failures(cache, NotFound(7))

    assert cache.statistics().loads == 1
    assert cache.statistics().load_failures == 1
    assert cache.statistics().stale_served == 0


@pytest.mark.parametrize("registered", [True, False])
async def test_a_failure_that_nobody_waits_for_is_silent(
    cache: Cache, complaints: list[dict[str, Any]], registered: bool
) -> None:
    """asyncio never logs "exception was never retrieved" for a load."""
    loader = HeldLoader(NotFound(7))
    policy = Policy(cancel_abandoned=not registered)
    caller = asyncio.create_task(cache.get_or_load("key", loader, policy=policy))
    await loader.started()
    caller.cancel()
    await asyncio.wait([caller])
    loader.let_go()
    await turns()
    assert caller.cancelled()
    del caller
    gc.collect()
    await turns()

    assert complaints == []


async def raise_cancelled() -> None:
    """Raise what only a task's owner should."""
    raise asyncio.CancelledError


async def cancel_current_task() -> None:
    """Cancel the task that runs the loader, as some timeout libraries do."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def await_cancelled_task() -> None:
    """Wait for a task that somebody else has cancelled."""
    task = asyncio.create_task(asyncio.Event().wait())
    task.cancel()
    await task


@pytest.mark.parametrize("loader", [raise_cancelled, cancel_current_task, await_cancelled_task])
async def test_a_loader_that_cancels_itself_cancels_nobody(cache: Cache, loader: Any) -> None:
    """Its callers get LoadCancelled; siblings in a caller's task group go on."""
    caught: list[LoadCancelled] = []

    async def caller() -> None:
        try:
            await cache.get_or_load("key", loader)
        except LoadCancelled as error:
            caught.append(error)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        sibling = group.create_task(turns(20))
        group.create_task(caller())
        group.create_task(caller())

    assert not sibling.cancelled()
    assert [str(error) for error in caught] == ["the loader of 'key' cancelled itself"] * 2
    assert await cache.get_or_load("key", Counted("found")) == "found"


@pytest.mark.parametrize("error", [KeyError("k"), StopIteration(), GeneratorExit()])
async def test_awkward_exceptions_end_the_load_too(cache: Cache, error: BaseException) -> None:
    """Whatever a loader raises, no caller waits for ever."""
    async with asyncio.timeout(5):
        with pytest.raises((KeyError, RuntimeError, GeneratorExit)):
            await cache.get_or_load("key", Counted(error))

    assert cache.statistics().flights == 0
