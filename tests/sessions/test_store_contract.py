"""What every store of sessions does, whichever it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from asynccache import RedisSettings
from asynccache.core.session_changes import Changes
from asynccache.core.session_record import SessionRecord, Tombstone
from asynccache.sessions.memory_store import MemorySessionStore
from asynccache.sessions.redis_store import RedisSessionStore
from asynccache.sessions.store import Limits, Outcome, Rotation, SessionStore, Write

LIMITS = Limits()
PLACE, DIGEST, OTHER = "p" * 24, b"d" * 32, b"e" * 32
HOUR = 3_600_000


@pytest.fixture(params=["memory", "redis", "cluster"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[SessionStore]:
    """Each store in turn."""
    made: SessionStore = MemorySessionStore()
    if request.param != "memory":
        fixture = "redis_url" if request.param == "redis" else "cluster_url"
        url = request.getfixturevalue(fixture)
        made = RedisSessionStore(RedisSettings.from_url(url))
    yield made
    await made.close()


def wrote(
    sets: dict[str, bytes] | None = None, deletes: tuple[str, ...] = (), **more: object
) -> Write:
    """Return a write of some values."""
    return Write(changes=Changes(sets or {}, deletes), **more)  # type: ignore[arg-type]


async def created(store: SessionStore, user: str | None = None, **sets: bytes) -> None:
    """Make the session that a test is about."""
    write = wrote(sets, absolute=2 * HOUR, idle=HOUR, user=user)
    reply = await store.create(PLACE, DIGEST, write, LIMITS, "g1")
    assert reply.outcome is Outcome.DONE


async def data(store: SessionStore) -> dict[str, bytes]:
    """Return the session's values."""
    record = (await store.load(PLACE)).record
    assert isinstance(record, SessionRecord)
    return dict(record.data)


async def test_what_was_created_is_found(store: SessionStore) -> None:
    await created(store, "ann", a=b"1")

    found = await store.load(PLACE)

    record = found.record
    assert isinstance(record, SessionRecord)
    assert (record.digest, record.user, record.generation) == (DIGEST, "ann", "g1")
    assert record.data == {"a": b"1"}
    assert record.deadline - record.created == 2 * HOUR
    assert HOUR - 5_000 < found.ttl <= HOUR
    assert abs(found.now - record.created) < 5_000


async def test_nothing_is_made_of_an_unknown_place(store: SessionStore) -> None:
    reply = await store.commit(PLACE, DIGEST, wrote({"a": b"1"}), LIMITS)
    taken = await store.take(PLACE, DIGEST, "a")
    added = await store.increment(PLACE, DIGEST, "a", 1, LIMITS)
    await store.touch(PLACE, DIGEST)

    assert {reply.outcome, taken.outcome, added.outcome} == {Outcome.MISSING}
    assert (await store.load(PLACE)).record is None


async def test_a_place_is_not_taken_twice(store: SessionStore) -> None:
    await created(store, a=b"1")

    write = wrote({"a": b"2"}, absolute=HOUR, idle=HOUR)
    reply = await store.create(PLACE, OTHER, write, LIMITS, "g2")

    assert reply.outcome is Outcome.REFUSED
    assert await data(store) == {"a": b"1"}


async def test_another_verifier_opens_nothing(store: SessionStore) -> None:
    await created(store, a=b"1")

    reply = await store.commit(PLACE, OTHER, wrote({"a": b"2"}), LIMITS)

    assert reply.outcome is Outcome.REFUSED
    assert (await store.take(PLACE, OTHER, "a")).outcome is Outcome.REFUSED
    assert not await store.destroy(PLACE, OTHER)
    assert await data(store) == {"a": b"1"}


async def test_fifty_writers_lose_nothing(store: SessionStore) -> None:
    await created(store)

    replies = await asyncio.gather(
        *(store.commit(PLACE, DIGEST, wrote({f"k{i}": b"1"}), LIMITS) for i in range(50))
    )

    assert {reply.outcome for reply in replies} == {Outcome.DONE}
    assert len(await data(store)) == 50


async def test_what_was_ended_never_comes_back(store: SessionStore) -> None:
    await created(store, a=b"1")

    assert await store.destroy(PLACE, DIGEST)
    reply = await store.commit(PLACE, DIGEST, wrote({"a": b"2"}), LIMITS)
    await store.touch(PLACE, DIGEST)

    assert reply.outcome is Outcome.ENDED
    assert (await store.take(PLACE, DIGEST, "a")).outcome is Outcome.ENDED
    assert isinstance((await store.load(PLACE)).record, Tombstone)
    assert not await store.destroy(PLACE, None)


async def test_emptied_is_ended(store: SessionStore) -> None:
    await created(store, a=b"1")

    reply = await store.commit(PLACE, DIGEST, wrote(deletes=("a",)), LIMITS)

    assert reply.outcome is Outcome.EMPTIED
    assert isinstance((await store.load(PLACE)).record, Tombstone)


async def test_a_user_keeps_an_empty_session(store: SessionStore) -> None:
    await created(store, "ann", a=b"1")

    reply = await store.commit(PLACE, DIGEST, wrote(deletes=("a",)), LIMITS)

    assert reply.outcome is Outcome.DONE
    assert await data(store) == {}


async def test_clear_keeps_what_is_set_with_it(store: SessionStore) -> None:
    await created(store, a=b"1", b=b"2")

    write = Write(changes=Changes({"c": b"3"}, clear=True))
    reply = await store.commit(PLACE, DIGEST, write, LIMITS)

    assert reply.outcome is Outcome.DONE
    assert await data(store) == {"c": b"3"}


