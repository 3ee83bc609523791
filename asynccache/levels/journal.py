"""Invalidations that could not reach Redis, to be replayed as deletes when it is back.

Only deletes are replayed, never values: a replayed delete that comes after somebody's newer write
costs one load; a replayed value would undo that write (race 22). Until then the keys bypass L2 in
this process, so that it does not read back what it has already overwritten.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

MOST_KEYS = 50_000
"""Some 10 MB. Past it the whole namespace is cleared on replay: fewer hits, never a stale one."""

BATCH = 256


class Journal:
    """Keys to delete, the newest once each. Not for more than one event loop."""

    __slots__ = ("_everything", "_keys", "_most_keys", "_tags")

    def __init__(self, most_keys: int = MOST_KEYS) -> None:
        self._most_keys = most_keys
        # A dict for its order; the value is the generation of the newest note.
        self._keys: dict[str, object] = {}
        self._tags: dict[str, object] = {}
        self._everything: object | None = None

    def note(self, keys: Collection[str]) -> None:
        """Note keys whose delete could not reach Redis, or whose fate is not known."""
        self._note(self._keys, keys)

    def note_tags(self, tags: Collection[str]) -> None:
        """Note tags whose invalidation could not reach Redis, or whose fate is not known."""
        self._note(self._tags, tags)

    def _note(self, noted: dict[str, object], texts: Collection[str]) -> None:
        if self._everything is not None:
            self._everything = object()
            return
        for text in texts:
            noted[text] = object()
        if len(self._keys) + len(self._tags) > self._most_keys:
            self.note_all()

    def note_all(self) -> None:
        """Note that everything has to be deleted."""
        self._keys.clear()
        self._tags.clear()
        self._everything = object()

    def holds(self, key: str) -> bool:
        """Tell whether L2 has to be bypassed for a key."""
        return key in self._keys or self._everything is not None

    def holds_tag(self, tags: Collection[str]) -> bool:
        """Tell whether values of L2 are out of date because of one of their tags."""
        return bool(self._tags) and not self._tags.keys().isdisjoint(tags)

    def next_batch(self) -> Batch | None:
        """Return what to delete next; None: nothing is left."""
        if self._everything is not None:
            return Batch(None, {}, self._everything)
        if self._tags:
            tags = dict(islice(self._tags.items(), BATCH))
            return Batch([], {}, None, tags)
        if not self._keys:
            return None
        some = dict(islice(self._keys.items(), BATCH))
        return Batch(list(some), some, None)

    def batch_of(self, keys: Collection[str]) -> Batch | None:
        """Return what to delete before some keys may be written anew; None: nothing."""
        if self._everything is not None:
            return Batch(None, {}, self._everything)
        some = {key: self._keys[key] for key in keys if key in self._keys}
        return Batch(list(some), some, None) if some else None

    def done(self, batch: Batch) -> None:
        """Remove a batch that was deleted, but for what was noted again meanwhile."""
        if batch.everything is not None and self._everything is batch.everything:
            self._everything = None
        for noted, said in ((self._keys, batch.generations), (self._tags, batch.tags)):
            for text, generation in said.items():
                if noted.get(text) is generation:
                    del noted[text]

    def __len__(self) -> int:
        return len(self._keys) + len(self._tags) + (self._everything is not None)

    def __repr__(self) -> str:
        return f"<Journal {'everything' if self._everything is not None else len(self)}>"


class Batch:
    """A part of the journal: ``keys`` to delete and ``tags`` to invalidate, or ``keys`` is None and
    everything has to go."""

    __slots__ = ("everything", "generations", "keys", "tags")

    def __init__(
        self,
        keys: list[str] | None,
        generations: dict[str, object],
        everything: object | None,
        tags: dict[str, object] | None = None,
    ) -> None:
        self.keys = keys
        self.generations = generations
        self.everything = everything
        self.tags = tags or {}
