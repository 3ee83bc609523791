"""The link to one Redis server: one connection for everybody, and no waiting for a dead one.

An operation may wait for the connection, be sent and be answered, all within ``op_timeout``; only
what is being answered may take longer. Who meets an outage first pays that much once and opens the
breaker; after that every call fails at once, while a background task, the prober, asks until Redis
answers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Literal

from redis.asyncio.connection import AbstractConnection

from asynccache.core.breaker import Breaker
from asynccache.core.record import NO_TOKEN
from asynccache.core.server_time import ServerTime
from asynccache.errors import CacheClosed, NotStarted, Unavailable
from asynccache.redis import faults
from asynccache.redis.asking import ask
from asynccache.redis.connector import Connector, Crowded
from asynccache.redis.dialing import Dialer, DirectDialer
from asynccache.redis.incarnation import QUESTIONS, RECHECK_SECONDS, Life, life_of
from asynccache.redis.listening import Listening
from asynccache.redis.packing import pack, pack_one
from asynccache.redis.prober import Prober
from asynccache.redis.probing import check, questions
from asynccache.redis.settings import RedisSettings
from asynccache.redis.transport import Carrier, Command

_log = logging.getLogger("asynccache")


class Link:
    """A transport to one Redis server. It belongs to the event loop in which it is started.

    Args:
        settings: Where Redis is and how it is asked.
        breaker: Decides when not to ask; None: one with the default settings.
        on_heal: Awaited when Redis answers again, before the breaker closes; it speaks to Redis
            through `unguarded`. While it raises, the breaker stays open and probing goes on.
        dialer: Makes the connections; None: where the settings say.
        listening: What else is to be heard on the connection; None: nothing.
        on_incarnation: Is told when the server has begun another life: it may have lost what it
            had acknowledged. None: all of its lives are one.
        asks_time: Let the server tell its time, for `time`.
        on_state: Is told when Redis is given up (with the reason), and when it is asked again.

    Attributes:
        settings: What it was made with.
        breaker: Tells whether Redis is being asked, and how often it was given up.
        unavailable: How many calls could not be answered.
        last_error: Why Redis could not be asked the last time; None: that has not happened yet.
    """

    is_ordered = True
    generation = 0  # there is nowhere else to go for a key

    def __init__(
        self,
        settings: RedisSettings,
        *,
        breaker: Breaker | None = None,
        on_heal: Callable[[], Awaitable[None]] | None = None,
        dialer: Dialer | None = None,
        listening: Listening | None = None,
        on_incarnation: Callable[[], None] | None = None,
        asks_time: bool = False,
        on_state: Callable[[str, str | None], None] | None = None,
    ) -> None:
        self.settings = settings
        self._asks = asks_time or on_incarnation is not None
        self._time = ServerTime()
        self._timed = NO_TOKEN  # the life whose time that is
        self._on_state = on_state
        self._on_incarnation = on_incarnation
        self._stamp: bytes | None = None if on_incarnation else NO_TOKEN
        self._recheck: asyncio.TimerHandle | None = None
        self.breaker = breaker or Breaker()
        self.unavailable = 0
        self.last_error: str | None = None
        self._dialer = dialer or DirectDialer(settings)
        self._listening = listening
        self._prober = Prober(
            *(settings.address, self.breaker, self._probe, on_heal, self._note),
            on_close=self._healed,
        )
        self._refusal: Exception | None = None
        self._connector: Connector | None = None
        self._phase: Literal["new", "started", "closed"] = "new"

    @property
    def state(self) -> Literal["closed", "open"]:
        """Whether Redis is being asked ("closed") or was given up ("open")."""
        return self.breaker.state

    @property
    def unguarded(self) -> Carrier:
        """The same without the breaker: it asks Redis even when that was given up."""
        return _Unguarded(self)

    @property
    def op_timeout(self) -> float:
        """See `Transport.op_timeout`."""
        return self.settings.op_timeout

    async def start(self) -> None:
        """Begin to carry commands. Redis need not be there yet.

        Raises:
            CacheClosed: It was closed.
        """
        self.open()

    def open(self) -> None:
        """Do what `start` does."""
        if self._phase == "closed":
            raise CacheClosed("the link to Redis was closed; make a new one")
        if self._phase == "new":
            self._phase = "started"
            self._dialer.open(self.reconnect)
            self._connector = Connector(
                self.settings,
                self._dialer,
                failure=self._failure,
                on_blame=self._blamed,
                listening=self._listening,
                on_life=self._met if self._asks else None,
            )
            if self._asks:
                self._recheck_later()

    async def close(self) -> None:
        """End the prober, the calls under way and the connection. May be called repeatedly."""
        self._phase = "closed"
        if self._recheck is not None:
            self._recheck.cancel()
        await self._prober.close()
        if self._connector is not None:
            connector, self._connector = self._connector, None
            await connector.close(
                lambda: CacheClosed("the link to Redis was closed during this call")
            )
        await self._dialer.close()

    async def call(self, *commands: Command, retry: bool = True) -> list[Any]:
        """See `Carrier.call`.

        Raises:
            Unavailable: Redis cannot be asked, or too many calls wait already.
            CacheClosed: The link is closed, or was while this call was under way.
            NotStarted: The link was not started.
            redis.exceptions.DataError: An argument is not a str, bytes, int or float.
        """
        connector = self._connector
        if connector is None:
            connector = self._usable_connector()
        stamp = self.breaker.permit()
        if stamp is None:
            raise self._given_up()
        if len(commands) == 1:
            # Nearly every call: one coroutine for it.
            try:
                replies = await connector.ask(pack_one(commands[0]), 1, retry)
            except (TimeoutError, Crowded) as error:
                raise self._failure(error) from None
            if replies[0].__class__ is not bytes:
                self._check(replies)
        else:
            replies = await self._carry(connector, commands, retry)
        self.breaker.success(stamp)
        return replies

    def stamp(self, key: str) -> bytes | None:  # noqa: ARG002  # a cluster has many
        """See `Transport.stamp`."""
        return self._stamp

    def time(self, key: str) -> float | None:  # noqa: ARG002  # a cluster has many
        """See `Transport.time`."""
        return self._time.at(asyncio.get_running_loop().time())

    def _met(self, life: Life) -> None:
        if self._timed != life.stamp:  # another server, another clock
            self._timed, self._time = life.stamp, ServerTime()
        if life.told is not None:
            self._time.observe(life.told, life.asked, life.answered)
        if self._on_incarnation is None:
            return
        former, self._stamp = self._stamp, life.stamp
        if former is not None and former != life.stamp:
            _log.warning(
                "Redis at %s began another life: what it holds is not used", self.settings.address
            )
            self._on_incarnation()

    def _recheck_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._recheck = loop.call_later(RECHECK_SECONDS, self._ask_again)

    def _ask_again(self) -> None:
        self._recheck_later()
        if self._connector is not None and self._connector.is_connected:
            (packed,) = pack(QUESTIONS)
            with suppress(Crowded):
                answer = self._connector.ask(packed.data, packed.wanted, retry=True)
                asked = asyncio.get_running_loop().time()
                answer.add_done_callback(partial(self._answered_again, asked))

    def _answered_again(self, asked: float, answer: asyncio.Future[list[Any]]) -> None:
        if not answer.cancelled() and answer.exception() is None:
            answered = asyncio.get_running_loop().time()
            self._met(life_of(answer.result(), asked, answered))

    async def primaries(self) -> list[Carrier]:
        """See `Transport.primaries`."""
        return [self]

    async def dial_owner(self, key: str) -> AbstractConnection:  # noqa: ARG002  # a cluster's does
        """Return a connection of its own, in RESP2, to the server that has a key.

        Raises:
            TRANSPORT_ERRORS: There is nobody to connect to.
        """
        return await self._dialer.dial(push=False)

    def reconnect(self, reason: str) -> None:
        """Use a new connection from now on: the server has moved, or is no longer the one to ask.

        Args:
            reason: Why, for whoever listens.
        """
        if self._connector is not None:
            self._connector.retire(reason)
            self._connector.connect()

    async def _carry(
        self, connector: Connector, commands: tuple[Command, ...], retry: bool
    ) -> list[Any]:
        replies: list[Any] = []
        try:
            # One after the other, so that other callers' commands get in between.
            for data, wanted in pack(commands):
                may_repeat = retry and not replies
                replies += await connector.ask(data, wanted, may_repeat)
        except (TimeoutError, Crowded) as error:
            raise self._failure(error) from None
        self._check(replies)
        return replies

    def _check(self, replies: Sequence[Any]) -> None:
        for reply in replies:
            if isinstance(reply, Exception) and faults.is_refusal(reply):
                raise self._refused(reply)

    # What goes wrong.

    def _refused(self, refusal: Exception) -> Unavailable:
        """Give up a server that answers, but serves nobody, or not us."""
        self._refusal = refusal
        if self._connector is not None:
            self._connector.retire(str(refusal))
        self._blamed(refusal)
        return self._failure(refusal)

    def _blamed(self, error: Exception) -> bool:
        """Hold something against the server; tell whether it has been given up."""
        self._note(error)
        stamp = self.breaker.permit()
        if stamp is not None and self.breaker.failure(stamp):
            _log.warning(
                "Redis at %s cannot be asked (%s); calls fail at once until it answers again",
                self.settings.address,
                self.last_error,
            )
            if self._on_state is not None:
                self._on_state(self.settings.address, self.last_error or "no reason known")
            self._prober.start()
        return self.breaker.state == "open"

    def _failure(self, error: Exception) -> Unavailable:
        """Return what a caller gets: an exception of its own, with a cause that tells no secret."""
        self._note(error)
        self.unavailable += 1
        own = Unavailable(f"Redis at {self.settings.address} cannot be asked: {self.last_error}")
        if not self._holds_password(str(error)):
            own.__cause__ = error
        return own

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
        if isinstance(error, Crowded):
            self.last_error = "too many calls wait for it already"
            return
        text = f"{type(error).__name__}: {error}"
        if self._holds_password(text):
            text = text.replace(str(self.settings.password), "***")
        self.last_error = text

    def _holds_password(self, text: str) -> bool:
        """Tell whether the server has repeated the password: it does if it does not know AUTH."""
        return self.settings.password is not None and self.settings.password in text

    # Healing.

    async def _probe(self) -> None:
        """Ask on a new connection: the old one may be dead while Redis is well. Keep it if so."""
        connector = self._usable_connector()
        multiplexer = None
        try:
            async with asyncio.timeout(self.settings.op_timeout):
                multiplexer = await connector.dial()
                check(await ask(multiplexer, questions(self._refusal)))
        except BaseException:
            if multiplexer is not None:
                multiplexer.close()
            raise
        self._refusal = None
        connector.adopt(multiplexer)

    def _healed(self) -> None:
        if self._on_state is not None:
            self._on_state(self.settings.address, None)

    def _usable_connector(self) -> Connector:
        if self._phase == "closed":
            raise CacheClosed("the link to Redis is closed")
        if self._connector is None:
            raise NotStarted("the link to Redis is not started")
        return self._connector

    def __repr__(self) -> str:
        state = f"breaker {self.breaker.state}" if self._phase == "started" else self._phase
        connector = "" if self._connector is None else f", {self._connector!r}"
        address = self.settings.address
        return f"<Link [{address}, {state}, {self.unavailable} unavailable{connector}]>"


class _Unguarded:
    def __init__(self, link: Link) -> None:
        self._link = link

    async def call(self, *commands: Command, retry: bool = True) -> list[Any]:
        return await self._link._carry(self._link._usable_connector(), commands, retry)
