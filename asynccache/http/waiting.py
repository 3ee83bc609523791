"""Who waits for another request's response, and who does not."""

from __future__ import annotations

from asynccache.http.visit import Visit


def waits(visit: Visit, key: str) -> bool:
    """Tell whether a request waits for another one's response.

    Not for one that will hardly help it: of a page that could not be stored just now, or where it
    has credentials, with which few responses are for others too (RFC 9111, 3.5).

    Args:
        visit: The request.
        key: The response's key.
    """
    plan, output = visit.plan, visit.output
    if plan.lock == "off" or (visit.request.has_credentials and not plan.by_credentials):
        return False
    return not output.marks.holds(key, output.now())


def is_left_alone(visit: Visit, key: str) -> bool:
    """Tell whether a page is left to the application for now: it could not be stored.

    Nobody tries for a moment. Then one at a time does, for whom nobody waits: what cannot be stored
    for one client may be for another.

    Args:
        visit: The request.
        key: The response's key.
    """
    output, now = visit.output, visit.output.now()
    if not output.marks.holds(key, now):
        return False
    if key in output.leading or output.pauses.holds(key, now):
        return True
    output.pauses.add(key, now)
    return False
