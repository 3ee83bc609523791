"""The bus: a background task that hears what other processes invalidate, and proves that it does.

A session is one connection: subscribe, send a message to ourselves and see it arrive, **then**
empty L1, **then** open it. From there on a heartbeat every quarter of ``max_staleness`` proves that
nothing is missing: the number of the last message sent is read from Redis, then a PING goes down
the subscription; when its PONG is back, everything sent before has been delivered, and the numbers
of what was delivered must have reached the number that was read.

Whatever goes wrong ends in a gap: L1 is emptied, and closed until the next proof. A silent link
needs no detection to be safe, since L1 answers only for ``max_staleness`` after a proof.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from redis.asyncio.connection import AbstractConnection

from asynccache.clock import Clock
from asynccache.core.backoff import capped_jitter
from asynccache.core.messages import Kind, Message, unpack
from asynccache.errors import DecodeError, Unavailable
from asynccache.redis.connections import cut, send
from asynccache.redis.faults import TRANSPORT_ERRORS
from asynccache.redis.tracking import INVALIDATIONS, Tracking

logger = logging.getLogger("asynccache")

HEARTBEATS: Final = 4
"""Proofs within ``max_staleness``: two may be late on a busy machine and L1 stays open."""

FIRST_PAUSE: Final = 0.02
LONGEST_PAUSE: Final = 0.4
"""Seconds between connections; with jitter, back within a second of Redis's return."""


class Listener(Protocol):
    """Who is told what the bus hears. Every method is synchronous and does not raise."""

    def invalidated(self, message: Message) -> None:
        """Another process has changed something."""
        ...

    def proof(self, instant: float) -> None:
        """Everything that was invalidated before an instant of the clock has been delivered."""
        ...

    def gap(self, reason: str) -> None:
        """Messages may have been lost: nothing kept so far can be trusted."""
        ...

    def lost(self, reason: str) -> None:
        """The session has ended: nothing is heard until the next one, which begins with a gap."""
        ...


class Announcer(Protocol):
    """What the bus asks of the store, over the store's own connections."""

    async def announce_probe(self, nonce: str) -> None: ...
    async def sequence(self) -> int: ...


class _Broken(Exception):
    """The session cannot go on."""


