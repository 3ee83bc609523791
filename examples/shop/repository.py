"""The shop's queries, written as one would write them: with joins, aggregates and ranks.

None of them is slowed down on purpose, and none lacks an index. A page compares its product with
the five hundred of its category and their two thousand reviews: that is what it costs.
"""

from __future__ import annotations

from .database import Database
from .models import (
    Bestseller,
    Bestsellers,
    CategoryPage,
    NotInShop,
    PriceChange,
    ProductPage,
    ProductSummary,
    RelatedProduct,
)

PAGE_SIZE = 20

PRODUCT = """
WITH neighbours AS (
    SELECT id, rank() OVER (ORDER BY price_cents) AS price_rank, count(*) OVER () AS products
    FROM products
    WHERE category_id = (SELECT category_id FROM products WHERE id = :id)
), opinions AS (
    SELECT round(coalesce(avg(stars), 0), 2) AS rating, count(*) AS reviews
    FROM reviews WHERE product_id = :id
)
SELECT products.id, products.name, products.description, products.price_cents, products.version,
       products.stock, categories.id, categories.name, suppliers.name, suppliers.country,
       opinions.rating, opinions.reviews, neighbours.price_rank, neighbours.products
FROM products
JOIN neighbours ON neighbours.id = products.id
JOIN opinions
JOIN categories ON categories.id = products.category_id
JOIN suppliers ON suppliers.id = products.supplier_id
WHERE products.id = :id
"""

RELATED = """
SELECT others.id, others.name, round(avg(reviews.stars), 2) AS rating
FROM products AS this
JOIN products AS others ON others.category_id = this.category_id AND others.id <> this.id
JOIN reviews ON reviews.product_id = others.id
WHERE this.id = :id AND others.stock > 0
GROUP BY others.id
ORDER BY rating DESC, count(*) DESC, others.id
LIMIT 6
"""

CATEGORY = """
SELECT categories.name, count(*), CAST(avg(products.price_cents) AS INTEGER)
FROM categories JOIN products ON products.category_id = categories.id
WHERE categories.id = :id
GROUP BY categories.id
"""

CATEGORY_PRODUCTS = """
SELECT products.id, products.name, products.price_cents,
       round(coalesce((SELECT avg(stars) FROM reviews WHERE product_id = products.id), 0), 2)
           AS rating,
       coalesce((SELECT sum(quantity) FROM sales WHERE product_id = products.id), 0) AS sold
FROM products
WHERE products.category_id = :id
ORDER BY rating DESC, sold DESC, products.id
LIMIT :limit OFFSET :offset
"""

BESTSELLERS = """
SELECT products.id, products.name, best.sold
FROM (
    SELECT product_id, sum(quantity) AS sold FROM sales
    GROUP BY product_id ORDER BY sold DESC, product_id LIMIT :limit
) AS best JOIN products ON products.id = best.product_id
ORDER BY best.sold DESC, products.id
"""

CHANGE_PRICE = """
UPDATE products SET price_cents = :price_cents, version = version + 1 WHERE id = :id
RETURNING id, category_id, price_cents, version
"""


class Repository:
    """The shop straight from its database, without a cache."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def product(self, product_id: int) -> ProductPage:
        """Return a product's page.

        Raises:
            NotInShop: There is no such product.
        """
        found = await self._database.fetch(PRODUCT, {"id": product_id})
        if not found:
            raise NotInShop(f"no product {product_id}")
        rows = await self._database.fetch(RELATED, {"id": product_id})
        related = tuple(RelatedProduct(*row) for row in rows)
        return ProductPage(*(*found[0], related))

    async def category(self, category_id: int, page: int) -> CategoryPage:
        """Return one page, counted from 1, of a category's products.

        Raises:
            NotInShop: There is no such category.
        """
        found = await self._database.fetch(CATEGORY, {"id": category_id})
        if not found:
            raise NotInShop(f"no category {category_id}")
        name, products_in_category, average = found[0]
        offset = (page - 1) * PAGE_SIZE
        rows = await self._database.fetch(
            CATEGORY_PRODUCTS, {"id": category_id, "limit": PAGE_SIZE, "offset": offset}
        )
        products = tuple(ProductSummary(*row) for row in rows)
        return CategoryPage(category_id, name, page, products_in_category, average, products)

    async def bestsellers(self, limit: int) -> Bestsellers:
        """Return the products that sold most."""
        rows = await self._database.fetch(BESTSELLERS, {"limit": limit})
        return Bestsellers(tuple(Bestseller(*row) for row in rows))

    async def change_price(self, product_id: int, price_cents: int) -> PriceChange:
        """Give a product a new price; it is committed when this returns.

        Raises:
            NotInShop: There is no such product.
        """
        rows = await self._database.change(
            CHANGE_PRICE, {"id": product_id, "price_cents": price_cents}
        )
        if not rows:
            raise NotInShop(f"no product {product_id}")
        return PriceChange(*rows[0])
