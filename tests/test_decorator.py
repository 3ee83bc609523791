"""``@cached``: results by arguments, and the key, invalidation and refresh that go with them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from asynccache import ArgumentTypeError, Cache, ManualClock, NotStarted, Policy, cached
from tests.support.loading import HeldLoader, turns


@dataclass
class User:
    """What functions return; nobody has registered it by hand."""

    id: int
    tenant: str


@dataclass
class Owner:
    """An argument with attributes."""

    tenant: str
    user: User


class Calls(list[tuple[object, ...]]):
    """What functions were called with."""


@pytest.fixture
def calls() -> Calls:
    """The calls so far."""
    return Calls()


async def test_equal_arguments_are_loaded_once(cache: Cache, calls: Calls) -> None:
    """And each caller gets an object of its own."""

    @cached(cache, "user:{user_id}:{tenant}")
    async def load_user(user_id: int, tenant: str = "eu") -> User:
        calls.append((user_id, tenant))
        return User(user_id, tenant)

    first = await load_user(7)
    first.tenant = "changed"

    assert await load_user(7) == User(7, "eu")
    assert await load_user(8) == User(8, "eu")
    assert await load_user(7, "us") == User(7, "us")
    assert calls == [(7, "eu"), (8, "eu"), (7, "us")]


async def test_however_an_argument_is_passed_the_key_is_the_same(cache: Cache) -> None:
    """By position, by keyword, or by default."""

    @cached(cache, "user:{user_id}:{tenant}")
    async def load_user(user_id: int, /, tenant: str = "eu", *, fresh: bool = False) -> int:
        return user_id

    same = [load_user.key(7), load_user.key(7, "eu"), load_user.key(7, tenant="eu", fresh=True)]
    assert same == ["user:7:eu"] * 3
    assert load_user.key(7, tenant="us") == "user:7:us"


async def test_arguments_that_the_template_does_not_name_do_not_count(
    cache: Cache, calls: Calls
) -> None:
    """That is how a database session is passed."""

    @cached(cache, "user:{user_id}")
    async def load_user(session: object, user_id: int) -> int:
        calls.append((session,))
        return user_id

    assert await load_user("first", 7) == await load_user("second", 7) == 7
    assert calls == [("first",)]


async def test_a_template_may_name_attributes(cache: Cache) -> None:
    """Of any depth."""

    @cached(cache, "{owner.tenant}:user:{owner.user.id}")
    async def load(owner: Owner) -> int:
        return owner.user.id

    assert load.key(Owner("e:u", User(7, "eu"))) == "e%3Au:user:7"


async def test_concurrent_calls_share_one(cache: Cache, calls: Calls) -> None:
    """As with ``get_or_load``."""

    @cached(cache, "user:{user_id}")
    async def load_user(user_id: int) -> int:
        calls.append((user_id,))
        await asyncio.sleep(0)
        return user_id

    assert await asyncio.gather(*(load_user(user_id) for user_id in (1, 2, 1))) == [1, 2, 1]
    assert calls == [(1,), (2,)]


async def test_invalidate_removes_one_result(cache: Cache, calls: Calls) -> None:
    """It takes the function's own arguments."""

    @cached(cache, "user:{user_id}")
    async def load_user(user_id: int) -> int:
        calls.append((user_id,))
        return user_id

    await load_user(1)
    await load_user(2)
    result = await load_user.invalidate(user_id=1)
    await load_user(1)
    await load_user(2)

    assert (result.acknowledged, result.affected) == (True, 1)
    assert calls == [(1,), (2,), (1,)]


async def test_refresh_replaces_the_result(cache: Cache) -> None:
    """It calls the function whatever is there, and returns the new result."""
    results = iter([["first"], ["second"]])

    @cached(cache, "list:{number}")
    async def load(number: int) -> list[str]:
        return next(results)

    assert await load(1) == ["first"]
    assert await load.refresh(1) == ["second"]
    assert await load(1) == ["second"]


async def test_a_refresh_that_fails_keeps_the_old_result(cache: Cache) -> None:
    """Whoever asked for it is told."""
    outcomes: list[Any] = ["first", LookupError("down")]

    @cached(cache, "key", policy=Policy(grace=60))
    async def load() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return str(outcome)

    await load()
    with pytest.raises(LookupError, match="down"):
        await load.refresh()

    assert await load() == "first"


async def test_results_live_as_long_as_the_decorator_says(
    cache: Cache, clock: ManualClock, calls: Calls
) -> None:
    """Its ttl counts before its policy's."""

    @cached(cache, "key", ttl=10, policy=Policy(ttl=100))
    async def load() -> int:
        calls.append(())
        return len(calls)

    for seconds, expected in ((0, 1), (9, 1), (1, 2)):
        clock.advance(seconds)
        assert await load() == expected

    assert len(calls) == 2


async def test_a_call_outlives_its_caller(cache: Cache) -> None:
    """The next one will want its result."""
    loader = HeldLoader("value")

    @cached(cache, "key")
    async def load() -> Any:
        return await loader()

    caller = asyncio.create_task(load())
    await loader.started()
    caller.cancel()
    await asyncio.wait([caller])
    loader.let_go()
    await turns()

    assert await load() == "value"
    assert loader.runs == 1


async def test_exceptions_are_the_function_own(cache: Cache, calls: Calls) -> None:
    """And nothing is kept."""

    @cached(cache, "user:{user_id}")
    async def load_user(user_id: int) -> int:
        calls.append((user_id,))
        raise LookupError(user_id)

    for _ in range(2):
        with pytest.raises(LookupError, match="7"):
            await load_user(7)

    assert len(calls) == 2


async def test_wrong_arguments_are_python_own_errors(cache: Cache) -> None:
    """As without the decorator, for the call and for all that takes its arguments."""

    @cached(cache, "user:{user_id}")
    async def load_user(user_id: int) -> int:
        return user_id

    for use in (load_user, load_user.invalidate, load_user.refresh):
        with pytest.raises(TypeError, match="missing a required argument: 'user_id'"):
            await use()  # type: ignore[call-arg]  # on purpose
        with pytest.raises(TypeError, match="too many positional arguments"):
            await use(1, 2)  # type: ignore[call-arg]  # on purpose
    with pytest.raises(TypeError, match="unexpected keyword argument 'user'"):
        load_user.key(1, user=1)  # type: ignore[call-arg]  # on purpose


async def test_an_argument_without_a_stable_text_is_named(cache: Cache, calls: Calls) -> None:
    """Its repr might be an address: nothing would ever be found again."""

    @cached(cache, "user:{user}")
    async def load_user(user: object) -> None:
        calls.append((user,))

    with pytest.raises(ArgumentTypeError, match=r"^user: must be a str, int, .*, got object$"):
        await load_user(object())

    assert calls == []


async def test_none_and_its_name_are_two_keys(cache: Cache) -> None:
    """One caller must not get another's result."""

    @cached(cache, "{tenant}")
    async def load(tenant: str | None) -> str:
        return repr(tenant)

    assert (await load(None), await load("None")) == ("None", "'None'")


async def test_a_cache_that_is_not_started() -> None:
    """Decorating needs no running cache; calling does."""

    @cached(Cache("memory://"), "key")
    async def load() -> int:
        return 1

    assert load.key() == "key"
    with pytest.raises(NotStarted):
        await load()
