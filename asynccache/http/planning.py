"""Which policies are about a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from starlette.routing import BaseRoute, Match

from asynccache.errors import InvalidArgument
from asynccache.http.plan import Plan, laid_over
from asynccache.http.policy import OutputPolicy, Scope

MARK: Final = "__asynccache_output_policies__"
"""Where ``@output_cache`` leaves an endpoint's policies."""

MOST_PATHS: Final = 4_096
"""Paths whose plan is remembered: finding it anew costs as much as a route does."""


class Planner:
    """Finds the plan of a request.

    Args:
        policies: In the order in which they are laid over each other.

    Raises:
        ArgumentTypeError: One of them is no policy.
        InvalidArgument: Two have the same name.
    """

    def __init__(self, policies: Iterable[OutputPolicy]) -> None:
        self._policies = tuple(policies)
        self._named: dict[str, OutputPolicy] = {}
        for policy in self._policies:
            if policy.name is not None and self._named.setdefault(policy.name, policy) != policy:
                raise InvalidArgument("policies", f"two are named {policy.name!r}")
        self._always = [policy for policy in self._policies if policy.name is None]
        self._is_fixed = all(policy.when is None for policy in self._policies)
        self._known: dict[tuple[str, bytes], Plan | None] = {}

    def plan(self, scope: Scope, host: bytes) -> Plan | None:
        """Return the plan of a request; None: it is not to be cached.

        Args:
            scope: The ASGI scope of a GET.
            host: The request's host: routes may depend on it.
        """
        key = (scope["path"], host)
        try:
            return self._known[key]
        except KeyError:
            pass
        plan, is_fixed = self._find(scope)
        if is_fixed:
            if len(self._known) >= MOST_PATHS:
                self._known.clear()
            self._known[key] = plan
        return plan

    def remembers(self, scope: Scope, host: bytes) -> bool:
        """Tell whether the plan of such requests is always the same; see `plan`."""
        return (scope["path"], host) in self._known

    def forget(self) -> None:
        """Find every plan anew: the application's routes have changed."""
        self._known.clear()

    def _find(self, scope: Scope) -> tuple[Plan | None, bool]:
        matching: list[OutputPolicy] = []
        parameters: dict[str, str] = {}
        is_fixed = self._is_fixed
        for policy in self._always:
            found = policy.matches(scope)
            if found is not None:
                matching.append(policy)
                parameters |= found
        endpoint, of_route = endpoint_of(scope)
        marks: Sequence[OutputPolicy | str] = getattr(endpoint, MARK, ())
        for mark in marks:
            policy = self._by_name(mark) if isinstance(mark, str) else mark
            is_fixed = is_fixed and policy.when is None
            found = policy.matches(scope)
            if found is not None:
                matching.append(policy)
                parameters |= {**found, **of_route}
        name = getattr(endpoint, "__qualname__", "")
        return laid_over(matching, parameters, route=name), is_fixed

    def _by_name(self, name: str) -> OutputPolicy:
        try:
            return self._named[name]
        except KeyError:
            raise InvalidArgument("policy", f"no output policy is named {name!r}") from None


def endpoint_of(scope: Scope) -> tuple[object, Mapping[str, str]]:
    """Return the endpoint that an application will route a request to, and the path's parameters.

    Starlette's own matching is asked, without calling anything.
    """
    routes = getattr(scope.get("app"), "routes", None)
    parameters: dict[str, str] = {}
    inner = dict(scope)
    while routes:
        found: BaseRoute | None = None
        for route in routes:
            match, child = route.matches(inner)
            if match is Match.FULL:
                found = route
                inner.update(child)
                break
        if found is None:
            return None, {}
        parameters |= {name: str(value) for name, value in inner.get("path_params", {}).items()}
        routes = getattr(found, "routes", None)
        if not routes:
            return inner.get("endpoint", getattr(found, "endpoint", None)), parameters
    return None, {}
