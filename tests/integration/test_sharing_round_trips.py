"""What is asked at once travels together: reads, bulk reads and writes of a turn of the loop."""

from __future__ import annotations

import asyncio

import pytest

from asynccache.redis.wire import DirectWire
from tests.support.caches import Caches

pytestmark = pytest.mark.integration


async def test_gets_of_one_turn_share_a_write(
    caches: Caches, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred single reads, a bulk read and fifty writes: a handful of writes to the socket.

    The first finds the connection idle and leaves at once; the rest leave together. A write's
    script and its announcement are one call.
    """
    filling, asking = [await caches.start(redis_url, max_staleness=60) for _ in range(2)]
    await filling.set_many({f"k{number}": number for number in range(200)})
    await asking.get("other")  # from here on it knows the namespace's token
    written: list[int] = []
    write = DirectWire.write

    def counting(wire: DirectWire, data: bytes) -> None:
        written.append(len(data))
        write(wire, data)

    monkeypatch.setattr(DirectWire, "write", counting)
    singles = [asking.get(f"k{number}") for number in range(100)]
    bulk = asking.get_many([f"k{number}" for number in range(100, 200)])
    sets = [asking.set(f"new{number}", number) for number in range(50)]
    answers = await asyncio.gather(bulk, *singles, *sets)

    assert answers[0] == {f"k{number}": number for number in range(100, 200)}
    assert answers[1:101] == list(range(100))
    assert all(result.acknowledged for result in answers[101:])
    assert len(written) <= 4


async def test_a_read_alone_takes_one_round_trip(
    caches: Caches, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One write, one reply."""
    filling, asking = [await caches.start(redis_url, max_staleness=60) for _ in range(2)]
    await filling.set("k", "v")
    await asking.get("other")  # from here on it knows the namespace's token
    written: list[bytes] = []
    write = DirectWire.write

    def noting(wire: DirectWire, data: bytes) -> None:
        written.append(data)
        write(wire, data)

    monkeypatch.setattr(DirectWire, "write", noting)

    assert await asking.get("k") == "v"
    assert len(written) == 1
