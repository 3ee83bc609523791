"""What the shop's visitors see. No line here knows whether there is a cache."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from .catalogue import CurrentCatalogue
from .models import Bestsellers, CategoryPage, PriceChange, ProductPage

goods = APIRouter(tags=["goods"])

# SQLite's largest integer: a longer number in a URL is a wrong one, not a failure of ours.
Id = Annotated[int, Path(ge=1, lt=2**63)]


class NewPrice(BaseModel):
    """The body of a price change."""

    price_cents: int = Field(gt=0, le=100_000_000)


@goods.get("/products/{product_id}")
async def product(product_id: Id, catalogue: CurrentCatalogue) -> ProductPage:
    """Show a product."""
    return await catalogue.product(product_id)


@goods.put("/products/{product_id}/price")
async def change_price(product_id: Id, new: NewPrice, catalogue: CurrentCatalogue) -> PriceChange:
    """Change a product's price."""
    return await catalogue.change_price(product_id, new.price_cents)


@goods.get("/categories/{category_id}")
async def category(
    category_id: Id, catalogue: CurrentCatalogue, page: Annotated[int, Query(ge=1, le=1_000)] = 1
) -> CategoryPage:
    """Show a page of a category."""
    return await catalogue.category(category_id, page)


@goods.get("/bestsellers")
async def bestsellers(catalogue: CurrentCatalogue) -> Bestsellers:
    """Show what sells."""
    return await catalogue.bestsellers(20)
