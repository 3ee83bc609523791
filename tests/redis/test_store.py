"""The contract of a store: what each method does to a record, its lease, and those who listen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from asynccache.core.messages import KEYS_PER_MESSAGE, Kind
from asynccache.core.pattern import Pattern
from asynccache.core.record import NO_TOKEN, counter_prefix
from asynccache.errors import Unavailable
from asynccache.levels.store import Lease, Raw
from asynccache.redis import lua
from asynccache.redis.store import RedisStore
from tests.support.redis_server import RedisServer
from tests.support.stores import BACKENDS, Bench, item, open_bench

pytestmark = pytest.mark.integration

MINUTE = 60_000
PREFIX = counter_prefix(NO_TOKEN, NO_TOKEN)
Change = Callable[[RedisStore], Awaitable[object]]


@pytest.fixture(params=BACKENDS)
async def bench(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Bench]:
    """Open a store on each backend."""
    async with open_bench(request.param, redis_url) as opened:
        yield opened


async def stored(bench: Bench, key: str, **lifetime: float | None) -> bytes:
    """Put a record and return its bytes."""
    put = item(key, **lifetime)  # type: ignore[arg-type]  # of fresh and grace
    await bench.store.put({key: put})
    return put.record


def near(milliseconds: int, expected: int) -> bool:
    """Tell whether a remaining lifetime is what was set some moments ago."""
    return expected - 10_000 < milliseconds <= expected


# Reading.


async def test_read_returns_each_key_in_order(bench: Bench) -> None:
    """Values with their remaining lifetimes; None and -2 for what is not there, -1 for ever."""
    short = await stored(bench, "short", fresh=60, grace=60)
    lasting = await stored(bench, "lasting", fresh=None)

    missing, first, second, again = await bench.store.read(["none", "short", "lasting", "short"])

    assert missing == Raw(None, -2)
    assert second == Raw(lasting, -1)
    assert first.value == again.value == short
    assert isinstance(first.pttl, int)
    assert near(first.pttl, 2 * MINUTE)
    assert await bench.store.read([]) == []


# Leases.


async def test_a_lease_is_granted_to_one(bench: Bench) -> None:
    """The first who asks gets it for as long as asked; the next is refused until it is over."""
    nothing = Raw(None, -2)
    assert await bench.store.acquire(["k"], b"first", MINUTE) == [Lease(True, nothing, clock=0)]
    assert await bench.store.acquire(["k"], b"second", MINUTE) == [Lease(False, nothing, clock=0)]
    raw, left = await bench.store.lease_left("k")

    assert await bench.lease("k") == b"first"
    assert raw == Raw(None, -2)
    assert near(left, MINUTE)


async def test_leases_of_several_keys_are_independent(bench: Bench) -> None:
    """Each key has its own, and each answer tells what its key holds."""
    record = await stored(bench, "b")
    await bench.store.acquire(["a"], b"other", MINUTE)

    a, b, c = await bench.store.acquire(["a", "b", "c"], b"mine", MINUTE)

    assert (a.granted, b.granted, c.granted) == (False, True, True)
    assert b.raw.value == record


async def test_a_lease_can_be_stolen(bench: Bench) -> None:
    """A refresh takes the lease, and the one who had it can no longer fill."""
    await bench.store.acquire(["k"], b"first", MINUTE)

    (lease,) = await bench.store.acquire(["k"], b"thief", MINUTE, steal=True)

    assert lease.granted
    assert await bench.store.fill({"k": item("k")}, b"first") == set()
    assert await bench.store.fill({"k": item("k")}, b"thief") == {"k"}


async def test_renewing_and_releasing_need_the_token(bench: Bench) -> None:
    """Who lost a lease neither keeps it alive nor takes it from its new holder."""
    await bench.store.acquire(["k"], b"mine", MINUTE)

    await bench.store.renew(["k", "none"], b"other", 2 * MINUTE)
    await bench.store.release(["k", "none"], b"other")
    assert near((await bench.store.lease_left("k"))[1], MINUTE)
    await bench.store.renew(["k"], b"mine", 2 * MINUTE)
    assert near((await bench.store.lease_left("k"))[1], 2 * MINUTE)
    await bench.store.release(["k"], b"mine")

    assert (await bench.store.lease_left("k"))[1] == -2
    # Whoever has asked how long it lasts may be waiting for it.
    ((number, message),) = await bench.heard()
    assert (number, message.kind, message.texts) == (0, Kind.FILLED, ("k",))


async def test_a_lease_without_expiry_is_garbage(bench: Bench) -> None:
    """Leases always expire; one that never does would block its key for ever, and is removed."""
    await bench.redis("SET", bench.keys.lease("k"), "garbage")
    (refused,) = await bench.store.acquire(["k"], b"mine", MINUTE)

    _, left = await bench.store.lease_left("k")
    (granted,) = await bench.store.acquire(["k"], b"mine", MINUTE)

    assert (refused.granted, left, granted.granted) == (False, -1, True)


# Filling.


async def test_a_fill_needs_the_granted_token(bench: Bench) -> None:
    """No lease, another's lease, a lease used up: nothing is stored; the lease: stored, used up."""
    record = item("k", fresh=60, grace=30)
    assert await bench.store.fill({"k": record}, b"mine") == set()
    await bench.store.acquire(["k"], b"mine", MINUTE)
    assert await bench.store.fill({"k": record}, b"other") == set()
    assert await bench.record("k") is None

    assert await bench.store.fill({"k": record}, b"mine") == {"k"}
    assert await bench.record("k") == record.record
    assert near(await bench.pttl("k"), 90_000)
    assert await bench.lease("k") is None
    assert await bench.store.fill({"k": item("k", b"late")}, b"mine") == set()
    assert await bench.record("k") == record.record


