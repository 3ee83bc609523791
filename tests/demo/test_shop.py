"""The example shop: the same answers with the cache, sooner, and never an old price."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from asynccache import Cache
from examples.shop.app import create_app
from examples.shop.seeding import CATEGORIES, seed
from examples.shop.settings import Settings

PRODUCTS = 200

PAGES = [
    *(f"/products/{number}" for number in range(1, PRODUCTS + 1, 7)),
    *(f"/categories/{number}" for number in range(1, CATEGORIES + 1, 9)),
    "/categories/1?page=2",
    "/bestsellers",
]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that nobody changes."""
    path = tmp_path_factory.mktemp("shop") / "shop.sqlite3"
    assert seed(path, PRODUCTS)
    return path


@pytest.fixture
def database(seeded: Path, tmp_path: Path) -> Path:
    """A database of one's own."""
    return Path(shutil.copyfile(seeded, tmp_path / "shop.sqlite3"))


@asynccontextmanager
async def visiting(app: FastAPI) -> AsyncIterator[AsyncClient]:
    """Start a shop and visit it."""
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://shop") as visitor,
    ):
        yield visitor


@pytest.fixture
async def visitor(database: Path) -> AsyncIterator[AsyncClient]:
    """A visitor of a shop with a cache."""
    async with visiting(create_app(Cache("memory://"), database)) as client:
        yield client


async def queries(visitor: AsyncClient) -> int:
    """Return how many database queries the shop has run."""
    count: int = (await visitor.get("/stats")).json()["database_queries"]
    return count


async def test_cached_answers_equal_uncached_ones(visitor: AsyncClient, database: Path) -> None:
    """Every page is the same without a cache, when it is loaded, and when it is a hit."""
    async with visiting(create_app(None, database)) as uncached:
        for page in PAGES:
            plain = await uncached.get(page)
            first, second = await visitor.get(page), await visitor.get(page)
            assert plain.status_code == first.status_code == second.status_code == 200
            assert plain.json() == first.json() == second.json()


async def test_the_second_visit_asks_no_database(visitor: AsyncClient) -> None:
    """Pages that were seen once cost no query; without the cache they would."""
    for page in PAGES:
        await visitor.get(page)
    loaded = await queries(visitor)
    assert loaded > len(PAGES)
    for page in PAGES:
        await visitor.get(page)
    assert await queries(visitor) == loaded
    statistics = (await visitor.get("/stats")).json()["cache"]
    assert (statistics["loads"], statistics["l1_hits"]) == (len(PAGES), len(PAGES))


async def test_without_a_cache_every_visit_asks_the_database(database: Path) -> None:
    """The uncached shop is the same application, with nothing kept."""
    async with visiting(create_app(None, database)) as visitor:
        for count in (2, 4, 6):
            await visitor.get("/products/7")
            assert await queries(visitor) == count
        assert (await visitor.get("/stats")).json()["cache"] is None


async def test_a_crowd_loads_a_page_once(visitor: AsyncClient) -> None:
    """Fifty visitors who want one cold product cause one load."""
    answers = await asyncio.gather(*(visitor.get("/products/7") for _ in range(50)))
    assert {answer.json()["id"] for answer in answers} == {7}
    assert await queries(visitor) == 2
    statistics = (await visitor.get("/stats")).json()["cache"]
    assert (statistics["loads"], statistics["coalesced"]) == (1, 49)


async def test_a_new_price_is_seen_at_once(visitor: AsyncClient) -> None:
    """After a price change, the product and the lists that show its price are new."""
    before = (await visitor.get("/products/7")).json()
    page = f"/categories/{before['category_id']}"
    elsewhere = f"/categories/{before['category_id'] % CATEGORIES + 1}"
    for warmed in (page, elsewhere):
        await visitor.get(warmed)
    for price in (1_999, 2_999):
        changed = await visitor.put("/products/7/price", json={"price_cents": price})
        assert changed.json()["price_cents"] == price
        after = (await visitor.get("/products/7")).json()
        assert (after["price_cents"], after["version"]) == (price, changed.json()["version"])
        listed = (await visitor.get(page)).json()["products"]
        assert [line["price_cents"] for line in listed if line["id"] == 7] == [price]
    counted = await queries(visitor)
    await visitor.get(elsewhere)
    assert await queries(visitor) == counted


