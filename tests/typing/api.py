# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""The types that users see; checked by mypy --strict and by pyright, never run.

A wrong call stands with a ``type: ignore`` that both checkers report when it is not needed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, assert_type

from fastapi import Depends, FastAPI
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request

from asynccache import (
    MISSING,
    BoundCachedFunction,
    Cache,
    CachedFunction,
    ManualClock,
    Missing,
    Policy,
    RedisSettings,
    Region,
    Statistics,
    WriteResult,
    cache_of,
    cached,
    combine_lifespans,
    get_cache,
    named_cache,
)
from asynccache.fastapi import CacheDep


@dataclass
class Product:
    """A value."""

    id: int


class Products:
    """A repository with cached methods."""

    tenant = "eu"

    async def find(self, product_id: int) -> Product:
        """A region's loader."""
        return Product(product_id)

    @cached(Cache(), "{self.tenant}:product:{product_id}", ttl=timedelta(minutes=5))
    async def cached_find(self, product_id: int, *, deep: bool = False) -> Product | None:
        """A cached method."""
        return Product(product_id) if deep else None


async def load_product() -> Product:
    """A loader."""
    return Product(1)


async def load_missing(keys: list[str]) -> dict[str, Product]:
    """A bulk loader."""
    return {key: Product(1) for key in keys}


@cached(Cache(), "user:{user_id}:{tenant}", policy=Policy(ttl=None))
async def load_user(user_id: int, tenant: str = "eu") -> list[str]:
    """A cached function."""
    return [str(user_id), tenant]


async def reading(cache: Cache, products: Products) -> None:
    """A loader's type is the result's; without a loader anything may be there."""
    assert_type(await cache.get_or_load("key", load_product), Product)
    assert_type(await cache.get_or_load("key", lambda: products.find(7), ttl=1), Product)
    assert_type(await cache.refresh("key", load_product, policy=Policy()), Product)
    assert_type(await cache.get_or_load_many(["key"], load_missing), dict[str, Product])
    assert_type(await cache.get("key"), Any | Missing)
    assert_type(await cache.get("key", None), Any | None)
    assert_type(await cache.get_many({"key"}), dict[str, Any])

    value = await cache.get_or_load("key", load_product)
    assert_type(value.id, int)

    await cache.get_or_load("key", load_product())  # type: ignore[arg-type]  # a coroutine
    await cache.get_or_load("key", load_missing)  # type: ignore[arg-type]  # it takes an argument
    await cache.get_or_load(1, load_product)  # type: ignore[arg-type]  # the key is a str
    await cache.get_or_load("key", load_product, ttl="60")  # type: ignore[arg-type]
    assert_type(await cache.get_or_load("key", load_product, 60), Product)
    assert_type(cache.peek("key", 7), Any | int)
    cache.peek(7)  # type: ignore[call-overload]  # the key is a str
    await cache.get_or_load_many(["key"], load_product)  # type: ignore[arg-type]


async def writing(cache: Cache) -> None:
    """Writes say what happened."""
    assert_type(await cache.set("key", Product(1), ttl=timedelta(hours=1)), WriteResult)
    assert_type(await cache.set_many({"key": Product(1)}), WriteResult)
    assert_type(await cache.add("key", 1), bool)
    assert_type(await cache.incr("key", 2), int)
    assert_type(await cache.touch("key"), WriteResult)
    assert_type(await cache.delete("key"), WriteResult)
    assert_type(await cache.delete_many(("a", "b")), WriteResult)
    assert_type(await cache.expire("key"), WriteResult)
    assert_type(await cache.invalidate_pattern("user:*"), WriteResult)
    assert_type(await cache.clear(), WriteResult)
    assert_type((await cache.clear()).acknowledged, bool)
    assert_type(cache.statistics(), Statistics)
    assert_type(cache.statistics().hit_ratio, float)


async def regions(cache: Cache, products: Products) -> None:
    """A loader gives the type of the ids; without one the annotation does."""
    region = cache.region("product", Product, loader=products.find, ttl=60)
    assert_type(region, Region[int, Product])
    assert_type(await region.get(7), Product)
    assert_type(await region.find(7), Product | None)
    assert_type(region.peek(7), Product | None)
    assert_type(await region.get_many([7, 8]), dict[int, Product])
    assert_type(await region.set(7, Product(7)), WriteResult)
    assert_type(await region.refresh(7), Product)
    assert_type(region.key(7), str)

    by_name: Region[tuple[str, int], Product] = cache.region("name", Product)
    assert_type(await by_name.find(("lamp", 1)), Product | None)

    await region.get("7")  # type: ignore[arg-type]
    await region.set(7, "product")  # type: ignore[arg-type]
    await region.get_many(7)  # type: ignore[arg-type]


