"""``@cached``: the results of an async function, by a key made of its arguments."""

from __future__ import annotations

import functools
import inspect
import sys
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MethodType, SimpleNamespace
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from asynccache.cache import Cache
from asynccache.core.arguments import checked_tags, wrong_type
from asynccache.core.policy import Policy
from asynccache.core.template import KeyTemplate
from asynccache.errors import InvalidArgument
from asynccache.results import WriteResult
from asynccache.types import Duration

P = ParamSpec("P")
Q = ParamSpec("Q")
T = TypeVar("T")
S = TypeVar("S")


def cached(
    cache: Cache,
    template: str,
    *,
    ttl: Duration | None = None,
    policy: Policy | None = None,
    tags: Iterable[str] = (),
) -> Callable[[Callable[P, Awaitable[T]]], CachedFunction[P, T]]:
    """Cache an async function's or method's results.

    The types in its return annotation are made known to the codec. The function is a registered
    loader: its load finishes, and is kept, even when the caller who started it has gone.

    ``@staticmethod`` goes above ``@cached``. Class methods are not supported.

    Args:
        cache: Where to keep the results.
        template: The key: ``"user:{user_id}"``, or ``"{user.tenant}:user:{user.id}"``. It should
            name every argument that the result depends on; ``self`` may be named too.
        ttl: How long a result is fresh, instead of the policy's.
        policy: How results are kept and loaded, instead of the cache's.
        tags: What `Cache.invalidate_tags` reaches results by; templates too: ``"tenant:{tenant}"``.

    Raises:
        InvalidArgument: The template is malformed, or names something that is not an argument.
    """
    if not isinstance(cache, Cache):
        raise wrong_type("cache", cache, "a Cache: @cached(cache, 'user:{user_id}')")
    resolved = cache.resolve_policy(policy, ttl)
    templates = checked_tags(tags)

    def decorate(function: Callable[P, Awaitable[T]]) -> CachedFunction[P, T]:
        return CachedFunction(cache, template, function, resolved, templates)

    return decorate


class CachedFunction(Generic[P, T]):
    """An async function whose results are cached. Made by `cached`."""

    __name__: str

    def __init__(
        self,
        cache: Cache,
        template: str,
        function: Callable[P, Awaitable[T]],
        policy: Policy,
        tags: tuple[str, ...] = (),
    ) -> None:
        if isinstance(function, staticmethod | classmethod):
            expected = "an async def function; put @staticmethod above @cached"
            raise wrong_type("function", function, expected)
        if not inspect.iscoroutinefunction(inspect.unwrap(function)):
            raise wrong_type("function", function, "an async def function or method")
        self._cache = cache
        self._function = function
        self._policy = policy
        self._signature = inspect.signature(function)
        self._template = KeyTemplate(template, self._signature.parameters)
        self._tags = [KeyTemplate(tag, self._signature.parameters) for tag in tags]
        self._check_arguments()
        self._register_result()
        functools.update_wrapper(self, function)
        if sys.version_info >= (3, 12):
            inspect.markcoroutinefunction(self)

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the result for some arguments, calling the function if need be."""
        return await self._load(args, kwargs, refresh=False)

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the cache's key for some arguments.

        Raises:
            TypeError: The function does not take such arguments.
            ArgumentTypeError: An argument has no stable text.
        """
        return self._template.render(self._bind(args, kwargs))

    def tags(self, *args: P.args, **kwargs: P.kwargs) -> tuple[str, ...]:
        """Return what the result for some arguments is tagged with."""
        return self._tags_of(self._bind(args, kwargs))

    def _bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    def _tags_of(self, arguments: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(tag.render(arguments) for tag in self._tags)

    # Not a coroutine: a hit has one coroutine fewer.
    def _load(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], *, refresh: bool
    ) -> Awaitable[T]:
        arguments = self._bind(args, kwargs)
        return self._cache.load_registered(
            self._template.render(arguments),
            lambda: self._function(*args, **kwargs),
            self._policy,
            refresh=refresh,
            tags=lambda: self._tags_of(arguments),
        )

    async def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> WriteResult:
        """Remove the result for some arguments everywhere. See `Cache.delete`."""
        return await self._cache.delete(self.key(*args, **kwargs))

    async def refresh(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function and replace the result for some arguments in every process."""
        return await self._load(args, kwargs, refresh=True)

    @overload
    def __get__(self, instance: None, owner: type) -> CachedFunction[P, T]: ...
    @overload
    def __get__(
        self: CachedFunction[Concatenate[S, Q], T], instance: S, owner: type | None = None
    ) -> BoundCachedFunction[Q, T]: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind to an instance, as functions in a class do."""
        return self if instance is None else BoundCachedFunction(self, instance)

    def _check_arguments(self) -> None:
        for parameter in self._signature.parameters.values():
            variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            if variadic and parameter.name in self._template.names:
                raise InvalidArgument(
                    "template", f"{parameter.name!r} stands for any number of arguments"
                )

    def _register_result(self) -> None:
        function = inspect.unwrap(self._function)
        # The others may name what is imported for type checkers only.
        result = {"return": getattr(function, "__annotations__", {}).get("return")}
        try:
            hints = typing.get_type_hints(
                SimpleNamespace(__annotations__=result), getattr(function, "__globals__", {})
            )
        except Exception:  # noqa: BLE001 - the annotation may be any expression
            return
        self._cache.codec.register_hint(hints["return"])

    def __repr__(self) -> str:
        name = getattr(self._function, "__qualname__", repr(self._function))
        return f"<cached {name} as {self._template.template!r}>"


class BoundCachedFunction(Generic[P, T]):
    """A cached method of one instance."""

    __slots__ = ("__self__", "_cached")

    def __init__(self, cached_function: CachedFunction[..., T], instance: object) -> None:
        self._cached = cached_function
        self.__self__: object = instance

    @property
    def __wrapped__(self) -> Callable[P, Awaitable[T]]:
        """The method itself; by it ``inspect.signature`` knows the arguments."""
        method: Callable[P, Awaitable[T]] = MethodType(self._cached._function, self.__self__)
        return method

    @property
    def __name__(self) -> str:
        """The method's name."""
        return self._cached.__name__

    # Not a function that returns a coroutine: frameworks would run that in a thread.
    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """See `CachedFunction`."""
        return await self._cached(self.__self__, *args, **kwargs)

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """See `CachedFunction.key`."""
        return self._cached.key(self.__self__, *args, **kwargs)

    async def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> WriteResult:
        """See `CachedFunction.invalidate`."""
        return await self._cached.invalidate(self.__self__, *args, **kwargs)

    async def refresh(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """See `CachedFunction.refresh`."""
        return await self._cached.refresh(self.__self__, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<bound {self._cached!r} of {type(self.__self__).__qualname__}>"
