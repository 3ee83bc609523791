"""What goes in comes out: None, every type, and a copy of one's own of what can be changed."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from asynccache import MISSING, Cache, EncodeError, ManualClock, Policy
from tests.support.identifiers import readable_id
from tests.support.loading import Counted, HeldLoader, turns


class Colour(enum.Enum):
    """A registered enum."""

    RED = "red"


class Point(NamedTuple):
    """A registered named tuple."""

    x: int
    y: int


@dataclass
class Product:
    """A registered dataclass that can be changed."""

    id: int
    tags: list[str]


@dataclass(frozen=True)
class Money:
    """A registered dataclass that cannot be changed."""

    amount: Decimal
    currency: str


class Unknown:
    """A class that nobody has registered."""


@dataclass(frozen=True)
class Unregistered:
    """A class that the codec could know, but does not."""

    number: int


@pytest.fixture
async def shop(clock: ManualClock) -> AsyncIterator[Cache]:
    """A cache that knows this module's types."""
    async with Cache("memory://", clock=clock) as cache:
        for type_ in (Colour, Point, Product, Money):
            cache.codec.register(type_)
        yield cache


VALUES = [
    *(None, False, True, 0, -(2**70), 1.5, float("inf"), "", "é\0", b"", b"\xff"),
    *((), (1, "a"), frozenset({1}), Decimal("1.10"), UUID(int=7), timedelta(days=-1)),
    *(date(2024, 2, 29), datetime(2024, 2, 29, 12, tzinfo=UTC), Colour.RED, Point(1, 2)),
    *(Money(Decimal("9.99"), "EUR"), Product(1, ["new"]), [], {}, {1: {"a": [()]}}, {1, 2}),
    [Product(1, ["a"]), (Money(Decimal(1), "EUR"), {Colour.RED})],
]

every_value = pytest.mark.parametrize("value", VALUES, ids=readable_id)


def same(found: object, expected: object) -> bool:
    """Tell whether two values are equal and of the same types."""
    return found == expected and repr(found) == repr(expected)


@every_value
async def test_a_loaded_value_comes_back_as_it_was(shop: Cache, value: Any) -> None:
    """To the caller that loads it, to those that wait, and to later readers."""
    loader = HeldLoader(value)
    waiting = [asyncio.create_task(shop.get_or_load("key", loader)) for _ in range(2)]
    await loader.started()
    await turns()
    loader.let_go()

    assert all(same(found, value) for found in await asyncio.gather(*waiting))
    assert same(await shop.get("key"), value)
    assert same(await shop.get_or_load("key", Counted("never")), value)
    assert same(await shop.get_many(["key"]), {"key": value})


@every_value
async def test_a_stored_value_comes_back_as_it_was(shop: Cache, value: Any) -> None:
    """Whichever method stored it."""
    await shop.set("set", value)
    await shop.set_many({"set_many": value})
    await shop.add("add", value)
    await shop.get_or_load_many(["bulk"], lambda keys: Counted(dict.fromkeys(keys, value))())

    found = await shop.get_many(["set", "set_many", "add", "bulk"])
    assert len(found) == 4
    assert all(same(each, value) for each in found.values())


async def test_none_is_a_value(cache: Cache) -> None:
    """It is loaded once, found, counted as a hit, and told apart from nothing."""
    loader = Counted(None)
    for _ in range(3):
        assert await cache.get_or_load("key", loader) is None

    assert loader.runs == 1
    assert await cache.get("key", "default") is None
    assert await cache.get_many(["key", "other"]) == {"key": None}
    assert await cache.add("key", "something") is False


async def test_a_missing_key_is_told_by_a_default(cache: Cache) -> None:
    """``MISSING`` unless the caller has a better one; it is false."""
    assert await cache.get("key") is MISSING
    assert not await cache.get("key")
    assert await cache.get("key", None) is None
    assert await cache.get("key", "default") == "default"


Store = Callable[[Cache, str, Any, Policy | None], Awaitable[Any]]

STORES: dict[str, Store] = {
    "set": lambda cache, key, value, policy: cache.set(key, value, policy=policy),
    "set_many": lambda cache, key, value, policy: cache.set_many({key: value}, policy=policy),
    "add": lambda cache, key, value, policy: cache.add(key, value, policy=policy),
    "get_or_load": lambda cache, key, value, policy: cache.get_or_load(
        key, Counted(value), policy=policy
    ),
    "refresh": lambda cache, key, value, policy: cache.refresh(key, Counted(value), policy=policy),
    "get_or_load_many": lambda cache, key, value, policy: cache.get_or_load_many(
        [key], lambda keys: Counted({key: value})(), policy=policy
    ),
}

