"""Finds out that Redis is back, so that no caller has to."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextvars import Context

from asynccache.core.breaker import Breaker
from asynccache.errors import Unavailable
from asynccache.redis.faults import TRANSPORT_ERRORS
from asynccache.redis.pool import connect, cut, exchange, make_connection
from asynccache.redis.settings import RedisSettings

_log = logging.getLogger("asynccache")


class Prober:
    """Probes a Redis that was given up until it answers, then closes the breaker.

    Args:
        settings: Where Redis is.
        breaker: Says how long to wait, and is closed in the end.
        on_heal: Awaited when Redis answers. While it raises, probing goes on.
        on_error: Told why a probe has failed.
    """

    def __init__(
        self,
        settings: RedisSettings,
        breaker: Breaker,
        on_heal: Callable[[], Awaitable[None]] | None,
        on_error: Callable[[Exception], None],
    ) -> None:
        self._settings = settings
        self._breaker = breaker
        self._on_heal = on_heal
        self._on_error = on_error
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to probe, in the background."""
        # In a context of its own: it outlives the caller whose call has failed.
        self._task = asyncio.get_running_loop().create_task(
            self._probe(), name="asynccache-prober", context=Context()
        )

    async def close(self) -> None:
        """End probing, wherever it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None

    async def _probe(self) -> None:
        loop = asyncio.get_running_loop()
        since = loop.time()
        delay = self._breaker.probe_delay
        while True:
            await asyncio.sleep(delay(random.random()))  # noqa: S311  # jitter, not a secret
            if await self._answers() and await self._heals():
                break
        # Nothing is awaited between the last step of healing and this: what on_heal has put in
        # order is in order when the first call is let through.
        self._breaker.close()
        address, seconds = self._settings.address, loop.time() - since
        _log.info("Redis at %s answers again after %.1f s", address, seconds)

    async def _answers(self) -> bool:
        """Ask on a new connection: the old ones may be dead while Redis is well."""
        connection = make_connection(self._settings)
        ping = [(connection.pack_commands([("PING",)]), 1)]
        try:
            async with asyncio.timeout(self._settings.op_timeout):
                await connect(connection)
                await exchange(connection, ping, [])
        except TRANSPORT_ERRORS as error:
            self._on_error(error)
            return False
        finally:
            await cut(connection)
        return True

    async def _heals(self) -> bool:
        try:
            if self._on_heal is not None:
                await self._on_heal()
        except Unavailable:
            return False
        except Exception as error:  # noqa: BLE001  # a prober that dies never closes the breaker
            self._failed_to_heal(error)
            return False
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise  # it was this prober that was cancelled, by close
            self._failed_to_heal(error)
            return False
        return True

    def _failed_to_heal(self, error: BaseException) -> None:
        _log.error(
            "Redis at %s answers, but what has to be done first has failed; trying again",
            self._settings.address,
            exc_info=error,
        )
