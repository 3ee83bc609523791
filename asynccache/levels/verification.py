"""Looking whether the cache says what the source says, some time after an invalidation.

After Polaris (Meta, "Cache made consistent", 2022): a sample of the keys that are invalidated is
loaded again, past the bound of staleness, and compared with what the two levels answer. A program
that invalidates before its commit, or forgets to, finds it on the first day.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asynccache.core.freshness import Fresh
from asynccache.errors import Unavailable
from asynccache.events import Inconsistent
from asynccache.levels.shared import Levels
from asynccache.types import MISSING

logger = logging.getLogger("asynccache")

MOST_LOADERS: Final = 10_000
"""Keys whose loaders are remembered, the newest ones."""

MOST_CHECKS: Final = 100
"""Checks that wait or run at once; further ones are left out."""

SCALES: Final = (1, 2, 4)
"""When to look, in units of ``max_staleness`` after the invalidation."""

Loader = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Verification:
    """What the checks have found.

    Attributes:
        checked: Comparisons that were made.
        skipped: Comparisons that told nothing: the key was invalidated again meanwhile, its loader
            failed, or nothing was there to compare.
        inconsistent: Levels that answered something else than the source, by the seconds since the
            invalidation.
    """

    checked: int
    skipped: int
    inconsistent: dict[float, int]


class Verifier:
    """Checks a sample of what is invalidated.

    Args:
        levels: What is checked.
        bound: The cache's ``max_staleness``, in seconds.
        sample: The share of invalidated keys to check.
    """

    def __init__(self, levels: Levels, bound: float, sample: float) -> None:
        self._levels = levels
        self._bound = bound
        self.sample = sample
        self._loaders: dict[str, Loader] = {}
        self._changes: dict[str, int] = {}  # of the keys that are being checked
        self._checked = 0
        self._skipped = 0
        self._inconsistent: dict[float, int] = {}

    def loaded(self, key: str, loader: Loader) -> None:
        """Remember a registered loader: it may be called at any time."""
        self._loaders.pop(key, None)
        self._loaders[key] = loader
        if len(self._loaders) > MOST_LOADERS:
            del self._loaders[next(iter(self._loaders))]

    def invalidated(self, keys: Sequence[str]) -> None:
        """Check some of these keys later."""
        for key in keys:
            if key in self._changes:
                self._changes[key] += 1
            elif (
                self.sample
                and key in self._loaders
                and len(self._changes) < MOST_CHECKS
                and self._levels.random() < self.sample
            ):
                self._changes[key] = 0
                self._levels.tasks.spawn(self._check(key), name="asynccache verify")

    async def _check(self, key: str) -> None:
        waited = 0.0
        try:
            for scale in SCALES:
                await asyncio.sleep(scale * self._bound - waited)
                waited = scale * self._bound
                await self._compare(key, waited)
        finally:
            del self._changes[key]

    async def _compare(self, key: str, after: float) -> None:
        changes = self._changes[key]
        levels = self._levels
        l1 = levels.first.get(key)
        l2: Any = MISSING
        try:
            tokens = await levels.learn(())
            for _, reading in await levels.read([key], tokens):
                l2 = reading.value if isinstance(reading, Fresh) else MISSING
            source = await self._loaders[key]()
        except Unavailable:
            self._skipped += 1
            return
        except Exception as error:  # noqa: BLE001  # of the user's loader
            logger.debug("a loader failed while %r was verified: %r", key, error)
            self._skipped += 1
            return
        found = {name: value for name, value in (("L1", l1), ("L2", l2)) if value is not MISSING}
        if self._changes[key] != changes or not found:
            self._skipped += 1
            return
        self._checked += 1
        encode = levels.codec.encode
        for level, value in found.items():
            if value != source and encode(value) != encode(source):
                self._inconsistent[after] = self._inconsistent.get(after, 0) + 1
                levels.events.emit(Inconsistent(key, level, after))
                logger.error(
                    "%s says something else of %r than its source, %g s after an invalidation",
                    *(level, key, after),
                )

    def result(self) -> Verification:
        """Return what was found."""
        return Verification(self._checked, self._skipped, dict(self._inconsistent))
