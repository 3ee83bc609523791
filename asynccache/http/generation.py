"""One attempt to have a response generated, between the cache's flight and a client's request.

The cache calls a loader when nobody has the response: in its own task, under its own lease, with
whatever guards it against invalidations. The application, though, has to run in its request, whose
client gets the response while it is made. So the loader here only says whose turn it is, and waits
for what comes of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from asynccache.context import load_context
from asynccache.core.arguments import LONGEST_SECONDS
from asynccache.http.stored import StoredResponse, Varies
from asynccache.results import LoadResult

SHORTEST = 0.001
"""Seconds: the cache keeps nothing for less, and what has to be validated each time is kept too."""


class Abandoned(Exception):
    """Whoever was to generate a response has gone: somebody else has to."""


class Failed(Exception):
    """The application has failed: there is nothing to share."""


@dataclass(frozen=True, slots=True)
class Product:
    """What a generation has come to.

    Attributes:
        value: What to store for the key; None: what was generated is for its own request only.
        ttl: Seconds for which the cache takes it to be fresh.
        grace: Seconds for which it is kept after that.
        tags: What it is tagged with.
    """

    value: StoredResponse | Varies | None
    ttl: float = 0.0
    grace: float = 0.0
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """That it is somebody's turn to generate.

    Attributes:
        present: The stored response that is no longer fresh, if there is one.
        age: How long it has been stored, in seconds.
    """

    present: StoredResponse | None = None
    age: float = 0.0


@dataclass(slots=True)
class Generation:
    """An attempt by one request.

    Attributes:
        is_refresh: It is there to replace what is stale, for which no client waits.
        turn: Done as soon as it is this request's turn.
    """

    is_refresh: bool = False
    _is_handed_over: bool = field(init=False, default=False)
    turn: asyncio.Future[Turn] = field(init=False)
    _outcome: asyncio.Future[Product] = field(init=False)

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.turn = loop.create_future()
        self._outcome = loop.create_future()

    async def load(self) -> StoredResponse | Varies | Turn | None:
        """Have the response generated: the loader that the cache calls.

        Returns:
            What was generated; a `Turn`: what is stale and may be served, all who wait get it at
            once; None: nothing that others may have.

        Raises:
            Abandoned: The request has gone before it was done.
            Failed: The application has failed.
        """
        context = load_context()
        if self.turn.done() or self._outcome.done():
            raise Abandoned  # called again, or too late
        present = context.stale
        turn = Turn()
        if isinstance(present, StoredResponse):
            turn = Turn(present, context.age)
            if not self.is_refresh and present.may_refresh_later(context.age):
                context.skip_store()
                return turn
        self.turn.set_result(turn)
        product = await self._outcome
        if product.value is None:
            context.skip_store()
        else:
            context.ttl = min(max(SHORTEST, product.ttl), LONGEST_SECONDS)
            context.grace = min(product.grace, LONGEST_SECONDS)
            context.tags = product.tags
        return product.value

    async def turn_or(
        self, waiter: asyncio.Task[LoadResult[Any]], timeout: float | None = None
    ) -> None:
        """Wait until it is this request's turn, or until there is a response, or for some time.

        Args:
            waiter: Waits for a response.
            timeout: Seconds to wait at most; None: as long as it takes.
        """
        either: set[asyncio.Future[Any]] = {waiter, self.turn}
        await asyncio.wait(either, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)

    @property
    def is_over(self) -> bool:
        """What came of it is known."""
        return self._outcome.done()

    def finish(self, product: Product) -> None:
        """Say what it has come to; only the first time counts."""
        if not self._outcome.done():
            self._outcome.set_result(product)

    def give_up(self) -> None:
        """Say that what is generated is for its own request only."""
        self.finish(Product(None))

    def fail(self, error: Exception) -> None:
        """Say that nothing will come of it; only the first time counts."""
        if not self._outcome.done():
            self._outcome.set_exception(error)
            self._outcome.exception()  # if nobody waits for it, nobody minds

    def hand_over(self) -> None:
        """Say that what it comes to will be said, whether its request is still there or not."""
        self._is_handed_over = True

    def abandon(self) -> None:
        """Let somebody else have the turn, unless it is over or handed over."""
        if not self._is_handed_over:
            self.fail(Abandoned())
