"""How long values live and how they are loaded, validated once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asynccache.core.arguments import fraction, seconds, seconds_or_zero, wrong_type
from asynccache.core.eager import Eager
from asynccache.errors import InvalidArgument
from asynccache.types import Duration

DEFAULT_TTL = 300.0
"""Five minutes: long enough to carry a load, short enough that nobody needs to remember it."""

DEFAULT_LOAD_TIMEOUT = 30.0
"""Longer than any query a handler should wait for, shorter than the usual proxy timeout of 60 s."""

DEFAULT_LEASE_WAIT = 5.0
"""Longer than a lease, so that a dead loader is outlived."""


@dataclass(frozen=True, slots=True, init=False)
class Policy:
    """How long a value lives, and how it is loaded. Immutable; durations are kept in seconds.

    Args:
        ttl: How long a value is fresh, in seconds or as a timedelta; None: until it is deleted.
        l1_ttl: How long at most this process keeps it before it asks Redis again; None: ``ttl``.
        grace: How long past its ttl a value may still be served, only when its loader fails.
            A deleted value is never served; an expired one (``cache.expire``) may be.
        eager: After which share of its lifetime a value is refreshed in the background, above 0 and
            below 1, while readers go on getting the present one; "xfetch": at random, the earlier
            the longer its load takes; None: not before it has expired.
        soft_timeout: How long a caller waits for a load when there is a value in its grace; then
            it gets that one, and the load goes on. None: as long as it takes.
        background: Loads may outlive their callers also when their loader was passed to
            ``get_or_load``: eager refreshes and soft timeouts then work for it too. Say so only of
            loaders that use nothing that belongs to a request.
        negative_ttl: How long a loaded ``None`` is fresh; twice as long each time that it is loaded
            again, up to ``ttl``. None: like any other value.
        jitter: Shortens each ttl by a random share of up to this much, from 0 to below 1, so that
            keys stored together do not expire together.
        share: Keep the object itself in L1 and hand the same object to every caller, who must not
            change it. Off, values that can be changed are kept encoded and decoded for each hit.
        load_timeout: How long a loader may run before it is cancelled; None: without limit.
        lease_wait: How long to wait for another process that loads the same key; then the value is
            loaded here too, and kept in no level but L1. 0: not at all.
        bulkhead: Loads count against the cache's ``max_concurrent_loads``. Say no only of loaders
            that wait for loads of the same cache: they would wait for each other's permits.
        cancel_abandoned: Cancel a load when its last waiter has gone. None: yes for a loader
            passed to ``get_or_load``, which may use resources of the request that has gone; no
            for one registered with a region or ``@cached``, whose result the next call will want.

    Raises:
        ArgumentTypeError: An argument has the wrong type.
        InvalidArgument: An argument is out of range.
    """

    ttl: float | None
    l1_ttl: float | None
    grace: float
    eager: Eager
    soft_timeout: float | None
    background: bool
    negative_ttl: float | None
    jitter: float
    share: bool
    load_timeout: float | None
    lease_wait: float
    bulkhead: bool
    cancel_abandoned: bool | None

    def __init__(
        self,
        *,
        ttl: Duration | None = DEFAULT_TTL,
        l1_ttl: Duration | None = None,
        grace: Duration = 0,
        eager: Eager = None,
        soft_timeout: Duration | None = None,
        background: bool = False,
        negative_ttl: Duration | None = None,
        jitter: float = 0.0,
        share: bool = False,
        load_timeout: Duration | None = DEFAULT_LOAD_TIMEOUT,
        lease_wait: Duration = DEFAULT_LEASE_WAIT,
        bulkhead: bool = True,
        cancel_abandoned: bool | None = None,
    ) -> None:
        assign = object.__setattr__
        assign(self, "ttl", None if ttl is None else seconds(ttl, "ttl"))
        assign(self, "l1_ttl", None if l1_ttl is None else seconds(l1_ttl, "l1_ttl"))
        assign(self, "grace", seconds_or_zero(grace, "grace"))
        assign(self, "eager", _checked_eager(eager))
        for name, given in (("soft_timeout", soft_timeout), ("negative_ttl", negative_ttl)):
            assign(self, name, None if given is None else seconds(given, name))
        assign(self, "background", _flag(background, "background"))
        assign(self, "jitter", fraction(jitter, "jitter"))
        assign(self, "share", _flag(share, "share"))
        assign(
            self,
            "load_timeout",
            None if load_timeout is None else seconds(load_timeout, "load_timeout"),
        )
        assign(self, "lease_wait", seconds_or_zero(lease_wait, "lease_wait"))
        assign(self, "bulkhead", _flag(bulkhead, "bulkhead"))
        assign(
            self,
            "cancel_abandoned",
            None if cancel_abandoned is None else _flag(cancel_abandoned, "cancel_abandoned"),
        )

    def replace(self, **changes: Any) -> Policy:
        """Return a copy with some settings changed, validated like the constructor's arguments."""
        settings = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Policy(**{**settings, **changes})

    def lifetime(
        self, random: float, *, ttl: float | None = None, grace: float | None = None
    ) -> Lifetime:
        """Return the lifetime of one value.

        Args:
            random: A number from 0 to below 1, drawn for this value.
            ttl: Seconds for which it is fresh, instead of the policy's.
            grace: Seconds of grace, instead of the policy's.
        """
        fresh = self.ttl if ttl is None else ttl
        kept = self.grace if grace is None else grace
        if fresh is None:
            return Lifetime(None, kept)
        return Lifetime(fresh * (1.0 - self.jitter * random), kept)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long one value lives from now.

    Attributes:
        fresh: Seconds until it expires; None: never.
        grace: Seconds after that for which it may stand in for a failing loader.
    """

    fresh: float | None
    grace: float

    @property
    def fresh_ms(self) -> int:
        """Milliseconds until it expires, at least 1; 0: never."""
        return 0 if self.fresh is None else max(1, round(self.fresh * 1000))

    @property
    def grace_ms(self) -> int:
        """Milliseconds of grace."""
        return round(self.grace * 1000)

    @property
    def total_ms(self) -> int:
        """Milliseconds for which a store has to keep it; 0: for ever."""
        return 0 if self.fresh is None else self.fresh_ms + self.grace_ms


def _checked_eager(eager: Eager) -> Eager:
    if eager is None or eager == "xfetch":
        return eager
    share = fraction(eager, "eager")
    if share == 0:
        raise InvalidArgument("eager", "must be more than 0")
    return share


def _flag(value: bool, argument: str) -> bool:
    if not isinstance(value, bool):
        raise wrong_type(argument, value, "True or False")
    return value
