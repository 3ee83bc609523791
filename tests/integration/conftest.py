"""Caches on real servers, closed after the test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.caches import Caches


@pytest.fixture
async def caches() -> AsyncIterator[Caches]:
    """Start caches that are closed after the test."""
    async with Caches() as running:
        yield running
