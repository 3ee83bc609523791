"""What the shop shows.

The pages are frozen and hold only what cannot change, so that the cache may hand the same object
to every request: a hit in this process's memory costs no copy and no decoding.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RelatedProduct:
    """A neighbour on a product's page: no price, so its price may change without this page."""

    id: int
    name: str
    rating: float


@dataclass(frozen=True, slots=True)
class ProductPage:
    """Everything that a product's page shows.

    `version` counts the changes of the row: a reader who has seen version 7 must never be shown
    version 6 again.
    """

    id: int
    name: str
    description: str
    price_cents: int
    version: int
    stock: int
    category_id: int
    category: str
    supplier: str
    supplier_country: str
    rating: float
    reviews: int
    price_rank: int
    products_in_category: int
    related: tuple[RelatedProduct, ...]


@dataclass(frozen=True, slots=True)
class ProductSummary:
    """A product as a line of a list."""

    id: int
    name: str
    price_cents: int
    rating: float
    sold: int


@dataclass(frozen=True, slots=True)
class CategoryPage:
    """One page of a category's products, the best rated first."""

    id: int
    name: str
    page: int
    products_in_category: int
    average_price_cents: int
    products: tuple[ProductSummary, ...]


@dataclass(frozen=True, slots=True)
class Bestseller:
    """A product that sold well: without its price, so no price change concerns it."""

    id: int
    name: str
    sold: int


@dataclass(frozen=True, slots=True)
class Bestsellers:
    """The products that sold most."""

    products: tuple[Bestseller, ...]


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A price as it was committed."""

    id: int
    category_id: int
    price_cents: int
    version: int


class NotInShop(LookupError):
    """There is no such product or category."""