async def test_a_key_can_be_forgotten_by_hand(visitor: AsyncClient) -> None:
    """The operators' endpoint makes the next visit ask the database again."""
    await visitor.get("/products/7")
    counted = await queries(visitor)
    forgotten = (await visitor.delete("/cache/product:7")).json()
    assert forgotten["acknowledged"] is True
    await visitor.get("/products/7")
    assert await queries(visitor) == counted + 2


@pytest.mark.parametrize(
    ("page", "status"),
    [
        (f"/products/{PRODUCTS + 1}", 404),
        (f"/categories/{CATEGORIES + 1}", 404),
        ("/products/0", 422),
        ("/products/lamp", 422),
        (f"/products/{2**63}", 422),
        ("/categories/1?page=0", 422),
    ],
)
async def test_what_is_not_there_is_refused(visitor: AsyncClient, page: str, status: int) -> None:
    """An unknown or impossible product is the visitor's mistake, each time it is asked for."""
    for _ in range(2):
        assert (await visitor.get(page)).status_code == status


@pytest.mark.parametrize("price", [0, -1, 10**9, "much", None])
async def test_an_impossible_price_changes_nothing(visitor: AsyncClient, price: object) -> None:
    """A price out of range is refused and nothing is written."""
    before = (await visitor.get("/products/7")).json()
    refused = await visitor.put("/products/7/price", json={"price_cents": price})
    assert refused.status_code == 422
    await visitor.delete("/cache/product:7")
    assert (await visitor.get("/products/7")).json() == before


async def test_a_price_for_nothing_is_refused(visitor: AsyncClient) -> None:
    """A price for an unknown product answers 404."""
    refused = await visitor.put(f"/products/{PRODUCTS + 1}/price", json={"price_cents": 100})
    assert refused.status_code == 404


def rows(path: Path) -> Iterator[str]:
    """Return a database's contents as text."""
    with closing(sqlite3.connect(path)) as connection:
        yield from connection.iterdump()


def test_seeding_is_deterministic(seeded: Path, tmp_path: Path) -> None:
    """Two databases of the same size hold the same."""
    again = tmp_path / "again.sqlite3"
    assert seed(again, PRODUCTS)
    assert list(rows(again)) == list(rows(seeded))


def test_a_seeded_database_is_left_alone(database: Path) -> None:
    """Seeding again touches nothing, whatever the size asked for."""
    before = database.stat()
    assert not seed(database, PRODUCTS * 2)
    assert database.stat() == before


def test_two_workers_seed_one_database(tmp_path: Path) -> None:
    """Workers that start together end up with one complete file, made by one of them."""
    path = tmp_path / "new" / "shop.sqlite3"
    barrier = threading.Barrier(2)
    made: list[bool] = []

    def worker() -> None:
        # Both have found no file when either begins to write.
        made.append(seed(path, PRODUCTS, lambda done, total: arrive()))

    arrived = threading.local()

    def arrive() -> None:
        if not getattr(arrived, "already", False):
            arrived.already = True
            barrier.wait(10)

    threads = [threading.Thread(target=worker) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(made) == [False, True]
    assert [entry.name for entry in path.parent.iterdir()] == ["shop.sqlite3"]


def test_an_interrupted_seeding_leaves_nothing(tmp_path: Path) -> None:
    """A seeding that fails midway leaves no file that could be taken for a database."""

    def fail(done: int, total: int) -> None:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        seed(tmp_path / "shop.sqlite3", PRODUCTS, fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ("memory://", "shop", None)),
        (
            {
                "ASYNCCACHE_URL": "redis://r/1",
                "ASYNCCACHE_NAMESPACE": "mine",
                "SHOP_DATABASE": "/tmp/mine.sqlite3",
            },
            ("redis://r/1", "mine", "/tmp/mine.sqlite3"),
        ),
    ],
)
def test_settings_come_from_the_environment(
    environment: dict[str, str], expected: tuple[str, str, str | None]
) -> None:
    """Each variable has a default that works without a server."""
    settings = Settings.from_environment(environment)
    url, namespace, database = expected
    assert (settings.cache_url, settings.namespace) == (url, namespace)
    assert database is None or settings.database == Path(database)


def test_the_cache_can_be_left_out() -> None:
    """`off` is no cache, not a cache that keeps nothing."""
    assert Settings.from_environment({"ASYNCCACHE_URL": "off"}).make_cache() is None
    assert isinstance(Settings.from_environment({}).make_cache(), Cache)