async def functions() -> None:
    """A cached function keeps its parameters and its result, and so does all that goes with it."""
    assert_type(await load_user(7), list[str])
    assert_type(await load_user(7, tenant="us"), list[str])
    assert_type(await load_user.refresh(7, "us"), list[str])
    assert_type(await load_user.invalidate(user_id=7), WriteResult)
    assert_type(load_user.key(7), str)

    await load_user("7")  # type: ignore[arg-type]
    await load_user()  # type: ignore[call-arg]
    await load_user(7, region="us")  # type: ignore[call-arg]
    await load_user.invalidate("7")  # type: ignore[arg-type]
    await load_user.refresh()  # type: ignore[call-arg]
    load_user.key(7, "us", 1)  # type: ignore[call-arg]

    takes_a_function: Callable[[int], Awaitable[list[str]]] = load_user
    await takes_a_function(7)


async def methods(products: Products) -> None:
    """A bound method takes everything but ``self``."""
    assert_type(await products.cached_find(7), Product | None)
    assert_type(await products.cached_find(7, deep=True), Product | None)
    assert_type(await products.cached_find.refresh(product_id=7), Product | None)
    assert_type(await products.cached_find.invalidate(7), WriteResult)
    assert_type(products.cached_find.key(7), str)
    assert_type(await Products.cached_find(products, 7), Product | None)

    await products.cached_find("7")  # type: ignore[arg-type]
    await products.cached_find(7, True)  # type: ignore[call-arg]
    await products.cached_find(products, 7)  # type: ignore[call-arg, arg-type]
    products.cached_find.key()  # type: ignore[call-arg]

    takes_a_method: Callable[[int], Awaitable[Product | None]] = products.cached_find
    await takes_a_method(7)


def kinds(
    function: CachedFunction[[int], str], method: BoundCachedFunction[[int], str]
) -> tuple[Callable[[int], Awaitable[str]], Callable[[int], Awaitable[str]]]:
    """Both can be named in annotations, and are functions of their parameters."""
    return function, method


def synchronous(number: int) -> int:
    """Not what can be cached."""
    return number


def making(clock: ManualClock, client: Redis) -> None:
    """What a cache is made with."""
    Cache("memory://", clock=clock, max_entries=10, secret=b"0123456789abcdef")
    Cache(RedisSettings.from_url("redis://localhost"), policy=Policy(ttl=timedelta(days=1)))
    Cache(redis=client)

    Cache(namespace=1)  # type: ignore[arg-type]
    Policy(ttl="60")  # type: ignore[arg-type]
    Policy(60)  # type: ignore[call-arg, misc, unused-ignore]
    RedisSettings(cluster=True, host="a", nodes=[("b", 7000), ("c", 7000)])
    RedisSettings(sentinels=(("s", 26379),), sentinel_master="mymaster")
    RedisSettings(cluster=True, nodes=["b:7000"])  # type: ignore[list-item]  # host and port
    cached(Cache(), "{number}")(synchronous)  # type: ignore[arg-type]


def frameworks(request: Request) -> None:
    """Lifespans fit both frameworks; dependencies give a Cache."""
    assert_type(cache_of(request), Cache)
    Starlette(lifespan=Cache().lifespan)
    FastAPI(lifespan=combine_lifespans(Cache().lifespan, Cache(name="sessions").lifespan))
    app = FastAPI(lifespan=Cache().lifespan)

    @app.get("/")
    async def endpoint(
        one: Annotated[Cache, Depends(get_cache)],
        two: Annotated[Cache, Depends(named_cache("sessions"))],
        three: CacheDep,
    ) -> int:
        assert_type(three, Cache)
        return await one.incr("count") + await two.incr("count")


def missing(value: int | Missing) -> int:
    """MISSING narrows by identity, and is false."""
    if value is MISSING:
        return 0
    assert_type(value, int)
    return value
