"""Pushes: what is dropped, what is looked into, and what nothing may be kept for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from asynccache import MISSING, ManualClock, MsgpackCodec, Policy
from asynccache.core.fence import Fence
from asynccache.core.keys import KeySpace
from asynccache.core.policy import Lifetime
from asynccache.errors import Unavailable
from asynccache.levels.first import FirstLevel
from asynccache.levels.pushes import BATCH, Pushes
from asynccache.levels.store import Item, Raw
from asynccache.memory.engine import MemoryEngine
from asynccache.tasks import OwnedTasks

KEYS = KeySpace("ns")
MINE = Item(b"mine", 60_000)


class Redis:
    """As much of a store as is looked into.

    Attributes:
        records: What it holds.
        reads: The keys of each read.
        error: What it raises instead.
    """

    def __init__(self) -> None:
        self.records: dict[str, bytes] = {}
        self.reads: list[list[str]] = []
        self.error: Exception | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def read(self, keys: Sequence[str]) -> list[Raw]:
        """See `Store.read`."""
        self.reads.append(list(keys))
        answers = [Raw(self.records.get(key), 60_000) for key in keys]
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        return answers


class Level:
    """A first level that is told by a Redis."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        tasks = OwnedTasks()
        self.first = FirstLevel(MemoryEngine(), MsgpackCodec(), self.clock, tasks, 2.0)
        self.redis = Redis()
        self.pushes = Pushes(
            self.first,
            self.redis,  # type: ignore[arg-type]  # nothing else is asked of it
            KEYS,
            self.clock,
            tasks,
        )

    def write(self, key: str, fence: Fence) -> None:
        """Store a record."""
        self.first.expect({key: MINE}, fence)
        self.redis.records[key] = MINE.record

    def keep(self, key: str, value: str, fence: Fence | None = None) -> bool:
        """Keep a value, written by a fence's operation or read."""
        now = self.clock.monotonic()
        held = self.first.hold(value, Policy())
        return self.first.install(
            *(key, held),
            left=Lifetime(60, 0),
            policy=Policy(),
            asof=now,
            since=now,
            written_by=fence,
        )

    def write_and_keep(self, key: str) -> None:
        """Store a record and keep its value."""
        with self.first.fences.over(key) as fence:
            self.write(key, fence)
            self.keep(key, "mine", fence)

    async def push(self, *keys: str) -> None:
        """Push keys, and wait until that is applied."""
        self.pushes.pushed([KEYS.record(key).encode() for key in keys])
        await self.pushes.settled()


@pytest.fixture
async def level() -> Level:
    """A first level that holds nothing."""
    return Level()


async def test_what_was_not_written_here_is_dropped_at_once(level: Level) -> None:
    """And nothing is asked."""
    level.keep("k", "value")
    with level.first.fences.over("k") as fence:
        level.pushes.pushed([KEYS.record("k").encode()])

        assert not fence.intact("k")
    assert level.first.get("k") is MISSING
    assert level.redis.reads == []


@pytest.mark.parametrize(
    "name", [b"ns:r:probe:00", b"ns:r:", b"ns:r:{", b"ns:r:{k", b"else", b"ns:r:{\xff}", b""]
)
async def test_what_is_no_record_is_left_alone(level: Level, name: bytes) -> None:
    """Others may have keys that begin alike."""
    level.keep("k", "value")

    level.pushes.pushed([name])

    assert level.first.get("k") == "value"


async def test_an_echo_is_looked_into_and_changes_nothing(level: Level) -> None:
    """However often it comes: it is the same answer."""
    level.write_and_keep("k")
    for _ in range(3):
        await level.push("k")

    assert level.first.get("k") == "mine"
    assert level.redis.reads == [["k"]] * 3


async def test_an_echo_that_overtakes_the_answer_spares_the_operation(level: Level) -> None:
    """And nobody else's: they may have read what was there before."""
    with level.first.fences.over("k") as fence, level.first.fences.over("k") as other:
        level.write("k", fence)
        await level.push("k")

        assert fence.intact("k")
        assert not other.intact("k")


