"""The link to a real cluster: routing, redirections, migrations, pushes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import RedisCluster as Client
from redis.exceptions import NoScriptError, ResponseError

from asynccache.core.slots import slot_of
from asynccache.errors import CacheClosed, InvalidArgument, NotStarted, Unavailable
from asynccache.redis.cluster import ClusterLink
from asynccache.redis.linking import make_link
from asynccache.redis.listening import Listening, track
from asynccache.redis.scripts import Script, run
from asynccache.redis.settings import RedisSettings
from tests.support.listener import Ear
from tests.support.redis_cluster import RedisCluster
from tests.support.waiting import until

pytestmark = pytest.mark.integration

KEYS = [f"key:{number}" for number in range(60)]
"""Enough for each of three servers to have some."""


class Links:
    """Links to clusters that are closed in the end."""

    def __init__(self) -> None:
        self._links: list[ClusterLink] = []

    async def open(self, url: str, ear: Any = None, **settings: Any) -> ClusterLink:
        given = {"op_timeout": 10.0, "connect_timeout": 10.0, **settings}
        listening = None if ear is None else Listening([track("r:", "{r}:")], ear)
        link = ClusterLink(replace(RedisSettings.from_url(url), **given), listening=listening)
        await link.start()
        self._links.append(link)
        return link

    async def close(self) -> None:
        for link in self._links:
            await link.close()


@pytest.fixture
async def links() -> AsyncIterator[Links]:
    links = Links()
    yield links
    await links.close()


def values_of(server: Any, keys: list[str]) -> list[str]:
    """Return those of some keys that a server itself holds."""
    return [key for key in keys if server.command("EXISTS", key) == b":1\r\n"]


async def test_every_command_reaches_the_server_of_its_key(
    redis_cluster: RedisCluster, cluster_url: str, links: Links
) -> None:
    """One call for many servers: all replies, in the order of the commands."""
    link = await links.open(cluster_url)
    commands = [("SET", key, number) for number, key in enumerate(KEYS)]

    assert await link.call(*commands) == [b"OK"] * len(KEYS)
    replies = await link.call(*(("GET", key) for key in KEYS), ("PING",), ("ECHO", "anybody"))

    assert replies == [*(b"%d" % number for number in range(len(KEYS))), b"PONG", b"anybody"]
    held = [values_of(server, KEYS) for server in redis_cluster.primaries()]
    assert sorted(key for keys in held for key in keys) == sorted(KEYS)
    assert all(held)
    assert await link.call() == []
    assert (link.unavailable, link.state) == (0, "closed")


async def test_each_server_has_one_connection(
    redis_cluster: RedisCluster, cluster_url: str, links: Links
) -> None:
    """However many callers ask at once."""
    link = await links.open(cluster_url, client_name="one-each")
    replies = await asyncio.gather(*(link.call(("ECHO", key), ("GET", key)) for key in KEYS * 5))

    assert replies == [[key.encode(), None] for key in KEYS * 5]
    for server in redis_cluster.primaries():
        assert server.command("CLIENT", "LIST").count(b" name=one-each ") == 1


async def test_keys_in_different_slots_cannot_be_one_command(
    cluster_url: str, links: Links
) -> None:
    """It is the caller's mistake, told at once; an error reply stays in its place."""
    link = await links.open(cluster_url)
    with pytest.raises(InvalidArgument, match="MGET"):
        await link.call(("MGET", "a", "b"))

    await link.call(("LPUSH", "list", 1))
    error, value = await link.call(("GET", "list"), ("SET", "after", 1))
    assert isinstance(error, ResponseError)
    assert value == b"OK"


async def test_scripts_are_made_known_to_each_server(cluster_url: str, links: Links) -> None:
    """The first server that does not know one gets it in full, and so does the next one."""
    link = await links.open(cluster_url)
    script = Script("return {KEYS[1], ARGV[1], 'on every server'}")
    for key in KEYS:
        (before,) = await link.call(("EVALSHA", script.sha1, 1, key, "x"))
        assert isinstance(before, NoScriptError) or before[0] == key.encode()
        assert await run(link, (script, [key], ["x"])) == [[key.encode(), b"x", b"on every server"]]


