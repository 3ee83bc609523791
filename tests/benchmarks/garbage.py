"""What a million entries cost in memory, and in pauses of the garbage collector.

Each candidate is filled in a process of its own:
``python -m tests.benchmarks.garbage NAME ENTRIES`` prints its figures as JSON.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

CHURN = 0.3
"""The part of the entries that is replaced by new ones between two measurements."""


class Filled(Protocol):
    """A cache with many entries."""

    def put(self, number: int) -> None:
        """Put the entry of a number; beyond the capacity another one leaves."""
        ...


def flat(number: int) -> dict[str, Any]:
    """Return a small record, as most values are."""
    return {"id": number, "name": f"name {number}", "price": number * 1.5, "active": True}


class Ours:
    """The engine, as a cache fills it."""

    def __init__(self, entries: int, *, encoded: bool) -> None:
        from asynccache import MsgpackCodec  # noqa: PLC0415  # only this candidate pays for it
        from asynccache.core.policy import Lifetime  # noqa: PLC0415
        from asynccache.memory.entry import new_entry  # noqa: PLC0415
        from asynccache.memory.sharded import make_engine  # noqa: PLC0415

        self._encoded = encoded
        self._encode = MsgpackCodec().encode
        self._lifetime = Lifetime(900, 0.0)
        self._new_entry = new_entry
        self._engine = make_engine(entries)

    def put(self, number: int) -> None:
        """See `Filled.put`."""
        value: Any = flat(number)
        self._engine.put(
            self._new_entry(
                f"key:{number}",
                self._encode(value) if self._encoded else value,
                encoded=self._encoded,
                since=float(number % 900),
                left=self._lifetime,
                kind=self._engine.entry_type,
            ),
            0.0,
        )


class PlainObject:
    """An entry of an ordinary cache."""

    def __init__(self, value: object, expires: float) -> None:
        self.value = value
        self.expires = expires


class Ordinary:
    """A dict of objects, the oldest of which leaves."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._table: dict[str, PlainObject] = {}

    def put(self, number: int) -> None:
        """See `Filled.put`."""
        if len(self._table) >= self._entries:
            del self._table[next(iter(self._table))]
        self._table[f"key:{number}"] = PlainObject(flat(number), 900.0)


class Cachebox:
    """cachebox's TTL cache."""

    def __init__(self, entries: int) -> None:
        from cachebox import TTLCache  # noqa: PLC0415

        self._cache: Any = TTLCache(entries, 900)

    def put(self, number: int) -> None:
        """See `Filled.put`."""
        self._cache[f"key:{number}"] = flat(number)


class MokaPy:
    """moka-py's cache."""

    def __init__(self, entries: int) -> None:
        from moka_py import Moka  # noqa: PLC0415

        self._cache: Any = Moka(entries, ttl=900)

    def put(self, number: int) -> None:
        """See `Filled.put`."""
        self._cache.set(f"key:{number}", flat(number))


CANDIDATES: Mapping[str, Callable[[int], Filled]] = {
    "asynccache, encoded": lambda entries: Ours(entries, encoded=True),
    "asynccache, shared": lambda entries: Ours(entries, encoded=False),
    "a dict of objects": Ordinary,
    "cachebox, TTLCache": Cachebox,
    "moka-py": MokaPy,
}


def measure(name: str, entries: int) -> dict[str, float] | None:
    """Return a candidate's figures, from a process of its own; None: it is not installed."""
    command = [sys.executable, "-m", "tests.benchmarks.garbage", name, str(entries)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        if "ModuleNotFoundError" in done.stderr:
            return None
        raise RuntimeError(f"{name}: {done.stderr}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  # no file of ours
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _full_collection() -> float:
    """Return the ms of a full collection, of the thread's own time, the shortest of five."""
    times = []
    for _ in range(5):
        start = time.thread_time()
        gc.collect()
        times.append(time.thread_time() - start)
    return min(times) * 1_000


def _figures(name: str, entries: int) -> dict[str, float]:
    gc.collect()
    gc.disable()  # filling would be slow, and is not what is measured
    before = _resident()
    cache = CANDIDATES[name](entries)
    own = _full_collection()  # of everything else that is in this process
    for number in range(entries):
        cache.put(number)
    size = (_resident() - before) / entries
    fresh = _full_collection() - own
    churned = int(entries * CHURN)
    for number in range(entries, entries + churned):
        cache.put(number)
    after_churn = _full_collection() - own
    gc.freeze()
    frozen = _full_collection()
    for number in range(entries + churned, entries + 2 * churned):
        cache.put(number)
    return {
        "bytes": size,
        "fresh": fresh,
        "churned": after_churn,
        "frozen": frozen,
        "frozen, churned": _full_collection(),
    }


if __name__ == "__main__":
    print(json.dumps(_figures(sys.argv[1], int(sys.argv[2]))))
    sys.stdout.flush()
    os._exit(0)  # freeing a million entries takes seconds
