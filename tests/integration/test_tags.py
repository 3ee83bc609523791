"""Tags across processes: one token each, replaced to invalidate all that carry it (races 26-29)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from asynccache import MISSING, NotAcknowledged, Policy, load_context
from asynccache.core.keys import KeySpace
from asynccache.levels.first import FirstLevel
from asynccache.levels.tokens import Tokens
from tests.support.caches import (
    Caches,
    GatedStore,
    Parts,
    Source,
    heard,
    link_of,
    runtime_of,
    store_of,
)
from tests.support.fault_proxy import FaultProxy
from tests.support.mutants import against
from tests.support.redis_server import RedisServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration

KEY = "k"
KEYS = KeySpace("cache")


class KeepsTags(FirstLevel):
    """Does not look at tags."""

    def forget_tags(self, tags: Collection[str]) -> None:
        """See `FirstLevel.forget_tags`."""
        self.tokens.forget(tags)


class KeepsTokens(Tokens):
    """Goes on believing in tokens that have been replaced."""

    def forget(self, tags: Collection[str]) -> None:
        """See `Tokens.forget`."""


class TokensFromAfterwards(GatedStore):
    """Takes for the token of a tag which one it has after the load."""

    async def ensure_unless_later(self, tags: Any, clock: int) -> Mapping[str, bytes] | None:  # type: ignore[override]
        """See `Store.ensure_unless_later`."""
        del clock
        return await self.ensure(tags)


@against(first=KeepsTags)
async def test_an_invalidated_tag_reaches_every_process(
    caches: Caches, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """What is tagged goes, in both levels of all; the rest stays."""
    here, there = [await caches.start(redis_url, parts=parts) for _ in range(2)]
    source, other = Source("old"), Source("kept")
    for cache in (here, there):
        assert await cache.get_or_load(KEY, source.load, tags=["a", "b"]) == "old"
        assert await cache.get_or_load("other", other.load, tags=["b"]) == "kept"
    source.value = "new"

    assert (await here.invalidate_tags("a")).acknowledged
    await heard(there, 1)

    for cache in (there, here):
        assert (await cache.get_or_load(KEY, source.load, tags=["a"]) == "new") is holds
        assert cache.peek("other") == "kept"
    assert other.loads == 1


@pytest.mark.parametrize("broken", [False, True])
async def test_a_record_of_an_old_token_is_a_miss(
    caches: Caches, redis_url: str, monkeypatch: pytest.MonkeyPatch, *, broken: bool
) -> None:
    """Also when L1 never had it, and when it is read without its tags being named."""
    if broken:
        monkeypatch.setattr("asynccache.levels.first.Tokens", KeepsTokens)
    here, there = [await caches.start(redis_url) for _ in range(2)]
    await here.set(KEY, "old", tags=["a"])
    await there.get_many([KEY, "none"])  # knows the token from now on
    await there.set("x", 1, tags=["a"])
    runtime_of(there).first.engine.clear()

    await here.invalidate_tags("a")
    await heard(there, 2)

    for cache in (there, here):
        assert (await cache.get(KEY) is MISSING) is not broken


async def test_a_hit_in_redis_needs_no_tags_named(caches: Caches, redis_url: str) -> None:
    """The record itself says which it has."""
    here, there = [await caches.start(redis_url) for _ in range(2)]
    await here.set(KEY, "value", tags=["a", "b"])

    assert await there.get(KEY) == "value"
    await there.invalidate_tags("b")
    await heard(here, 1)
    assert await here.get(KEY) is MISSING
    assert await there.get(KEY) is MISSING


async def test_invalidating_visits_nothing(caches: Caches, redis_url: str) -> None:
    """Two scripts, for one member as for a thousand."""
    cache = await caches.start(redis_url, max_entries=2_000)
    await cache.set_many({f"k{n}": n for n in range(1_000)}, tags=["all"])
    (before,) = await link_of(cache).call(("INFO", "commandstats"))
    await cache.invalidate_tags("all")
    (after,) = await link_of(cache).call(("INFO", "commandstats"))

    assert _calls(after, "evalsha") - _calls(before, "evalsha") == 2
    assert [cache.peek(f"k{n}") for n in range(1_000)] == [MISSING] * 1_000


def _calls(info: bytes, command: str) -> int:
    (line,) = [each for each in info.decode().splitlines() if f"cmdstat_{command}:" in each]
    return int(line.partition("calls=")[2].partition(",")[0])


@pytest.mark.parametrize("named", [True, False], ids=["by the caller", "by the loader"])
async def test_race_05_a_tag_overtakes_a_load(
    caches: Caches, redis_url: str, *, named: bool
) -> None:
    """A load that began before is kept nowhere, and who asks afterwards is not served by it."""
    here, there = [await caches.start(redis_url) for _ in range(2)]
    source = Source("old")
    slow = source.slow()

    async def tagging() -> Any:
        value = await slow()
        load_context().tags = ["a"]
        return value

    tags = ["a"] if named else []
    loader = slow if named else tagging
    early = asyncio.create_task(here.get_or_load(KEY, loader, tags=tags))
    await slow.has_read.wait()
    source.value = "new"
    await here.invalidate_tags("a")
    late = asyncio.create_task(here.get_or_load(KEY, source.load, tags=tags))
    await asyncio.sleep(0)
    slow.finish()

    assert await early == "old"
    assert await late == "new"
    assert await here.get_or_load(KEY, source.load, tags=tags) == "new"
    assert await there.get_or_load(KEY, source.load, tags=tags) == "new"


@against(store=TokensFromAfterwards)
async def test_race_26_tag_version_taken_after_the_load(
    caches: Caches, redis_url: str, parts: Parts, *, holds: bool
) -> None:
    """A tag that only the loader knows: its token must not be one of after an invalidation."""
    loading, changing = [await caches.start(redis_url, parts=parts) for _ in range(2)]
    source = Source("old")
    slow = source.slow()

    async def tagging() -> Any:
        value = await slow()
        load_context().tags = ["late"]
        return value

    reader = asyncio.create_task(loading.get_or_load(KEY, tagging))
    await slow.has_read.wait()
    source.value = "new"
    await changing.invalidate_tags("late")
    slow.finish()
    assert await reader == "old"

    newcomer = await caches.start(redis_url, parts=parts)
    assert (await newcomer.get_or_load(KEY, source.load) == "new") is holds


async def test_a_loaders_tags_are_stored_when_nothing_was_invalidated(
    caches: Caches, redis_url: str
) -> None:
    """A tag that nobody has used before costs a round trip, not the record."""
    here, there = [await caches.start(redis_url) for _ in range(2)]

    async def loader() -> str:
        load_context().tags = ["fresh"]
        return "value"

    await here.get_or_load(KEY, loader)
    assert await there.get(KEY) == "value"
    await there.invalidate_tags("fresh")
    assert await there.get(KEY) is MISSING


async def test_race_27_tag_key_evicted(caches: Caches, redis_url: str) -> None:
    """A tag without a token makes a miss, and gets another token, never a first one again."""
    here = await caches.start(redis_url)
    await here.set(KEY, "old", tags=["a"])
    await link_of(here).call(("DEL", KEYS.token("a")))

    there = await caches.start(redis_url)
    assert await there.get(KEY) is MISSING


async def test_race_28_a_tag_without_members_reaches_what_comes(
    caches: Caches, redis_url: str
) -> None:
    """There is no set of members to be incomplete: what is filled meanwhile is reached as well."""
    here, there = [await caches.start(redis_url) for _ in range(2)]
    await asyncio.gather(
        *(here.set(f"k{n}", n, tags=["a"]) for n in range(50)), there.invalidate_tags("a")
    )
    await there.invalidate_tags("a")

    fresh = await caches.start(redis_url)
    assert await fresh.get_many([f"k{n}" for n in range(50)]) == {}


async def test_race_29_clear_overtakes_everything(caches: Caches, redis_url: str) -> None:
    """Loads under way, counters, what others hold: a clear is one new token."""
    here, there = [await caches.start(redis_url) for _ in range(2)]
    source = Source("old")
    slow = source.slow()
    await here.incr("n", 5)
    await there.set("k2", "old")
    reader = asyncio.create_task(there.get_or_load(KEY, slow))
    await slow.has_read.wait()
    source.value = "new"

    assert (await here.clear()).acknowledged
    await until(lambda: there.statistics().l1_entries == 0)
    slow.finish()

    assert await reader == "old"
    assert await there.get_or_load(KEY, source.load) == "new"
    assert await there.get("k2") is MISSING
    assert await there.incr("n") == 1


async def test_tags_and_clear_without_redis(own_redis: RedisServer, caches: Caches) -> None:
    """Unsaid, they hold in this process at once, and everywhere when Redis is back."""
    here, there = [await caches.start(own_redis.url, max_staleness=1) for _ in range(2)]
    for key in ("tagged", "plain"):
        await here.set(key, "old", tags=["a"] if key == "tagged" else [])
        assert await there.get(key) == "old"
    own_redis.pause()
    assert not (await here.invalidate_tags("a")).acknowledged
    with pytest.raises(NotAcknowledged):
        await here.invalidate_tags("a", strict=True)
    assert here.peek("tagged") is MISSING
    assert here.statistics().journal == 1
    own_redis.resume()
    await until(lambda: here.statistics().journal == 0)
    await until(lambda: there.peek("tagged") is MISSING)

    assert await there.get("tagged") is MISSING
    assert await here.get("plain") == "old"


async def test_negative_ttl_and_context_reach_redis(caches: Caches, redis_url: str) -> None:
    """What a loader says of its value's lifetime counts in every process."""
    here, there = [await caches.start(redis_url) for _ in range(2)]

    async def short() -> str:
        load_context().ttl = 0.2
        return "value"

    async def unkept() -> str:
        load_context().skip_store()
        return "value"

    async def nothing() -> None:
        return None

    await here.get_or_load("short", short)
    await here.get_or_load("unkept", unkept)
    await here.get_or_load("none", nothing, policy=Policy(negative_ttl=0.2))
    assert await there.get("short") == "value"
    assert await there.get("none") is None
    assert await there.get("unkept") is MISSING
    assert here.peek("unkept") is MISSING
    await asyncio.sleep(0.3)
    assert await there.get("short") is MISSING
    assert await here.get("none") is MISSING
    (left,) = await store_of(here)._transport.call(("EXISTS", KEYS.lease("unkept")))
    assert left == 0


async def test_an_invalidation_that_redis_hears_of_during_a_read_holds_for_the_read(
    caches: Caches, redis_server: RedisServer
) -> None:
    """The read has asked for the tag's token before it was replaced, and for the value after."""
    async with FaultProxy(redis_server.port) as proxy:
        cache = await caches.start(proxy.url)
        source, store = Source("old"), store_of(cache)
        assert await cache.get_or_load(KEY, source.load, tags=["tag"]) == "old"
        await proxy.cut()
        source.value = "new"
        assert not (await cache.invalidate_tags("tag")).acknowledged
        replaying, reading = store.hold("invalidate_tags", "before"), store.hold("read", "before")
        await proxy.restore()
        await until(lambda: cache.statistics().breaker == "closed")
        await replaying.reached.wait()

        read = asyncio.create_task(cache.get_or_load(KEY, source.load, tags=["tag"]))
        await reading.reached.wait()  # it has the token
        replaying.release()
        await until(lambda: cache.statistics().journal == 0)
        reading.release()

        assert await read == "new"
