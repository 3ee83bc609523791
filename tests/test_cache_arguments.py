"""Bad arguments: an error at once that names the argument, what it got, and what to do."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from asynccache import ArgumentTypeError, Cache, InvalidArgument, Policy
from tests.support.loading import Counted

Call = Callable[[Cache, Any], Awaitable[Any]]

LATER = 11 * 365 * 86_400
"""Longer than the ten years that are taken for a mistake of units."""

BAD_KEYS: list[tuple[Any, str]] = [
    (None, "must be a str; build it with an f-string or a key template, got NoneType"),
    (7, "must be a str; build it with an f-string or a key template, got int"),
    (b"key", "must be a str; build it with an f-string or a key template, got bytes"),
    (["key"], "must be a str; build it with an f-string or a key template, got list"),
    ("", "must not be empty"),
    ("k" * 8_193, "must be at most 8192 characters, got 8193"),
    ("\ud800", "must be encodable as UTF-8 (it holds a lone surrogate)"),
]

WITH_KEY: dict[str, Call] = {
    "get": lambda cache, key: cache.get(key),
    "get_or_load": lambda cache, key: cache.get_or_load(key, Counted()),
    "refresh": lambda cache, key: cache.refresh(key, Counted()),
    "set": lambda cache, key: cache.set(key, 1),
    "add": lambda cache, key: cache.add(key, 1),
    "incr": lambda cache, key: cache.incr(key),
    "touch": lambda cache, key: cache.touch(key),
    "delete": lambda cache, key: cache.delete(key),
    "expire": lambda cache, key: cache.expire(key),
}

WITH_KEYS: dict[str, Call] = {
    "get_many": lambda cache, keys: cache.get_many(keys),
    "get_or_load_many": lambda cache, keys: cache.get_or_load_many(keys, load_missing),
    "delete_many": lambda cache, keys: cache.delete_many(keys),
}

BAD_TTLS: list[tuple[Any, str]] = [
    (0, "must be more than 0 and at most ten years of seconds, got 0"),
    (-1, "must be more than 0 and at most ten years of seconds, got -1"),
    (-0.5, "must be more than 0 and at most ten years of seconds, got -0.5"),
    (LATER, f"must be more than 0 and at most ten years of seconds, got {LATER}"),
    (math.inf, "must be more than 0 and at most ten years of seconds, got inf"),
    (math.nan, "must be a number of seconds, got nan"),
    (
        timedelta(0),
        "must be more than 0 and at most ten years of seconds, got datetime.timedelta(0)",
    ),
    (True, "must be a number of seconds or a timedelta, got bool"),
    ("60", "must be a number of seconds or a timedelta, got str"),
]

WITH_TTL: dict[str, Call] = {
    "get_or_load": lambda cache, ttl: cache.get_or_load("key", Counted(), ttl=ttl),
    "get_or_load_many": lambda cache, ttl: cache.get_or_load_many(["key"], load_missing, ttl=ttl),
    "refresh": lambda cache, ttl: cache.refresh("key", Counted(), ttl=ttl),
    "set": lambda cache, ttl: cache.set("key", 1, ttl=ttl),
    "set_many": lambda cache, ttl: cache.set_many({"key": 1}, ttl=ttl),
    "add": lambda cache, ttl: cache.add("key", 1, ttl=ttl),
    "incr": lambda cache, ttl: cache.incr("key", ttl=ttl),
    "touch": lambda cache, ttl: cache.touch("key", ttl=ttl),
}

WITH_POLICY: dict[str, Call] = {
    "get": lambda cache, policy: cache.get("other", policy=policy),
    "get_many": lambda cache, policy: cache.get_many(["key"], policy=policy),
    "get_or_load": lambda cache, policy: cache.get_or_load("other", Counted(), policy=policy),
    "get_or_load_many": lambda cache, policy: cache.get_or_load_many(
        ["key"], load_missing, policy=policy
    ),
    "refresh": lambda cache, policy: cache.refresh("key", Counted(), policy=policy),
    "set": lambda cache, policy: cache.set("key", 1, policy=policy),
    "set_many": lambda cache, policy: cache.set_many({"key": 1}, policy=policy),
    "add": lambda cache, policy: cache.add("key", 1, policy=policy),
    "incr": lambda cache, policy: cache.incr("key", policy=policy),
    "touch": lambda cache, policy: cache.touch("key", policy=policy),
}


def calls(table: dict[str, Call]) -> pytest.MarkDecorator:
    """Run a test for every call of a table."""
    return pytest.mark.parametrize("call", table.values(), ids=table.keys())


async def load_missing(keys: list[str]) -> dict[str, int]:
    """A bulk loader."""
    return dict.fromkeys(keys, 1)


async def refused(call: Call, cache: Cache, value: object, argument: str, text: str) -> None:
    """Make a call that must be refused: with the argument's name, and without any effect."""
    before = cache.statistics()
    with pytest.raises(InvalidArgument, match=f"^{argument}: {re.escape(text)}") as caught:
        await call(cache, value)
    assert caught.value.argument == argument
    after = cache.statistics()
    assert (after.l1_entries, after.loads, after.flights) == (before.l1_entries, before.loads, 0)


