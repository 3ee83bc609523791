"""The shop's data: made once, always the same, and put in place in one step."""

from __future__ import annotations

import os
import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

PRODUCTS = 50_000
CATEGORIES = 100
SUPPLIERS = 500
REVIEWS_PER_PRODUCT = 4
SALES_PER_PRODUCT = 4

DATA_VERSION = 1
"""Part of the file's name: raise it whenever this module changes what it writes."""

Progress = Callable[[int, int], None]
"""Called with the rows written and the rows to write."""

TABLES = """
CREATE TABLE categories (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE suppliers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT NOT NULL);
CREATE TABLE products (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    category_id INTEGER NOT NULL REFERENCES categories,
    supplier_id INTEGER NOT NULL REFERENCES suppliers,
    price_cents INTEGER NOT NULL,
    stock INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE reviews (product_id INTEGER NOT NULL REFERENCES products, stars INTEGER NOT NULL);
CREATE TABLE sales (product_id INTEGER NOT NULL REFERENCES products, quantity INTEGER NOT NULL);
"""

INDEXES = """
CREATE INDEX products_by_category ON products (category_id);
CREATE INDEX reviews_by_product ON reviews (product_id, stars);
CREATE INDEX sales_by_product ON sales (product_id, quantity);
"""

COUNTRIES = ("Portugal", "Norway", "Japan", "Kenya", "Chile", "Italy", "Canada", "Vietnam")
QUALITIES = ("Quiet", "Sturdy", "Bright", "Slender", "Folding", "Grand", "Plain", "Northern")
MATERIALS = ("Oak", "Steel", "Linen", "Glass", "Copper", "Walnut", "Ceramic", "Wool", "Bamboo")
THINGS = (
    "Lamp", "Chair", "Table", "Kettle", "Clock", "Shelf", "Mug", "Blanket", "Basket", "Mirror",
    "Stool", "Vase", "Tray", "Rug", "Bench", "Teapot", "Drawer", "Cushion", "Bowl", "Desk",
    "Ladder", "Cabinet", "Candle", "Frame", "Hook",
)  # fmt: skip
ROOMS = ("Home", "Garden", "Office", "Travel")


def default_path() -> Path:
    """Return where the shop keeps its database unless it is told otherwise."""
    user = os.getuid() if hasattr(os, "getuid") else os.getlogin()
    folder = Path(tempfile.gettempdir()) / f"asynccache-shop-{user}"
    return folder / f"shop-{DATA_VERSION}.sqlite3"


def seed(path: Path, products: int = PRODUCTS, progress: Progress | None = None) -> bool:
    """Create the shop's database, unless it is there already.

    Args:
        path: The file to create, and its folder where that is missing.
        products: How many products to make; the other tables grow with it.
        progress: Told now and then how far the work is.

    Returns:
        Whether the database was created by this call.

    Raises:
        PermissionError: The folder belongs to somebody else, who could change the file.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if hasattr(os, "getuid") and path.parent.stat().st_uid != os.getuid():
        raise PermissionError(f"{path.parent} belongs to another user; set SHOP_DATABASE")
    if path.exists():
        return False
    handle, name = tempfile.mkstemp(dir=path.parent, prefix="seeding-", suffix=".sqlite3")
    os.close(handle)
    unfinished = Path(name)
    try:
        _write(unfinished, products, progress or _silent)
        # A link, unlike a rename, never replaces: when two workers seed at the same time, both
        # go on with the file of the first, and neither holds a database that has no name.
        path.hardlink_to(unfinished)
    except FileExistsError:
        return False
    finally:
        unfinished.unlink()
    return True


def _write(path: Path, products: int, progress: Progress) -> None:
    chance = random.Random(20_240_229)  # noqa: S311  the same shop on every machine
    reviews, sales = products * REVIEWS_PER_PRODUCT, products * SALES_PER_PRODUCT
    steps: list[tuple[str, int, Iterator[tuple[object, ...]]]] = [
        ("INSERT INTO categories VALUES (?, ?)", CATEGORIES, _categories()),
        ("INSERT INTO suppliers VALUES (?, ?, ?)", SUPPLIERS, _suppliers(chance)),
        (
            "INSERT INTO products VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
            products,
            _products(chance, products),
        ),
        ("INSERT INTO reviews VALUES (?, ?)", reviews, _reviews(chance, products, reviews)),
        ("INSERT INTO sales VALUES (?, ?)", sales, _sales(chance, products, sales)),
    ]
    total = sum(rows for _, rows, _ in steps)
    done = 0
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # Nobody sees the file before it is complete, so there is nothing to protect from a crash.
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        connection.executescript(TABLES)
        connection.execute("BEGIN")
        for statement, rows, values in steps:
            connection.executemany(statement, values)
            done += rows
            progress(done, total)
        connection.execute("COMMIT")
        connection.executescript(INDEXES)
        # Readers go on while a price is being written.
        connection.execute("PRAGMA journal_mode = WAL")


def _categories() -> Iterator[tuple[object, ...]]:
    for number in range(CATEGORIES):
        thing = THINGS[number % len(THINGS)]
        yield number + 1, f"{thing}s · {ROOMS[number // len(THINGS) % len(ROOMS)]}"


def _suppliers(chance: random.Random) -> Iterator[tuple[object, ...]]:
    for number in range(1, SUPPLIERS + 1):
        yield number, f"Workshop {number}", chance.choice(COUNTRIES)


def _products(chance: random.Random, products: int) -> Iterator[tuple[object, ...]]:
    draw = chance.random
    for number in range(1, products + 1):
        category = number % CATEGORIES
        quality = QUALITIES[int(draw() * len(QUALITIES))]
        material = MATERIALS[int(draw() * len(MATERIALS))]
        thing = THINGS[category % len(THINGS)]
        yield (
            number,
            f"{quality} {material} {thing} No. {number}",
            f"A {quality.lower()} {thing.lower()} of {material.lower()}, made to be used daily.",
            category + 1,
            1 + int(draw() * SUPPLIERS),
            500 + int(draw() * 50_000),
            int(draw() * 200),
        )


def _reviews(chance: random.Random, products: int, rows: int) -> Iterator[tuple[object, ...]]:
    draw = chance.random
    for _ in range(rows):
        yield 1 + int(draw() * products), 1 + int(5 * draw() ** 0.5)


def _sales(chance: random.Random, products: int, rows: int) -> Iterator[tuple[object, ...]]:
    draw = chance.random
    for _ in range(rows):
        yield 1 + int(draw() ** 2 * products), 1 + int(draw() * 3)


def _silent(done: int, total: int) -> None:
    """Tell nobody."""
