"""The first level with other processes behind it: what it may serve, and for how long."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from asynccache import MISSING, EncodeError, ManualClock, MsgpackCodec, Policy
from asynccache.core.policy import Lifetime
from asynccache.errors import DecodeError
from asynccache.levels.first import FirstLevel, Held
from asynccache.memory.engine import MemoryEngine
from asynccache.memory.entry import Extra
from asynccache.tasks import OwnedTasks

MAX_STALENESS = 2.0


class Level:
    """A first level, with what it was made of."""

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock()
        self.codec = MsgpackCodec()
        self.engine = MemoryEngine(**options)
        self.first = FirstLevel(self.engine, self.codec, self.clock, OwnedTasks(), MAX_STALENESS)

    def keep(self, key: str, value: object, policy: Policy | None = None) -> None:
        """Keep what was read just now."""
        policy = policy or Policy()
        now = self.clock.monotonic()
        left = Lifetime(policy.ttl, policy.grace)
        held = self.first.hold(value, policy)
        self.first.install(key, held, left=left, policy=policy, asof=now, since=now)


@pytest.fixture
def level() -> Level:
    """A first level that has no proof yet."""
    return Level()


def test_a_value_needs_no_proof_for_as_long_as_it_may_be_stale(level: Level) -> None:
    """It was current when it was read."""
    level.keep("key", "value")
    level.clock.advance(1.75)
    assert level.first.get("key") == "value"

    level.clock.advance(0.25)
    assert level.first.get("key") is MISSING


def test_a_proof_prolongs_all_values(level: Level) -> None:
    """Each says that every invalidation older than its instant has been applied."""
    level.keep("key", "value")
    for _ in range(10):
        level.clock.advance(1)
        level.first.prove(level.clock.monotonic())
    level.clock.advance(1.75)
    assert level.first.get("key") == "value"

    level.clock.advance(0.25)
    assert level.first.get("key") is MISSING


def test_an_older_proof_takes_nothing_back(level: Level) -> None:
    """They may arrive in any order."""
    level.keep("key", "value")
    level.clock.advance(10)
    level.first.prove(level.clock.monotonic())
    level.first.prove(level.clock.monotonic() - 9)

    assert level.first.get("key") == "value"


def test_a_proof_is_no_longer_ttl(level: Level) -> None:
    """A value ends with its lifetime, or with what this process may keep."""
    level.keep("ttl", "value", Policy(ttl=5))
    level.keep("l1_ttl", "value", Policy(ttl=50, l1_ttl=5))
    level.clock.advance(5)
    level.first.prove(level.clock.monotonic())

    assert [level.first.get(key) for key in ("ttl", "l1_ttl")] == [MISSING, MISSING]


def test_a_gap_drops_everything(level: Level) -> None:
    """And ends all proofs: what comes next has to stand on its own."""
    level.keep("old", "value")
    level.first.prove(level.clock.monotonic() + 100)
    level.first.close_until_proven()
    assert level.first.get("old") is MISSING
    assert level.first.proven_until == 0

    level.keep("new", "value")
    level.clock.advance(2)
    assert level.first.get("new") is MISSING


@pytest.mark.parametrize(("grace", "expected"), [(0, MISSING), (60, "value")])
def test_what_lacks_a_proof_stands_in_only_with_grace(
    level: Level, grace: int, expected: object
) -> None:
    """Without grace nobody has agreed to stale values, not even when the loader fails."""
    level.keep("key", "value", Policy(ttl=100, grace=grace))
    level.clock.advance(50)

    assert level.first.get("key") is MISSING
    assert level.first.stale("key") == expected


def test_the_grace_counts_from_the_ttl_not_from_what_l1_may_keep(level: Level) -> None:
    """``l1_ttl`` says when to ask Redis again, and nothing about staleness."""
    level.keep("key", "value", Policy(ttl=100, l1_ttl=1, grace=10))
    level.clock.advance(109)
    assert level.first.stale("key") == "value"

    level.clock.advance(1)
    assert level.first.stale("key") is MISSING


def test_forgetting_spares_the_one_who_asks(level: Level) -> None:
    """A write overtakes everything that began earlier, except itself."""
    with level.first.fences.over("key") as mine, level.first.fences.over("key") as other:
        level.first.forget(["key"], spare=mine)

        assert (mine.intact("key"), other.intact("key")) == (True, False)


def test_an_immutable_value_is_encoded_only_where_it_has_to_be(level: Level) -> None:
    """With Redis behind it, that is done once, on the way there."""
    held = level.first.hold("value", Policy())

    assert (held.value, held.payload) == ("value", None)
    assert level.first.take(held) is held.value


def test_what_was_decoded_for_nobody_goes_to_the_first_taker(level: Level) -> None:
    """A second one gets a copy."""
    value = ["value"]
    held = level.first.hold(value, Policy(), level.codec.encode(value))
    first, second = level.first.take(held), level.first.take(held)

    assert first is value
    assert second == value
    assert second is not first


class Moody:
    """A type whose instances can be decoded only sometimes."""

    willing = True

    @classmethod
    def decode(cls, data: Any) -> Moody:
        """Make an instance, or refuse to."""
        if not cls.willing:
            raise ValueError("not today")
        return cls()


def test_what_can_no_longer_be_decoded_is_missing(
    level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is dropped, counts as no hit, and does not stand in either."""
    level.codec.register(Moody, encode=lambda moody: 1, decode=Moody.decode)
    level.keep("key", Moody(), Policy(grace=60))
    monkeypatch.setattr(Moody, "willing", False)
    assert level.first.stale("key") is MISSING
    assert len(level.engine) == 0

    with pytest.raises(EncodeError, match="it can be encoded, but not decoded again"):
        level.keep("other", Moody())
    monkeypatch.undo()
    level.keep("key", Moody())
    monkeypatch.setattr(Moody, "willing", False)
    assert level.first.get("key") is MISSING
    assert level.engine.statistics().hits == 0
    with pytest.raises(DecodeError):
        level.codec.decode(level.codec.encode(Moody()))