class Bus:
    """Listens to one namespace's channel, for ever.

    Args:
        dial: Makes a connection, connected, that speaks RESP2 and has no read timeout.
        announcer: Sends probes and reads the last message's number.
        listener: Is told what is heard.
        channel: The channel's name.
        origin: Our own identifier: our own messages are not news.
        clock: The cache's clock.
        max_staleness: Seconds for which a proof is good.
        random: Returns a number from 0 to below 1, for jitter.
        tracking: What is to be heard besides, on the same connection; None: nothing.

    Attributes:
        is_open: A session is proving that nothing is missed.
        received: Messages heard from others.
    """

    def __init__(
        self,
        *,
        dial: Callable[[], Awaitable[AbstractConnection]],
        announcer: Announcer,
        listener: Listener,
        channel: str,
        origin: bytes,
        clock: Clock,
        max_staleness: float,
        random: Callable[[], float],
        tracking: Tracking | None = None,
    ) -> None:
        self._dial = dial
        self._announcer = announcer
        self._listener = listener
        self._channel = channel
        self._origin = origin
        self._clock = clock
        self._interval = max_staleness / HEARTBEATS
        self._patience = max_staleness / 2
        self._random = random
        self._tracking = tracking
        self._last: int | None = None
        self._heard = 0
        self._is_behind = False  # the last heartbeat has missed messages
        self._probe: str | None = None
        self._proved = asyncio.Event()
        self._pong = asyncio.Event()
        self.is_open = False
        self.received = 0

    async def run(self) -> None:
        """Listen until cancelled; whatever happens to a session, start the next one."""
        attempt = 0
        while True:
            reason = "the subscription ended"
            try:
                await self._session()
            except (_Broken, Unavailable, *TRANSPORT_ERRORS) as error:
                reason = f"{type(error).__name__}: {error}"
            except Exception as error:
                # A listener that dies silently is the worst of ends: L1 would never open again.
                reason = f"unexpected {type(error).__name__}"
                logger.exception("the bus failed in an unexpected way; it starts again")
            if self._tracking is not None:
                self._tracking.end()
            if self.is_open:
                attempt = 0
                self.is_open = False
                logger.warning("the bus is down, L1 is closed: %s", reason)
                self._listener.lost(reason)
            await asyncio.sleep(
                capped_jitter(attempt, self._random(), base=FIRST_PAUSE, cap=LONGEST_PAUSE)
            )
            attempt += 1

    async def _session(self) -> None:
        async with asyncio.timeout(self._patience):
            connection = await self._connect()
        try:
            async with asyncio.timeout(self._patience):
                await self._subscribe(connection)
            self._last = None
            self._is_behind = False
            pump = asyncio.create_task(self._pump(connection), name="asynccache bus pump")
            try:
                await self._prove_end_to_end(pump)
                while True:
                    await self._alive(pump, asyncio.sleep(self._interval))
                    await self._heartbeat(connection, pump)
            finally:
                pump.cancel()
                # It may have failed together with the rest: somebody has to look at its error.
                await asyncio.gather(pump, return_exceptions=True)
        finally:
            await cut(connection)

    async def _connect(self) -> AbstractConnection:
        connection = await self._dial()
        if self._tracking is None:
            return connection
        try:
            if await self._tracking.begin(connection):
                return connection
        except BaseException:
            await cut(connection)
            raise
        await cut(connection)
        return await self._dial()

    async def _subscribe(self, connection: AbstractConnection) -> None:
        await send(connection, "SUBSCRIBE", self._channel)
        reply = await connection.read_response()
        while isinstance(reply, list) and reply[:2] == [b"message", INVALIDATIONS]:
            reply = await connection.read_response()  # L1 is empty, or will be
        if not isinstance(reply, list) or reply[:1] != [b"subscribe"]:
            raise _Broken(f"SUBSCRIBE was answered by {type(reply).__name__}")

    async def _prove_end_to_end(self, pump: asyncio.Task[None]) -> None:
        instant = self._clock.monotonic()
        # Messages up to this one may have been missed: nothing was kept on their strength.
        baseline = await self._announcer.sequence()
        self._last = max(baseline, self._last or 0)
        self._proved.clear()
        self._probe = secrets.token_hex(8)
        await self._announcer.announce_probe(self._probe)
        await self._alive(pump, self._proved.wait(), patience=self._patience)
        if self._tracking is not None and self._tracking.state != "refused":
            await self._prove_pushes(pump, self._tracking)
        self._listener.gap("a new subscription")
        self.is_open = True
        self._listener.proof(instant)

    async def _prove_pushes(self, pump: asyncio.Task[None], tracking: Tracking) -> None:
        await tracking.touch()
        try:
            async with asyncio.timeout(self._patience):
                await self._alive(pump, tracking.arrived())
        except TimeoutError:
            tracking.refuse("nothing is pushed")

    async def _heartbeat(self, connection: AbstractConnection, pump: asyncio.Task[None]) -> None:
        instant = self._clock.monotonic()
        delivered = self._last or 0
        try:
            sent = await self._announcer.sequence()
        except Unavailable:
            return  # no proof, and L1 closes by itself; the subscription may be well
        if sent < delivered:
            self._last = sent
            self._listener.gap("the sequence started anew: Redis lost its data")
            return
        await self._ping(connection, pump)
        if (self._last or 0) < sent:
            self._last = sent
            if self._is_behind:
                # Again: they are sent somewhere else than where we listen.
                raise _Broken("messages are missing")
            self._is_behind = True
            self._listener.gap("messages are missing")
            return
        self._is_behind = False
        if self._tracking is not None and self._tracking.state == "on":
            # What is pushed leaves the server at the end of its cycle, behind the PONG of a PING
            # of the same cycle: it is the next PONG that proves it.
            await self._ping(connection, pump)
            await self._alive(pump, self._tracking.settled())
            if self._tracking.is_elsewhere:
                raise _Broken("another server is asked than the one that pushes")
        self._listener.proof(instant)

    async def _ping(self, connection: AbstractConnection, pump: asyncio.Task[None]) -> None:
        self._pong.clear()
        await send(connection, "PING")
        await self._alive(pump, self._pong.wait(), patience=self._patience)

    async def _alive(
        self, pump: asyncio.Task[None], awaited: Awaitable[object], *, patience: float | None = None
    ) -> None:
        """Wait for something while the pump runs; silence for too long ends the session."""
        task = asyncio.ensure_future(awaited)
        try:
            heard = -1
            while not task.done():
                # Judged by what arrives, not by the timer: a loop that was blocked for a while
                # sees its timers fire before it has read its sockets.
                if patience is not None and heard == self._heard:
                    raise _Broken(f"silent for {patience:g} s")
                heard = self._heard
                await asyncio.wait((pump, task), timeout=patience, return_when="FIRST_COMPLETED")
                if pump.done():
                    pump.result()
                    raise _Broken("the subscription ended")
                if patience is not None and not task.done():
                    await asyncio.sleep(0)
        finally:
            task.cancel()

    async def _pump(self, connection: AbstractConnection) -> None:
        while True:
            reply = await connection.read_response(disconnect_on_error=False)
            self._heard += 1
            match reply:
                case [b"message", channel, data] if channel == INVALIDATIONS:
                    self._take(data)
                case [b"message", _, data]:
                    self._receive(data)
                case [b"pong", *_] | b"PONG":
                    self._pong.set()
                case _:
                    raise _Broken(f"an unexpected reply of type {type(reply).__name__}")

    def _take(self, data: object) -> None:
        reason = None if self._tracking is None else self._tracking.take(data)
        if reason is not None:
            self._listener.gap(reason)

    def _receive(self, data: object) -> None:
        try:
            number, message = unpack(data)
        except DecodeError as error:
            self._listener.gap(f"garbage on the channel: {error}")
            return
        if self._last is not None and number > self._last + 1:
            self._listener.gap(f"{number - self._last - 1} messages are missing")
        self._last = max(self._last or 0, number)
        if message.kind is Kind.PROBE:
            if message.origin == self._origin and message.texts == (self._probe,):
                self._proved.set()
        elif message.origin != self._origin:
            self.received += 1
            self._listener.invalidated(message)
