"""The tokens of tags that only the loader knew, when its load is over.

A token that is asked for now may be the one of an invalidation that the value is older than (race
26). It counts if this process knew it before the load, or if Redis can tell that none of these tags
was invalidated since: the clock of tags goes up with each invalidation, was read together with the
lease, and is written into the token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from asynccache.errors import Unavailable
from asynccache.levels.shared import Levels


async def tokens_of(
    levels: Levels,
    tags: Sequence[str],
    *,
    known: Mapping[str, bytes],
    before: float,
    clock: int | None,
) -> Mapping[str, bytes] | None:
    """Return the tokens to store a loaded value under.

    Args:
        levels: Where tokens are known, and asked for.
        tags: All of the value's tags.
        known: The tokens that were asked for before the load.
        before: The instant at which the load began.
        clock: That of the tags before the load; None: it could not be told.

    Returns:
        None: it cannot be told whether the value is older than its tags' tokens, and it must not be
        stored in Redis.
    """
    first, second = levels.first, levels.second
    found = dict(known)
    for tag in tags:
        early = found.get(tag) or first.tokens.known_since(tag, before)
        if early is not None:
            found[tag] = early
    missing = [tag for tag in tags if tag not in found]
    if not missing:
        return found
    if second is None:
        return None
    try:
        if clock is None:
            await levels.learn(missing)  # for the next load, which will know them beforehand
            return None
        asof, changes = levels.clock.monotonic(), first.tokens.changes
        learned = await second.store.ensure_unless_later(missing, clock)
    except Unavailable:
        return None
    if learned is None:
        return None
    first.tokens.keep(learned, asof, changes)
    return {**found, **learned}
