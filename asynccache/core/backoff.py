"""How long to wait before the next try."""

from __future__ import annotations


def capped_jitter(attempt: int, random: float, *, base: float, cap: float) -> float:
    """Return the pause before a try: exponential, capped, and jittered over its upper half.

    The jitter keeps a fleet that lost Redis at one instant from coming back at one instant.

    Args:
        attempt: How many tries have failed in a row, from 0.
        random: A number from 0 to below 1.
        base: The first pause, in seconds.
        cap: The longest pause, in seconds.
    """
    pause = min(cap, base * 2.0 ** min(attempt, 32))
    return float(pause * (0.5 + random / 2))
