"""Tracking: what others than caches do to records reaches the first level, and echoes do not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any

import pytest

from asynccache import MISSING, Cache, Policy, Unavailable
from asynccache.levels.pushes import Pushes
from asynccache.redis.connections import send
from asynccache.redis.dialing import DirectDialer
from asynccache.redis.settings import RedisSettings
from tests.support.caches import Caches, bus_of, bus_open, link_of, runtime_of, store_of
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_sentinel import RedisSentinels
from tests.support.redis_server import RedisServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration

KEY = "k"
RECORD = "cache:r:{k}"
BOUND = 0.4
"""Seconds of ``max_staleness`` where it matters."""

BUSY = 0.15
"""Seconds that a busy machine may be late."""


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A server for this file: the settings of a shared one must stay as they are."""
    with RedisServer() as running:
        yield running


@pytest.fixture
def url(server: RedisServer) -> str:
    """The URL of a cache that tracks, on an empty server."""
    server.flush()
    server.command("CONFIG", "SET", "maxmemory", "0")
    return tracking(server.url)


@pytest.fixture
async def redis(url: str) -> AsyncIterator[Any]:
    """Another program: it sends a command and returns the reply."""
    connection = await DirectDialer(RedisSettings.from_url(url)).dial(push=False)

    async def command(*words: str | bytes) -> Any:
        await send(connection, *words)
        return await connection.read_response()

    yield command
    await connection.disconnect()


def tracking(url: str) -> str:
    """Return a URL with tracking."""
    return f"{url}?tracking=true"


def pushes_of(cache: Cache) -> Pushes:
    """Return what applies the pushes of a cache."""
    pushes = runtime_of(cache)._pushes
    assert pushes is not None
    return pushes


async def told(cache: Cache) -> None:
    """Wait until what was pushed has been heard and looked into, and nothing more comes."""
    bus, pushes = bus_of(cache), pushes_of(cache)
    heard = -1
    while heard != bus._heard:
        heard = bus._heard
        await asyncio.sleep(0.004)
        await pushes.settled()


async def load() -> str:
    """Load."""
    return "loaded"


# What others do.


async def test_what_another_program_does_reaches_the_first_level(
    caches: Caches, url: str, redis: Any
) -> None:
    """A value that it has put there, one that it has removed, a lifetime that it has shortened."""
    cache, other = [await caches.start(url) for _ in range(2)]
    await other.set(KEY, "old")
    old = await redis("GET", RECORD)
    await other.set(KEY, "new")
    await asyncio.sleep(0.05)
    assert await cache.get(KEY) == "new"

    await redis("SET", RECORD, old)
    await until(lambda: cache.peek(KEY) is MISSING, 1)
    assert await cache.get(KEY) == await other.get(KEY) == "old"

    await redis("PEXPIRE", RECORD, "300")
    await until(lambda: cache.peek(KEY) is MISSING, 1)
    assert await cache.get(KEY) == "old"
    await asyncio.sleep(0.3)
    assert await cache.get(KEY) is MISSING

    await cache.set(KEY, "newer")
    await redis("DEL", RECORD)
    await until(lambda: cache.peek(KEY) is MISSING, 1)
    assert await cache.get(KEY) is MISSING


@pytest.mark.parametrize("key", ["a{b}%\x07ü", "long " * 60], ids=["escaped", "hashed"])
async def test_every_key_is_found_again(caches: Caches, url: str, redis: Any, key: str) -> None:
    """By the name that it has in Redis, also one from which it cannot be read."""
    cache, other = [await caches.start(url) for _ in range(2)]
    await other.set(key, 1)
    await asyncio.sleep(0.05)
    assert await cache.get(key) == 1
    assert other.peek(key) == 1

    (name,) = await redis("KEYS", "cache:r:*")
    await redis("DEL", name)

    await until(lambda: cache.peek(key) is MISSING, 1)
    await until(lambda: other.peek(key) is MISSING, 1)


async def test_an_expiry_of_which_the_first_level_does_not_know(
    caches: Caches, url: str, redis: Any
) -> None:
    """Right after a write of our own it is told from the write's echo, by what is left."""
    cache = await caches.start(url)
    await cache.set(KEY, "mine", ttl=60)
    await redis("PEXPIRE", RECORD, "50000")

    await until(lambda: cache.peek(KEY) is MISSING, 1)
    assert await cache.get(KEY) == "mine"