@pytest.mark.parametrize(("key", "text"), BAD_KEYS)
@calls(WITH_KEY)
async def test_keys(cache: Cache, call: Call, key: object, text: str) -> None:
    """A key is a str of 1 to 8,192 characters."""
    await refused(call, cache, key, "key", text)


@pytest.mark.parametrize(("key", "text"), BAD_KEYS)
@calls(WITH_KEYS)
async def test_several_keys(cache: Cache, call: Call, key: object, text: str) -> None:
    """One bad key refuses the whole call."""
    await refused(call, cache, ["good", key], "keys", text)


@pytest.mark.parametrize(("key", "text"), [each for each in BAD_KEYS if each[0] != ["key"]])
async def test_the_keys_of_a_mapping(cache: Cache, key: object, text: str) -> None:
    """``set_many`` looks at all of them before it stores any."""
    await refused(
        lambda cache, values: cache.set_many(values), cache, {"good": 1, key: 2}, "values", text
    )


@pytest.mark.parametrize("keys", ["abc", None, 7], ids=repr)
@calls(WITH_KEYS)
async def test_what_is_not_several_keys(cache: Cache, call: Call, keys: object) -> None:
    """A str is iterable, and never meant as several one-letter keys."""
    kind = type(keys).__name__
    text = f"must be several str, in a list or another iterable, got {kind}"
    with pytest.raises(ArgumentTypeError, match=f"^keys: {text}$"):
        await call(cache, keys)


@pytest.mark.parametrize("values", [[("key", 1)], None, "key"], ids=repr)
async def test_what_is_no_mapping(cache: Cache, values: Any) -> None:
    """The error says what it should be."""
    with pytest.raises(ArgumentTypeError, match=r"^values: must be a mapping of keys to values"):
        await cache.set_many(values)


@pytest.mark.parametrize("held", [False, True], ids=["miss", "hit"])
@pytest.mark.parametrize(("ttl", "text"), BAD_TTLS)
@calls(WITH_TTL)
async def test_lifetimes(cache: Cache, call: Call, ttl: object, text: str, held: bool) -> None:
    """A mistake shows in the first call, and not only when the key is missing."""
    if held:
        await cache.set("key", 1)
    await refused(call, cache, ttl, "ttl", text)


@pytest.mark.parametrize("policy", [300, {"ttl": 300}, Policy], ids=repr)
@calls(WITH_POLICY)
async def test_policies(cache: Cache, call: Call, policy: object) -> None:
    """A policy is a Policy."""
    with pytest.raises(ArgumentTypeError, match=r"^policy: must be a Policy, got"):
        await call(cache, policy)


@pytest.mark.parametrize("loader", [None, "loader", 7])
@pytest.mark.parametrize("method", ["get_or_load", "refresh"])
async def test_loaders(cache: Cache, method: str, loader: object) -> None:
    """A loader is a function."""
    with pytest.raises(ArgumentTypeError, match=r"^loader: must be a function that is called when"):
        await getattr(cache, method)("key", loader)


@pytest.mark.parametrize("method", ["get_or_load", "refresh"])
async def test_a_coroutine_in_place_of_a_loader(cache: Cache, method: str) -> None:
    """``load(7)`` instead of ``lambda: load(7)``; asyncio has nothing to warn of afterwards."""
    text = r"^loader: must be a function .*, such as lambda: load\(id\), got coroutine$"
    with pytest.raises(ArgumentTypeError, match=text):
        await getattr(cache, method)("key", Counted()())


@pytest.mark.parametrize("loader", [None, {"key": 1}])
async def test_bulk_loaders(cache: Cache, loader: Any) -> None:
    """A bulk loader is a function of a list."""
    with pytest.raises(ArgumentTypeError, match=r"^load_missing: must be a function of a list of"):
        await cache.get_or_load_many(["key"], loader)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (1.5, "must be a whole number, got float"),
        (True, "must be a whole number, got bool"),
        ("1", "must be a whole number, got str"),
        (None, "must be a whole number, got NoneType"),
        (2**63, "must fit into 64 bits"),
        (-(2**63) - 1, "must fit into 64 bits"),
    ],
)
async def test_amounts(cache: Cache, amount: object, text: str) -> None:
    """``incr`` counts in whole numbers of 64 bits."""
    await refused(lambda cache, amount: cache.incr("key", amount), cache, amount, "amount", text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (None, "must be a str such as 'user:list:*', got NoneType"),
        (b"*", "must be a str such as 'user:list:*', got bytes"),
        ("", "must be 1 to 512 characters, got 0"),
        ("*" * 513, "must be 1 to 512 characters, got 513"),
        ("user:[ab", "ends inside a character class: 'user:[ab'"),
    ],
)
async def test_patterns(cache: Cache, pattern: object, text: str) -> None:
    """A pattern is a Redis glob."""
    await refused(
        lambda cache, pattern: cache.invalidate_pattern(pattern), cache, pattern, "pattern", text
    )
