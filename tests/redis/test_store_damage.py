"""Whatever somebody put under our keys in Redis: it is in nobody's way for long."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ResponseError

from asynccache.core.record import HEADER_BYTES, NO_TOKEN, counter_prefix
from asynccache.redis.store import FIRST_NUMBERS
from tests.support.stores import BACKENDS, Bench, item, open_bench

pytestmark = pytest.mark.integration

MINUTE = 60_000
PREFIX = counter_prefix(NO_TOKEN, NO_TOKEN)
TYPES = {
    "list": ("RPUSH", "x"),
    "hash": ("HSET", "field", "x"),
    "set": ("SADD", "x"),
    "zset": ("ZADD", 1, "x"),
    "stream": ("XADD", "*", "field", "x"),
}
GREATEST = b"ac\x02\x01" + b"\xff" * (HEADER_BYTES - 4) + b"payload"
"""A header with the largest numbers that fit."""


@pytest.fixture(params=BACKENDS)
async def bench(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Bench]:
    """Open a store on each backend."""
    async with open_bench(request.param, redis_url) as opened:
        yield opened


@pytest.fixture(params=TYPES)
def kind(request: pytest.FixtureRequest) -> str:
    """Return each Redis type that none of our keys has."""
    return str(request.param)


async def plant(bench: Bench, redis_key: str, kind: str) -> None:
    """Put something of another Redis type under a key."""
    command, *arguments = TYPES[kind]
    await bench.redis(str(command), redis_key, *arguments)


async def test_a_record_of_a_wrong_type_reads_as_an_error(bench: Bench, kind: str) -> None:
    """The error stands in the value's place, and other keys are read all the same."""
    await plant(bench, bench.keys.record("k"), kind)
    await bench.store.put({"other": item("other")})

    wrong, right = await bench.store.read(["k", "other"])
    (lease,) = await bench.store.acquire(["k"], b"t", MINUTE)

    assert isinstance(wrong.value, ResponseError)
    assert right.value == item("other").record
    assert lease.granted
    assert not lease.denied
    assert isinstance(lease.raw.value, ResponseError)


async def test_a_record_of_a_wrong_type_gives_way(bench: Bench, kind: str) -> None:
    """Whatever writes or removes a key ends it; an exchange, not knowing it, does not."""
    redis_key, record = bench.keys.record("k"), item("k")

    await plant(bench, redis_key, kind)
    await bench.store.put({"k": record})
    assert await bench.record("k") == record.record

    await bench.store.forget(["k"])
    await plant(bench, redis_key, kind)
    await bench.store.acquire(["k"], b"t", MINUTE)
    assert await bench.store.fill({"k": record}, b"t") == {"k"}
    assert await bench.record("k") == record.record

    for removes in (bench.store.forget, bench.store.expire):
        await bench.store.forget(["k"])
        await plant(bench, redis_key, kind)
        assert not await bench.store.exchange("k", b"x", b"")
        assert await removes(["k"]) == 1
        assert await bench.redis("EXISTS", redis_key) == 0

    await plant(bench, redis_key, kind)
    assert await bench.store.add("k", record)
    assert not await bench.store.add("k", record)

    await bench.store.forget(["k"])
    await plant(bench, redis_key, kind)
    assert await bench.store.increment("k", 5, MINUTE, PREFIX) == 5
    assert 0 < await bench.pttl("k") <= MINUTE


async def test_a_lease_of_a_wrong_type_is_nobodys(bench: Bench, kind: str) -> None:
    """No token fits it; waiting for it removes it, and so does any change of its key."""
    redis_key = bench.keys.lease("k")
    await plant(bench, redis_key, kind)

    (refused,) = await bench.store.acquire(["k"], b"t", MINUTE)
    await bench.store.renew(["k"], b"t", MINUTE)
    await bench.store.release(["k"], b"t")
    assert await bench.store.fill({"k": item("k")}, b"t") == set()
    assert not refused.granted
    assert await bench.redis("TYPE", redis_key) == kind.encode()

    await bench.store.lease_left("k")
    assert (await bench.store.acquire(["k"], b"t", MINUTE))[0].granted
    await bench.store.forget(["k"])
    await plant(bench, redis_key, kind)
    await bench.store.put({"k": item("k")})
    assert await bench.redis("EXISTS", redis_key) == 0


async def test_a_sequence_of_a_wrong_type_starts_anew(bench: Bench, kind: str) -> None:
    """It reads as nothing, and the next announcement puts a first number in its place."""
    await plant(bench, bench.keys.sequence, kind)
    assert await bench.store.sequence() == 0

    await bench.store.forget(["a"])
    await bench.store.forget(["b"])

    (first, message), (second, other) = await bench.heard()
    assert (message.texts, other.texts) == (("a",), ("b",))
    assert await bench.store.sequence() == second == first + 1


@pytest.mark.parametrize(
    "garbage",
    [b"", b"text", b"-7", b"1.5", b"9007199254740991", b"9223372036854775807", b"9" * 5_000],
    ids=["empty", "text", "negative", "fraction", "2^53-1", "2^63-1", "5,000 digits"],
)
async def test_a_sequence_that_is_no_number_of_ours_starts_anew(
    bench: Bench, garbage: bytes
) -> None:
    """Past 2^53 Lua would give many messages one number; a bus can bear none of these."""
    await bench.redis("SET", bench.keys.sequence, garbage)
    assert await bench.store.sequence() >= 0

    await bench.store.forget(["a", "b"])
    await bench.store.forget(["c"])

    first, second = (number for number, _ in await bench.heard())
    assert 1 <= first <= FIRST_NUMBERS
    assert second == first + 1


async def test_an_expiring_sequence_lasts_after_all(bench: Bench) -> None:
    """One that vanished would make every process empty its first level."""
    await bench.store.forget(["a"])
    await bench.redis("PEXPIRE", bench.keys.sequence, MINUTE)

    await bench.store.forget(["a"])

    assert await bench.redis("PTTL", bench.keys.sequence) == -1


@pytest.mark.parametrize("lasting", [True, False])
async def test_a_header_of_nonsense_harms_no_script(bench: Bench, *, lasting: bool) -> None:
    """Lifetimes that no number can hold count as none: the record can be touched and removed."""
    for count, method in enumerate((bench.store.expire, bench.store.forget)):
        key = f"k{count}"
        await bench.redis("SET", bench.keys.record(key), GREATEST)
        if not lasting:
            await bench.redis("PEXPIRE", bench.keys.record(key), MINUTE // 2)
        await bench.store.touch(key, MINUTE)
        assert 0 < await bench.pttl(key) <= MINUTE
        assert await method([key]) == 1
        assert await bench.record(key) is None


@pytest.mark.parametrize("length", [0, 1, 2, 19, 20, HEADER_BYTES])
async def test_a_cut_header_has_no_grace(bench: Bench, length: int) -> None:
    """Where the grace is not all there, there is none: the rest of such a record is removed."""
    cut = item("k", grace=60).record[:length]
    await bench.redis("SET", bench.keys.record("k"), cut, "PX", 2 * MINUTE)

    assert not await bench.store.add("k", item("k"))
    assert await bench.store.expire(["k"]) == 1

    assert (await bench.record("k") is None) is (length < 20)
