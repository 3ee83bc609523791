"""Everything that the cache adds to the shop: three ways to read, one way to write."""

from __future__ import annotations

from asynccache import Cache, cached

from .models import Bestsellers, CategoryPage, PriceChange, ProductPage
from .repository import Repository


class CachedCatalogue:
    """The repository with a cache before it."""

    def __init__(self, repository: Repository, cache: Cache) -> None:
        self._repository = repository
        self._cache = cache

        # A region: one kind of value, its key prefix, its loader and its lifetime in one place.
        # A thousand requests at once for a product that is not cached run the loader once.
        self._products = cache.region("product", ProductPage, loader=repository.product, ttl=300)

        # The decorator: for a function that is already the unit that you want to keep.
        @cached(cache, "bestsellers:{limit}", ttl=60)
        async def bestsellers(limit: int) -> Bestsellers:
            return await repository.bestsellers(limit)

        self._bestsellers = bestsellers

        # The two above make their types known to the codec; a plain key has no type to learn from.
        cache.codec.register(CategoryPage)

    async def product(self, product_id: int) -> ProductPage:
        """Return a product's page."""
        return await self._products.get(product_id)

    async def category(self, category_id: int, page: int) -> CategoryPage:
        """Return one page of a category's products."""
        # The plain form: a key and a function to call when nothing is stored under it.
        return await self._cache.get_or_load(
            f"category:{category_id}:{page}",
            lambda: self._repository.category(category_id, page),
            ttl=120,
        )

    async def bestsellers(self, limit: int) -> Bestsellers:
        """Return the products that sold most."""
        return await self._bestsellers(limit)

    async def change_price(self, product_id: int, price_cents: int) -> PriceChange:
        """Give a product a new price, which every later reader sees."""
        # First the commit, then the invalidation. The other way round, a reader between the two
        # would load the old price and keep it.
        change = await self._repository.change_price(product_id, price_cents)

        # Whatever shows this price. Other processes drop their copies too, and a load that began
        # before the commit can no longer store what it read.
        await self._products.delete(product_id)
        await self._cache.invalidate_pattern(f"category:{change.category_id}:*")

        # Not the neighbours' pages, which show where their price ranks among the category's:
        # that figure may lag by the five minutes of their ttl. Not everything is worth it.
        return change