async def test_what_redis_evicts_is_dropped(
    caches: Caches, server: RedisServer, url: str, redis: Any
) -> None:
    """The two levels agree on what there is."""
    cache = await caches.start(url)
    await cache.set_many({f"k{n}": "v" * 1_000 for n in range(100)})
    await told(cache)
    assert cache.statistics().l1_entries == 100

    server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
    server.command("CONFIG", "SET", "maxmemory", "1")
    await redis("GET", "x")

    await until(lambda: cache.statistics().l1_entries == 0, 3)
    assert server.command("DBSIZE") in (b":0\r\n", b":1\r\n")


@pytest.mark.parametrize("command", ["FLUSHALL", "FLUSHDB"])
async def test_a_flush_is_a_gap(caches: Caches, url: str, redis: Any, command: str) -> None:
    """It is heard at once, and not by the next heartbeat alone."""
    cache = await caches.start(url, max_staleness=60)
    await cache.set(KEY, "value")
    before = cache.statistics().gaps

    await redis(command)

    await until(lambda: cache.statistics().gaps > before, 1)
    assert cache.peek(KEY) is MISSING


async def test_garbage_among_the_pushes_is_a_gap(caches: Caches, url: str, redis: Any) -> None:
    """Anybody may publish on that channel; what nobody can read may have mattered."""
    cache = await caches.start(url)
    before = cache.statistics().gaps

    await redis("PUBLISH", "__redis__:invalidate", "garbage")

    await until(lambda: cache.statistics().gaps > before, 1)


async def test_only_records_are_pushed(caches: Caches, url: str) -> None:
    """Leases, intents, tokens and the sequence of messages are nobody's business."""
    cache, writing = [await caches.start(url) for _ in range(2)]
    before = cache.statistics().pushes_received

    await writing.get_or_load(KEY, load, tags=["t"])
    await writing.invalidate_tags("t")
    async with writing.writing("never there"):
        pass
    await writing.delete(KEY)
    await told(cache)

    # The fill and the delete; both may come in one.
    assert cache.statistics().pushes_received - before <= 2


# Echoes.


@pytest.mark.parametrize("how", ["load", "refresh", "set", "set for ever", "add", "bulk"])
async def test_an_own_write_stays(caches: Caches, url: str, how: str) -> None:
    """What this process has stored is answered by its first level afterwards."""
    cache = await caches.start(url)
    for n in range(20):
        key = f"{KEY}{n}"
        if how == "load":
            await cache.get_or_load(key, load)
        elif how == "refresh":
            await cache.refresh(key, load)
        elif how == "set":
            await cache.set(key, n)
        elif how == "set for ever":
            await cache.set(key, n, policy=Policy(ttl=None))
        elif how == "add":
            assert await cache.add(key, n)
        else:
            await cache.get_or_load_many([key, f"{key}b"], load_many)
    await told(cache)

    entries = cache.statistics().l1_entries
    assert entries == (40 if how == "bulk" else 20)
    assert cache.statistics().pushes_received >= entries
    assert all(cache.peek(f"{KEY}{n}") is not MISSING for n in range(20))


async def load_many(keys: list[str]) -> dict[str, str]:
    """Load several."""
    return dict.fromkeys(keys, "loaded")


async def test_writes_of_one_key_in_a_row_leave_the_last(caches: Caches, url: str) -> None:
    """Echoes of the earlier ones tell nothing about it, and it is there."""
    cache = await caches.start(url)
    for n in range(200):
        await cache.set(KEY, n)
        assert await cache.get(KEY) == n
    await told(cache)
    assert await cache.get(KEY) == 199


