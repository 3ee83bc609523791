"""Calls of one turn share an exchange; what happens to one of them is nothing to the others."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asynccache.errors import AsyncCacheError, CacheClosed, Unavailable
from asynccache.redis.batching import MOST_COMMANDS, MOST_EXCHANGES, Batching
from asynccache.redis.transport import Command
from asynccache.tasks import OwnedTasks


class Recorder:
    """A transport that answers each command with its own arguments, when it is allowed to."""

    def __init__(self) -> None:
        self.batches: list[tuple[Command, ...]] = []
        self.retries: list[bool] = []
        self.allowed = asyncio.Event()
        self.allowed.set()
        self.error: Exception | None = None

    async def call(self, *commands: Command, retry: bool = True) -> list[Any]:
        self.batches.append(commands)
        self.retries.append(retry)
        await self.allowed.wait()
        if self.error is not None:
            raise self.error
        return [command[1:] for command in commands]


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def batching(recorder: Recorder) -> Batching:
    return Batching(recorder, OwnedTasks())


async def test_calls_of_one_turn_travel_together(recorder: Recorder, batching: Batching) -> None:
    """A hundred callers that call in one turn of the loop make one exchange, each with its own."""
    replies = await asyncio.gather(
        *(batching.call(("GET", i), ("PTTL", i)) for i in range(100)),
    )

    assert replies == [[(i,), (i,)] for i in range(100)]
    assert [len(batch) for batch in recorder.batches] == [200]


async def test_later_calls_gather_while_exchanges_are_under_way(
    recorder: Recorder, batching: Batching
) -> None:
    """While Redis is waited for, callers queue for the next exchange and for no connection."""
    recorder.allowed.clear()
    calls = []
    for i in range(10):
        calls.append(asyncio.create_task(batching.call(("GET", i))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    under_way = [len(batch) for batch in recorder.batches]
    recorder.allowed.set()

    assert await asyncio.gather(*calls) == [[(i,)] for i in range(10)]
    assert under_way == [1] * MOST_EXCHANGES
    assert [len(batch) for batch in recorder.batches] == [1] * MOST_EXCHANGES + [8]


async def test_a_batch_is_bounded(recorder: Recorder, batching: Batching) -> None:
    """However many call at once, one exchange carries a bounded number of commands."""
    await asyncio.gather(*(batching.call(("GET", i)) for i in range(2 * MOST_COMMANDS + 1)))

    assert max(len(batch) for batch in recorder.batches) == MOST_COMMANDS
    assert sum(len(batch) for batch in recorder.batches) == 2 * MOST_COMMANDS + 1


async def test_what_must_not_be_sent_twice_travels_apart(
    recorder: Recorder, batching: Batching
) -> None:
    """A call that forbids a retry shares an exchange only with others that do."""
    await asyncio.gather(
        batching.call(("GET", 1)),
        batching.call(("INCR", 2), retry=False),
        batching.call(("INCR", 3), retry=False),
        batching.call(("GET", 4)),
    )

    together = [tuple(command[1] for command in batch) for batch in recorder.batches]
    assert sorted(zip(together, recorder.retries, strict=True)) == [
        ((1,), True),
        ((2, 3), False),
        ((4,), True),
    ]


async def test_a_cancelled_caller_is_nothing_to_the_others(
    recorder: Recorder, batching: Batching
) -> None:
    """Its replies are dropped; those of the others stay in their places."""
    recorder.allowed.clear()
    calls = [asyncio.create_task(batching.call(("GET", i))) for i in range(5)]
    await asyncio.sleep(0)
    calls[1].cancel()
    recorder.allowed.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert [outcomes[i] for i in (0, 2, 3, 4)] == [[(0,)], [(2,)], [(3,)], [(4,)]]


async def test_each_caller_gets_an_exception_of_its_own(
    recorder: Recorder, batching: Batching
) -> None:
    """A failure fails the whole batch, and tracebacks do not grow together."""
    recorder.error = Unavailable("down")
    outcomes = await asyncio.gather(
        *(batching.call(("GET", i)) for i in range(3)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    assert len({id(outcome) for outcome in outcomes}) == 3

    recorder.error = None
    assert await batching.call(("GET", 9)) == [(9,)]


async def test_closing_strands_nobody(recorder: Recorder) -> None:
    """Whoever waits for an exchange that is cancelled, or for its turn, gets CacheClosed."""
    tasks = OwnedTasks()
    batching = Batching(recorder, tasks)
    recorder.allowed.clear()
    calls = []
    for i in range(5):
        calls.append(asyncio.create_task(batching.call(("GET", i))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    left = await tasks.finish(0.05)
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert left == 0
    assert [type(outcome) for outcome in outcomes] == [CacheClosed] * 5
    assert all(isinstance(outcome, AsyncCacheError) for outcome in outcomes)
