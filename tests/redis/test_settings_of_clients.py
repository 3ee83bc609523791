"""Where Redis is: taken over from a client of the user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fakeredis
import pytest
import redis as redis_py
from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster, SSLConnection
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import Connection
from redis.asyncio.sentinel import Sentinel
from redis.credentials import UsernamePasswordCredentialProvider

from asynccache.core.addresses import Address
from asynccache.errors import InvalidArgument
from asynccache.redis.connections import make_connection
from asynccache.redis.sentinel import sentinel_settings
from asynccache.redis.settings import RedisSettings

SENTINEL = Sentinel([("h", 26379)])  # type: ignore[no-untyped-call]  # redis-py left it untyped
FORCED = Sentinel([("h", 26379)], force_master_ip="10.0.0.1")  # type: ignore[no-untyped-call]  # same


def test_a_client_lends_its_address_and_credentials_only() -> None:
    """What it decodes, retries and waits for is made for other work and stays with it."""
    client = Redis(
        host="h",
        port=6380,
        db=2,
        username="me",
        password="secret",
        decode_responses=True,
        socket_timeout=30,
        health_check_interval=10,
        protocol=3,
        client_name="theirs",
        socket_keepalive_options={1: 2},
    )
    settings = RedisSettings.from_client(client)
    connection = make_connection(settings)

    assert (settings.address, settings.db, settings.username) == ("h:6380", 2, "me")
    assert (connection.password, connection.username) == ("secret", "me")
    assert (connection.socket_timeout, connection.socket_connect_timeout) == (None, 0.25)
    assert connection.health_check_interval == 0
    assert connection.protocol == 2
    assert connection.client_name == "asynccache"
    assert connection.encoder.decode_responses is False
    assert vars(connection)["socket_keepalive_options"] == {1: 2}


def test_a_client_with_tls_lends_its_certificates(tmp_path: Path) -> None:
    """Its own kind of connection is used, with its own arguments."""
    client = Redis.from_url("rediss://h", ssl_ca_certs="/etc/ca.pem", ssl_check_hostname=False)
    connection = make_connection(RedisSettings.from_client(client))

    assert isinstance(connection, SSLConnection)
    assert connection.ca_certs == "/etc/ca.pem"
    assert connection.check_hostname is False


def test_a_client_on_a_socket_lends_its_path() -> None:
    """The address shows the path."""
    settings = RedisSettings.from_client(Redis(unix_socket_path="/run/redis.sock"))

    assert settings.address == "/run/redis.sock"
    assert vars(make_connection(settings))["path"] == "/run/redis.sock"


def test_a_pool_of_the_user_is_read_too() -> None:
    """It does not matter how the client was built."""
    pool = BlockingConnectionPool.from_url("redis://:secret@h:6381/5", max_connections=50)
    settings = RedisSettings.from_client(Redis(connection_pool=pool))

    assert (settings.address, settings.db, settings.password) == ("h:6381", 5, "secret")


def test_a_fake_client_lends_its_fake_server() -> None:
    """Tests of applications run on fakeredis, without any server."""
    server = fakeredis.FakeServer()
    settings = RedisSettings.from_client(fakeredis.FakeAsyncRedis(server=server))

    assert vars(make_connection(settings))["_server"] is server


def test_a_client_of_a_cluster_lends_its_first_servers() -> None:
    """All that it was given; what it has found out since is found out anew."""
    client = RedisCluster(
        startup_nodes=[ClusterNode("a", 7000), ClusterNode("b", 7001)],
        username="me",
        password="secret",
        socket_timeout=30,
        ssl=True,
        ssl_check_hostname=False,
    )
    settings = RedisSettings.from_client(client)
    connection = make_connection(settings, Address("c", 7002))

    assert settings.cluster
    assert {Address(settings.host, settings.port), *settings.nodes} == {("a", 7000), ("b", 7001)}
    assert isinstance(connection, SSLConnection)
    assert (connection.host, connection.port) == ("c", 7002)
    assert (connection.username, connection.password) == ("me", "secret")
    assert connection.socket_timeout is None
    assert connection.check_hostname is False


def test_a_client_that_sentinels_watch_over_lends_them() -> None:
    """Their addresses and credentials, and the master's name; it is us who ask them."""
    sentinel = Sentinel(  # type: ignore[no-untyped-call]  # redis-py left it untyped
        [("s", 26379), ("t", 26380)],
        sentinel_kwargs={"username": "su", "password": "sp"},
        password="mp",
        db=2,
        ssl=True,
    )
    settings = RedisSettings.from_client(sentinel.master_for("mymaster"))
    connection = make_connection(settings, Address("m", 6380))

    assert (settings.sentinels, settings.sentinel_master) == (
        (("s", 26379), ("t", 26380)),
        "mymaster",
    )
    assert (settings.sentinel_username, settings.sentinel_password) == ("su", "sp")
    assert type(connection) is SSLConnection
    assert (connection.host, connection.port, connection.db) == ("m", 6380, 2)
    assert connection.password == "mp"


