"""Regions: typed views of a cache, with keys made of ids and a loader of their own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from asynccache import (
    ArgumentTypeError,
    Cache,
    EncodeError,
    InvalidArgument,
    ManualClock,
    Policy,
    Region,
    UsageError,
)
from tests.support.loading import HeldLoader, turns


@dataclass
class Product:
    """What the region keeps; nobody has registered it by hand."""

    id: int
    tags: list[str]


class Repository:
    """A source of products that counts its queries."""

    def __init__(self) -> None:
        self.queries: list[int] = []

    async def find(self, id_: int) -> Product:
        """Return a product, or raise LookupError."""
        self.queries.append(id_)
        if id_ < 0:
            raise LookupError(id_)
        return Product(id_, ["new"])


@pytest.fixture
def repository() -> Repository:
    """The source."""
    return Repository()


@pytest.fixture
def products(cache: Cache, repository: Repository) -> Region[int, Product]:
    """A region with a loader."""
    return cache.region("product", Product, loader=repository.find, ttl=60)


async def test_get_loads_once(products: Region[int, Product], repository: Repository) -> None:
    """And gives each caller an object of its own."""
    first, second = await products.get(7), await products.get(7)
    first.tags.append("changed")

    assert second == Product(7, ["new"])
    assert repository.queries == [7]


async def test_concurrent_gets_share_a_load(
    products: Region[int, Product], repository: Repository
) -> None:
    """As with ``get_or_load``."""
    found = await asyncio.gather(*(products.get(id_) for id_ in (1, 2, 1, 1)))

    assert [product.id for product in found] == [1, 2, 1, 1]
    assert repository.queries == [1, 2]


async def test_a_failing_loader_is_told(products: Region[int, Product], repository: Any) -> None:
    """With its own exception, and nothing is kept."""
    for _ in range(2):
        with pytest.raises(LookupError):
            await products.get(-1)

    assert repository.queries == [-1, -1]


async def test_a_load_outlives_its_caller(cache: Cache) -> None:
    """A region's loader is registered: the next call will want its result."""
    loader = HeldLoader("value")
    region: Region[int, str] = cache.region("held", str, loader=lambda id_: loader())
    caller = asyncio.create_task(region.get(1))
    await loader.started()
    caller.cancel()
    await asyncio.wait([caller])
    loader.let_go()
    await turns()

    assert await region.find(1) == "value"


async def test_the_region_lifetime_counts(
    products: Region[int, Product], repository: Repository, clock: ManualClock
) -> None:
    """For what is loaded and for what is set."""
    await products.get(1)
    await products.set(2, Product(2, []))
    clock.advance(59)
    assert await products.get_many([1, 2]) != {}
    clock.advance(1)

    assert await products.get_many([1, 2]) == {}


async def test_find_and_get_many_do_not_load(
    products: Region[int, Product], repository: Repository
) -> None:
    """They say what is there."""
    await products.set(1, Product(1, []))

    assert await products.find(1) == Product(1, [])
    assert await products.find(2) is None
    assert await products.get_many([2, 1, 1]) == {1: Product(1, [])}
    assert repository.queries == []


async def test_set_many_and_delete_many(products: Region[int, Product]) -> None:
    """In one round trip each; they say how many."""
    assert (await products.set_many({id_: Product(id_, []) for id_ in (1, 2, 3)})).affected == 3
    assert (await products.delete_many([1, 3, 4])).affected == 2
    assert list(await products.get_many([1, 2, 3])) == [2]


async def test_delete_and_expire(cache: Cache, repository: Repository) -> None:
    """A deleted value never stands in for a failing loader; an expired one may."""
    products = cache.region("product", Product, loader=repository.find, policy=Policy(grace=60))
    await products.set_many({-1: Product(-1, []), -2: Product(-2, [])})
    await products.expire(-1)
    await products.delete(-2)

    assert await products.get(-1) == Product(-1, [])
    with pytest.raises(LookupError):
        await products.get(-2)


async def test_refresh_replaces_and_a_failure_keeps(
    products: Region[int, Product], repository: Repository
) -> None:
    """The new value takes the place of the old one; without a new one the old one stays."""
    await products.set_many({1: Product(1, ["old"]), -1: Product(-1, ["old"])})

    assert await products.refresh(1) == Product(1, ["new"])
    assert await products.find(1) == Product(1, ["new"])
    with pytest.raises(LookupError):
        await products.refresh(-1)
    assert await products.find(-1) == Product(-1, ["old"])


async def test_clear_removes_the_region_and_no_other(cache: Cache) -> None:
    """Whatever its prefix means in a pattern."""
    starred: Region[int, int] = cache.region("a*[b]?\\", int)
    similar: Region[int, int] = cache.region("a1b2\\", int)
    longer: Region[int, int] = cache.region("a*[b]?\\x", int)
    for region in (starred, similar, longer):
        await region.set(1, 1)

    assert (await starred.clear()).affected == 1
    assert await starred.find(1) is None
    assert (await similar.find(1), await longer.find(1)) == (1, 1)


async def test_a_region_without_a_loader(cache: Cache) -> None:
    """Its values are set; asking for one to be loaded is a mistake that the error explains."""
    region: Region[int, int] = cache.region("r", int)
    await region.set(1, 1)

    assert await region.find(1) == 1
    for call in (region.get, region.refresh):
        with pytest.raises(UsageError, match="the region 'r' has no loader; use find, or give it"):
            await call(1)


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"prefix": ""}, "prefix"),
        ({"prefix": None}, "prefix"),
        ({"loader": "find"}, "loader"),
        ({"ttl": 0}, "ttl"),
        ({"policy": 60}, "policy"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], argument: str) -> None:
    """Where the region is made, which may be before the cache is started."""
    with pytest.raises(InvalidArgument) as caught:
        Cache("memory://").region(**{"prefix": "r", "type_": int, **arguments})

    assert caught.value.argument == argument


async def test_bad_collections_are_named(cache: Cache) -> None:
    """A str is not several ids, and a list of pairs is no mapping."""
    region: Region[Any, int] = cache.region("r", int)
    with pytest.raises(ArgumentTypeError, match=r"^ids: must be several ids"):
        await region.get_many("abc")
    with pytest.raises(ArgumentTypeError, match=r"^ids: must be several ids"):
        await region.delete_many(7)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ArgumentTypeError, match=r"^values: must be a mapping of ids to values"):
        await region.set_many([(1, 1)])  # type: ignore[arg-type]  # on purpose


async def test_a_loader_that_is_not_asynchronous_is_named(cache: Cache) -> None:
    """The error comes with the first load."""
    region: Region[int, int] = cache.region("r", int, loader=lambda id_: id_)  # type: ignore[arg-type, return-value]  # on purpose
    with pytest.raises(
        ArgumentTypeError, match=r"^loader: must be a function that returns an awai"
    ):
        await region.get(1)


async def test_values_of_unknown_types_are_refused(cache: Cache) -> None:
    """A region registers its own type, and no other."""
    region: Region[int, Any] = cache.region("r", Product)
    with pytest.raises(EncodeError):
        await region.set(1, object())

    assert await region.find(1) is None


def test_it_tells_what_it_is() -> None:
    """Its prefix and type, in its repr and as attributes."""
    region: Region[int, Product] = Cache("memory://").region("product", Product)

    assert repr(region) == "<Region 'product' of Product>"
    assert (region.prefix, region.type) == ("product", Product)