async def test_what_redis_does_not_hold_any_more_is_dropped(level: Level) -> None:
    """Somebody has changed it at the same moment."""
    level.write_and_keep("a")
    level.write_and_keep("b")
    level.redis.records["a"] = b"another"
    with level.first.fences.over("a") as fence:
        await level.push("a", "b")

        assert not fence.intact("a")
    assert level.first.get("a") is MISSING
    assert level.first.get("b") == "mine"


async def test_a_value_from_elsewhere_is_no_echo(level: Level) -> None:
    """Though Redis holds what was once written here: somebody has put it back."""
    level.write_and_keep("k")
    level.keep("k", "read in between")

    await level.push("k")

    assert level.first.get("k") is MISSING


async def test_what_was_there_before_is_not_kept_for_an_echo(level: Level) -> None:
    """A write that has not ended yet says nothing about an older value."""
    level.keep("k", "older")
    with level.first.fences.over("k") as fence:
        level.write("k", fence)
        await level.push("k")

    assert level.first.get("k") is MISSING


async def test_a_read_that_began_before_an_echo_keeps_nothing(level: Level) -> None:
    """It may have seen what somebody had put there for a moment."""
    level.write_and_keep("k")
    with level.first.fences.over("k") as fence:
        level.redis.records["k"] = b"another"
        level.redis.records["k"] = MINE.record
        await level.push("k")

        assert not fence.intact("k")
    assert level.first.get("k") == "mine"


async def test_a_push_while_another_is_looked_into_is_looked_into_again(level: Level) -> None:
    """The answer that is on its way may be older; what waits, waits for both."""
    level.write_and_keep("k")
    level.redis.may_answer.clear()
    level.pushes.pushed([KEYS.record("k").encode()])
    await asyncio.sleep(0)
    level.redis.records.clear()
    level.pushes.pushed([KEYS.record("k").encode()])
    settled = asyncio.create_task(level.pushes.settled())
    await asyncio.sleep(0)
    assert not settled.done()

    level.redis.may_answer.set()
    await settled

    assert level.redis.reads == [["k"], ["k"]]
    assert level.first.get("k") is MISSING


async def test_who_waits_does_not_wait_for_what_comes_later(level: Level) -> None:
    """Else a process that writes all the time would never prove anything."""
    level.write_and_keep("k")
    level.redis.may_answer.clear()
    level.pushes.pushed([KEYS.record("k").encode()])
    settled = asyncio.create_task(level.pushes.settled())
    await asyncio.sleep(0)
    level.pushes.pushed([KEYS.record("k").encode()])

    level.redis.may_answer.set()
    for _ in range(3):
        await asyncio.sleep(0)
        level.redis.may_answer.clear()
    await asyncio.wait_for(settled, 1)
    level.redis.may_answer.set()
    await level.pushes.settled()


@pytest.mark.parametrize("error", [Unavailable("down"), LookupError("unexpected")], ids=repr)
async def test_without_an_answer_everything_is_dropped(level: Level, error: Exception) -> None:
    """Nobody can tell whose change it was."""
    level.write_and_keep("k")
    level.redis.error = error

    await level.push("k")

    assert level.first.get("k") is MISSING


async def test_many_are_asked_for_in_parts(level: Level) -> None:
    """They may be large."""
    keys = [f"k{n}" for n in range(BATCH + 1)]
    for key in keys:
        level.write_and_keep(key)

    await level.push(*keys)

    assert [len(each) for each in level.redis.reads] == [BATCH, 1]
    assert all(level.first.get(key) == "mine" for key in keys)


async def test_what_was_written_long_ago_is_dropped_like_anything(level: Level) -> None:
    """Its echo has come before the proof."""
    level.write_and_keep("k")
    level.clock.advance(1)
    level.pushes.proved(level.clock.monotonic())

    await level.push("k")

    assert level.first.get("k") is MISSING
    assert level.redis.reads == []


@pytest.mark.parametrize("key", ["a{b}%\x07ü", "long " * 60, "é" * 101])
async def test_every_key_is_found_by_its_name_in_redis(level: Level, key: str) -> None:
    """Escaped, or hashed, which leads back to no key."""
    level.keep(key, "value")
    level.keep("long " * 59, "value")
    with level.first.fences.over(key) as fence:
        await level.push(key)

        assert not fence.intact(key)
    assert level.first.get(key) is MISSING
    assert level.first.get("long " * 59) == "value"
