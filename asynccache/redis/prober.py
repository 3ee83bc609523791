"""Finds out that Redis is back, so that no caller has to."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextvars import Context

from asynccache.core.breaker import Breaker
from asynccache.errors import Unavailable

_log = logging.getLogger("asynccache")


class Prober:
    """Probes a Redis that was given up until it answers, then closes the breaker.

    Args:
        address: Where Redis is, for people.
        breaker: Says how long to wait, and is closed in the end.
        probe: Asks Redis on a new connection; raises when there is no good answer.
        on_heal: Awaited when Redis answers. While it raises, probing goes on.
        on_error: Told why a probe has failed.
        on_close: Told when the breaker was closed.
    """

    def __init__(
        self,
        address: str,
        breaker: Breaker,
        probe: Callable[[], Awaitable[None]],
        on_heal: Callable[[], Awaitable[None]] | None,
        on_error: Callable[[Exception], None],
        *,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self._address = address
        self._breaker = breaker
        self._ask = probe
        self._on_heal = on_heal
        self._on_error = on_error
        self._on_close = on_close
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
        self._on_close()
        seconds = loop.time() - since
        _log.info("Redis at %s answers again after %.1f s", self._address, seconds)

    async def _answers(self) -> bool:
        try:
            await self._ask()
        except Exception as error:  # noqa: BLE001  # a prober that dies never closes the breaker
            self._on_error(error)
            return False
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
            self._address,
            exc_info=error,
        )
