"""One schedule: some caches, some operations, some faults, all as a seed says, and the verdict."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from asynccache import Cache, Policy, load_context
from tests.faults.checker import Verdict, judge
from tests.faults.history import Final, Line, Load, Note, Read, Write
from tests.simulation.faults import LASTING, LOSSES, Faults
from tests.simulation.link import SimulatedLink
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Network, stamp_of
from tests.simulation.redis_double import RedisDouble, ServerScript
from tests.simulation.scripts import SCRIPTS
from tests.support.caches import SOUND, Parts

KEYS = 2
BOUND = 1.0
"""max_staleness, in seconds."""

ACTIVE = 2.5
"""Seconds in which something happens."""

QUIET = 3 * BOUND + 2
"""Seconds after which everybody has to agree."""

PATIENCE = 7.0
"""Seconds that a read may take: it may wait for a lease of a process that stands still."""

OPERATIONS = 16

FOREIGN = 5
"""Changes by somebody who is no cache, where those are heard."""

LONGEST_TURN = 0.0001
"""Seconds of the server's loop: less than anything takes to get there and back."""


@dataclass
class Outcome:
    """What came of a schedule.

    Attributes:
        verdict: What its history contains that it must not.
        happened: The faults, in order.
        history: What the processes did and saw.
    """

    verdict: Verdict
    happened: list[str] = field(default_factory=list)
    history: list[Line] = field(default_factory=list)


KINDS = {
    "deletes": {"read": 60, "delete": 22, "refresh": 8, "invalidate_tags": 6, "clear": 4},
    "sets": {"read": 60, "set": 30, "refresh": 10},
    "both": {"read": 60, "delete": 16, "set": 16, "invalidate_tags": 5, "clear": 3},
}
"""How often writers do what. Of two processes' set and delete the one that comes later to Redis
wins, as is documented; so both are done by one process alone."""


@dataclass(frozen=True)
class Broken:
    """What may be broken, to see that it is noticed.

    Attributes:
        parts: What the caches are built of.
        scripts: What the server's scripts do.
        stamp: What a life of the server is known by.
    """

    parts: Parts = SOUND
    scripts: Mapping[str, ServerScript] = field(default_factory=lambda: SCRIPTS)
    stamp: Callable[[RedisDouble], bytes] = stamp_of


NOTHING = Broken()


def run_schedule(seed: int, broken: Broken = NOTHING, *, tracked: bool = False) -> Outcome:
    """Run a schedule; the same seed gives the same one.

    Args:
        seed: Decides everything.
        broken: What is broken.
        tracked: The caches hear what others than caches change, and others do.
    """
    logging.disable(logging.CRITICAL)
    random.seed(seed)  # the library's own
    try:
        with _seeded(random.Random(seed)), asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(_Schedule(seed, broken, tracked=tracked).run())
    finally:
        logging.disable(logging.NOTSET)


def _seeded(secret: random.Random) -> AbstractContextManager[object]:
    """Let nothing be secret: tokens, and where a sequence of messages begins."""
    return mock.patch.multiple(
        "secrets",
        token_bytes=secret.randbytes,
        token_hex=lambda size: secret.randbytes(size).hex(),
        randbelow=secret.randrange,
    )


