"""What a client's own ``Cache-Control`` asks of a stored response (RFC 9111, 5.2.1)."""

from __future__ import annotations

from asynccache.core.http_cache_control import CacheControl, parse_cache_control
from asynccache.core.http_fields import Headers, field_lines, members


def demands_of(headers: Headers) -> CacheControl | None:
    """Return what a request asks; None: nothing.

    ``Pragma: no-cache`` counts where there is no ``Cache-Control`` (RFC 9111, 5.4).

    Args:
        headers: The request's fields.
    """
    lines = field_lines(headers, b"cache-control")
    if lines:
        return parse_cache_control(lines)
    pragma = {member.lower() for member in members(headers, b"pragma")}
    return CacheControl(no_cache=True) if b"no-cache" in pragma else None


def is_enough(demands: CacheControl, *, age: float, left: float) -> bool:
    """Tell whether a stored response is what a client asks for.

    Args:
        demands: What it asks.
        age: The response's age, in seconds.
        left: Seconds for which it is still fresh; negative: since when it is stale.
    """
    if demands.no_cache:
        return False
    if demands.max_age is not None and age > demands.max_age:
        return False
    if demands.min_fresh is not None and left < demands.min_fresh:
        return False
    if left > 0:
        return True
    if demands.max_stale is not None:
        return -left <= demands.max_stale
    # Who limits the age wants nothing stale, unless it says so (5.2.1.1).
    return demands.max_age is None or demands.max_stale_any
