"""A worker: a process with a cache of its own that reads and writes as its seed says."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from asynccache import Cache, Policy, Unavailable, load_context
from tests.faults.history import Final, Load, Log, Note, Read, Write
from tests.faults.source import SharedSource

TAGS = 20

CANCELLED = 0.3
"""The share of callers that are cancelled."""

DELETES = {"delete": 60, "delete_many": 15, "refresh": 10, "invalidate_tags": 2}


def is_set(key: int) -> bool:
    """Tell whether a key's writers set it, with versions; else they delete it."""
    return key % 4 == 3


class FaultWorker:
    """Runs until it is told to stop by SIGUSR1, then answers for the end.

    Args:
        options: ``url``, ``directory``, ``keys``, ``seed``, ``rate`` (reads a second), ``writes``
            (the share of them), ``bound`` (max_staleness), ``careful`` (announce writes: it may be
            killed at any instant).
    """

    def __init__(self, **options: Any) -> None:
        self._options = options
        directory = Path(options["directory"])
        self._name = f"w{options['seed']}.{os.getpid()}"
        self._log = Log(directory / f"{self._name}.log")
        self._source = SharedSource(directory / "source", options["keys"])
        self._random = random.Random(options["seed"] * 1_000_003 + os.getpid())
        self._cache = Cache(
            options["url"],
            namespace="faults",
            policy=Policy(ttl=600, l1_ttl=None, load_timeout=5),
            max_staleness=options["bound"],
            max_entries=options["keys"],
        )
        self._stop = asyncio.Event()
        self._done: dict[str, int] = {}

    async def run(self) -> None:
        """Work until the end."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._stop.set)
        async with self._cache:
            print("ready", flush=True)
            async with asyncio.TaskGroup() as group:
                while not self._stop.is_set():
                    group.create_task(self._operate())
                    await asyncio.sleep(self._random.expovariate(self._options["rate"]))
            await asyncio.sleep(3 * self._options["bound"] + 1)
            for key in range(self._options["keys"]):
                version = await self._cache.get_or_load(self._key(key), self._loader(key))
                self._log.write(Final(self._name, key, version))
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if left:
            self._log.write(Note(self._name, "tasks left", repr(left)))
        for kind, count in self._done.items():
            self._log.write(Note(self._name, "operations", f"{kind}={count}"))
        self._log.close()
        self._source.close()

    async def _operate(self) -> None:
        # A few keys are hot, all are asked for now and then.
        keys = self._options["keys"]
        key = min(int(self._random.paretovariate(0.6)) - 1, keys - 1)
        if self._random.random() < self._options["writes"]:
            await self._write(key)
        else:
            await self._read(key)

    async def _read(self, key: int) -> None:
        self._count("read")
        began = time.monotonic()
        task = asyncio.create_task(
            self._cache.get_or_load(self._key(key), self._loader(key), tags=[self._tag(key)])
        )
        is_cancelled = self._random.random() < CANCELLED
        if is_cancelled:
            asyncio.get_running_loop().call_later(self._random.random() * 0.004, task.cancel)
        try:
            version = await task
        except asyncio.CancelledError:
            if not is_cancelled:
                self._log.write(Note(self._name, "foreign cancellation", str(key)))
            self._count("cancelled read")
            return
        except Exception as error:  # noqa: BLE001  # whatever it is, it is a violation
            self._log.write(Note(self._name, "error", f"{key}: {error!r}"))
            return
        self._log.write(Read(self._name, key, began, time.monotonic(), version))

    def _loader(self, key: int, *, is_asked_for: bool = False) -> Any:
        async def load() -> int:
            version = load_context().version = self._source.read(key)
            if not is_asked_for:  # a refresh loads whatever there is
                self._log.write(Load(self._name, key, time.monotonic(), version))
            await asyncio.sleep(self._random.random() * 0.005)
            return version

        return load

    async def _write(self, key: int) -> None:
        if self._options["careful"]:
            await self._announced(key - is_set(key))
            return
        version = self._source.commit(key)
        began = time.monotonic()
        # Of one process's set and another's delete the one that comes later to Redis wins; who
        # wants an order uses versions, or deletes alone.
        kinds = {"set": 80, "refresh": 20} if is_set(key) else DELETES
        kind = self._random.choices(list(kinds), list(kinds.values()))[0]
        self._count(kind)
        if kind == "invalidate_tags":
            await self._tagged(key, version)
            return
        name = self._key(key)
        if kind == "set":
            result = await self._cache.set(name, version, tags=[self._tag(key)], version=version)
        elif kind == "refresh":
            await self._cache.refresh(
                name, self._loader(key, is_asked_for=True), tags=[self._tag(key)]
            )
            return
        else:
            result = await self._cache.delete_many([name])
        ended = time.monotonic()
        self._log.write(Write(self._name, key, began, ended, version, result.acknowledged))

    async def _tagged(self, key: int, version: int) -> None:
        """Change the source of every key of a tag, and invalidate the tag."""
        versions = {key: version}
        for other in range(key % TAGS, self._options["keys"], TAGS):
            if other != key:
                versions[other] = self._source.commit(other)
        began = time.monotonic()
        result = await self._cache.invalidate_tags(self._tag(key))
        ended = time.monotonic()
        for each, changed in versions.items():
            line = Write(self._name, each, began, ended, changed, result.acknowledged)
            self._log.write(line)

    async def _announced(self, key: int) -> None:
        self._count("writing")
        began = time.monotonic()
        version = 0
        try:
            async with self._cache.writing(self._key(key), ttl=2):
                version = self._source.commit(key)
        except Unavailable:
            return  # refused, nothing was committed
        ended = time.monotonic()
        self._log.write(Write(self._name, key, began, ended, version, False))

    def _count(self, kind: str) -> None:
        self._done[kind] = self._done.get(kind, 0) + 1

    def _key(self, key: int) -> str:
        return f"k{key}"

    def _tag(self, key: int) -> str:
        return f"t{key % TAGS}"


if __name__ == "__main__":
    asyncio.run(FaultWorker(**json.loads(sys.argv[1])).run())