async def test_a_client_of_the_user_shows_where_the_cluster_is(
    redis_cluster: RedisCluster, cluster_url: str
) -> None:
    """Also one that has found all servers itself by now, and stays usable beside the link."""
    assert cluster_url == redis_cluster.url
    async with Client(host="127.0.0.1", port=redis_cluster.nodes[0].port) as client:
        await client.set(KEYS[0], "theirs")
        settings = replace(RedisSettings.from_client(client), op_timeout=10.0)
        link = make_link(settings)
        await link.start()
        try:
            assert await link.call(("GET", KEYS[0])) == [b"theirs"]
            await asyncio.gather(*(link.call(("SET", key, "ours")) for key in KEYS))
            assert {await client.get(key) for key in KEYS} == {b"ours"}
        finally:
            await link.close()


async def test_a_moved_slot_is_followed_and_remembered(
    redis_cluster: RedisCluster, cluster_url: str, links: Links
) -> None:
    """MOVED corrects the map: the next command goes to the new owner at once."""
    link = await links.open(cluster_url, topology_interval=3_600)
    await link.call(("SET", "k", "v"))
    slot, source = slot_of("k"), redis_cluster.owner_of("k")
    target = next(each for each in redis_cluster.primaries() if each is not source)
    redis_cluster.migrate_slot(slot, target)
    try:
        assert await link.call(("GET", "k"), ("SET", "k", "new")) == [b"v", b"OK"]
        assert link._topology is not None
        slot_map = await link._topology.known()
        owner = slot_map.owner(slot)
        assert owner is not None
        assert owner.port == target.port
        assert values_of(target, ["k"]) == ["k"]
    finally:
        redis_cluster.migrate_slot(slot, source)


async def test_servers_without_the_names_they_prefer_are_where_they_were_asked(
    redis_cluster: RedisCluster, cluster_url: str, links: Links
) -> None:
    """They call themselves "?", in the map and when they redirect."""
    link = await links.open(cluster_url, topology_interval=3_600)
    await link.call(("SET", "k", "v"))
    slot, source = slot_of("k"), redis_cluster.owner_of("k")
    target = next(each for each in redis_cluster.primaries() if each is not source)
    endpoint = ("CONFIG", "SET", "cluster-preferred-endpoint-type")
    for server in redis_cluster.nodes:
        server.command(*endpoint, "hostname")
    redis_cluster.migrate_slot(slot, target)
    try:
        assert source.command("GET", "k") == f"-MOVED {slot} ?:{target.port}\r\n".encode()
        assert await link.call(("GET", "k")) == [b"v"]
        # On loopback that is right for all; a map with "?" for a host would reach nobody.
        other = await links.open(cluster_url)
        assert await other.call(*(("GET", key) for key in KEYS)) == [None] * len(KEYS)
    finally:
        redis_cluster.migrate_slot(slot, source)
        for server in redis_cluster.nodes:
            server.command(*endpoint, "ip")


async def test_a_migration_is_survived_command_by_command(
    redis_cluster: RedisCluster, cluster_url: str, links: Links
) -> None:
    """ASK leads to keys that have moved and to new ones; the others are still where they were."""
    link = await links.open(cluster_url)
    keys = [f"{{tag}}:{number}" for number in range(20)]
    await link.call(*(("SET", key, key) for key in keys))
    slot, source = slot_of("tag"), redis_cluster.owner_of("tag")
    target = next(each for each in redis_cluster.primaries() if each is not source)
    redis_cluster.begin_migration(slot, target)
    redis_cluster.move_keys(slot, target, 10)
    try:
        assert await link.call(*(("GET", key) for key in keys)) == [key.encode() for key in keys]
        assert await link.call(("SET", "{tag}:new", 1), ("GET", "{tag}:new")) == [b"OK", b"1"]
        there = target.command("CLUSTER", "GETKEYSINSLOT", str(slot), "100")
        assert (there.count(b"{tag}:"), b"{tag}:new" in there) == (11, True)
        assert await link.call(("UNLINK", keys[0]), ("UNLINK", keys[-1])) == [1, 1]
    finally:
        redis_cluster.move_keys(slot, target)
        redis_cluster.finish_migration(slot, target)

    assert await link.call(("GET", keys[1]), ("GET", "{tag}:new")) == [keys[1].encode(), b"1"]
    redis_cluster.migrate_slot(slot, source)


