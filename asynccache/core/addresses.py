"""Where a server is."""

from __future__ import annotations

from typing import NamedTuple


class Address(NamedTuple):
    """A host and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, *, host: str = "", port: int = 0) -> Address | None:
    """Return the address in ``host:port``, ``[::1]:port`` or ``2001:db8::7:port``.

    Args:
        text: The text.
        host: The host, where the text has none.
        port: The port, where the text has none; 0: it must have one.

    Returns:
        None: the text is no address.
    """
    if text.startswith("["):
        name, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            return None
        digits = rest[1:]
    elif ":" in text:
        name, _, digits = text.rpartition(":")
    else:
        name, digits = text, ""
    if not digits and port:
        digits = str(port)
    if not (digits.isascii() and digits.isdecimal() and 0 < int(digits) < 65_536):
        return None
    name = name or host
    return Address(name, int(digits)) if name and not set(name) & set(" /@?#") else None
