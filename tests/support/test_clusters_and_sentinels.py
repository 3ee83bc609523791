"""The clusters and sentinels of the tests do what the tests rely on."""

from __future__ import annotations

import pytest

from asynccache.core.slots import slot_of
from tests.support.redis_cluster import RedisCluster
from tests.support.redis_sentinel import RedisSentinels
from tests.support.redis_server import RedisServer, available_servers, find_redis_server

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def test_every_server_here_is_found_and_starts() -> None:
    """At least the one that the other tests use."""
    servers = available_servers()

    assert find_redis_server() in servers.values()
    for binary in servers.values():
        with RedisServer(binary=binary) as server:
            assert server.command("PING") == b"+PONG\r\n"


def test_a_replica_takes_over_from_a_primary(own_cluster: RedisCluster) -> None:
    """Gracefully, and when the primary was killed."""
    first = own_cluster.owner_of("k")
    own_cluster.failover(first)
    second = own_cluster.owner_of("k")
    assert second is not first
    second.kill()
    own_cluster.wait_until_ok()

    assert own_cluster.owner_of("k") is first
    assert len(own_cluster.primaries()) == 3


def test_a_slot_moves_with_its_keys(redis_cluster: RedisCluster, cluster_url: str) -> None:
    """In steps: between them some keys are here, and some there."""
    assert cluster_url == redis_cluster.url
    source = redis_cluster.owner_of("k")
    target = next(each for each in redis_cluster.primaries() if each is not source)
    slot = slot_of("k")
    for number in range(4):
        source.command("SET", f"{{k}}{number}", "v")

    def counts() -> list[bytes]:
        return [
            each.command("CLUSTER", "COUNTKEYSINSLOT", str(slot)).strip()
            for each in (source, target)
        ]

    redis_cluster.begin_migration(slot, target)
    redis_cluster.move_keys(slot, target, 3)
    assert counts() == [b":1", b":3"]
    assert redis_cluster.owner_of("k") is source
    redis_cluster.move_keys(slot, target)
    redis_cluster.finish_migration(slot, target)
    assert counts() == [b":0", b":4"]
    assert redis_cluster.owner_of("k") is target
    redis_cluster.migrate_slot(slot, source)


def test_a_frozen_master_is_replaced_and_demoted_when_it_is_back(
    own_sentinels: RedisSentinels,
) -> None:
    """That is what sentinels are for."""
    old = own_sentinels.master()
    old.pause()
    new = own_sentinels.wait_for_master_other_than(old)
    old.resume()
    own_sentinels._wait(lambda: b"role:slave" in old.command("INFO", "replication"), "a demotion")

    assert own_sentinels.master() is new
    assert own_sentinels.replica() is old
