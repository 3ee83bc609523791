"""What the visitors do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Action = Literal["write", "category", "bestsellers", "product"]

# What visitors ask for: many only see the first page, some go on to a category, most to a product.
WRITES = 0.01
CATEGORIES = 0.20
BESTSELLERS = 0.20
PRODUCTS = 1 - WRITES - CATEGORIES - BESTSELLERS


@dataclass(frozen=True)
class Plan:
    """A load, the same for every run of it.

    Attributes:
        connections: How many visitors there are; each waits for an answer before the next request.
        products: How many products the shop has.
        categories: How many categories it has.
        skew: The exponent of Zipf's law, by which products and categories are chosen.
        seed: The same seed gives each visitor the same wishes.
        warmup: Seconds of load before the measurement begins.
        seconds: Seconds of measurement.
    """

    connections: int
    products: int
    categories: int
    skew: float
    seed: int
    warmup: float
    seconds: float


def action_at(point: float) -> Action:
    """Return what a visitor does next.

    Args:
        point: From 0 up to, but not including, 1, drawn at random.
    """
    if point < WRITES:
        return "write"
    if point < WRITES + CATEGORIES:
        return "category"
    if point < WRITES + CATEGORIES + BESTSELLERS:
        return "bestsellers"
    return "product"