def test_a_credential_provider_is_taken_over() -> None:
    """It is asked again for every connection."""
    provider = UsernamePasswordCredentialProvider("me", "secret")
    settings = RedisSettings.from_client(Redis(credential_provider=provider))

    assert settings.credential_provider is provider
    assert make_connection(settings).credential_provider is provider


@pytest.mark.parametrize(
    ("theirs", "kinds"),
    [
        ({"ssl": True}, (SSLConnection, Connection)),
        ({"sentinel_kwargs": {"ssl": True}}, (Connection, SSLConnection)),
        ({"ssl": True, "sentinel_kwargs": {"ssl": True}}, (SSLConnection, SSLConnection)),
    ],
)
def test_sentinels_are_spoken_to_as_the_client_speaks_to_them(
    theirs: dict[str, Any], kinds: tuple[type, type]
) -> None:
    """Not as to the master: either may have TLS without the other."""
    sentinel = Sentinel([("s", 26379)], **theirs)  # type: ignore[no-untyped-call]  # as above
    settings = RedisSettings.from_client(sentinel.master_for("mymaster"))
    asked = sentinel_settings(settings, Address(*settings.sentinels[0]))

    assert (type(make_connection(settings)), type(make_connection(asked))) == kinds


def test_sentinels_are_given_their_own_certificates_and_credentials() -> None:
    """All arguments of theirs are taken over, and none of the master's."""
    provider = UsernamePasswordCredentialProvider("su", "sp")
    sentinel = Sentinel(  # type: ignore[no-untyped-call]  # as above
        [("s", 26379), ("t", 26380)],
        sentinel_kwargs={"ssl": True, "ssl_ca_certs": "/s.pem", "credential_provider": provider},
        ssl=True,
        ssl_ca_certs="/m.pem",
        username="mu",
        password="mp",
        db=2,
    )
    settings = RedisSettings.from_client(sentinel.master_for("mymaster"))
    place = Address(*settings.sentinels[1])
    connection = make_connection(sentinel_settings(settings, place), place)

    assert isinstance(connection, SSLConnection)
    assert connection.ca_certs == "/s.pem"
    assert connection.credential_provider is provider
    assert (connection.username, connection.password) == (None, None)
    assert (connection.host, connection.port, connection.db) == ("t", 26380, 0)


def test_a_cluster_lends_its_credential_provider() -> None:
    """As a client of one server does."""
    provider = UsernamePasswordCredentialProvider("me", "secret")
    settings = RedisSettings.from_client(RedisCluster("h", 7000, credential_provider=provider))

    assert make_connection(settings).credential_provider is provider


@pytest.mark.parametrize(
    ("client", "problem"),
    [
        (SENTINEL.slave_for("mymaster"), "a client of replicas"),
        (RedisCluster("h", 7000, address_remap=lambda place: place), "address_remap"),
        (FORCED.master_for("mymaster"), "force_master_ip"),
        (redis_py.Redis(), "must be a client of redis.asyncio"),
        ("redis://h", "got str"),
        (None, "got NoneType"),
    ],
)
def test_another_client_is_refused(client: Any, problem: str) -> None:
    """The error says what is possible instead."""
    with pytest.raises(InvalidArgument, match=problem) as caught:
        RedisSettings.from_client(client)

    assert caught.value.argument == "redis"
