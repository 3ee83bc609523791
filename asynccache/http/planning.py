"""Which policies are about a request, and what they come to together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.routing import BaseRoute, Match

from asynccache.core.http_decision import Rules
from asynccache.core.policy import Policy
from asynccache.errors import InvalidArgument
from asynccache.http.policy import Hook, Lock, Mode, OutputPolicy, Scope

MARK: Final = "__asynccache_output_policies__"
"""Where ``@output_cache`` leaves an endpoint's policies."""

MOST_PATHS: Final = 4_096
"""Paths whose plan is remembered: finding it anew costs as much as a route does."""

PATIENT: Final = 60.0
"""Seconds that a fill may wait for another process; ``lock_timeout`` ends the wait earlier."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What holds for one path: the policies about it, and defaults for what they leave open.

    The attributes are those of `OutputPolicy`, and:

    Attributes:
        parameters: The path's parameters.
        route: What ``vary_by_route`` stands for: the path of its policy, or of its endpoint.
    """

    parameters: Mapping[str, str] = field(default_factory=dict)
    route: str = ""
    mode: Mode = "policy"
    ttl: float | None = None
    default_ttl: float | None = None
    heuristic: float | None = None
    vary_by_query: tuple[str, ...] | None = None
    vary_by_header: tuple[str, ...] = ()
    vary_by_cookie: tuple[str, ...] = ()
    vary_by_route: tuple[str, ...] | None = None
    vary_by: tuple[Callable[[Scope], str | bytes], ...] = ()
    tags: tuple[str, ...] = ()
    statuses: frozenset[int] | None = None
    lock: Lock = "process"
    lock_timeout: float = 5.0
    stale_while_revalidate: float | None = None
    stale_if_error: float | None = None
    keep: float = 3_600.0
    background_timeout: float = 30.0
    etag: bool = False
    max_body_size: int = 8 * 1024 * 1024
    max_variants: int = 32
    honor_request_cache_control: bool = False
    allow_set_cookie: bool = False
    on_request: tuple[Hook, ...] = ()
    on_serve: tuple[Hook, ...] = ()
    on_store: tuple[Hook, ...] = ()

    @property
    def is_rfc(self) -> bool:
        """The response's header decides."""
        return self.mode == "rfc"

    @property
    def tells_apart(self) -> bool:
        """More than its URL and its ``Vary`` tells the responses of a page apart."""
        return bool(self.vary_by_header or self.vary_by_cookie or self.vary_by)

    @property
    def by_credentials(self) -> bool:
        """Responses are told apart by ``Authorization``."""
        return "authorization" in self.vary_by_header

    @property
    def fill_policy(self) -> Policy:
        """How the cache loads a response; its lifetime is said by the load itself."""
        return _FILL_IN_FLEET if self.lock == "fleet" else _FILL

    def rules(self, targets: tuple[bytes, ...]) -> Rules:
        """Return what the plan says about storing.

        Args:
            targets: The targeted fields that count.
        """
        statuses = self.statuses
        if statuses is None and not self.is_rfc:
            statuses = _OK
        return Rules(
            is_rfc=self.is_rfc,
            ttl=self.ttl,
            default_ttl=self.default_ttl,
            heuristic=self.heuristic,
            statuses=statuses,
            stale_while_revalidate=self.stale_while_revalidate,
            stale_if_error=self.stale_if_error,
            keep=self.keep,
            targets=targets,
            allow_set_cookie=self.allow_set_cookie,
            by_credentials=self.by_credentials,
        )


_OK: Final = frozenset({200})

_FILL: Final = Policy(
    ttl=60,
    share=True,
    load_timeout=None,
    lease_wait=0,
    # A handler loads from the same cache, and would wait for permits that such handlers hold.
    bulkhead=False,
    background=True,
)
_FILL_IN_FLEET: Final = _FILL.replace(lease_wait=PATIENT)


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


def laid_over(
    policies: Sequence[OutputPolicy], parameters: Mapping[str, str], *, route: str = ""
) -> Plan | None:
    """Return what some policies come to; None: nothing is to be cached.

    Args:
        policies: Those that match, in order.
        parameters: The path's parameters.
        route: What stands for the path where no policy has one.
    """
    said: dict[str, Any] = {"route": route}
    tags: list[str] = []
    enabled = bool(policies)
    for policy in policies:
        for name in Plan.__dataclass_fields__:
            value = getattr(policy, name, None)
            if value is None or name == "tags":
                continue
            if name.startswith("on_") or name == "vary_by":
                said[name] = (*said.get(name, ()), value)
            else:
                said[name] = value
        if policy.vary_by_route is not None and policy.path is not None:
            said["route"] = policy.path
        tags += policy.tags
        enabled = enabled if policy.enabled is None else policy.enabled
    if not enabled:
        return None
    filled = (with_parameters(tag, parameters) for tag in tags)
    return Plan(parameters=parameters, tags=tuple(dict.fromkeys(filled)), **said)


def with_parameters(tag: str, parameters: Mapping[str, str]) -> str:
    """Return a tag such as ``product:{id}`` with a path's parameters in it."""
    if "{" in tag:
        for name, value in parameters.items():
            tag = tag.replace(f"{{{name}}}", value)
    return tag


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
