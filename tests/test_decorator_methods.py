"""``@cached`` on methods, and what decorated functions look like to others."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from starlette._utils import is_async_callable

from asynccache import (
    ArgumentTypeError,
    BoundCachedFunction,
    Cache,
    CachedFunction,
    InvalidArgument,
    cached,
)
from tests.support.identifiers import readable_id

if TYPE_CHECKING:
    from sqlite3 import Connection

CACHE = Cache("memory://")


@dataclass
class User:
    """What methods return; nobody has registered it by hand."""

    id: int
    tenant: str


class Users:
    """A repository of one tenant."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.calls: list[int] = []

    @cached(CACHE, "{self.tenant}:user:{user_id}")
    async def find(self, user_id: int, *, deep: bool = False) -> User:
        """Find a user."""
        self.calls.append(user_id)
        return User(user_id, self.tenant)

    @staticmethod
    @cached(CACHE, "static:{number}")
    async def double(number: int) -> int:
        """Double a number."""
        return 2 * number


async def test_methods() -> None:
    """Each instance has keys of its own if the template says so; instances share them if not."""
    european, other, american = Users("eu"), Users("eu"), Users("us")
    async with CACHE:
        assert await european.find(7) == User(7, "eu")
        assert await other.find(7) == User(7, "eu")
        assert await american.find(7) == User(7, "us")

        assert (european.calls, other.calls, american.calls) == ([7], [], [7])
        assert european.find.key(7) == "eu:user:7"
        assert (await other.find.invalidate(7)).affected == 1
        assert await european.find.refresh(7) == User(7, "eu")
        assert await other.find(user_id=7) == User(7, "eu")
        assert (european.calls, other.calls) == ([7, 7], [])


async def test_a_method_through_its_class() -> None:
    """The instance is an argument like any other, as with ordinary methods."""
    users = Users("eu")
    async with CACHE:
        assert await Users.find(users, 7) == User(7, "eu")
        assert Users.find.key(users, 7) == users.find.key(7) == "eu:user:7"


async def test_static_methods() -> None:
    """They are functions in a class."""
    instance: Any = Users("eu")  # type checkers do not see through @staticmethod here
    async with CACHE:
        assert await Users.double(2) == await instance.double(2) == 4
        assert Users.double.key(2) == instance.double.key(2) == "static:2"
        assert (await Users.double.invalidate(2)).affected == 1


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_the_other_order_is_refused(kind: Callable[[Any], Any]) -> None:
    """The error says how it is meant to be."""

    async def load(number: int) -> int:
        return number

    text = f"^function: must be an async def .*; put @staticmethod above .*, got {kind.__name__}$"
    with pytest.raises(ArgumentTypeError, match=text):
        cached(CACHE, "{number}")(kind(load))


def test_a_decorated_function_looks_like_the_function() -> None:
    """Its name, module, documentation, annotations and signature are there."""

    @cached(CACHE, "user:{user_id}")
    async def load_user(user_id: int, tenant: str = "eu") -> User:
        """Load a user."""
        return User(user_id, tenant)

    assert isinstance(load_user, CachedFunction)
    assert (load_user.__name__, load_user.__doc__) == ("load_user", "Load a user.")
    assert load_user.__module__ == __name__
    assert list(inspect.signature(load_user).parameters) == ["user_id", "tenant"]
    assert inspect.get_annotations(load_user, eval_str=True)["return"] is User
    assert inspect.unwrap(load_user).__code__.co_name == "load_user"
    assert repr(load_user).endswith("load_user as 'user:{user_id}'>")


def test_a_bound_method_looks_like_the_method() -> None:
    """Without ``self`` in its signature."""
    find = Users("eu").find

    assert isinstance(find, BoundCachedFunction)
    assert find.__name__ == "find"
    assert list(inspect.signature(find).parameters) == ["user_id", "deep"]
    assert repr(find) == "<bound <cached Users.find as '{self.tenant}:user:{user_id}'> of Users>"


FUNCTIONS: list[Any] = [Users.double, Users("eu").find]


