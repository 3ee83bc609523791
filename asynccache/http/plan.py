"""What holds for one path: what some policies come to together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from asynccache.core.http_decision import Rules
from asynccache.core.policy import Policy
from asynccache.http.policy import Hook, Lock, Mode, OutputPolicy, Scope

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
    def tells_visitors_apart(self) -> bool:
        """Pages of different visitors have different keys, so the policies say."""
        return bool(self.vary_by_cookie or self.vary_by)

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
