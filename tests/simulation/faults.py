"""What can go wrong between caches and their server, and with the server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from tests.simulation.network import Network, Trouble
from tests.simulation.redis_double import RedisDouble, Stored

TROUBLES: Final[tuple[Trouble, ...]] = (
    *("requests lost", "replies lost"),
    *("requests late", "refused"),
)
LASTING: Final = (*TROUBLES, "reset", "bus reset", "bus dead", "clock", "slow")
LOSSES: Final = ("flush", "restart empty", "restart from snapshot", "garbage")
"""Faults in which Redis keeps, and loses, what it holds."""


class Faults:
    """Causes them.

    Args:
        server: The server.
        networks: One for each process.
        chance: Decides whom they meet, and how long they last.

    Attributes:
        happened: What was done, and when, in order.
        ahead: Seconds by which the server's clock was set forward. It is not set back: then it lets
            a late set pass until it is asked for its time again, as is documented.
    """

    def __init__(
        self, server: RedisDouble, networks: Sequence[Network], chance: random.Random
    ) -> None:
        self._server = server
        self._networks = networks
        self._chance = chance
        self.happened: list[str] = []
        self.ahead = 0.0

    async def cause(self, kind: str) -> None:
        """Let something go wrong, for a while or at once."""
        self.happened.append(f"{asyncio.get_running_loop().time():.3f} {kind}")
        network = self._chance.choice(self._networks)
        for trouble in TROUBLES:
            if kind == trouble:
                await self._trouble(network, trouble)
                return
        if kind == "restart from snapshot":
            await self._restart_from_snapshot()
            return
        at_once: dict[str, Callable[[], object]] = {
            "reset": network.reset,
            "bus reset": network.reset_bus,
            "bus dead": network.deafen,
            "slow": network.slow_down,
            "clock": self._set_clock,
            "flush": self._server.flush,
            "restart empty": lambda: self._restart({}),
            "garbage": self._spill_garbage,
        }
        at_once[kind]()

    def later(self, kinds: Sequence[str]) -> Coroutine[Any, Any, None]:
        """Return one of some kinds, to be awaited when it is to happen."""
        return self.cause(self._chance.choice(kinds))

    def end(self) -> None:
        """Let everybody reach the server again."""
        for network in self._networks:
            network.trouble = "none"

    async def _trouble(self, network: Network, trouble: Trouble) -> None:
        network.trouble = trouble
        await asyncio.sleep(self._chance.random() * 2)
        if trouble != "requests late":
            network.reset()
        network.trouble = "none"

    def _set_clock(self) -> None:
        self.ahead += self._chance.choice((0.1, 30.0))

    def _spill_garbage(self) -> None:
        for key in self._server.keys:
            if self._chance.random() < 0.5:
                self._server.put(key, self._chance.randbytes(self._chance.randrange(90)))

    async def _restart_from_snapshot(self) -> None:
        snapshot = self._server.snapshot()
        await asyncio.sleep(self._chance.random() / 2)
        self._restart(snapshot)

    def _restart(self, data: dict[bytes, Stored]) -> None:
        self._server.restart(data)
        for network in self._networks:
            network.reset()