@pytest.mark.parametrize("change", ["DEL", "SET"])
@pytest.mark.parametrize("how", ["load", "set"])
async def test_a_foreign_change_at_the_same_moment_is_not_taken_for_an_echo(
    caches: Caches, url: str, redis: Any, how: str, change: str
) -> None:
    """However the two fall together, the first level ends with what Redis has."""
    cache, other = [await caches.start(url, max_staleness=BOUND) for _ in range(2)]
    await other.set(KEY, "foreign")
    foreign = await redis("GET", RECORD)
    # For longer than any own write: what is left of it tells nothing.
    command = ("DEL", RECORD) if change == "DEL" else ("SET", RECORD, foreign, "PX", "9999999")
    seen: Counter[object] = Counter()
    for n in range(300):
        await redis("DEL", RECORD, "cache:l:{k}")
        await told(cache)
        own = cache.set(KEY, "own") if how == "set" else cache.get_or_load(KEY, slow)
        early, late = n // 20 / 15_000, n % 20 / 10_000
        await asyncio.gather(after(early, own), after(late, redis(*command)))
        await told(cache)

        there = await redis("GET", RECORD)
        expected = MISSING if there is None else "foreign" if there == foreign else "own"
        here = cache.peek(KEY)
        assert here in (expected, MISSING)
        seen[here] += 1
    assert seen["own"]
    assert seen[MISSING]


async def slow() -> str:
    """Load, for a millisecond."""
    await asyncio.sleep(0.001)
    return "own"


async def after(seconds: float, work: Awaitable[object]) -> None:
    """Do something a little later."""
    await asyncio.sleep(seconds)
    await work


async def test_nothing_is_proved_while_an_echo_is_looked_into(
    caches: Caches, url: str, redis: Any
) -> None:
    """What may be a foreign change is served for no longer than the bound."""
    cache = await caches.start(url, max_staleness=BOUND)
    await cache.set(KEY, "old")
    await told(cache)
    looking = store_of(cache).hold("read", "before")

    await redis("DEL", RECORD)
    begin = time.monotonic()
    await until(lambda: cache.peek(KEY) is MISSING)
    assert time.monotonic() - begin < BOUND + BUSY
    assert looking.reached.is_set()
    assert cache.statistics().bus == "closed"
    assert cache.statistics().l1_entries == 1

    looking.release()
    await bus_open(cache)
    assert cache.statistics().l1_entries == 0


