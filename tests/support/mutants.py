"""Parts of a cache with one mechanism taken away: each has to fail the test of that mechanism."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any

import pytest

from asynccache.core.fence import Fence
from asynccache.levels.first import FirstLevel
from asynccache.levels.journal import Journal
from asynccache.levels.ordering import Ordering
from asynccache.levels.shared import Levels, SecondLevel
from asynccache.levels.store import Item, Lease, Outcome, Raw
from asynccache.levels.writer import TwoLevelWriter
from asynccache.memory.entry import FOREVER
from asynccache.redis import lua
from asynccache.redis.scripts import Script, ScriptCall, run
from asynccache.results import WriteResult
from tests.support.caches import SOUND, GatedStore, Parts

_DELETE = Script("return redis.call('DEL', KEYS[1])")
_SET = Script("redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1")
_SET_UNLESS_ANOTHERS = Script(
    "local holder = redis.call('GET', KEYS[2]) "
    "if holder and holder ~= ARGV[1] then return 0 end "
    "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1"
)


def against(**part: type) -> pytest.MarkDecorator:
    """Run a test with the cache as it is, and with one of its parts broken."""
    (broken,) = part.values()
    cases = [(SOUND, True), (Parts(**part), False)]
    return pytest.mark.parametrize(("parts", "holds"), cases, ids=["as it is", broken.__name__])


class FillsWithoutLease(GatedStore):
    """Stores what was loaded, whoever has the lease."""

    async def fill(
        self, items: Mapping[str, Item], token: bytes, *, announce: bool = False
    ) -> set[str]:
        """See `Store.fill`."""
        await run(self._transport, *(self._script(_SET, key, *each) for key, each in items.items()))
        return set(items)


class FillsWhenTheLeaseIsGone(GatedStore):
    """Takes an absent lease for permission."""

    async def fill(
        self, items: Mapping[str, Item], token: bytes, *, announce: bool = False
    ) -> set[str]:
        """See `Store.fill`."""
        fills = (
            self._script(_SET_UNLESS_ANOTHERS, key, token, *each) for key, each in items.items()
        )
        replies = await run(self._transport, *fills)
        return {key for key, reply in zip(items, replies, strict=True) if reply == 1}


class GrantsEverybody(FillsWithoutLease):
    """Lets those who are tired of waiting store what they load."""

    async def acquire(
        self, keys: Sequence[str], token: bytes, lease_ms: int, *, steal: bool = False
    ) -> list[Lease]:
        """See `Store.acquire`."""
        return [Lease(True, raw) for raw in await self.read(keys)]


class ForgetSparesTheLease(GatedStore):
    """Removes a record and leaves the lease of who is loading it."""

    async def forget(self, keys: Sequence[str], settle_ms: int = 0) -> int:
        """See `Store.forget`."""
        return sum(await self._change([self._script(_DELETE, key) for key in keys], keys))


class PutSparesTheLease(GatedStore):
    """Stores a record and leaves the lease of who is loading it."""

    async def put(self, items: Mapping[str, Item], version: int = 0) -> list[Outcome]:
        """See `Store.put`."""
        puts = [self._script(_SET, key, *each) for key, each in items.items()]
        await self._change(puts, list(items))
        return [Outcome.STORED for _ in items]


class AnnouncesFirst(GatedStore):
    """Tells the others before it is done."""

    async def forget(self, keys: Sequence[str], settle_ms: int = 0) -> int:
        """See `Store.forget`."""
        await run(self._transport, *self._announcements(keys))
        await self.pause("forget", "after")
        forgetting = (self._script(lua.FORGET, key, 0, third=key) for key in keys)
        return sum(await run(self._transport, *forgetting))


class IgnoresTheServersClock(GatedStore):
    """Believes that everything lives for an hour from when it is read."""

    async def read(self, keys: Sequence[str]) -> list[Raw]:
        """See `Store.read`."""
        return [Raw(raw.value, 3_600_000) for raw in await super().read(keys)]


class NeverPoisons(FirstLevel):
    """Drops what is there, and lets what is on its way be stored."""

    def forget(self, keys: Sequence[str], *, spare: Fence | None = None) -> None:
        """See `FirstLevel.forget`."""
        for key in keys:
            self.engine.delete(key)
            self.loads.detach(key)
            self.reads.detach(key)


class NeverDetaches(FirstLevel):
    """Lets newcomers join what an invalidation has overtaken."""

    def forget(self, keys: Sequence[str], *, spare: Fence | None = None) -> None:
        """See `FirstLevel.forget`."""
        for key in keys:
            self.engine.delete(key)
        self.fences.poison(keys, spare=spare)


class IgnoresGaps(FirstLevel):
    """Keeps what it has when messages may have been lost."""

    def close_until_proven(self) -> None:
        """See `FirstLevel.close_until_proven`."""


class NeedsNoProof(FirstLevel):
    """Answers until somebody tells it not to."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._max_staleness = FOREVER
        self.proven_until = FOREVER


class ForgetsOnce(TwoLevelWriter):
    """Drops before the change in Redis and not after it."""

    async def _forgetting(
        self, keys: Sequence[str], change: Callable[..., Coroutine[Any, Any, int]], *arguments: Any
    ) -> WriteResult:
        self._first.forget(keys)
        await self._ordering.before(keys)
        return await self._change(keys, change(*arguments))


class Unordered(TwoLevelWriter):
    """Lets a set that is on its way come after a delete that began later."""

    def __init__(self, levels: Levels, second: SecondLevel) -> None:
        super().__init__(levels, second)
        self._ordering = _NoOrdering()


class _NoOrdering(Ordering):
    async def before(self, keys: Collection[str] | None) -> None:
        """See `Ordering.before`."""


class NotesNothing(Journal):
    """Takes a lost delete for done."""

    def note(self, keys: Collection[str]) -> None:
        """See `Journal.note`."""


class PutsWheneverItComes(GatedStore):
    """Lets a change be carried out however late it reaches Redis."""

    async def _in_time(
        self,
        keys: Sequence[str],
        script: Callable[[str, int], ScriptCall],
        announcements: Sequence[ScriptCall] = (),
        *,
        retry: bool = True,
    ) -> list[Any]:
        scripts = [script(key, 0) for key in keys]
        return await self._run_and_announce(scripts, announcements, retry=retry)