async def test_a_script_whose_keys_are_apart_is_tried_again(
    redis_cluster: RedisCluster, cluster_url: str, links: Links
) -> None:
    """TRYAGAIN: some milliseconds later both keys are on one server."""
    link = await links.open(cluster_url)
    keys = ["{pair}:a", "{pair}:b"]
    await link.call(*(("SET", key, 1) for key in keys))
    slot, source = slot_of("pair"), redis_cluster.owner_of("pair")
    target = next(each for each in redis_cluster.primaries() if each is not source)
    redis_cluster.begin_migration(slot, target)
    redis_cluster.move_keys(slot, target, 1)

    async def finish() -> None:
        await asyncio.sleep(0.03)
        redis_cluster.move_keys(slot, target)
        redis_cluster.finish_migration(slot, target)

    finishing = asyncio.create_task(finish())
    script = "return redis.call('EXISTS', KEYS[1]) + redis.call('EXISTS', KEYS[2])"
    replies = await link.call(("EVAL", script, 2, *keys))
    await finishing
    redis_cluster.migrate_slot(slot, source)

    assert replies == [2]


async def test_changes_on_every_primary_are_pushed(
    redis_cluster: RedisCluster, cluster_url: str, links: Links
) -> None:
    """Each reports its own keys, and a slot that has moved is reported by its new owner."""
    ear = Ear()
    await links.open(cluster_url, ear)
    other = await links.open(cluster_url)
    await until(lambda: len(ear.open) == 3)
    ports = {str(server.port) for server in redis_cluster.primaries()}
    assert {source.rpartition(":")[2] for source in ear.open} == ports

    names = [f"r:{number}" for number in range(30)]
    await other.call(*(("SET", name, 1) for name in names))
    await until(lambda: len(ear.keys) == 30)
    assert {key.decode() for key in ear.keys} == set(names)

    slot, source = slot_of("r"), redis_cluster.owner_of("r")
    target = next(each for each in redis_cluster.primaries() if each is not source)
    await other.call(("SET", "{r}:moving", 1))
    redis_cluster.migrate_slot(slot, target)
    await until(lambda: b"{r}:moving" in ear.keys)
    before = ear.keys.count(b"{r}:moving")
    await other.call(("SET", "{r}:moving", 2))
    await until(lambda: ear.keys.count(b"{r}:moving") > before)
    assert ear.heard[-1][1].endswith(f":{target.port}")
    redis_cluster.migrate_slot(slot, source)


async def test_every_primary_can_be_asked(
    redis_cluster: RedisCluster, cluster_url: str, links: Links
) -> None:
    """SCAN is a question to each."""
    link = await links.open(cluster_url)
    await link.call(*(("SET", key, 1) for key in KEYS))
    found: list[bytes] = []
    for primary in await link.primaries():
        ((_, keys),) = await primary.call(("SCAN", 0, "COUNT", 1_000))
        found += keys

    assert sorted(found) == sorted(key.encode() for key in KEYS)


async def test_a_cancelled_caller_is_nothing_to_the_others(cluster_url: str, links: Links) -> None:
    """A call that is on its way to three servers, too."""
    link = await links.open(cluster_url)
    await link.call(("PING",))
    calls = [
        asyncio.create_task(link.call(*(("ECHO", f"{key}:{n}") for key in KEYS[:5])))
        for n in range(100)
    ]
    for call in calls[::3]:
        await asyncio.sleep(0)
        call.cancel()
    await asyncio.wait(calls, timeout=10)
    for number, call in enumerate(calls):
        if not call.cancelled():
            assert call.result() == [f"{key}:{number}".encode() for key in KEYS[:5]]
    assert (link.unavailable, link.state) == (0, "closed")


async def test_a_link_that_is_not_running_says_so(cluster_url: str) -> None:
    """Before its start and after its end; what is under way ends with it."""
    link = ClusterLink(RedisSettings.from_url(cluster_url))
    with pytest.raises(NotStarted):
        await link.call(("PING",))
    before = asyncio.all_tasks()
    await link.start()
    await link.call(("GET", "k"))
    calls = [asyncio.create_task(link.call(("GET", key))) for key in KEYS]
    await asyncio.sleep(0)
    await link.close()
    await link.close()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} <= {CacheClosed, list}
    assert asyncio.all_tasks() == before
    with pytest.raises(CacheClosed):
        await link.call(("PING",))
    with pytest.raises(CacheClosed):
        await link.start()


async def test_a_server_that_is_no_cluster_is_unavailable(redis_url: str, links: Links) -> None:
    """And says why."""
    link = await links.open(redis_url.replace("redis://", "redis+cluster://"))

    with pytest.raises(Unavailable, match="cluster support disabled"):
        await link.call(("GET", "k"))