@pytest.mark.parametrize("function", FUNCTIONS, ids=["function", "method"])
def test_frameworks_see_that_it_is_asynchronous(function: Any) -> None:
    """They would call anything else in a thread, and drop the coroutine."""
    for use in (function, functools.partial(function, 7), function.refresh, function.invalidate):
        assert is_async_callable(use)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="inspect cannot be told before 3.12")
def test_inspect_sees_that_a_function_is_asynchronous() -> None:
    """Schedulers ask it."""
    assert inspect.iscoroutinefunction(Users.double)


async def test_the_types_of_results_are_registered() -> None:
    """Also where other annotations name what is there for type checkers only."""
    cache = Cache("memory://")

    @cached(cache, "{number}")
    async def load(session: Connection | None, number: int) -> list[User] | None:
        return [User(number, "eu")]

    async with cache:
        assert await load(None, 1) == [User(1, "eu")]
        assert await cache.get("1") == [User(1, "eu")]


async def test_a_result_annotation_that_means_nothing_is_ignored() -> None:
    """What it would have told is then told by registering the types by hand."""
    cache = Cache("memory://")

    @cached(cache, "one")
    async def one() -> nowhere.to.be.found:  # type: ignore[name-defined]  # noqa: F821 - on purpose
        return 1

    @cached(cache, "two")
    async def two():  # type: ignore[no-untyped-def]  # noqa: ANN202, RUF100 - on purpose
        return 2

    async with cache:
        assert (await one(), await two()) == (1, 2)


def wrapped(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Decorate a function, with an ordinary wrapper."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Awaitable[Any]:
        return function(*args, **kwargs)

    return wrapper


async def test_other_decorators_may_be_below() -> None:
    """The signature is that of the function itself."""
    cache = Cache("memory://")

    @cached(cache, "user:{user_id}")
    @wrapped
    async def load_user(user_id: int) -> User:
        return User(user_id, "eu")

    async with cache:
        assert load_user.key(7) == "user:7"
        assert await load_user(7) == await load_user(7) == User(7, "eu")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", "must not be empty"),
        ("{nobody}", "'{nobody}' names 'nobody'; the function's arguments: number, args, options"),
        ("{}", "a field is {argument} or {argument.attribute}"),
        ("{number!r}", "a field is {argument} or {argument.attribute}"),
        ("{number:>3}", "a field is {argument} or {argument.attribute}"),
        ("{number[0]}", "a field is {argument} or {argument.attribute}"),
        ("{number.__class__}", "a field is {argument} or {argument.attribute}"),
        ("{number", "expected '}' before end of string"),
        ("{args}", "'args' stands for any number of arguments"),
        ("{options}", "'options' stands for any number of arguments"),
        (7, "must be a str such as 'user:{user_id}', got int"),
    ],
)
def test_templates_are_checked_where_they_stand(template: Any, text: str) -> None:
    """A misspelt name is found when the module is imported, not when it is first called."""

    async def load(number: int, *args: int, **options: int) -> int:
        return number

    with pytest.raises(InvalidArgument) as caught:
        cached(CACHE, template)(load)

    assert caught.value.argument == "template"
    assert text in str(caught.value)


def synchronous(number: int) -> int:
    """A function that is not asynchronous."""
    return number


@pytest.mark.parametrize(
    "function", [synchronous, len, User, lambda number: number], ids=readable_id
)
def test_functions_that_are_not_asynchronous_are_refused(function: Any) -> None:
    """They would block the event loop, and their results could not be awaited."""
    with pytest.raises(
        ArgumentTypeError, match=r"^function: must be an async def function or meth"
    ):
        cached(CACHE, "key")(function)


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ((CACHE, "key", {"ttl": 0}), "ttl"),
        ((CACHE, "key", {"policy": 60}), "policy"),
        (("memory://", "key", {}), "cache"),
    ],
)
def test_bad_options_are_named(arguments: Any, argument: str) -> None:
    """Where the decorator stands."""
    cache, template, options = arguments
    with pytest.raises(InvalidArgument) as caught:
        cached(cache, template, **options)

    assert caught.value.argument == argument
