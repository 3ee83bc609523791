"""Identifiers of sessions: what a browser holds, and the little that others may know of it.

A cookie is a seed, which finds the session, and a verifier, which opens it. Where the session is
kept nobody learns either: its place is a digest of the seed, and beside it stands a keyed digest of
the verifier. So who reads the store cannot open a session, and who writes to it cannot plant one
(OWASP Session Management; selector and verifier as in "Implementing Secure User Authentication",
Paragon 2015). A new verifier for the old seed is a new identifier for a session that stays where
it is.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, TypeAlias

Entropy: TypeAlias = Callable[[int], bytes]
"""Returns so many bytes that nobody can guess; `secrets.token_bytes`."""

SEED_BYTES: Final = 18
VERIFIER_BYTES: Final = 30
SEED_LENGTH: Final = 24
"""Characters, six bits in each."""

SHORTEST_SECRET: Final = 32
"""Bytes."""

_FORM = re.compile(r"[A-Za-z0-9_-]{64}")


@dataclass(frozen=True, slots=True)
class Ticket:
    """An identifier in clear. It is never logged and never stored.

    Args:
        seed: 24 characters, 144 bits.
        verifier: 40 characters, 240 bits.
    """

    seed: str = field(repr=False)
    verifier: str = field(repr=False)

    @property
    def cookie(self) -> str:
        """What the browser gets."""
        return self.seed + self.verifier

    @property
    def public_id(self) -> str:
        """Where the session is, 24 characters: it names the session and opens nothing."""
        return _text(sha256(b"loc" + self.seed.encode()).digest()[:SEED_BYTES])


def new_ticket(entropy: Entropy) -> Ticket:
    """Return an identifier that never was."""
    return Ticket(_text(entropy(SEED_BYTES)), _text(entropy(VERIFIER_BYTES)))


def rotated(ticket: Ticket, entropy: Entropy) -> Ticket:
    """Return another identifier of the same session."""
    return Ticket(ticket.seed, _text(entropy(VERIFIER_BYTES)))


def parse_ticket(value: str) -> Ticket | None:
    """Return what a cookie says; None: it is none of ours, and must not be looked for."""
    if _FORM.fullmatch(value) is None:
        return None
    return Ticket(value[:SEED_LENGTH], value[SEED_LENGTH:])


class SessionKeys:
    """What is derived from the secret keys.

    Args:
        secrets: The newest first; with the others older cookies are still understood.
    """

    __slots__ = ("_csrf", "_verifiers")

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._verifiers = [_derived(each, b"session verifier") for each in secrets]
        self._csrf = [_derived(each, b"session csrf") for each in secrets]

    def digest(self, ticket: Ticket) -> bytes:
        """Return the digest of a verifier by the newest key, 32 bytes."""
        return _digest(self._verifiers[0], ticket.verifier.encode())

    def digests(self, ticket: Ticket) -> list[bytes]:
        """Return the digests of a verifier by every key, the newest first."""
        verifier = ticket.verifier.encode()
        return [_digest(key, verifier) for key in self._verifiers]

    def proofs(self, ticket: Ticket, generation: str) -> list[bytes]:
        """Return what proves that a form was made for a session, by every key, 32 bytes each.

        Args:
            ticket: The session's identifier.
            generation: Another one after each login.
        """
        told = f"{ticket.seed}.{generation}".encode()
        return [_digest(key, told) for key in self._csrf]

    def __repr__(self) -> str:
        return f"<SessionKeys, {len(self._verifiers)}>"


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return _digest(secret, b"asynccache " + purpose)


def _digest(key: bytes, told: bytes) -> bytes:
    return hmac.digest(key, told, "sha256")


def _text(random: bytes) -> str:
    return urlsafe_b64encode(random).decode()
