"""Where Redis is: from arguments, URLs and the environment."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.credentials import UsernamePasswordCredentialProvider

from asynccache.core.addresses import Address
from asynccache.errors import ArgumentTypeError, InvalidArgument
from asynccache.redis.settings import RedisSettings

PROVIDER = UsernamePasswordCredentialProvider("me", "secret")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://", {}),
        ("redis:///", {}),
        ("redis://localhost", {}),
        ("redis://cache.example:6380/3", {"host": "cache.example", "port": 6380, "db": 3}),
        ("redis://[::1]:6380", {"host": "::1", "port": 6380}),
        ("redis://:secret@h", {"host": "h", "password": "secret"}),
        ("redis://me:secret@h", {"host": "h", "username": "me", "password": "secret"}),
        ("redis://me:p%40%2F%3F%23s@h", {"host": "h", "username": "me", "password": "p@/?#s"}),
        ("redis://h/0?db=2", {"host": "h", "db": 2}),
        ("redis://h?password=secret", {"host": "h", "password": "secret"}),
        (
            "redis://h?op_timeout=0.1&connect_timeout=0.2&max_pending=5&client_name=shop",
            {
                "host": "h",
                "op_timeout": 0.1,
                "connect_timeout": 0.2,
                "max_pending": 5,
                "client_name": "shop",
            },
        ),
        ("redis://h?tracking=true", {"host": "h", "tracking": True}),
        ("rediss://h", {"host": "h", "tls": True}),
        ("rediss://h?tls_verify=false", {"host": "h", "tls": True, "tls_verify": False}),
        ("unix:///run/redis.sock", {"unix_socket": "/run/redis.sock"}),
        ("unix:///run/my%20redis.sock?db=4", {"unix_socket": "/run/my redis.sock", "db": 4}),
        (
            "unix://me:secret@/run/redis.sock",
            {"unix_socket": "/run/redis.sock", "username": "me", "password": "secret"},
        ),
        ("redis+cluster://", {"cluster": True}),
        (
            "redis+cluster://me:secret@a:7000,b,[::1]:7002/?topology_interval=5",
            {
                "host": "a",
                "port": 7000,
                "username": "me",
                "password": "secret",
                "cluster": True,
                "nodes": (Address("b", 6379), Address("::1", 7002)),
                "topology_interval": 5.0,
            },
        ),
        ("rediss+cluster://h", {"host": "h", "cluster": True, "tls": True}),
        (
            "redis+sentinel://:secret@a,b:26380/my%20master/2?sentinel_username=s&sentinel_password=t",
            {
                "password": "secret",
                "db": 2,
                "sentinels": (Address("a", 26379), Address("b", 26380)),
                "sentinel_master": "my master",
                "sentinel_username": "s",
                "sentinel_password": "t",
            },
        ),
        (
            "rediss+sentinel://a/mymaster",
            {"tls": True, "sentinels": (Address("a", 26379),), "sentinel_master": "mymaster"},
        ),
    ],
)
def test_a_url_is_read(url: str, expected: dict[str, Any]) -> None:
    """A URL says where Redis is, and any setting may follow; the rest are defaults."""
    assert RedisSettings.from_url(url) == RedisSettings(**expected)


@pytest.mark.parametrize(
    ("url", "argument", "problem"),
    [
        ("http://h", "url", "memory://, redis://, rediss://, unix://, redis+cluster://"),
        ("http://h", "url", "rediss+sentinel://, got http://"),
        ("redis://h:1,i:2", "url", "no valid host and port"),
        ("redis+cluster://h:1,i:x", "url", "no valid host and port"),
        ("redis+cluster://h:0", "url", "no valid host and port"),
        ("redis+cluster://h/1", "db", "a cluster has one database"),
        ("redis+cluster://h?nodes=i:1", "url", "unknown query argument 'nodes'"),
        ("redis+sentinel://h", "url", "like redis+sentinel://host:26379/mymaster/0"),
        ("redis+sentinel:///mymaster", "url", "like redis+sentinel://host:26379/mymaster/0"),
        ("redis+sentinel://h/mymaster/one", "url", "the number of a database"),
        ("redis+sentinel://h/mymaster?sentinel_username=s", "sentinel_username", "needs a"),
        ("redis://h?sentinel_password=s", "sentinel_password", "for sentinels only"),
        ("localhost:6379", "url", "must begin with one of memory://, redis://"),
        ("", "url", "must begin with one of"),
        ("memory://", "url", "a cache without Redis"),
        ("redis://h:0", "port", "at least 1"),
        ("redis://h:65536", "url", "no valid host and port"),
        ("redis://h:x", "url", "no valid host and port"),
        ("redis://[::1", "url", "no valid host and port"),
        ("redis://h/one", "url", "the number of a database"),
        ("redis://h/-1", "url", "the number of a database"),
        ("redis://h?db=-1", "db", "0 or more"),
        ("redis://h?db=one", "url (db)", "must be a whole number, got 'one'"),
        ("redis://h?colour=red", "url", "unknown query argument 'colour'; known are client_name"),
        ("redis://h?ssl_cert_reqs=none", "url", "unknown query argument 'ssl_cert_reqs'"),
        ("redis://h?op_timeout=soon", "url (op_timeout)", "a number of seconds"),
        ("redis://h?op_timeout=0", "op_timeout", "more than 0"),
        ("redis://h?tls_verify=maybe", "url (tls_verify)", "true or false"),
        ("redis://h#1", "url", "percent-encoded"),
        ("redis://me@h", "username", "needs a password"),
        ("unix://", "url", "absolute path"),
        ("unix://run/redis.sock", "url", "absolute path"),
    ],
)
def test_a_bad_url_is_refused(url: str, argument: str, problem: str) -> None:
    """The error names what is wrong, and lists what would be right."""
    with pytest.raises(InvalidArgument) as caught:
        RedisSettings.from_url(url)

    assert caught.value.argument == argument
    assert problem in str(caught.value)


def test_a_url_must_be_a_str() -> None:
    """Another type is named, and its value is not shown."""
    with pytest.raises(ArgumentTypeError, match=r"url: must be a str .* got bytes"):
        RedisSettings.from_url(b"redis://:hush@h")  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize("password", ["hu/sh", "hu?sh", "hu#sh", "hu@/sh", "hu]sh", "hu/sh?sh=sh"])
def test_an_unescaped_password_is_never_shown(password: str) -> None:
    """A URL that cannot be read because of its password yields an error without any part of it."""
    with pytest.raises(InvalidArgument) as caught:
        RedisSettings.from_url(f"redis://:{password}@h:6379/0")

    assert "percent-encoded" in str(caught.value)
    assert "hu" not in str(caught.value)
    assert "sh" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    [
        "redis+cluster://:hu/sh@h:7000,i:7001",
        "redis+cluster://h:7000,:hu?sh@i:7001",
        "redis+cluster://h:hush",
        "redis+sentinel://:hu/sh@h/mymaster",
        "redis+sentinel://:hu#sh@h/mymaster",
        "redis+sentinel://h/mymaster/hush",
    ],
)
def test_an_unescaped_password_in_front_of_several_hosts_is_never_shown(url: str) -> None:
    """No part of such a URL is repeated either."""
    with pytest.raises(InvalidArgument, match="percent-encoded") as caught:
        RedisSettings.from_url(url)

    assert "hu" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", ["NODES", "SENTINELS"])
@pytest.mark.parametrize("text", ["redis://:hush@h:7000", "h:7000,me:hush@i:7001"])
def test_a_list_of_servers_with_a_password_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    """Somebody will write URLs there, and find out from a log that it is a list of addresses."""
    monkeypatch.setenv(f"SHOP_{name}", text)

    with pytest.raises(InvalidArgument, match="must be host:port,host:port") as caught:
        RedisSettings.from_environment("SHOP_")

    assert caught.value.argument == f"SHOP_{name}"
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        RedisSettings(username="me", password="hush"),
        RedisSettings.from_url("redis://me:hush@h"),
        RedisSettings.from_client(Redis(host="h", username="me", password="hush")),
    ],
)
def test_the_password_is_not_in_the_repr(settings: RedisSettings) -> None:
    """Settings end up in logs; passwords must not."""
    assert "hush" not in repr(settings)
    assert "hush" not in settings.address
    assert settings.password == "hush"


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"host": ""}, "host"),
        ({"host": None}, "host"),
        ({"host": 1}, "host"),
        ({"port": 0}, "port"),
        ({"port": 65_536}, "port"),
        ({"port": "6379"}, "port"),
        ({"db": -1}, "db"),
        ({"db": True}, "db"),
        ({"password": b"x"}, "password"),
        ({"username": "me"}, "username"),
        ({"unix_socket": ""}, "unix_socket"),
        ({"op_timeout": 0}, "op_timeout"),
        ({"op_timeout": "1"}, "op_timeout"),
        ({"connect_timeout": -1}, "connect_timeout"),
        ({"max_pending": 0}, "max_pending"),
        ({"topology_interval": 0}, "topology_interval"),
        ({"credential_provider": "me"}, "credential_provider"),
        ({"credential_provider": PROVIDER, "password": "secret"}, "credential_provider"),
        ({"cluster": 1}, "cluster"),
        ({"cluster": True, "db": 1}, "db"),
        ({"cluster": True, "tracking": True}, "tracking"),
        ({"tracking": "auto"}, "tracking"),
        ({"cluster": True, "unix_socket": "/s"}, "unix_socket"),
        ({"nodes": [("h", 1)]}, "nodes"),
        ({"cluster": True, "nodes": ["h:1"]}, "nodes"),
        ({"cluster": True, "nodes": "h:1"}, "nodes"),
        ({"cluster": True, "nodes": [("h", 0)]}, "nodes"),
        ({"cluster": True, "nodes": [("", 1)]}, "nodes"),
        ({"sentinels": [("h", 26379)]}, "sentinel_master"),
        ({"sentinel_master": "mymaster"}, "sentinels"),
        ({"sentinels": [("h", "26379")], "sentinel_master": "m"}, "sentinels"),
        ({"sentinels": [("h", 1)], "sentinel_master": "m", "cluster": True}, "cluster"),
        ({"sentinels": [("h", 1)], "sentinel_master": "m", "unix_socket": "/s"}, "unix_socket"),
        ({"sentinel_password": "s"}, "sentinel_password"),
        ({"client_name": "two words"}, "client_name"),
        ({"client_name": ""}, "client_name"),
        ({"tls": 1}, "tls"),
        ({"tls_verify": None}, "tls_verify"),
        ({"tls": True, "unix_socket": "/s"}, "tls"),
        ({"tls_ca_file": __file__}, "tls_ca_file"),
        ({"tls": True, "tls_ca_file": "/no/such/file"}, "tls_ca_file"),
        ({"tls": True, "tls_key_file": __file__}, "tls_key_file"),
    ],
)
def test_a_setting_out_of_range_is_named(arguments: dict[str, Any], argument: str) -> None:
    """Every setting is checked at once, and the error names it."""
    with pytest.raises(InvalidArgument) as caught:
        RedisSettings(**arguments)

    assert caught.value.argument == argument


def test_durations_may_be_timedeltas() -> None:
    """Like everywhere else, and they are kept as seconds."""
    settings = RedisSettings(op_timeout=timedelta(milliseconds=80))  # type: ignore[arg-type]  # kept as float

    assert settings.op_timeout == 0.08


def test_settings_cannot_be_changed() -> None:
    """They are shared by everything that connects."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        RedisSettings().host = "elsewhere"  # type: ignore[misc]  # the mistake


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """One variable holds a URL, and each setting has one that wins over it."""
    monkeypatch.setenv("ASYNCCACHE_REDIS_URL", "redis://:secret@h:6380/1")
    monkeypatch.setenv("ASYNCCACHE_REDIS_DB", "2")
    monkeypatch.setenv("ASYNCCACHE_REDIS_OP_TIMEOUT", "0.1")
    monkeypatch.setenv("ASYNCCACHE_REDIS_CLIENT_NAME", "")

    assert RedisSettings.from_environment() == RedisSettings(
        host="h", port=6380, password="secret", db=2, op_timeout=0.1
    )


