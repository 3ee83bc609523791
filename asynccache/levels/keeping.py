"""Keeping what was loaded: in Redis under its lease, in L1 under its fence, or nowhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from asynccache.context import LoadContext
from asynccache.core.fence import Fence
from asynccache.core.policy import Lifetime, Policy
from asynccache.errors import Unavailable
from asynccache.levels.claims import Claims
from asynccache.levels.first import Held
from asynccache.levels.late_tags import tokens_of
from asynccache.levels.shared import Levels, SecondLevel
from asynccache.levels.store import Item
from asynccache.memory.entry import Extra
from asynccache.types import MISSING, Missing

logger = logging.getLogger("asynccache")


class Keeping:
    """Stores the values of one run, and gives them to those who wait.

    Args:
        levels: Where to store.
        policy: How the values are kept.
        tags: What they are tagged with, besides what their loader says.
        claims: What was taken before the load.
        fence: That of the run.
    """

    __slots__ = ("_claims", "_fence", "_levels", "_policy", "_tags")

    def __init__(
        self,
        levels: Levels,
        policy: Policy,
        *,
        tags: tuple[str, ...],
        claims: Claims,
        fence: Fence,
    ) -> None:
        self._levels = levels
        self._policy = policy
        self._tags = tags
        self._claims = claims
        self._fence = fence

    async def take_in(
        self,
        values: Mapping[str, Any],
        keys: Sequence[str],
        context: LoadContext,
        settle: Callable[[str, Held | Missing], None],
        *,
        second: SecondLevel | None,
        leased: Collection[str],
        announce: bool,
        asof: float,
    ) -> None:
        """Store what was loaded, in Redis first, and give it to those who wait.

        Args:
            values: What the loader has returned.
            keys: What it was asked for.
            context: What it has said.
            settle: Gives a key's value to those who wait.
            second: Redis; None: it is not to be asked.
            leased: The keys that may be stored there.
            announce: The others may hold an older value, and are told.
            asof: An instant before the load.
        """
        levels = self._levels
        since = levels.clock.monotonic()
        tags = tuple(dict.fromkeys((*self._tags, *context.tags)))
        extra = Extra(tags, context.etag, context.version)
        is_plain = not (tags or context.etag is not None or context.version)
        lifetimes: dict[str, Lifetime] = {}
        held: dict[str, Held] = {}
        for key in keys:
            if key not in values:
                settle(key, MISSING)
                continue
            held[key] = levels.first.hold(values[key], self._policy)
            held[key].extra, held[key].epoch = None if is_plain else extra, self._fence.epoch
            lifetimes[key] = self._lifetime(key, values[key], context)
        storable = {key: held[key] for key in held if key in leased and context.is_kept}
        items = await self._items(storable, lifetimes, extra, asof=asof, since=since)
        refused = await self._fill(items, second, announce=announce)
        if second is not None:
            unneeded = [key for key in leased if key not in items]
            await second.leases.release(unneeded, self._claims.token)
        for key, value in held.items():
            if key not in refused and key not in self._claims.unkept and context.is_kept:
                value.load_time = since - asof
                by = self._fence if key in items else None
                self.install(key, value, lifetimes[key], asof=asof, since=since, written_by=by)
            else:
                levels.first.outdo(key, by=self._fence)
            settle(key, value)

    def install(
        self,
        key: str,
        held: Held,
        left: Lifetime,
        *,
        asof: float,
        since: float,
        written_by: Fence | None = None,
    ) -> None:
        """Keep a value in L1, unless something newer has happened; see `FirstLevel.install`."""
        first = self._levels.first
        if not self._fence.intact(key) or not first.install(
            *(key, held),
            left=left,
            policy=self._policy,
            asof=asof,
            since=since,
            written_by=written_by,
        ):
            first.outdo(key, by=self._fence)

    async def _items(
        self,
        helds: Mapping[str, Held],
        lifetimes: Mapping[str, Lifetime],
        extra: Extra,
        *,
        asof: float,
        since: float,
    ) -> dict[str, Item]:
        """Return the records of loaded values; none, if they may be older than their tags."""
        levels, claims = self._levels, self._claims
        tokens = None
        if helds:
            tokens = await tokens_of(
                levels, extra.tags, known=claims.tokens, before=asof, clock=claims.clock
            )
        if tokens is None:
            return {}
        items: dict[str, Item] = {}
        for key, held in helds.items():
            payload = levels.codec.encode(held.value) if held.payload is None else held.payload
            items[key] = levels.item(
                *(key, payload, lifetimes[key], tokens),
                tags=extra.tags,
                etag=extra.etag,
                version=extra.version,
                load_ms=round((since - asof) * 1000),
                stamp=claims.stamps.get(key),
            )
        return items

    def _lifetime(self, key: str, value: Any, context: LoadContext) -> Lifetime:
        """Return how long a loaded value may be kept."""
        policy, ttl = self._policy, context.ttl
        if ttl is None and value is None and policy.negative_ttl is not None:
            ttl = self._levels.negatives.ttl(key, policy.negative_ttl, policy.ttl)
        if value is not None or policy.negative_ttl is None:
            self._levels.negatives.exists(key)
        lifetime = policy.lifetime(self._levels.random(), ttl=ttl, grace=context.grace)
        settling = self._claims.settling.get(key)
        if settling is None:
            return lifetime
        return Lifetime(min(settling, lifetime.fresh or settling), 0.0)

    async def _fill(
        self, items: Mapping[str, Item], second: SecondLevel | None, *, announce: bool
    ) -> set[str]:
        """Store records in L2; return the keys whose lease was lost to something newer."""
        if second is None or not items:
            return set()
        first = self._levels.first
        first.expect(items, self._fence)
        try:
            stored = await second.store.fill(items, self._claims.token, announce=announce)
        except Unavailable as error:
            logger.debug("a fill did not reach Redis: %s", error)
            stored = set(items)
            if announce:
                second.note(items)  # the older value is still there
        if announce:
            # Reads that began meanwhile may hold what has been replaced.
            first.fences.poison(items, spare=self._fence)
        refused = set(items) - stored
        # Something newer has happened, of which this process may not have heard yet: what it holds
        # is older than what whoever asked is about to see.
        first.forget(list(refused), spare=self._fence)
        self._levels.counters.fills_refused += len(refused)
        return refused
