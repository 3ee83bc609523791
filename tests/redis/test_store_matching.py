"""Removing by pattern: the same keys in Redis as in the first level, whatever is in their names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import product

import pytest

from asynccache.core.messages import Kind
from asynccache.core.pattern import Pattern
from tests.support.stores import BACKENDS, Bench, item, open_bench

pytestmark = pytest.mark.integration

LONG = "long:" + "x" * 300
HASHED_BEGINNING = 40
"""Characters of a hashed key's beginning that its name in Redis keeps."""

KEYS = (
    "user:1",
    "user:22",
    "User:1",
    "{user}:1",
    "}{",
    "100%",
    "%7B",
    "%~user:1~0123",
    "a*b",
    "a?b",
    "a[b]",
    "a\\b",
    "ünïcode:☃",
    "日本:東京",
    "tab\tkey",
    "new\nline",
    "null\0key",
    "\x7f\x9f",
    " ",
    LONG,
    "long:" + "ü" * 200,
    "{" * 201,
)

PATTERNS = (
    "*",
    "?",
    "user:*",
    "user:?",
    "[Uu]ser:1",
    "[^U]ser:1",
    "{*",
    "*}*",
    "{user}:1",
    "*%*",
    "100%",
    "%7B",
    "%~*",
    r"a\*b",
    "a*b",
    "a[?*]b",
    r"a\\b",
    r"a\[b\]",
    "*☃",
    "日本:??",
    "???key",
    "tab\t*",
    "*\n*",
    "null\0key",
    "[\x00-\x1f\x7f]*",
    "long:*",
    LONG,
    LONG[:-1] + "?",
    "nothing:*",
)


@pytest.fixture(params=BACKENDS)
async def bench(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Bench]:
    """Open a store on each backend."""
    async with open_bench(request.param, redis_url) as opened:
        yield opened


async def present(bench: Bench, keys: tuple[str, ...] = KEYS) -> set[str]:
    """Return those of some keys that have a record."""
    raws = await bench.store.read(keys)
    return {key for key, raw in zip(keys, raws, strict=True) if raw.value is not None}


@pytest.mark.parametrize("glob", PATTERNS)
async def test_a_pattern_removes_what_it_matches(bench: Bench, glob: str) -> None:
    """No key that matches stays; one that does not goes only if it is long and begins like it."""
    await bench.store.put({key: item(key) for key in KEYS})
    pattern = Pattern(glob)
    matching = {key for key in KEYS if pattern.matches(key)}

    removed = await bench.store.forget_matching(pattern)

    left = await present(bench)
    assert not left & matching
    assert removed == len(KEYS) - len(left)
    taken_too = set(KEYS) - left - matching
    assert all(len(key) > HASHED_BEGINNING for key in taken_too)
    literal = pattern.literal_beginning[:HASHED_BEGINNING]
    assert all(key.startswith(literal[: len(key)]) for key in taken_too)


async def test_a_pattern_takes_the_leases_of_what_it_matches(bench: Bench) -> None:
    """Also where there is no record yet: a load under way must not fill after it."""
    await bench.store.acquire(KEYS, b"t", 60_000)

    assert await bench.store.forget_matching(Pattern("user:*")) == 0

    kept = await bench.store.fill({key: item(key) for key in KEYS}, b"t")
    assert kept == set(KEYS) - {"user:1", "user:22"}


async def test_the_announcement_comes_once_after_all(bench: Bench) -> None:
    """The others get the pattern itself, when the last key is gone."""
    await bench.store.put({"user:1": item("user:1"), "user:2": item("user:2")})
    await bench.heard()
    bench.sent.clear()

    await bench.store.forget_matching(Pattern("user:*"))

    ((_, message),) = await bench.heard()
    assert message.kind is Kind.FORGET_MATCHING
    assert message.texts == ("user:*",)
    names = [command[0] for command in bench.sent]
    assert (names.count("EVALSHA"), names[-1]) == (1, "EVALSHA")
    assert names.count("UNLINK") == 2


async def test_another_namespace_is_not_touched(bench: Bench) -> None:
    """Not even one whose name begins like ours, nor keys that only look like ours."""
    foreign = ("test2:r:{k}", "tes:r:{k}", "test:r:k", "test:x:{k}", "xtest:r:{k}", "test:r:{k")
    for key in foreign:
        await bench.redis("SET", key, "x")
    await bench.store.put({"k": item("k")})

    assert await bench.store.forget_matching(Pattern("*")) == 1

    assert await bench.redis("EXISTS", *foreign) == len(foreign)


async def test_bytes_that_are_not_text_are_in_nobodys_way(bench: Bench) -> None:
    """A key that no cache can have made is left alone, and the others are removed all the same."""
    broken = b"test:r:{\xff\xfe}"
    await bench.redis("SET", broken, "x")
    await bench.store.put({"k": item("k")})

    assert await bench.store.forget_matching(Pattern("*")) == 1
    assert await bench.redis("EXISTS", broken) == 1


@pytest.mark.parametrize("everything", [True, False])
async def test_five_thousand_keys_are_removed(bench: Bench, *, everything: bool) -> None:
    """Many steps of SCAN find every key once, and only those that match."""
    wanted = [f"{kind}:{n}" for kind, n in product(("list", "other"), range(2_500))]
    await bench.store.put({key: item(key) for key in wanted})
    await bench.store.acquire(wanted[:100], b"t", 60_000)

    removed = await bench.store.forget_matching(Pattern("*" if everything else "list:*"))

    assert removed == (5_000 if everything else 2_500)
    left = await present(bench, tuple(wanted))
    assert left == (set() if everything else {key for key in wanted if key.startswith("other")})
    assert await bench.lease("list:1") is None
