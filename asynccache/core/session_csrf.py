"""Tokens against forged requests: masked, so that compression tells nobody a byte of them.

OWASP Cross-Site Request Forgery Prevention, "Signed Double-Submit" without the second cookie: the
token is bound to the session. The mask is the one of Django and Rails (BREACH, 2013).
"""

from __future__ import annotations

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from typing import Final

PROOF_BYTES: Final = 32
TOKEN_LENGTH: Final = 86
"""Characters: mask and masked proof, without padding."""


def mask_token(proof: bytes, mask: bytes) -> str:
    """Return a token, which looks different for each mask.

    Args:
        proof: 32 bytes.
        mask: As many random ones.
    """
    return urlsafe_b64encode(mask + _xor(proof, mask)).decode().rstrip("=")


def token_proves(token: object, proofs: Iterable[bytes]) -> bool:
    """Tell whether a token was made from one of these proofs, in constant time for each."""
    if not isinstance(token, str) or len(token) != TOKEN_LENGTH or not token.isascii():
        return False
    try:
        raw = urlsafe_b64decode(token + "==")
    except (binascii.Error, ValueError):
        return False
    told = _xor(raw[:PROOF_BYTES], raw[PROOF_BYTES:])
    matches = [hmac.compare_digest(told, proof) for proof in proofs]
    return any(matches)


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=False))