def test_a_weigher_that_fails_keeps_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the new value nor the one that it was to replace; the log says why."""
    level = Level(weigher=lambda key, value: len(value))
    level.keep("key", "value")
    with caplog.at_level(logging.ERROR):
        level.keep("key", 7)

    assert level.first.get("key") is MISSING
    assert "'key' is not kept in L1: its weigher failed" in caplog.text


async def test_what_is_too_old_to_be_joined_is_too_old_to_be_kept(level: Level) -> None:
    """It may end after what is loaded in its place, and would bring back what that has replaced."""
    ended = asyncio.Event()

    async def load(deliver: Any, overtaken: Any) -> None:
        del overtaken
        await ended.wait()
        deliver("key", None)

    with level.first.fences.over("key") as fence:
        level.first.loads.start(["key"], load, cancel_abandoned=False)
        level.clock.advance(MAX_STALENESS)
        assert fence.intact("key")
        assert level.first.loads.join("key") is None
        assert not fence.intact("key")
    ended.set()
    await asyncio.sleep(0)


async def test_a_load_that_began_too_long_ago_is_not_joined(level: Level) -> None:
    """After a stall of the process nobody knows what has been invalidated meanwhile."""
    release = asyncio.Event()

    async def work(deliver: Any, overtaken: object) -> None:
        await release.wait()
        deliver("key", "value")

    flight = level.first.loads.start(["key"], work, cancel_abandoned=False)["key"]
    assert level.first.loads.join("key") is flight
    level.clock.advance(2)
    assert level.first.loads.join("key") is None
    level.first.prove(level.clock.monotonic())
    assert level.first.loads.join("key") is None

    waiting = asyncio.create_task(flight.wait())
    await asyncio.sleep(0)
    release.set()
    assert await waiting == "value"


def tagged(level: Level, epoch: int) -> Held:
    """Return a value with a tag, whose load began at an epoch."""
    held = level.first.hold("value", Policy())
    held.extra, held.epoch = Extra(("tag",)), epoch
    return held


def test_a_later_invalidation_hides_none_that_came_before_the_caller(level: Level) -> None:
    """Only the last one of a tag is known; who asked after the load began may not be given it."""
    first = level.first
    held = tagged(level, first.engine.epoch)
    asked_before = first.engine.epoch
    assert not first.is_overtaken(held, asked_before)
    first.forget_tags(["tag"])
    asked_between = first.engine.epoch
    first.forget_tags(["tag"])

    assert first.is_overtaken(held, asked_between)
    assert not first.is_overtaken(held, asked_before)  # both were concurrent
    assert not first.is_overtaken(tagged(level, first.engine.epoch), first.engine.epoch)


def test_what_was_given_out_and_not_kept_leaves_nothing_older(level: Level) -> None:
    """What is here may be older than that, and what is on its way too; once, not for ever."""
    first = level.first
    level.keep("key", "older")
    with first.fences.over("key") as kept, first.fences.over("key") as other:
        first.outdo("key", by=kept)
        assert first.current("key") is None
        assert kept.intact("key")
        assert not other.intact("key")

        level.keep("key", "newer")
        first.outdo("key", by=other)
        assert first.current("key") is not None