async def test_a_fill_stores_what_it_may(bench: Bench) -> None:
    """Of several records those are stored whose leases still stand."""
    await bench.store.acquire(["a", "b", "c"], b"mine", MINUTE)
    await bench.store.forget(["b"])

    fills = {key: item(key, fresh=None) for key in "abc"}
    assert await bench.store.fill(fills, b"mine") == {"a", "c"}

    assert await bench.record("b") is None
    assert await bench.pttl("a") == -1


@pytest.mark.parametrize("announce", [True, False])
async def test_a_fill_is_announced_when_it_replaces(bench: Bench, *, announce: bool) -> None:
    """What fills a gap is no news to others; what replaces a value is."""
    await bench.store.acquire(["k"], b"mine", MINUTE)

    await bench.store.fill({"k": item("k")}, b"mine", announce=announce)

    assert await bench.texts() == ([("k",)] if announce else [])


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.put({"k": item("k", b"new")}),
        lambda store: store.forget(["k"]),
        lambda store: store.expire(["k"]),
        lambda store: store.increment("k", 1, 0, PREFIX),
        lambda store: store.add("k", item("k", b"new")),
        lambda store: store.forget_matching(Pattern("k*")),
    ],
    ids=["put", "forget", "expire", "increment", "add", "forget_matching"],
)
async def test_every_change_takes_the_lease_away(bench: Bench, change: Change) -> None:
    """A load that began before a change may not fill after it."""
    await bench.store.acquire(["k"], b"mine", MINUTE)
    await change(bench.store)
    after = await bench.record("k")

    assert await bench.lease("k") is None
    assert await bench.store.fill({"k": item("k", b"late")}, b"mine") == set()
    assert await bench.record("k") == after


# Writing.


async def test_put_replaces_whatever_is_there(bench: Bench) -> None:
    """A new record has its own lifetime, not what the old one had left."""
    await stored(bench, "k", fresh=5)
    record = await stored(bench, "k", fresh=60, grace=60)
    assert await bench.record("k") == record
    assert near(await bench.pttl("k"), 2 * MINUTE)

    await stored(bench, "k", fresh=None, grace=60)
    assert await bench.pttl("k") == -1


