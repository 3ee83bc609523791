"""Waiting for what happens elsewhere: in another process, or in a background task."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


async def until(condition: Callable[[], object], seconds: float = 10) -> float:
    """Wait until a condition is true.

    Args:
        condition: Asked again every few milliseconds.
        seconds: How long at most.

    Returns:
        The seconds that it took.

    Raises:
        AssertionError: It has not become true in time.
    """
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "what was waited for has not happened"
        await asyncio.sleep(0.005)
    return time.monotonic() - start
