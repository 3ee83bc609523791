"""Calls that are made together travel together.

A call leaves at the end of the loop's turn, with whoever else calls in it. While exchanges are
under way later calls gather, and leave in one write when the next exchange begins: under load one
round trip serves hundreds of callers, and nobody waits in line for a connection. A caller that is
cancelled costs nothing: its replies are dropped, the connection stays.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from asynccache.errors import CacheClosed, Unavailable
from asynccache.redis.transport import Command, Transport
from asynccache.tasks import OwnedTasks

MOST_EXCHANGES: Final = 2
"""Exchanges under way at once: while one waits for Redis, the next is written. More would only
make smaller batches: Redis executes one command at a time."""

MOST_COMMANDS: Final = 1_000
"""Commands in one exchange: some ms of the server's time, far inside the deadline."""


@dataclass(slots=True)
class _Call:
    commands: tuple[Command, ...]
    retry: bool
    replies: asyncio.Future[list[Any]]


class Batching:
    """A transport that gathers calls into batches.

    Args:
        transport: Carries the batches.
        tasks: Where exchanges run.
    """

    def __init__(self, transport: Transport, tasks: OwnedTasks) -> None:
        self._transport = transport
        self._tasks = tasks
        self._waiting: deque[_Call] = deque()
        self._under_way = 0
        self._one_is_starting = False

    async def call(self, *commands: Command, retry: bool = True) -> list[Any]:
        """See `Transport.call`."""
        call = _Call(commands, retry, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if not self._one_is_starting and self._under_way < MOST_EXCHANGES:
            self._one_is_starting = True
            self._under_way += 1
            self._tasks.spawn(self._exchange(), name="asynccache exchange")
        return await call.replies

    async def _exchange(self) -> None:
        self._one_is_starting = False
        batch: list[_Call] = []
        try:
            while batch := self._next_batch():
                await self._carry(batch)
        except BaseException:
            # The cache is closing. Nobody will carry these, unless another exchange is under way.
            abandoned = [*batch, *(self._waiting if self._under_way == 1 else ())]
            _fail(abandoned, CacheClosed("the cache was closed during this call"))
            raise
        finally:
            self._under_way -= 1

    def _next_batch(self) -> list[_Call]:
        """Take the longest run of waiting calls that may be sent, or sent again, alike."""
        batch: list[_Call] = []
        commands = 0
        while self._waiting:
            call = self._waiting[0]
            commands += len(call.commands)
            if batch and (commands > MOST_COMMANDS or call.retry != batch[0].retry):
                break
            self._waiting.popleft()
            if not call.replies.done():  # its caller was cancelled
                batch.append(call)
        return batch

    async def _carry(self, batch: list[_Call]) -> None:
        commands = [command for call in batch for command in call.commands]
        try:
            replies = await self._transport.call(*commands, retry=batch[0].retry)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for those who called
            _fail(batch, error)
            return
        start = 0
        for call in batch:
            end = start + len(call.commands)
            if not call.replies.done():
                call.replies.set_result(replies[start:end])
            start = end


def _fail(calls: Iterable[_Call], error: Exception) -> None:
    for call in calls:
        if not call.replies.done():
            # One object raised in many tasks would gather all of their tracebacks.
            own = Unavailable(str(error)) if type(error) is Unavailable else copy.copy(error)
            own.__cause__ = error
            call.replies.set_exception(own)
