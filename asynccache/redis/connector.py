"""Keeps one connection: makes it when it is needed, and again when it was lost.

A connection that dies under a call says little: idle connections do, behind balancers and by the
server's own timeout. If the server had answered on it before, what may be sent twice is sent once
more, on a new one. Silence, a new connection that dies, and one that cannot be made do say
something: that the server is not there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from typing import Any, Final

from redis.exceptions import ResponseError

from asynccache.redis.asking import ask
from asynccache.redis.calls import Call
from asynccache.redis.dialing import Dialer
from asynccache.redis.incarnation import QUESTIONS, Life, life_of
from asynccache.redis.listening import Listening
from asynccache.redis.multiplexer import Multiplexer, Silent
from asynccache.redis.packing import pack
from asynccache.redis.settings import RedisSettings
from asynccache.redis.wire import wire_of

RETRY_SECONDS: Final = 0.1
"""Between attempts when nobody asks but somebody listens; an open breaker has its own rhythm."""


class Crowded(Exception):
    """As many calls wait as may wait."""


class Connector:
    """The connection to one server, and the calls that wait for it.

    Args:
        settings: How long to wait.
        dialer: Makes connections.
        failure: Returns what the callers get when a call fails for a reason.
        on_blame: Is told of what is the server's fault, before the callers are; returns whether
            somebody else finds out from now on when the server is back.
        listening: What else is to be heard on the connection; None: nothing.
        on_life: Is told in which life the server is, for each connection, before it is used; None:
            it is not asked.
    """

    def __init__(
        self,
        settings: RedisSettings,
        dialer: Dialer,
        *,
        failure: Callable[[Exception], Exception],
        on_blame: Callable[[Exception], bool],
        listening: Listening | None = None,
        on_life: Callable[[Life], None] | None = None,
    ) -> None:
        self._on_life = on_life
        self._settings = settings
        self._dialer = dialer
        self._failure = failure
        self._on_blame = on_blame
        self._listening = listening
        self._most_waiting: int = settings.max_pending
        self._loop = asyncio.get_running_loop()
        self._current: Multiplexer | None = None
        self._retired: set[Multiplexer] = set()
        self._waiting: deque[Call] = deque()
        self._connecting: asyncio.Task[None] | None = None
        self._is_heard = False
        self._is_closed = False
        if listening is not None:
            self.connect()

    @property
    def is_connected(self) -> bool:
        """Whether a call would be sent at once."""
        return self._current is not None

    @property
    def backlog(self) -> int:
        """How many calls wait for an answer, or for a connection."""
        current = self._current
        on_it = 0 if current is None else len(current.pending) + len(current.unsent)
        return len(self._waiting) + on_it

    def ask(self, data: bytes, wanted: int, retry: bool) -> asyncio.Future[list[Any]]:
        """Send commands that were packed, and return the future of their replies.

        Raises:
            Crowded: Too many calls wait already.
        """
        loop, current = self._loop, self._current
        future: asyncio.Future[list[Any]] = loop.create_future()
        call = Call(data, wanted, retry, loop.time(), future)
        if current is not None:
            if len(current.pending) + len(current.unsent) >= self._most_waiting:
                raise Crowded
            current.submit(call)
        else:
            if len(self._waiting) >= self._most_waiting:
                raise Crowded
            self._waiting.append(call)
            self.connect()
        return future

    def connect(self) -> None:
        """Begin to connect, unless that is done or under way."""
        if self._current is None and self._connecting is None and not self._is_closed:
            # In a context of its own: it serves everybody, not only whoever came first.
            self._connecting = self._loop.create_task(
                self._connect(), name="asynccache connecting", context=Context()
            )

    def retire(self, reason: str) -> None:
        """Use another connection from now on; this one ends when its calls have been answered."""
        if self._current is not None:
            current = self._current
            self._retired = {each for each in self._retired if each.pending or each.unsent} | {
                current
            }
            self._drop_current(reason)
            current.retire()

    async def dial(self) -> Multiplexer:
        """Return a new connection, for a probe; `adopt` or close it."""
        connection = await self._dialer.dial()
        multiplexer = Multiplexer(
            wire_of(connection),
            self._loop,
            deadline=self._settings.op_timeout,
            on_push=self._pushed,
            on_lost=self._lost,
            can_push=connection.protocol in (3, "3"),
        )
        if self._on_life is not None:
            asked = self._loop.time()
            try:
                replies = await ask(multiplexer, QUESTIONS)
                multiplexer.life = life_of(replies, asked, self._loop.time())
            except BaseException:
                multiplexer.close()
                raise
        return multiplexer

    def adopt(self, multiplexer: Multiplexer) -> None:
        """Use a connection from `dial`, unless there is one."""
        if self._current is not None or self._is_closed:
            multiplexer.close()
            return
        if self._on_life is not None and multiplexer.life is not None:
            self._on_life(multiplexer.life)
        self._current = multiplexer
        if self._listening is not None:
            self._greet(multiplexer, self._listening)
        waiting, self._waiting = self._waiting, deque()
        multiplexer.submit_all(call for call in waiting if not call.future.done())

    async def close(self, error: Callable[[], Exception]) -> None:
        """End everything; callers who wait get an exception each.

        Args:
            error: Makes the exceptions.
        """
        self._is_closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait((self._connecting,))
        calls = [*self._waiting]
        self._waiting.clear()
        for multiplexer in (*self._retired, *([] if self._current is None else [self._current])):
            calls += multiplexer.close()
        self._retired.clear()
        self._drop_current("closed")
        for call in calls:
            call.fail(error())
        for _ in range(2):  # a transport that was aborted is gone a turn or two of the loop later
            await asyncio.sleep(0)

    async def _connect(self) -> None:
        limit = min(self._settings.connect_timeout, self._settings.op_timeout)
        began = self._loop.time()
        try:
            async with asyncio.timeout(limit):
                multiplexer = await self.dial()
        except Exception as error:  # noqa: BLE001 - a credential provider may raise anything
            self._connecting = None
            stood_still = isinstance(error, TimeoutError) and (
                self._loop.time() - began > 1.5 * limit
            )
            # While this was tried a probe may have been answered.
            is_in_vain = stood_still or self._current is not None
            is_given_up = not is_in_vain and self._on_blame(error)
            self._fail(self._take_waiting(), error)
            if self._listening is not None and not is_given_up:
                self._loop.call_later(RETRY_SECONDS, self.connect)
            return
        except BaseException:
            self._connecting = None
            raise
        self._connecting = None
        self.adopt(multiplexer)

    def _greet(self, multiplexer: Multiplexer, listening: Listening) -> None:
        if not multiplexer.can_push:
            listening.tell("refused", self._address, ResponseError("the server has no RESP3"))
            return

        def answered(replies: list[Any]) -> None:
            if multiplexer is not self._current:
                return
            refusals = [reply for reply in replies if isinstance(reply, Exception)]
            if refusals:
                listening.tell("refused", self._address, refusals[0])
            else:
                self._is_heard = True
                listening.tell("connected", self._address)

        (greeting,) = pack(listening.greeting)
        now, outcome = self._loop.time(), _AtOnce(answered)
        multiplexer.submit(Call(greeting.data, listening.wanted, False, now, outcome))

    def _lost(
        self, multiplexer: Multiplexer, error: Exception, sent: list[Call], unsent: list[Call]
    ) -> None:
        if multiplexer in self._retired:
            self._retired.discard(multiplexer)
            self._fail([*sent, *unsent], error)
            return
        if multiplexer is not self._current:  # a probe: it counts as nobody's call
            for call in (*sent, *unsent):
                call.fail(error)
            return
        self._drop_current(f"{type(error).__name__}: {error}")
        if isinstance(error, Silent) or not multiplexer.has_answered:
            # Whatever swallowed these calls, a frozen server or a dead route, swallows the next.
            self._on_blame(error)
            self._fail([*sent, *unsent, *self._take_waiting()], error)
        else:
            again = [call for call in sent if _may_be_resent(call)]
            self._fail((call for call in sent if not _may_be_resent(call)), error)
            for call in again:
                call.was_resent = True
            self._waiting.extendleft(reversed([*again, *unsent]))
        if self._waiting or self._listening is not None:
            self.connect()  # an open breaker does not mind: whoever is first is adopted

    def _drop_current(self, reason: str) -> None:
        self._current = None
        if self._is_heard and self._listening is not None:
            self._is_heard = False
            self._listening.tell("disconnected", self._address, reason)

    def _take_waiting(self) -> Sequence[Call]:
        waiting, self._waiting = self._waiting, deque()
        return waiting

    def _fail(self, calls: Iterable[Call], error: Exception) -> None:
        for call in calls:
            if not call.future.done():
                call.fail(self._failure(error))

    def _pushed(self, push: list[Any]) -> None:
        if self._listening is not None and self._is_heard:
            self._listening.tell("pushed", self._address, push)

    @property
    def _address(self) -> str:
        return self._settings.address

    def __repr__(self) -> str:
        state = "connected" if self.is_connected else "not connected"
        return f"<Connector [{state}, {self.backlog} calls]>"


class _AtOnce:
    """Hands replies over while they are read. A future would hand them over in the next turn of
    the loop, after pushes that have come with them."""

    def __init__(self, answered: Callable[[list[Any]], None]) -> None:
        self._answered = answered

    def done(self) -> bool:
        return False

    def set_result(self, result: list[Any], /) -> None:
        self._answered(result)

    def set_exception(self, exception: Exception, /) -> None:
        """Whoever has to know of a lost connection is told elsewhere."""


def _may_be_resent(call: Call) -> bool:
    return call.retry and not call.replies and not call.was_resent and not call.future.done()