every_store = pytest.mark.parametrize("store", STORES.values(), ids=STORES.keys())


@every_store
async def test_nobody_can_change_what_others_get(shop: Cache, store: Store) -> None:
    """Not whoever stored it, nor whoever got it first, nor any reader."""
    original = Product(1, ["new"])
    returned = await store(shop, "key", original, None)
    original.tags.append("changed by its owner")
    if isinstance(returned, Product):
        returned.tags.append("changed by the first caller")
    first: Any = await shop.get("key")
    first.tags.append("changed by a reader")

    assert await shop.get("key") == Product(1, ["new"])
    assert await shop.get_or_load("key", Counted("never")) == Product(1, ["new"])


async def test_those_who_wait_for_one_load_get_objects_of_their_own(shop: Cache) -> None:
    """A change by one of them is seen by none of the others, nor by the loader."""
    original = Product(1, ["new"])
    loader = HeldLoader(original)
    waiting = [asyncio.create_task(shop.get_or_load("key", loader)) for _ in range(3)]
    await loader.started()
    await turns()
    loader.let_go()
    for product in await asyncio.gather(*waiting):
        assert product == Product(1, ["new"])
        product.tags.clear()

    assert original == Product(1, ["new"])


@every_store
async def test_share_hands_out_the_object_itself(cache: Cache, store: Store) -> None:
    """Whoever promises not to change it saves the copies, and needs no codec."""
    value = Unknown()
    await store(cache, "key", value, Policy(share=True))

    assert await cache.get("key") is value
    assert await cache.get_or_load("key", Counted()) is value
    assert (await cache.get_many(["key"]))["key"] is value


@pytest.mark.parametrize("value", ["text" * 100, b"bytes" * 100, (1, ("a",)), 2**80])
@every_store
async def test_what_nobody_can_change_is_not_copied(
    cache: Cache, store: Store, value: object
) -> None:
    """A copy would be waste."""
    await store(cache, "key", value, None)

    assert await cache.get("key") is value


@pytest.mark.parametrize("value", [Unknown(), [Unknown()], Unregistered(7)], ids=readable_id)
@every_store
async def test_what_cannot_be_encoded_is_refused(cache: Cache, store: Store, value: object) -> None:
    """The error names the argument, the type at fault and what to do; nothing is stored."""
    kind = "Unregistered" if isinstance(value, Unregistered) else "Unknown"
    text = rf"^value: cannot encode a value of type .*\.{kind}; register it with cache\.codec\.reg"
    with pytest.raises(EncodeError, match=text) as caught:
        await store(cache, "key", value, None)

    assert caught.value.argument == "value"
    assert caught.value.value_type.__name__ == kind
    assert cache.statistics().l1_entries == 0
    assert cache.statistics().flights == 0


@pytest.mark.parametrize("store", [STORES["set"], STORES["set_many"], STORES["refresh"]])
async def test_a_refused_value_leaves_the_old_one(cache: Cache, store: Store) -> None:
    """A write that fails has changed nothing, not even for loads that are running."""
    await cache.set("key", "old")
    with pytest.raises(EncodeError):
        await store(cache, "key", Unknown(), None)

    assert await cache.get("key") == "old"


async def test_add_refuses_even_what_it_would_not_store(cache: Cache) -> None:
    """A mistake shows whether or not the key is there."""
    await cache.set("key", "old")
    with pytest.raises(EncodeError):
        await cache.add("key", Unknown())

    assert await cache.get("key") == "old"


async def test_set_many_stores_all_or_nothing(cache: Cache) -> None:
    """One value that cannot be encoded refuses the whole call."""
    await cache.set("a", "old")
    with pytest.raises(EncodeError):
        await cache.set_many({"a": 1, "b": 2, "c": Unknown()})

    assert await cache.get_many(["a", "b", "c"]) == {"a": "old"}


@pytest.mark.parametrize("share", [False, True])
@every_store
async def test_missing_is_no_value(cache: Cache, store: Store, share: bool) -> None:
    """It could not be told from nothing afterwards."""
    with pytest.raises(EncodeError, match="it stands for no value; store None, or delete"):
        await store(cache, "key", MISSING, Policy(share=share))

    assert cache.statistics().l1_entries == 0
