"""What a cache is made with: each mistake is named where it is made, before anything runs."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from asynccache import ArgumentTypeError, Cache, InvalidArgument, Policy, RedisSettings
from tests.support.identifiers import readable_id


@pytest.mark.parametrize(
    ("arguments", "argument", "text"),
    [
        ({"url": "http://localhost"}, "url", "must begin with one of memory://, redis://"),
        ({"url": "localhost:6379"}, "url", "must begin with one of memory://, redis://"),
        ({"url": ""}, "url", "must begin with one of memory://, redis://"),
        ({"url": "memory://x"}, "url", "memory:// is a cache without Redis: it has no set"),
        ({"url": "redis://localhost/zero"}, "url", "must end with the number of a database"),
        (
            {"url": "redis://localhost", "redis": Redis()},
            "redis",
            "give a url or a client, not both",
        ),
        ({"namespace": ""}, "namespace", "must be 1 to 64 letters, digits or any of"),
        ({"namespace": "a b"}, "namespace", "must be 1 to 64 letters, digits or any of"),
        ({"namespace": "{a}"}, "namespace", "must be 1 to 64 letters, digits or any of"),
        ({"namespace": "n" * 65}, "namespace", "must be 1 to 64 letters, digits or any of"),
        ({"name": ""}, "name", "must not be empty"),
        ({"max_entries": 0}, "max_entries", "must be at least 1, got 0"),
        ({"max_bytes": 0}, "max_bytes", "must be at least 1, got 0"),
        ({"max_bytes": 0, "weigher": len}, "max_bytes", "must be at least 1, got 0"),
        ({"max_staleness": 0.05}, "max_staleness", "must be at least 0.1 s, got 0.05"),
        ({"max_staleness": 0}, "max_staleness", "must be more than 0"),
        ({"shutdown_timeout": -1}, "shutdown_timeout", "must be more than 0"),
        ({"secret": "too short"}, "secret", "must be at least 16 bytes, for example from"),
        ({"secret": b""}, "secret", "must be at least 16 bytes, for example from"),
    ],
)
def test_values_out_of_range(arguments: dict[str, Any], argument: str, text: str) -> None:
    """The error names the argument and says what it may be."""
    with pytest.raises(InvalidArgument, match=f"^{argument}: {re.escape(text)}") as caught:
        Cache(**arguments)

    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *(("url", 6379), ("url", None), ("url", b"redis://localhost"), ("redis", "redis://x")),
        *(("redis", object()), ("namespace", None), ("namespace", b"shop"), ("name", 7)),
        *(("policy", 300), ("policy", {"ttl": 300}), ("codec", "json"), ("codec", object())),
        *(("max_entries", "many"), ("max_entries", 1.5), ("max_entries", True)),
        *(("on_removal", 7), ("weigher", 7), ("max_staleness", "2"), ("shutdown_timeout", None)),
        *(("secret", 7), ("clock", 7)),
    ],
)
def test_values_of_other_types(argument: str, value: Any) -> None:
    """The error names the argument and the type that it got."""
    with pytest.raises(ArgumentTypeError, match=f"^{argument}: must be ") as caught:
        Cache(**{argument: value})

    assert str(caught.value).endswith(f", got {type(value).__name__}")


def test_a_secret_is_not_told() -> None:
    """Neither in the error about it, nor by the cache that has it."""
    with pytest.raises(InvalidArgument) as caught:
        Cache("redis://localhost", secret="hunter2")

    assert "hunter2" not in str(caught.value)
    assert "correct horse" not in repr(Cache("memory://", secret="correct horse battery"))
    assert "pa55word" not in repr(Cache("redis://user:pa55word@localhost:6379/0"))


def test_positional_arguments_stop_after_the_url() -> None:
    """Everything else is named, so that options can be added in any order."""
    with pytest.raises(TypeError, match="positional"):
        Cache("memory://", None)  # type: ignore[call-arg]  # on purpose


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"url": "memory://"},
        {"url": "redis://localhost:6379/0"},
        {"url": RedisSettings.from_url("redis://localhost")},
        {"redis": Redis(host="localhost")},
        {"namespace": "shop:v2/eu@1.0_x-y"},
        {"max_staleness": timedelta(milliseconds=100), "shutdown_timeout": timedelta(seconds=1)},
        {"secret": b"0123456789abcdef"},
        {"secret": "ünïcödé-ünïcöd"},
        {"policy": Policy(ttl=None, grace=3_600, jitter=0.5)},
        {"max_entries": 1, "max_bytes": 1, "weigher": lambda key, value: 1},
    ],
    ids=readable_id,
)
def test_what_is_accepted(arguments: dict[str, Any]) -> None:
    """Making a cache needs no event loop and connects to nothing."""
    assert repr(Cache(**arguments)).endswith(" stopped>")


def test_a_cache_tells_what_it_was_made_with() -> None:
    """Its names, its policy, and its codec."""
    policy = Policy(ttl=7)
    cache = Cache("memory://", name="sessions", namespace="shop", policy=policy)

    assert (cache.name, cache.namespace, cache.policy) == ("sessions", "shop", policy)
    assert cache.codec.decode(cache.codec.encode([1])) == [1]
