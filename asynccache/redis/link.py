"""The link to one Redis server: one deadline for everything, and no waiting for a dead one.

An operation may wait for a connection, connect, send and read, all within ``op_timeout``; only a
large batch may take longer, as long as its replies keep coming. Who meets
an outage first pays that much once and opens the breaker; after that every call fails at once,
while a background task, the prober, asks until Redis answers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from redis.asyncio.connection import AbstractConnection

from asynccache.core.breaker import Breaker
from asynccache.errors import CacheClosed, NotStarted, Unavailable
from asynccache.redis import faults
from asynccache.redis.pool import Packed, Pool, cut, exchange
from asynccache.redis.prober import Prober
from asynccache.redis.settings import RedisSettings
from asynccache.redis.transport import Command, Transport

_log = logging.getLogger("asynccache")


MOST_EXTENSIONS = 8
"""A batch of many large values may take this many times ``op_timeout`` while its replies come."""


@dataclass(slots=True)
class _Attempt:
    """How far an operation has come; when it fails, this tells whose fault it was.

    Attributes:
        asked_at: When it got a connection; None: it waits for one still.
        reused: Whether that connection had been connected before.
        replies: What was answered so far.
    """

    asked_at: float | None = None
    reused: bool = False
    replies: list[Any] = field(default_factory=list)


class Link:
    """A transport to one Redis server. It belongs to the event loop in which it is started.

    Args:
        settings: Where Redis is and how it is asked.
        breaker: Decides when not to ask; None: one with the default settings.
        on_heal: Awaited when Redis answers again, before the breaker closes; it speaks to Redis
            through `unguarded`. While it raises, the breaker stays open and probing goes on.

    Attributes:
        settings: What it was made with.
        breaker: Tells whether Redis is being asked, and how often it was given up.
        unavailable: How many calls could not be answered.
        last_error: Why Redis could not be asked the last time; None: that has not happened yet.
    """

    def __init__(
        self,
        settings: RedisSettings,
        *,
        breaker: Breaker | None = None,
        on_heal: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.settings = settings
        self.breaker = breaker or Breaker()
        self.unavailable = 0
        self.last_error: str | None = None
        self._prober = Prober(settings, self.breaker, on_heal, self._note)
        self._pool: Pool | None = None
        self._phase: Literal["new", "started", "closed"] = "new"

    @property
    def unguarded(self) -> Transport:
        """The same transport without the breaker: it asks Redis even when that was given up."""
        return _Unguarded(self)

    async def start(self) -> None:
        """Begin to carry commands. Redis need not be there yet.

        Raises:
            CacheClosed: It was closed.
        """
        if self._phase == "closed":
            raise CacheClosed("the link to Redis was closed; make a new one")
        if self._phase == "new":
            self._phase = "started"
            self._pool = Pool(self.settings)

    async def close(self) -> None:
        """End the prober, the calls under way and the connections. May be called repeatedly."""
        self._phase = "closed"
        await self._prober.close()
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    async def call(self, *commands: Command, retry: bool = True) -> list[Any]:
        """See `Transport.call`.

        Raises:
            Unavailable: Redis cannot be asked.
            CacheClosed: The link is closed, or was while this call was under way.
            NotStarted: The link was not started.
            redis.exceptions.DataError: An argument is not a str, bytes, int or float.
        """
        pool = self._usable_pool()
        stamp = self.breaker.permit()
        if stamp is None:
            raise self._given_up()
        return await self._operate(pool, commands, retry=retry, stamp=stamp)

    async def _call_unguarded(self, *commands: Command, retry: bool = True) -> list[Any]:
        return await self._operate(self._usable_pool(), commands, retry=retry, stamp=None)

    async def _operate(
        self, pool: Pool, commands: tuple[Command, ...], *, retry: bool, stamp: int | None
    ) -> list[Any]:
        attempt = _Attempt()
        if not commands:
            return attempt.replies
        packed = pool.pack(commands)
        try:
            async with (
                asyncio.timeout(self.settings.op_timeout) as limit,
                pool.lend() as connection,
            ):
                if stamp is not None and self.breaker.permit() != stamp:
                    raise self._given_up()  # while this call was waiting in line
                attempt.asked_at = _now()
                progress = self._extension(limit, attempt)
                await self._ask(pool, connection, packed, attempt, progress, retry=retry)
        except faults.TRANSPORT_ERRORS as error:
            failure = self._failed(pool, error, attempt, stamp)
            raise failure from (None if self._holds_password(str(error)) else error)
        if stamp is not None:
            self.breaker.success(stamp)
        return attempt.replies

    def _extension(self, limit: asyncio.Timeout, attempt: _Attempt) -> Callable[[], None]:
        """Return what puts off a deadline while replies come: it is for a Redis that is silent."""
        op_timeout = self.settings.op_timeout
        last = _now() + MOST_EXTENSIONS * op_timeout

        def extend() -> None:
            attempt.asked_at = _now()
            limit.reschedule(min(attempt.asked_at + op_timeout, last))

        return extend

    async def _ask(
        self,
        pool: Pool,
        connection: AbstractConnection,
        packed: Packed,
        attempt: _Attempt,
        progress: Callable[[], None],
        *,
        retry: bool,
    ) -> None:
        attempt.reused = await pool.ready(connection)
        try:
            await exchange(connection, packed, attempt.replies, progress)
        except faults.TRANSPORT_ERRORS as error:
            may_retry = retry and attempt.reused and not attempt.replies
            if not may_retry or faults.is_refusal(error):
                raise
            attempt.reused = False
            await cut(connection)
            await pool.ready(connection)
            await exchange(connection, packed, attempt.replies, progress)

    def _failed(
        self, pool: Pool, error: Exception, attempt: _Attempt, stamp: int | None
    ) -> Unavailable | CacheClosed:
        if self._phase == "closed":
            return CacheClosed("the link to Redis was closed during this call")
        self._note(error)
        self.unavailable += 1
        if self._blames_redis(error, attempt):
            # Whatever swallowed this call, a frozen server or a dead route, swallows the next one
            # on any connection of that time: one full deadline each.
            pool.abort_idle()
            if stamp is not None and self.breaker.failure(stamp):
                self._give_up()
        return Unavailable(f"Redis at {self.settings.address} cannot be asked: {self.last_error}")

    def _blames_redis(self, error: Exception, attempt: _Attempt) -> bool:
        """Tell whether a failure is a reason to think that Redis is not there."""
        if attempt.asked_at is None:
            return False  # it waited in line here all the time
        if isinstance(error, TimeoutError):  # our own deadline
            # Much less of it: the line has taken the rest. Much more: this loop stood still, and
            # the reply may have been here all along.
            deadline = self.settings.op_timeout
            return deadline * 0.5 <= _now() - attempt.asked_at < deadline * 1.5
        # Idle connections die by themselves: only a new one tells anything about the server.
        return not attempt.reused or faults.is_refusal(error)

    def _give_up(self) -> None:
        _log.warning(
            "Redis at %s cannot be asked (%s); calls fail at once until it answers again",
            self.settings.address,
            self.last_error,
        )
        self._prober.start()

    def _given_up(self) -> Unavailable:
        self.unavailable += 1
        address = self.settings.address
        return Unavailable(
            f"Redis at {address} is not asked until it answers a probe: {self.last_error}"
        )

    def _note(self, error: Exception) -> None:
        if faults.is_timeout(error):
            self.last_error = "no answer in time"
            return
        text = f"{type(error).__name__}: {error}"
        if self._holds_password(text):
            text = text.replace(str(self.settings.password), "***")
        self.last_error = text

    def _holds_password(self, text: str) -> bool:
        """Tell whether the server has repeated the password: it does if it does not know AUTH."""
        return self.settings.password is not None and self.settings.password in text

    def _usable_pool(self) -> Pool:
        if self._phase == "closed":
            raise CacheClosed("the link to Redis is closed")
        if self._pool is None:
            raise NotStarted("the link to Redis is not started")
        return self._pool

    def __repr__(self) -> str:
        state = f"breaker {self.breaker.state}" if self._phase == "started" else self._phase
        pool = "" if self._pool is None else f", {self._pool!r}"
        return f"<Link [{self.settings.address}, {state}, {self.unavailable} unavailable{pool}]>"


class _Unguarded:
    def __init__(self, link: Link) -> None:
        self.call = link._call_unguarded


def _now() -> float:
    return asyncio.get_running_loop().time()
