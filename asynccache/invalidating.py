"""What a cache can be told to forget."""

from __future__ import annotations

from collections.abc import Iterable

from asynccache.core.arguments import checked_key, checked_keys, checked_tags, seconds_or_zero
from asynccache.core.pattern import Pattern
from asynccache.errors import NotAcknowledged
from asynccache.lifecycle import Lifecycle
from asynccache.results import WriteResult
from asynccache.types import Duration


class Invalidating(Lifecycle):
    """The part of `Cache` that forgets values."""

    async def delete(self, key: str, *, settle: Duration = 0, strict: bool = False) -> WriteResult:
        """Remove a value everywhere; loads that are running will not bring it back.

        Whatever the result says, no read that begins later in this process returns the old value.

        Args:
            key: The key.
            settle: For how long loaders may still find the old value, because they read from a
                replica that lags: until then what they find is kept no longer than that.
            strict: Raise when Redis could not be told. The key is in the journal all the same.

        Raises:
            NotAcknowledged: Redis could not be told, and ``strict`` was given.
        """
        return await self.delete_many([checked_key(key)], settle=settle, strict=strict)

    async def delete_many(
        self, keys: Iterable[str], *, settle: Duration = 0, strict: bool = False
    ) -> WriteResult:
        """Remove several values in one round trip. See `delete`."""
        checked = checked_keys(keys)
        settling = seconds_or_zero(settle, "settle")
        if not checked:
            return WriteResult(acknowledged=True, affected=0)
        result = await self._running().writer.forget(checked, settling)
        return checked_result(result, strict=strict)

    async def expire(self, key: str, *, strict: bool = False) -> WriteResult:
        """End a value's freshness everywhere, but let it stand in for a failing loader.

        The value may do so for what its policy's ``grace`` was when it was stored. Without grace
        this is `delete`.
        """
        result = await self._running().writer.expire([checked_key(key)])
        return checked_result(result, strict=strict)

    async def invalidate_tags(self, *tags: str, strict: bool = False) -> WriteResult:
        """Remove every value that has one of some tags, everywhere, however many they are.

        One round trip, and nothing is searched for: the tags get new tokens, and a value counts
        only while its tokens are those of its tags. Loads that are running will not bring an old
        value back, whether the tags came from their callers or from their loaders.

        Args:
            *tags: The tags.
            strict: See `delete`.

        Returns:
            ``affected`` is 0: nobody counts.
        """
        checked = checked_tags(tags)
        if not checked:
            return WriteResult(acknowledged=True, affected=0)
        result = await self._running().writer.forget_tags(checked)
        return checked_result(result, strict=strict)

    async def invalidate_pattern(self, pattern: str, *, strict: bool = False) -> WriteResult:
        """Remove the values of all keys that match a Redis glob, such as ``user:list:*``.

        For what is known beforehand `invalidate_tags` is better: this visits every key of
        the Redis database with SCAN, some milliseconds of the server's time for each ten thousand,
        four times over.

        Args:
            pattern: ``*``, ``?``, ``[abc]``, ``[^a]``, ``[a-z]``, and ``\\`` before a character
                that is meant literally.
            strict: See `delete`.

        Raises:
            ArgumentTypeError: It is not a str.
            InvalidArgument: It is empty, too long, or ends inside a character class.
        """
        result = await self._running().writer.forget_matching(Pattern(pattern))
        return checked_result(result, strict=strict)

    async def clear(self, *, strict: bool = False) -> WriteResult:
        """Remove every value of the namespace, everywhere, in one round trip.

        What Redis holds is invalid at once, and is replaced, evicted or expires by and by.

        Returns:
            ``affected`` is how many this process held.
        """
        return checked_result(await self._running().writer.forget_all(), strict=strict)


def checked_result(result: WriteResult, *, strict: bool) -> WriteResult:
    """Return a result, or raise if it says too little for whoever is strict.

    Raises:
        NotAcknowledged: Redis could not be told.
    """
    if strict and not result.acknowledged:
        raise NotAcknowledged
    return result
