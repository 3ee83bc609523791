"""When a value that is still fresh is to be refreshed, so that nobody has to wait for its load."""

from __future__ import annotations

from math import inf, log
from typing import Literal, TypeAlias

Eager: TypeAlias = float | Literal["xfetch"] | None


def eager_at(
    eager: Eager,
    *,
    since: float,
    left: float | None,
    lifetime: float | None,
    load_time: float,
    random: float,
) -> float:
    """Return the instant from which on a value is to be refreshed; infinite: never.

    "xfetch" is the optimal probabilistic early expiration of Vattani, Chierichetti and Lowenstein
    (VLDB 2015), with beta 1: the longer a load takes, the earlier. The paper draws for each
    request; here each process draws once for each value that it gets, so that a hit draws nothing:
    the earliest of the fleet's processes is first, as the earliest request is there.

    Args:
        eager: A share of the lifetime after which to refresh, "xfetch", or None.
        since: The instant from which ``left`` counts.
        left: Seconds left of the lifetime; None: it never ends.
        lifetime: The whole of it, in seconds; None: it is not known.
        load_time: Seconds that its load took.
        random: A number from 0 to below 1.
    """
    if eager is None or left is None:
        return inf
    if eager == "xfetch":
        return since + left + load_time * log(1.0 - random)
    whole = left if lifetime is None else lifetime
    return since + left - whole * (1.0 - eager)
