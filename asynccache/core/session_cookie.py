"""The cookie of a session: its name, what is read of it, and what is set (RFC 6265bis)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from asynccache.core.arguments import wrong_type
from asynccache.core.http_fields import is_token
from asynccache.core.session_ids import Ticket, parse_ticket
from asynccache.errors import InvalidArgument

SameSite = Literal["lax", "strict", "none"]

HOST_PREFIX: Final = "__Host-"
SECURE_PREFIX: Final = "__Secure-"

MOST_BYTES: Final = 4_096
"""In one pair of name and value; browsers keep no more."""

_EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"


@dataclass(frozen=True, slots=True)
class Cookie:
    """Name and attributes of a session's cookie.

    Args:
        name: A token; ``__Host-`` and ``__Secure-`` promise what the attributes have to keep.
        path: Below which it is sent.
        domain: Whose subdomains get it too; None: nobody else.
        secure: Only over https.
        same_site: When other sites' requests carry it.
        partitioned: One for each top-level site (CHIPS).

    Raises:
        ArgumentTypeError: An argument has the wrong type.
        InvalidArgument: A browser would refuse it, or keep it where it must not be.
    """

    name: str
    path: str = "/"
    domain: str | None = None
    secure: bool = False
    same_site: SameSite = "lax"
    partitioned: bool = False

    def __post_init__(self) -> None:
        self._check_types()
        self._check_names()
        if not self.secure and (self.same_site == "none" or self.partitioned):
            argument = "partitioned" if self.partitioned else "same_site"
            raise InvalidArgument(argument, "needs https_only=True: browsers refuse it without")

    def _check_types(self) -> None:
        for argument, value in (("session_cookie", self.name), ("path", self.path)):
            if not isinstance(value, str):
                raise wrong_type(argument, value, "a str")
        if self.domain is not None and not isinstance(self.domain, str):
            raise wrong_type("domain", self.domain, "a str, or None")
        if self.same_site not in ("lax", "strict", "none"):
            raise InvalidArgument("same_site", "must be 'lax', 'strict' or 'none'")

    def _check_names(self) -> None:
        if not self.name.isascii() or not is_token(self.name.encode()):
            raise InvalidArgument("session_cookie", "must be a token: letters, digits, -, _ and .")
        _check_attribute("path", self.path)
        if not self.path.startswith("/"):
            raise InvalidArgument("path", "must begin with a slash")
        if self.domain is not None:
            _check_attribute("domain", self.domain)
        name = self.name.lower()
        if name.startswith(SECURE_PREFIX.lower()) and not self.secure:
            raise InvalidArgument("session_cookie", "__Secure- needs https_only=True")
        is_host_only = self.secure and self.domain is None and self.path == "/"
        if name.startswith(HOST_PREFIX.lower()) and not is_host_only:
            needs = "https_only=True, path='/' and no domain"
            raise InvalidArgument("session_cookie", f"__Host- needs {needs}")

    def set(self, ticket: Ticket, max_age: int | None) -> bytes:
        """Return the ``Set-Cookie`` that hands out an identifier.

        Args:
            ticket: The identifier.
            max_age: Seconds that the browser keeps it; None: until it is closed.
        """
        age = "" if max_age is None else f"; Max-Age={max_age}"
        return f"{self.name}={ticket.cookie}{age}{self._attributes}".encode()

    def end(self) -> bytes:
        """Return the ``Set-Cookie`` that takes the identifier away."""
        return f"{self.name}=; Max-Age=0; Expires={_EPOCH}{self._attributes}".encode()

    @property
    def _attributes(self) -> str:
        domain = "" if self.domain is None else f"; Domain={self.domain}"
        secure = "; Secure" if self.secure else ""
        partitioned = "; Partitioned" if self.partitioned else ""
        same_site = self.same_site.capitalize()
        return f"; Path={self.path}{domain}; HttpOnly; SameSite={same_site}{secure}{partitioned}"

    def tickets(self, headers: Iterable[tuple[bytes, bytes]]) -> list[Ticket]:
        """Return the well-formed identifiers that a request carries, in its order.

        A browser sends the cookie of the longest path first, so the first one is meant; there are
        several when somebody, maybe on a subdomain, has set one of the same name.

        Args:
            headers: The request's fields.
        """
        name = self.name.encode()
        found: list[Ticket] = []
        for field, line in headers:
            if field != b"cookie":
                continue
            for pair in line.split(b";"):
                key, equals, value = pair.strip(b" \t").partition(b"=")
                if key == name and equals and len(pair) <= MOST_BYTES:
                    text = value.strip(b" \t").decode("latin-1")
                    ticket = parse_ticket(text)
                    if ticket is not None and ticket not in found:
                        found.append(ticket)
        return found


def default_name(*, secure: bool, domain: str | None, path: str) -> str:
    """Return the safest name that a cookie's attributes allow."""
    return f"{HOST_PREFIX}session" if secure and domain is None and path == "/" else "session"


def _check_attribute(argument: str, value: str) -> None:
    if not value or not value.isascii() or not value.isprintable() or set(value) & set("; ,"):
        raise InvalidArgument(argument, "must be printable ASCII without ; , and blanks")