async def test_a_renewed_identifier_opens_for_its_grace(store: SessionStore) -> None:
    await created(store, a=b"1")
    rotation = Rotation(digest=OTHER, mode="g", grace=60_000)

    assert (
        await store.commit(PLACE, DIGEST, wrote(rotation=rotation), LIMITS)
    ).outcome is Outcome.DONE
    late = await store.commit(PLACE, DIGEST, wrote({"b": b"2"}), LIMITS)
    third = Rotation(digest=b"f" * 32, mode="g", grace=60_000)
    second = await store.commit(PLACE, DIGEST, wrote({"c": b"3"}, rotation=third), LIMITS)

    assert (late.outcome, second.outcome) == (Outcome.DONE, Outcome.MERGED)
    record = (await store.load(PLACE)).record
    assert isinstance(record, SessionRecord)
    assert record.digest == OTHER
    assert record.data == {"a": b"1", "b": b"2", "c": b"3"}


async def test_an_identifier_from_before_a_login_opens_nothing(store: SessionStore) -> None:
    await created(store, a=b"1")
    rotation = Rotation(digest=OTHER, mode="s", grace=60_000, generation="g2")

    await store.commit(PLACE, DIGEST, wrote(rotation=rotation, user="ann", absolute=HOUR), LIMITS)
    late = await store.commit(PLACE, DIGEST, wrote({"b": b"2"}), LIMITS)

    assert late.outcome is Outcome.REFUSED
    record = (await store.load(PLACE)).record
    assert isinstance(record, SessionRecord)
    assert (record.user, record.generation, record.data) == ("ann", "g2", {"a": b"1"})
    assert record.login > 0


async def test_a_commit_with_a_rotation_may_be_sent_twice(store: SessionStore) -> None:
    await created(store, a=b"1")
    write = wrote({"a": b"2"}, rotation=Rotation(digest=OTHER, mode="s", grace=60_000))

    await store.commit(PLACE, DIGEST, write, LIMITS)
    again = await store.commit(PLACE, DIGEST, write, LIMITS)

    if not isinstance(store, MemorySessionStore):  # nothing is sent to memory
        assert again.outcome is Outcome.DONE
    assert await data(store) == {"a": b"2"}


async def test_a_conflict_is_told_before_anything_is_written(store: SessionStore) -> None:
    await created(store, a=b"1")

    write = wrote({"a": b"3", "b": b"4"}, expected={"a": b"2", "b": None})
    reply = await store.commit(PLACE, DIGEST, write, LIMITS)
    fine = wrote({"a": b"3", "b": b"4"}, expected={"a": b"1", "b": None})

    assert reply.outcome is Outcome.CONFLICT
    assert await data(store) == {"a": b"1"}
    assert (await store.commit(PLACE, DIGEST, fine, LIMITS)).outcome is Outcome.DONE


async def test_what_is_too_large_is_refused_whole(store: SessionStore) -> None:
    limits = Limits(most_bytes=100, most_fields=3)
    await created(store, a=b"1" * 50)

    too_long = await store.commit(PLACE, DIGEST, wrote({"b": b"1" * 60, "c": b"1"}), limits)
    too_many = await store.commit(PLACE, DIGEST, wrote(dict.fromkeys("bcde", b"1")), limits)
    replaced = await store.commit(PLACE, DIGEST, wrote({"a": b"1" * 90}), limits)

    assert (too_long.outcome, too_many.outcome) == (Outcome.TOO_LARGE, Outcome.TOO_LARGE)
    assert replaced.outcome is Outcome.DONE
    assert await data(store) == {"a": b"1" * 90}


async def test_numbers_are_added_and_values_are_taken_once(store: SessionStore) -> None:
    await created(store, text=b'"x"')

    counts = await asyncio.gather(
        *(store.increment(PLACE, DIGEST, "n", 2, LIMITS) for _ in range(20))
    )
    taken = await asyncio.gather(*(store.take(PLACE, DIGEST, "text") for _ in range(5)))
    await store.commit(PLACE, DIGEST, wrote({"text": b'"y"'}), LIMITS)
    wrong = await store.increment(PLACE, DIGEST, "text", 1, LIMITS)

    assert sorted(int(reply.value or b"") for reply in counts) == list(range(2, 42, 2))
    assert sorted(reply.value or b"" for reply in taken) == [b"", b"", b"", b"", b'"x"']
    assert wrong.outcome is Outcome.NO_NUMBER


async def test_a_users_sessions_are_listed_and_ended(store: SessionStore) -> None:
    for number in range(3):
        write = Write(absolute=HOUR, idle=HOUR, user="ann")
        await store.create(f"{number}" * 24, DIGEST, write, LIMITS, "g")
    await store.create("o" * 24, DIGEST, Write(absolute=HOUR, idle=HOUR, user="bob"), LIMITS, "g")
    await store.destroy("1" * 24, None, "ann")

    listed = await store.list("ann")

    assert {each.public_id for each in listed} == {"0" * 24, "2" * 24}
    assert await store.list("nobody") == []


async def test_it_never_outlives_its_deadline(store: SessionStore) -> None:
    write = wrote({"a": b"1"}, absolute=HOUR, idle=50 * HOUR)
    await store.create(PLACE, DIGEST, write, LIMITS, "g")

    await store.touch(PLACE, DIGEST)
    found = await store.load(PLACE)

    assert 0 < found.ttl <= HOUR
