"""What is asked at once travels together: reads, bulk reads and writes of a turn of the loop."""

from __future__ import annotations

import asyncio

import pytest

from asynccache.redis.wire import DirectWire
from tests.support.caches import Caches, link_of, store_of
from tests.support.waiting import until

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


async def test_a_miss_among_misses_takes_two_round_trips(
    caches: Caches, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease with the look, and the fill; among hits it looks first, which is one more.

    A hit that was not expected takes one as well, and gives the lease back while nobody waits.
    """
    filling, asking = [await caches.start(redis_url, max_staleness=60) for _ in range(2)]
    await filling.set("k", "v")
    written: list[bytes] = []
    write = DirectWire.write

    def noting(wire: DirectWire, data: bytes) -> None:
        written.append(data)
        write(wire, data)

    async def trips(key: str) -> int:
        written.clear()
        assert await asking.get_or_load(key, load) == "v"
        return len(written)

    async def load() -> str:
        return "v"

    monkeypatch.setattr(DirectWire, "write", noting)
    await trips("the first one asks for the namespace's token")
    assert await trips("among hits") == 3
    for number in range(20):
        await trips(f"miss {number}")

    assert await trips("among misses") == 2
    assert await trips("k") == 1
    lease = store_of(asking)._keys.lease("k")
    await until(lambda: len(written) == 2)  # given back
    assert await link_of(asking).call(("EXISTS", lease)) == [0]
