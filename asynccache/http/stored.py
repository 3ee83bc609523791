"""What the output cache keeps: responses, and how those of one page are told apart.

Both come back from Redis as bytes that somebody else may have written: what they are made of is
checked when they are made, so that a forged or damaged one is a miss and never a broken response.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from asynccache.core.http_fields import Fields, is_token, without
from asynccache.errors import InvalidArgument

Variant = tuple[tuple[bytes, bytes | None], ...]

_FORBIDDEN: Final = frozenset(b"\r\n\x00")


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A complete response to a GET.

    Attributes:
        status: Its status code.
        fields: Its header fields, as the application sent them; without those of one connection.
        body: Its content, as the application encoded it.
        variant: The request's values of the fields that its ``Vary`` names.
        age: Its age when it was stored, in seconds: it may have come out of another cache.
        lifetime: Its freshness lifetime, in seconds.
        while_revalidate: Seconds past that for which it may be served while it is refreshed.
        if_error: Seconds past that for which it may be served in place of an error.
        shared: It may answer requests with credentials, says the response itself.
        tag: The application's own ``ETag``, where the one in ``fields`` is weaker.

    Raises:
        InvalidArgument: It is not what a response can be.
    """

    status: int
    fields: Fields
    body: bytes
    variant: Variant = ()
    age: float = 0.0
    lifetime: float = 0.0
    while_revalidate: float = 0.0
    if_error: float = 0.0
    shared: bool = False
    tag: bytes | None = None

    def __post_init__(self) -> None:
        checked: Any = self  # whoever has written it may not have minded the types
        if not isinstance(checked.status, int) or not 200 <= checked.status <= 599:
            raise InvalidArgument("status", "must be the code of a final response")
        if not isinstance(checked.fields, tuple) or not all(map(_is_field, checked.fields)):
            raise InvalidArgument("fields", "must be pairs of bytes that can be sent")
        if not isinstance(checked.body, bytes):
            raise InvalidArgument("body", "must be bytes")
        if checked.tag is not None and not isinstance(checked.tag, bytes):
            raise InvalidArgument("tag", "must be bytes or None")
        if not isinstance(checked.variant, tuple):
            raise InvalidArgument("variant", "must be pairs")
        for name in ("age", "lifetime", "while_revalidate", "if_error"):
            number = getattr(checked, name)
            if not isinstance(number, int | float) or not number >= 0:
                raise InvalidArgument(name, "must be seconds")

    def freshness(self, age: float) -> float:
        """Return for how many seconds it is still fresh; negative: since when it is stale.

        Args:
            age: How long it has been stored, in seconds.
        """
        return self.lifetime - self.age - age

    @property
    def validators(self) -> Fields:
        """The fields that the application is asked with whether it is still right."""
        if self.tag is None:
            return self.fields
        return (*without(self.fields, {b"etag"}), (b"etag", self.tag))

    def may_refresh_later(self, age: float) -> bool:
        """Tell whether it is stale and may be served all the same, while it is refreshed.

        Args:
            age: How long it has been stored, in seconds.
        """
        return 0 <= -self.freshness(age) < self.while_revalidate

    def may_stand_in(self, age: float) -> bool:
        """Tell whether it may be served in place of an error, fresh or stale.

        Args:
            age: How long it has been stored, in seconds.
        """
        return -self.freshness(age) < max(self.if_error, 0.0)


@dataclass(frozen=True, slots=True)
class Varies:
    """What stands for a page whose responses depend on more than its URL.

    Attributes:
        generation: Part of the keys of its variants: with another one, all of them are gone.
        names: The request fields that responses of the page have named in ``Vary``.

    Raises:
        InvalidArgument: It is not what `Varies` can be.
    """

    generation: bytes
    names: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        checked: Any = self
        if not isinstance(checked.generation, bytes):
            raise InvalidArgument("generation", "must be bytes")
        if not isinstance(checked.names, tuple) or not all(
            isinstance(name, bytes) for name in checked.names
        ):
            raise InvalidArgument("names", "must be names of fields")


def _is_field(field: object) -> bool:
    if not isinstance(field, tuple) or len(field) != 2:
        return False
    name, value = field
    return (
        isinstance(name, bytes)
        and isinstance(value, bytes)
        and is_token(name)
        and _FORBIDDEN.isdisjoint(value)
    )
