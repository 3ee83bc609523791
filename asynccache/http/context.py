"""What a handler and a hook can say about the caching of their response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from asynccache.core.arguments import checked_tags, seconds, wrong_type
from asynccache.types import Duration

if TYPE_CHECKING:
    from asynccache.http.stored import StoredResponse

STATE = "output_cache"


class OutputCacheContext:
    """One request, as hooks and its handler see it: ``request.state.output_cache``.

    What is said after the response has been stored comes too late.

    Attributes:
        scope: The request's ASGI scope.
        lookup: Whether a stored response may answer it. For ``on_request``.
        storage: Whether its response may be stored.
        response: The response that is about to be served (``on_serve``) or stored (``on_store``).
        age: How old that is, in seconds.
    """

    __slots__ = ("_tags", "_ttl", "_variations", "age", "lookup", "response", "scope", "storage")

    def __init__(self, scope: Mapping[str, Any]) -> None:
        self.scope: Mapping[str, Any] = scope
        self.lookup: bool = True
        self.storage: bool = True
        self.response: StoredResponse | None = None
        self.age: float = 0.0
        self._tags: dict[str, None] = {}
        self._ttl: float | None = None
        self._variations: dict[str, str] = {}

    @property
    def tags(self) -> tuple[str, ...]:
        """What was added to the plan's tags."""
        return tuple(self._tags)

    def add_tags(self, *tags: str) -> None:
        """Let `OutputCache.evict_tags` reach the response by these as well."""
        self._tags |= dict.fromkeys(checked_tags(tags))

    @property
    def ttl(self) -> float | None:
        """For how many seconds the response is fresh; None: as the plan says."""
        return self._ttl

    @ttl.setter
    def ttl(self, ttl: Duration | None) -> None:
        self._ttl = None if ttl is None else seconds(ttl, "ttl")

    def no_store(self) -> None:
        """Do not store the response, whatever anybody says."""
        self.storage = False

    @property
    def variations(self) -> tuple[tuple[str, str], ...]:
        """What was said with `vary_by`."""
        return tuple(sorted(self._variations.items()))

    def vary_by(self, name: str, value: str) -> None:
        """Tell responses apart by a value. For ``on_request``: later the key is known.

        Args:
            name: What the value is of.
            value: The value, such as the tenant that the request belongs to.
        """
        for argument, text in (("name", name), ("value", value)):
            if not isinstance(text, str):
                raise wrong_type(argument, text, "a str")
        self._variations[name] = value

    def __repr__(self) -> str:
        said = "" if self.storage else ", not to be stored"
        return f"<OutputCacheContext of {self.scope.get('method')} {self.scope.get('path')}{said}>"


async def get_output_cache(request: Request) -> OutputCacheContext:
    """Return what a handler can speak to the output cache with: the FastAPI dependency.

    Where a request is not cached there is one too, to which nobody listens.

    Args:
        request: The request.
    """
    context = getattr(request.state, STATE, None)
    return context if isinstance(context, OutputCacheContext) else OutputCacheContext(request.scope)