async def test_add_stores_where_nothing_fresh_is(bench: Bench) -> None:
    """One of two adds succeeds; a value in its grace is not in the way; a lasting one is."""
    assert await bench.store.add("k", item("k", fresh=60, grace=60))
    assert not await bench.store.add("k", item("k", b"second"))
    await bench.redis("PEXPIRE", bench.keys.record("k"), MINUTE - 1)

    third = item("k", b"third", fresh=None, grace=60)
    assert await bench.store.add("k", third)
    assert await bench.record("k") == third.record
    assert not await bench.store.add("k", item("k", b"fourth"))
    assert await bench.texts() == [("k",), ("k",)]


async def test_forget_removes_and_counts(bench: Bench) -> None:
    """The count is of records; leases go too; it is told even if nothing was there."""
    await stored(bench, "a")
    await bench.store.acquire(["b"], b"t", MINUTE)
    await bench.heard()

    assert await bench.store.forget(["a", "b", "none"]) == 1
    assert await bench.store.forget(["none"]) == 0

    assert await bench.record("a") is None
    assert await bench.lease("b") is None
    assert await bench.texts() == [("a", "b", "none"), ("none",)]


@pytest.mark.parametrize(
    ("fresh", "grace", "left"),
    [(60, 30, 30_000), (None, 30, 30_000), (60, 0, None), (None, 0, None), (0.5, 3600, 3_600_000)],
)
async def test_expire_leaves_the_grace(
    bench: Bench, fresh: float | None, grace: float, left: int | None
) -> None:
    """What is left is the grace alone, of a lasting record too; without grace, nothing."""
    record = await stored(bench, "k", fresh=fresh, grace=grace)

    assert await bench.store.expire(["k", "none"]) == 1
    assert await bench.store.expire(["k"]) == 0

    assert await bench.record("k") == (None if left is None else record)
    assert left is None or near(await bench.pttl("k"), left)


@pytest.mark.parametrize("fresh", [5, None])
@pytest.mark.parametrize("grace", [0, 30])
async def test_touch_gives_a_fresh_record_a_new_lifetime(
    bench: Bench, fresh: float | None, grace: int
) -> None:
    """The new lifetime is followed by the grace that the record came with."""
    await stored(bench, "k", fresh=fresh, grace=grace)

    assert await bench.store.touch("k", MINUTE)
    assert near(await bench.pttl("k"), MINUTE + grace * 1000)
    assert await bench.store.touch("k", 0)
    assert await bench.pttl("k") == -1


async def test_touch_revives_nothing(bench: Bench) -> None:
    """A record in its grace stays there, and a missing one stays missing."""
    await stored(bench, "k", fresh=60, grace=60)
    await bench.store.expire(["k"])

    assert not await bench.store.touch("k", 100 * MINUTE)
    assert not await bench.store.touch("none", MINUTE)

    assert near(await bench.pttl("k"), MINUTE)
    assert await bench.record("none") is None


async def test_exchange_replaces_what_was_read(bench: Bench) -> None:
    """Only the bytes that were read give way, to new ones with their lifetime, or to nothing."""
    record = await stored(bench, "k", fresh=60)

    assert not await bench.store.exchange("k", b"other", b"7")
    assert not await bench.store.exchange("none", b"other", b"7")
    assert await bench.store.exchange("k", record, b"7")
    assert await bench.record("k") == b"7"
    assert near(await bench.pttl("k"), MINUTE)
    assert await bench.store.exchange("k", b"7", b"")
    assert await bench.record("k") is None


async def test_an_exchanged_value_loses_its_grace(bench: Bench) -> None:
    """A counter has no header that says where its grace begins: it lives as long as it is fresh."""
    record = await stored(bench, "k", fresh=60, grace=600)
    await bench.store.exchange("k", record, b"7")
    assert near(await bench.pttl("k"), MINUTE)

    record = await stored(bench, "k", fresh=None, grace=600)
    await bench.store.exchange("k", record, b"7")
    assert await bench.pttl("k") == -1


# Announcing.


