"""Calling a loader: under its deadline, within the bulkhead, and counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeAlias

from asynccache.core.arguments import wrong_type
from asynccache.core.policy import Policy
from asynccache.errors import LoadTimeout
from asynccache.levels.shared import Levels

BulkLoader: TypeAlias = Callable[[list[str]], Awaitable[Mapping[str, Any]]]


async def call_loader(
    levels: Levels, loader: BulkLoader, keys: Sequence[str], policy: Policy
) -> Mapping[str, Any]:
    """Return what a loader returns.

    Args:
        levels: Whose bulkhead and counters to use.
        loader: The loader.
        keys: What it is asked for.
        policy: Says how long it may take, with the wait for a permit, and whether it needs one.

    Raises:
        ArgumentTypeError: It returned no mapping.
        LoadTimeout: It took longer.
        Exception: Whatever it raised.
    """
    counters, limit = levels.counters, policy.load_timeout
    permit = levels.bulkhead.permit() if policy.bulkhead else nullcontext()
    counters.misses += len(keys)
    try:
        async with asyncio.timeout(limit) as timeout, permit:
            counters.loads += len(keys)
            values = await loader(list(keys))
    except TimeoutError as error:
        counters.load_failures += len(keys)
        if timeout.expired() and limit is not None:
            raise LoadTimeout(keys[0], limit) from error
        raise
    except Exception:
        counters.load_failures += len(keys)
        raise
    if not isinstance(values, Mapping):
        raise wrong_type("load_missing", values, "a function that returns a mapping")
    return values
