"""``@output_cache``: an endpoint's policies, where the endpoint is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from asynccache.core.arguments import wrong_type
from asynccache.errors import InvalidArgument
from asynccache.http.planning import MARK
from asynccache.http.policy import OutputPolicy

F = TypeVar("F", bound=Callable[..., Any])


def output_cache(policy: str | OutputPolicy | None = None, **settings: Any) -> Callable[[F], F]:
    """Have an endpoint's responses stored, by the application's `OutputCacheMiddleware`.

    ::

        @app.get("/products/{id}")
        @output_cache(ttl=60, vary_by_query=["currency"], tags=["product:{id}"])
        async def product(id: int) -> Product: ...

    The endpoint stays what it is: the policy is found by the application's routes, so that a stored
    response is served without routing.

    Args:
        policy: A policy, or the name of one of the middleware's.
        **settings: Those of an `OutputPolicy`, laid over it.

    Raises:
        ArgumentTypeError: An argument has the wrong type.
        InvalidArgument: An argument is out of range.
    """
    if callable(policy):
        raise wrong_type("policy", policy, "parentheses: @output_cache(ttl=60)")
    if policy is not None and not isinstance(policy, str | OutputPolicy):
        raise wrong_type("policy", policy, "an OutputPolicy or the name of one")
    if "path" in settings:
        raise InvalidArgument("path", "the endpoint's route has it")
    marks: list[str | OutputPolicy] = [] if policy is None else [policy]
    if settings or policy is None:
        marks.append(OutputPolicy(**settings))

    def mark(endpoint: F) -> F:
        former = getattr(endpoint, MARK, ())
        setattr(endpoint, MARK, (*marks, *former))  # the innermost was there first: it is laid last
        return endpoint

    return mark