async def test_announcements_are_numbered_and_bounded(bench: Bench) -> None:
    """Every message is the next number, and no message names more than 512 keys."""
    await bench.store.put({"a": item("a")})
    await bench.store.forget([f"k{n}" for n in range(2 * KEYS_PER_MESSAGE + 1)])
    heard = await bench.heard()

    first = heard[0][0]
    assert [number for number, _ in heard] == [first, first + 1, first + 2, first + 3]
    assert [len(message.texts) for _, message in heard] == [1, 512, 512, 1]
    assert {message.kind for _, message in heard} == {Kind.FORGET_KEYS}
    assert {message.origin for _, message in heard} == {b"origin-1"}
    assert await bench.store.sequence() == first + 3
    assert bench.store.announced == 4


@pytest.mark.parametrize("known", [True, False], ids=["known", "after SCRIPT FLUSH"])
async def test_the_announcement_follows_the_change(bench: Bench, *, known: bool) -> None:
    """Who hears of a change finds it done, also when the scripts had to be sent again."""
    changes: list[Change] = [
        lambda store: store.put({"a": item("a"), "b": item("b")}),
        lambda store: store.touch("a", 1_000),
        lambda store: store.expire(["a", "b"]),
        lambda store: store.add("a", item("a")),
        lambda store: store.increment("n", 1, 0, PREFIX),
        lambda store: store.forget(["a", "b"]),
    ]
    for change in changes:
        if not known:
            await bench.redis("SCRIPT", "FLUSH")
        bench.sent.clear()
        await change(bench.store)

        assert [publishes(command) for command in bench.sent].count(True) >= 1
        last = max(n for n, command in enumerate(bench.sent) if not publishes(command))
        assert all(publishes(command) for command in bench.sent[last + 1 :])
        assert last + 1 < len(bench.sent)


def publishes(command: tuple[object, ...]) -> bool:
    """Tell whether a command is an announcement."""
    return command[1] in (lua.PUBLISH.sha1, lua.PUBLISH.source)


async def test_probes_are_heard_like_changes(bench: Bench) -> None:
    """What a bus sends to itself travels the same way."""
    await bench.store.announce_probe("nonce")

    ((number, message),) = await bench.heard()

    assert number == await bench.store.sequence()
    assert (message.kind, message.texts) == (Kind.PROBE, ("nonce",))


async def test_everything_works_again_after_script_flush(bench: Bench) -> None:
    """A server that has forgotten its scripts is told them, each time, and nothing counts twice."""
    for round_ in range(1, 4):
        await bench.redis("SCRIPT", "FLUSH")
        assert await bench.store.increment("n", 2, MINUTE, PREFIX) == 2 * round_
        await bench.redis("SCRIPT", "FLUSH")
        await bench.store.acquire(["k"], b"t", MINUTE)
        assert await bench.store.fill({"k": item("k")}, b"t") == {"k"}
        await bench.redis("SCRIPT", "FLUSH")
        assert await bench.store.forget(["k"]) == 1


async def test_a_full_memory_denies_and_forgets() -> None:
    """Without room nothing is stored and no lease is granted; what is removed is still told."""
    with RedisServer() as server:
        async with open_bench("link", server.url) as bench:
            await stored(bench, "k")
            server.command("CONFIG", "SET", "maxmemory", "1")

            (lease,) = await bench.store.acquire(["other"], b"t", MINUTE)
            with pytest.raises(Unavailable, match="refused"):
                await bench.store.put({"k": item("k", b"new")})
            with pytest.raises(Unavailable, match="refused"):
                await bench.store.increment("n", 1, 0, PREFIX)

            assert (lease.granted, lease.denied) == (False, True)
            assert await bench.store.forget(["k"]) == 1
            assert len(await bench.heard()) == 4


async def test_an_invalidation_that_is_carried_out_twice_brings_no_token_back(
    bench: Bench,
) -> None:
    """It was sent again because its answer was lost; what came in between stays invalid."""
    await bench.store.invalidate_tags(["tag"])
    (sent,) = (command for command in bench.sent if lua.RETAG.sha1 in command)
    tokens = [(await bench.store.ensure(["tag"]))["tag"]]

    await bench.store.invalidate_tags(["tag"])
    tokens.append((await bench.store.ensure(["tag"]))["tag"])
    await bench.redis(*sent)  # type: ignore[arg-type]  # its arguments are of these types
    tokens.append((await bench.store.ensure(["tag"]))["tag"])

    assert len(set(tokens)) == 3
