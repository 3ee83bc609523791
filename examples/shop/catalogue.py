"""What the endpoints ask for: answered by the database alone, or with the cache before it."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import Depends, Request

from .models import Bestsellers, CategoryPage, PriceChange, ProductPage


class Catalogue(Protocol):
    """The shop's goods. `Repository` and `CachedCatalogue` are both one."""

    async def product(self, product_id: int) -> ProductPage:
        """Return a product's page."""
        ...

    async def category(self, category_id: int, page: int) -> CategoryPage:
        """Return one page of a category's products."""
        ...

    async def bestsellers(self, limit: int) -> Bestsellers:
        """Return the products that sold most."""
        ...

    async def change_price(self, product_id: int, price_cents: int) -> PriceChange:
        """Give a product a new price, which every later reader sees."""
        ...


async def get_catalogue(request: Request) -> Catalogue:
    """Return the catalogue that the application was started with."""
    catalogue: Catalogue = request.app.state.catalogue
    return catalogue


CurrentCatalogue = Annotated[Catalogue, Depends(get_catalogue)]