class _Schedule:
    def __init__(self, seed: int, broken: Broken, *, tracked: bool) -> None:
        self._tracked = tracked
        self._chance = random.Random(seed)
        self._broken = broken
        # Who is no cache deletes: that and sets of others are not for the same keys, see above.
        writers = "deletes" if tracked else self._chance.choices(list(KINDS), (6, 2, 2))[0]
        self._kinds = KINDS[writers]
        # A version is compared with what Redis holds: when that is lost, any one is the first.
        self._possible = LASTING if writers == "sets" else LASTING + LOSSES
        self._processes = 1 if writers == "both" else self._chance.choice((2, 2, 3))
        self._history: list[Line] = []
        self._source = dict.fromkeys(range(KEYS), 1)
        self._networks: list[Network] = []

    async def run(self) -> Outcome:
        loop = self._loop = asyncio.get_running_loop()
        self._server = RedisDouble(lambda: loop.time() + self._faults.ahead, self._broken.scripts)
        if self._tracked:
            self._server.on_change = lambda: loop.call_later(
                self._chance.random() * LONGEST_TURN, self._server.push
            )
        self._faults = Faults(self._server, self._networks, self._chance)
        caches = [await self._start() for _ in range(self._processes)]
        began = loop.time() + 0.1
        work: list[asyncio.Task[None]] = []
        for _ in range(OPERATIONS):
            place = self._chance.randrange(self._processes)
            act = self._operation(place, caches[place], self._chance.randrange(KEYS))
            work.append(loop.create_task(self._at(began + self._chance.random() * ACTIVE, act)))
        for _ in range(self._chance.choice((0, 1, 1, 2, 3))):
            when = began + self._chance.random() * ACTIVE
            fault = self._faults.later(self._possible)
            work.append(loop.create_task(self._at(when, fault)))
        for _ in range(FOREIGN if self._tracked else 0):
            when = began + self._chance.random() * ACTIVE
            change = self._change_foreignly(self._chance.randrange(KEYS))
            work.append(loop.create_task(self._at(when, change)))
        await asyncio.wait(work)
        for task in work:
            task.result()
        self._faults.end()
        await asyncio.sleep(QUIET)
        for place, cache in enumerate(caches):
            for key in range(KEYS):
                version = await cache.get_or_load(f"k{key}", self._loader(place, key))
                self._history.append(Final(f"p{place}", key, version))
        for cache in caches:
            await cache.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            self._history.append(Note("all", "tasks left", repr(left)))
        verdict = judge(self._history, bound=BOUND, truth=self._source, patience=PATIENCE)
        return Outcome(verdict, self._faults.happened, self._history)

    async def _start(self) -> Cache:
        network = Network(self._server, self._chance)
        network.slowest = self._chance.choice((0.002, 0.01, 0.05))
        self._networks.append(network)

        def make_link(*_: object, on_incarnation: Callable[[], None], **__: object) -> Any:
            return SimulatedLink(network, on_incarnation, self._broken.stamp)

        cache = Cache(
            "redis://simulated?tracking=true" if self._tracked else "redis://simulated",
            namespace="sim",
            policy=Policy(ttl=600, l1_ttl=None, load_timeout=5),
            max_staleness=BOUND,
            clock=self._loop,  # type: ignore[arg-type]
        )
        parts = self._broken.parts
        with mock.patch.multiple(
            "asynccache.runtime",
            make_link=make_link,
            RedisStore=parts.store,
            FirstLevel=parts.first,
            TwoLevelWriter=parts.writer,
            Journal=parts.journal,
            Bus=parts.bus,
        ):
            await cache.__aenter__()
        return cache

    async def _at(self, when: float, act: Coroutine[Any, Any, None]) -> None:
        await asyncio.sleep(when - self._loop.time())
        await act

    # Operations.

    def _operation(self, place: int, cache: Cache, key: int) -> Coroutine[Any, Any, None]:
        kind = self._chance.choices(list(self._kinds), list(self._kinds.values()))[0]
        if kind == "read":
            return self._read(place, cache, key)
        if kind == "refresh":
            return self._refresh(place, cache, key)
        return self._write(place, cache, key, kind)

    async def _read(self, place: int, cache: Cache, key: int) -> None:
        began = self._loop.time()
        read = asyncio.create_task(
            cache.get_or_load(f"k{key}", self._loader(place, key), tags=["t"])
        )
        is_cancelled = self._chance.random() < 0.2
        if is_cancelled:
            self._loop.call_later(self._chance.random() * 0.05, read.cancel)
        try:
            version = await read
        except asyncio.CancelledError:
            if not is_cancelled:
                self._history.append(Note(f"p{place}", "foreign cancellation", str(key)))
            return
        except Exception as error:  # noqa: BLE001  # whatever it is, it is a violation
            self._history.append(Note(f"p{place}", "error", f"{key}: {error!r}"))
            return
        self._history.append(Read(f"p{place}", key, began, self._loop.time(), version))

    def _loader(self, place: int, key: int) -> Callable[[], Coroutine[Any, Any, int]]:
        async def load() -> int:
            await asyncio.sleep(self._chance.random() * 0.02)
            version = load_context().version = self._source[key]
            self._history.append(Load(f"p{place}", key, self._loop.time(), version))
            await asyncio.sleep(self._chance.choice((0.0, 0.01, 0.2)) * self._chance.random())
            return version

        return load

    async def _refresh(self, place: int, cache: Cache, key: int) -> None:
        await cache.refresh(f"k{key}", self._loader(place, key), tags=["t"])

    async def _change_foreignly(self, key: int) -> None:
        """Change the source, and remove the value without a message: so that it is pushed."""
        self._source[key] += 1
        record, lease = b"sim:r:{k%d}" % key, b"sim:l:{k%d}" % key
        self._server.put(record, b"")
        self._server.delete(record, lease)
        now = self._loop.time()
        self._history.append(Write("foreign", key, now, now, self._source[key], True))

    async def _write(self, place: int, cache: Cache, key: int, kind: str) -> None:
        keys = range(KEYS) if kind in ("invalidate_tags", "clear") else (key,)
        for each in keys:
            self._source[each] += 1
        versions = {each: self._source[each] for each in keys}
        began = self._loop.time()
        if kind == "delete":
            result = await cache.delete(f"k{key}")
        elif kind == "set":
            version = versions[key]
            result = await cache.set(f"k{key}", version, tags=["t"], version=version)
        elif kind == "clear":
            result = await cache.clear()
        else:
            result = await cache.invalidate_tags("t")
        ended = self._loop.time()
        for each, version in versions.items():
            self._history.append(
                Write(f"p{place}", each, began, ended, version, result.acknowledged)
            )
