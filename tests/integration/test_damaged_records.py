"""Bytes in Redis that are not what was stored: a counted miss, loaded anew, and repaired."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from asynccache import MISSING, Cache
from asynccache.core.keys import KeySpace
from asynccache.core.policy import Lifetime
from asynccache.core.record import HEADER_BYTES, RecordFormat
from tests.support.caches import Caches, Source, heard, store_of

pytestmark = pytest.mark.integration

KEY = "k"
KEYS = KeySpace("cache")
RECORDS = RecordFormat()
MSGPACK = 1
random = Random(2_026)


def packed(like: bytes, payload: bytes, *, codec: int = MSGPACK, key: str = KEY) -> bytes:
    """Return a record that a cache would store at the time of another one."""
    original = RECORDS.unpack(KEYS.identity(KEY), like)
    return RECORDS.pack(
        KEYS.identity(key),
        payload,
        codec=codec,
        lifetime=Lifetime(60, 0),
        stamp=original.stamp,
        era=original.era,
    )


def flipped(record: bytes, bit: int) -> bytes:
    """Return a record with one bit the other way round."""
    whole = int.from_bytes(record, "big") ^ (1 << bit % (8 * len(record)))
    return whole.to_bytes(len(record), "big")


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda record: b"",
    "text": lambda record: b"somebody else's value",
    "a number that is none": lambda record: b"007",
    "more than 64 bits": lambda record: b"99999999999999999999",
    "a bare MessagePack": lambda record: b"\x93\x01\x02\x03",
    "random": lambda record: random.randbytes(200),
    "random with our magic": lambda record: b"ac\x01\x01" + random.randbytes(200),
    "no payload": lambda record: record[:HEADER_BYTES],
    "cut header": lambda record: record[: HEADER_BYTES - 1],
    "cut by one": lambda record: record[:-1],
    "longer by one": lambda record: record + b"\0",
    "twice": lambda record: record * 2,
    "another version": lambda record: record[:2] + b"\x01" + record[3:],
    "another codec, checksum kept": lambda record: record[:3] + b"\x09" + record[4:],
    "another codec, well made": lambda record: packed(record, b"\x01", codec=9),
    "a payload that cannot be decoded": lambda record: packed(record, b"\xc1"),
    "of another key": lambda record: packed(record, b"\x01", key="other"),
    **{
        f"bit {bit} flipped": lambda record, bit=bit: flipped(record, bit)  # type: ignore[misc]
        for bit in random.sample(range(8 * (HEADER_BYTES + 4)), 12)
    },
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("lasting", [True, False], ids=["lasting", "expiring"])
async def test_damage_is_a_miss_and_is_repaired(
    caches: Caches, redis_url: str, damage: str, *, lasting: bool
) -> None:
    """Counted once, loaded once, replaced for all; nobody gets an error or a wrong value."""
    here, there = [await caches.start(redis_url) for _ in range(2)]
    await here.set(KEY, "value")
    await heard(there, 1)
    raw = store_of(here)._transport
    (record,) = await raw.call(("GET", KEYS.record(KEY)))
    damaged = DAMAGE[damage](record)
    assert damaged != record
    expiry = () if lasting else ("PX", 60_000)
    await raw.call(("SET", KEYS.record(KEY), damaged, *expiry))
    source = Source("value")

    assert await there.get_or_load(KEY, source.load) == "value"

    assert (there.statistics().damaged, there.statistics().misses) == (1, 1)
    assert source.loads == 1
    newcomer = await caches.start(redis_url)
    assert await newcomer.get(KEY) == "value"


@pytest.mark.parametrize(
    "damage", ["text", "random with our magic", "cut by one", "of another key"]
)
async def test_damage_is_removed_by_a_read(caches: Caches, redis_url: str, damage: str) -> None:
    """A read that does not load leaves nothing there that the next one would stumble over."""
    cache = await caches.start(redis_url)
    raw = store_of(cache)._transport
    record = RECORDS.pack(KEYS.identity(KEY), b"\x01", codec=MSGPACK, lifetime=Lifetime(60, 0))
    await raw.call(("SET", KEYS.record(KEY), DAMAGE[damage](record)))

    assert await cache.get(KEY) is MISSING
    assert await cache.get(KEY) is MISSING

    assert cache.statistics().damaged == 1
    assert await raw.call(("EXISTS", KEYS.record(KEY))) == [0]


PLANTS: dict[str, tuple[Any, ...]] = {
    "list": ("RPUSH", "x"),
    "hash": ("HSET", "field", "x"),
    "set": ("SADD", "x"),
    "zset": ("ZADD", 1, "x"),
    "stream": ("XADD", "*", "field", "x"),
}


@pytest.mark.parametrize("kind", PLANTS)
async def test_a_wrong_type_is_damage_too(caches: Caches, redis_url: str, kind: str) -> None:
    """For each way to use a key, with something of another Redis type in its place."""
    cache, newcomer = [await caches.start(redis_url) for _ in range(2)]
    raw = store_of(cache)._transport
    command, *arguments = PLANTS[kind]
    for key in ("load", "set", "add", "incr", "expire", "touch", "delete", "get"):
        await raw.call((command, KEYS.record(key), *arguments))
    source = Source("value")

    assert await cache.get("get") is MISSING
    assert await cache.get_or_load("load", source.load) == "value"
    assert (await cache.set("set", "value")).acknowledged
    assert await cache.add("add", "value")
    assert await cache.incr("incr", 5) == 5
    assert (await cache.expire("expire")).acknowledged
    assert (await cache.touch("touch")).acknowledged
    assert (await cache.delete("delete")).affected == 1

    assert cache.statistics().damaged == 2  # that were read
    found = await newcomer.get_many(["load", "set", "add", "incr", "expire", "touch", "delete"])
    assert found == {"load": "value", "set": "value", "add": "value", "incr": 5}


@pytest.mark.parametrize("kind", [*PLANTS, "string"])
async def test_garbage_in_place_of_a_lease_is_removed(
    caches: Caches, redis_url: str, kind: str
) -> None:
    """A lease that would last for ever is nobody's: the key is loaded, and filled, soon."""
    cache, newcomer = [await caches.start(redis_url) for _ in range(2)]
    command, *arguments = PLANTS.get(kind, ("SET", "garbage"))
    await store_of(cache)._transport.call((command, KEYS.lease(KEY), *arguments))
    source = Source("value")

    async with asyncio.timeout(2):
        assert await cache.get_or_load(KEY, source.load) == "value"

    assert await newcomer.get(KEY) == "value"


async def test_a_damaged_and_fresh_key_can_be_added(caches: Caches, redis_url: str) -> None:
    """Garbage is no value: the first to add over it succeeds, and the second does not."""
    cache: Cache = await caches.start(redis_url)
    await store_of(cache)._transport.call(("SET", KEYS.record(KEY), b"garbage"))

    assert await cache.add(KEY, "first")
    assert not await cache.add(KEY, "second")
    assert await cache.get(KEY) == "first"