async def test_what_cannot_be_looked_into_is_dropped(
    caches: Caches, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an answer nobody knows whose change it was."""
    cache = await caches.start(url)

    async def unavailable(_: object) -> None:
        raise Unavailable

    monkeypatch.setattr(store_of(cache), "read", unavailable)
    await cache.set(KEY, "mine")

    await until(lambda: cache.peek(KEY) is MISSING, 1)
    assert cache.statistics().bus == "open"


# Servers and links.


@pytest.mark.parametrize(
    "rule", ["-client|tracking", "-client|id", "resetchannels &cache:bus"], ids=lambda rule: rule
)
async def test_a_server_that_refuses_leaves_pubsub(
    caches: Caches, server: RedisServer, url: str, rule: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, and in health and statistics; caches hear one another as ever."""
    server.command("ACL", "SETUSER", "app", "reset")
    everything = ("on", ">pw", "~*", "&*", "+@all", *rule.split())
    server.command("ACL", "SETUSER", "app", *everything)
    own = url.replace("redis://", "redis://app:pw@")
    with caplog.at_level(logging.WARNING, "asynccache"):
        cache, other = [await caches.start(own) for _ in range(2)]
        server.command("CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda: not bus_of(cache).is_open or cache.statistics().gaps > 2)
        await bus_open(cache)
        await bus_open(other)

    refusals = [each for each in caplog.messages if "CLIENT TRACKING" in each]
    assert len(refusals) == 2  # caches
    assert cache.statistics().tracking == cache.health().tracking == "refused"
    assert "does not push" in cache.health().reasons[0]
    await other.set(KEY, "old")
    await until(lambda: cache.statistics().invalidations_received >= 1)
    assert await cache.get(KEY) == "old"
    await other.set(KEY, "new")
    await until(lambda: cache.peek(KEY) is MISSING)
    assert cache.statistics().pushes_received == 0


async def test_a_server_that_agrees_and_pushes_nothing_leaves_pubsub(
    caches: Caches, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is proved is that something arrives, not that somebody has said so."""
    monkeypatch.setattr("asynccache.core.keys.KeySpace.probe", lambda *_: "elsewhere")
    cache = await caches.start(url, max_staleness=BOUND)

    assert cache.health().tracking == "refused"
    assert cache.health().bus == "open"


async def test_without_the_setting_nothing_is_asked_for(
    caches: Caches, server: RedisServer, url: str
) -> None:
    """And health says so."""
    cache = await caches.start(server.url)
    await cache.set(KEY, 1)

    assert (cache.health().tracking, cache.health().status) == ("off", "ok")
    assert url not in repr(cache)
    assert b"bcast" not in server.command("CLIENT", "LIST")


async def test_a_half_open_link_ends_within_the_bound(
    caches: Caches, server: RedisServer, url: str, redis: Any
) -> None:
    """A foreign delete that cannot arrive is served over for no longer than ``max_staleness``."""
    async with FaultProxy(server.port) as proxy:
        cache = await caches.start(url, bus_url=proxy.url, max_staleness=BOUND)
        await cache.set(KEY, "old")
        await told(cache)

        proxy.hold()
        await redis("DEL", RECORD)
        begin = time.monotonic()
        await until(lambda: cache.peek(KEY) is MISSING)
        assert time.monotonic() - begin < BOUND + BUSY
        assert await cache.get(KEY) is MISSING
        await proxy.restore()
        await bus_open(cache)
        assert cache.health().tracking == "on"


@pytest.mark.parametrize("how", ["killed", "restarted"])
async def test_a_new_connection_is_proved_anew(caches: Caches, how: str, url: str) -> None:
    """What was changed meanwhile is gone, and what is changed then is heard."""
    with RedisServer() as own:
        cache = await caches.start(tracking(own.url), max_staleness=BOUND)
        await cache.set(KEY, "old")
        before = cache.statistics().gaps
        if how == "killed":
            own.command("CLIENT", "KILL", "TYPE", "pubsub")
        else:
            own.restart()
        await until(lambda: cache.statistics().gaps >= before + 2)
        await bus_open(cache)
        assert cache.health().tracking == "on"
        await until(lambda: cache.statistics().breaker == "closed")
        await cache.set(KEY, "new")
        await told(cache)
        assert cache.peek(KEY) == "new"

        own.command("DEL", RECORD)
        await until(lambda: cache.peek(KEY) is MISSING, 1)
    assert url


async def test_a_full_redis_can_be_tracked(caches: Caches, server: RedisServer, url: str) -> None:
    """The proof needs no memory."""
    server.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    server.command("CONFIG", "SET", "maxmemory", "1")
    cache = await caches.start(url, load_scripts=False)

    assert cache.health().tracking == "on"
    assert link_of(cache).state == "closed"


async def test_pushes_of_another_server_prove_nothing(caches: Caches) -> None:
    """As those of a master that was replaced, and answers its listeners still."""
    with RedisServer() as former, RedisServer() as replacement:
        async with FaultProxy(former.port) as proxy:
            cache = await caches.start(tracking(proxy.url), bus_url=former.url, max_staleness=BOUND)
            # So that messages, which are counted, tell nothing.
            number = former.command("GET", "cache:bus:sequence").split()[1].decode()
            replacement.command("SET", "cache:bus:sequence", number)
            before = cache.statistics().gaps

            proxy._target_port = replacement.port
            await proxy.reset()
            await cache.get(KEY)
            await until(lambda: cache.statistics().gaps > before)

            with pytest.raises(AssertionError):
                await until(lambda: cache.statistics().bus == "open", 2 * BOUND)


async def test_a_replaced_master_is_left(caches: Caches, own_sentinels: RedisSentinels) -> None:
    """After a failover the one that pushes is the one that is asked."""
    url = f"{own_sentinels.url}?tracking=true"
    cache = await caches.start(url, load_scripts=False, max_staleness=BOUND)
    assert cache.health().tracking == "on"
    old = own_sentinels.master()
    await asyncio.to_thread(own_sentinels.failover)
    new = own_sentinels.master()
    assert new is not old

    async with asyncio.timeout(30):
        while True:
            await cache.set(KEY, "value")
            await asyncio.sleep(0.1)
            is_there = new.command("EXISTS", RECORD) == b":1\r\n"
            if is_there and cache.peek(KEY) == "value" and cache.statistics().bus == "open":
                break
    assert cache.health().tracking == "on"

    new.command("DEL", RECORD)
    await until(lambda: cache.peek(KEY) is MISSING, BOUND + BUSY)