def test_lists_of_servers_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Separated by commas; each part of a set-up may have a variable of its own."""
    monkeypatch.setenv("CLUSTER_HOST", "a")
    monkeypatch.setenv("CLUSTER_CLUSTER", "true")
    monkeypatch.setenv("CLUSTER_NODES", "b:7001, [::1]:7002")
    monkeypatch.setenv("WATCHED_SENTINELS", "s:26379,t:26380")
    monkeypatch.setenv("WATCHED_SENTINEL_MASTER", "mymaster")
    monkeypatch.setenv("WATCHED_SENTINEL_PASSWORD", "secret")

    assert RedisSettings.from_environment("CLUSTER_") == RedisSettings(
        host="a", cluster=True, nodes=(Address("b", 7001), Address("::1", 7002))
    )
    assert RedisSettings.from_environment("WATCHED_") == RedisSettings(
        sentinels=(Address("s", 26379), Address("t", 26380)),
        sentinel_master="mymaster",
        sentinel_password="secret",
    )


def test_an_address_is_told_without_secrets() -> None:
    """One server's place, a socket's path, or the master's name and its sentinels."""
    url = "redis+sentinel://:hush-hush@a,b:26380/mymaster?sentinel_password=hush-hush"
    watched = RedisSettings.from_url(url)

    assert RedisSettings(host="::1").address == "[::1]:6379"
    assert RedisSettings(unix_socket="/s").address == "/s"
    assert watched.address == "mymaster (a:26379, b:26380)"
    assert "hush-hush" not in repr(watched)


def test_an_empty_environment_means_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to be set."""
    assert RedisSettings.from_environment("NOTHING_BEGINS_WITH_THIS_") == RedisSettings()


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("SHOP_PORT", "http"),
        ("SHOP_TLS", "on-off"),
        ("SHOP_URL", "http://h"),
        ("SHOP_NODES", "a:7000,b"),
    ],
)
def test_a_variable_at_fault_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    """Whoever deploys reads the name that they have set."""
    monkeypatch.setenv(variable, text)

    with pytest.raises(InvalidArgument) as caught:
        RedisSettings.from_environment("SHOP_")

    assert caught.value.argument == variable
