"""What a loader can learn and say about its own load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from typing import Any

from asynccache.core.arguments import (
    checked_tags,
    checked_version,
    seconds,
    seconds_or_zero,
    wrong_type,
)
from asynccache.errors import InvalidArgument, UsageError
from asynccache.types import MISSING, Duration, Missing

LONGEST_ETAG = 1_024

_current: ContextVar[LoadContext | None] = ContextVar("asynccache_load_context", default=None)


class LoadContext:
    """One run of a loader, as the loader sees it. See `load_context`.

    Attributes:
        keys: What is being loaded.
        stale: The value that is there, past its lifetime or to be refreshed, or ``MISSING``.
            For a bulk load: ``MISSING``.
        age: How old ``stale`` is, in seconds since it was loaded or stored; 0 without it.
    """

    __slots__ = ("_etag", "_grace", "_tags", "_ttl", "_version", "age", "is_kept", "keys", "stale")

    def __init__(
        self,
        keys: Sequence[str],
        stale: Any | Missing = MISSING,
        etag: str | None = None,
        age: float = 0.0,
    ) -> None:
        self.keys: tuple[str, ...] = tuple(keys)
        self.stale: Any | Missing = stale
        self.age: float = age
        self.is_kept: bool = True
        self._etag: str | None = etag
        self._tags: tuple[str, ...] = ()
        self._ttl: float | None = None
        self._grace: float | None = None
        self._version: int = 0

    @property
    def key(self) -> str:
        """The key that is being loaded; of a bulk load, the first."""
        return self.keys[0]

    @property
    def ttl(self) -> float | None:
        """How long the value will be fresh, in seconds; None: as the policy says."""
        return self._ttl

    @ttl.setter
    def ttl(self, ttl: Duration | None) -> None:
        self._ttl = None if ttl is None else seconds(ttl, "ttl")

    @property
    def grace(self) -> float | None:
        """For how long after that it may stand in, in seconds; None: as the policy says."""
        return self._grace

    @grace.setter
    def grace(self, grace: Duration | None) -> None:
        self._grace = None if grace is None else seconds_or_zero(grace, "grace")

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags that the value gets besides those that the caller gave."""
        return self._tags

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        self._tags = checked_tags(tags)

    @property
    def etag(self) -> str | None:
        """What the source can be asked with whether ``stale`` has changed; set it for the value."""
        return self._etag

    @etag.setter
    def etag(self, etag: str | None) -> None:
        if etag is not None and not isinstance(etag, str):
            raise wrong_type("etag", etag, "a str or None")
        if etag is not None and len(etag) > LONGEST_ETAG:
            raise InvalidArgument("etag", f"must be at most {LONGEST_ETAG} characters")
        self._etag = etag

    @property
    def version(self) -> int:
        """The version of the value, for ``cache.set(version=…)`` to compare with; 0: none."""
        return self._version

    @version.setter
    def version(self, version: int) -> None:
        self._version = checked_version(version)

    def skip_store(self) -> None:
        """Give the value to those who wait for it, and keep it nowhere."""
        self.is_kept = False

    def not_modified(self) -> Any:
        """Return the value that is there: the source says that it is still right.

        Raises:
            UsageError: There is none; look at ``stale`` before asking conditionally.
        """
        if self.stale is MISSING:
            raise UsageError(f"there is no value of {self.key!r} that could be unmodified")
        return self.stale

    def __repr__(self) -> str:
        return f"<LoadContext of {', '.join(map(repr, self.keys))}>"


def load_context() -> LoadContext:
    """Return the context of the load that runs; to be called by a loader.

    ::

        async def product() -> Product:
            context = load_context()
            answer = await client.get(url, headers={"If-None-Match": context.etag or ""})
            if answer.status == 304:
                return context.not_modified()
            context.etag = answer.etag
            context.tags = [f"supplier:{answer.supplier}"]
            return answer.product

    Raises:
        UsageError: No load runs here.
    """
    context = _current.get()
    if context is None:
        raise UsageError("load_context() is for loaders: no load runs here")
    return context


def enter(context: LoadContext) -> None:
    """Make a context the one of the load that runs here. Not part of the public API."""
    _current.set(context)
