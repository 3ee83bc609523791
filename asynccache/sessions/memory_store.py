"""Sessions in this process: for development and tests, and for who has one process only."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from asynccache.clock import Clock, SystemClock
from asynccache.core.session_record import TOMBSTONE, SessionRecord, Tombstone, Verdict, judge
from asynccache.sessions.store import TOMBSTONE_MS, Found, Limits, Listed, Outcome, Reply, Write

SWEEP = 256
"""Creations after which what has expired is looked for."""

_OUTCOMES = {
    Verdict.MISSING: Outcome.MISSING,
    Verdict.ENDED: Outcome.ENDED,
    Verdict.STALE: Outcome.REFUSED,
    Verdict.SUPERSEDED: Outcome.REFUSED,
}


@dataclass(slots=True)
class _Kept:
    record: SessionRecord | Tombstone
    until: int


class MemorySessionStore:
    """Does in this process what `RedisSessionStore` does on a server.

    Args:
        clock: Where the time comes from; None: the system's.
        epoch: The time since 1970 in seconds at the clock's zero; None: as the system tells.
    """

    def __init__(self, clock: Clock | None = None, epoch: float | None = None) -> None:
        self._clock = SystemClock() if clock is None else clock
        self._epoch = time.time() - self._clock.monotonic() if epoch is None else epoch
        self._kept: dict[str, _Kept] = {}
        self._created = 0

    async def load(self, place: str) -> Found:
        """See `SessionStore.load`."""
        kept, now = self._find(place), self._now()
        return Found(None, -2, now) if kept is None else Found(kept.record, kept.until - now, now)

    async def touch(self, place: str, digest: bytes) -> None:
        """See `SessionStore.touch`."""
        record, _ = self._open(place, digest)
        if record is not None:
            self._keep(place, record)

    async def create(
        self, place: str, digest: bytes, write: Write, limits: Limits, generation: str
    ) -> Reply:
        """See `SessionStore.create`."""
        now, data = self._now(), dict(write.changes.sets)
        if self._find(place) is not None:
            return Reply(Outcome.REFUSED, now)
        if _is_too_large({}, data, limits):
            return Reply(Outcome.TOO_LARGE, now)
        record = SessionRecord(
            digest=digest,
            created=now,
            login=now if write.user else 0,
            deadline=now + write.absolute,
            idle=write.idle,
            renewed=now,
            user=write.user or "",
            generation=generation,
            data=data,
        )
        self._keep(place, record)
        self._created += 1
        if self._created % SWEEP == 0:
            self._kept = {key: kept for key, kept in self._kept.items() if kept.until > now}
        return Reply(Outcome.DONE, now, record.deadline)

    async def commit(self, place: str, digest: bytes, write: Write, limits: Limits) -> Reply:
        """See `SessionStore.commit`."""
        now = self._now()
        record, outcome = self._open(place, digest)
        if record is None:
            return Reply(outcome, now)
        for key, raw in (write.expected or {}).items():
            if record.data.get(key) != raw:
                return Reply(Outcome.CONFLICT, now, record.deadline)
        changes, user = write.changes, record.user if write.user is None else write.user
        data = changes.applied_to(record.data)
        if _is_too_large(record.data, data, limits):
            return Reply(Outcome.TOO_LARGE, now, record.deadline)
        if not data and not user and (changes.clear or changes.deletes):
            self._end(place)
            return Reply(Outcome.EMPTIED, now)
        changed = replace(
            record,
            data=data,
            user=user,
            login=record.login if write.user is None else (now if user else 0),
            deadline=now + write.absolute if write.absolute else record.deadline,
            idle=write.idle or record.idle,
        )
        outcome, rotation = Outcome.DONE, write.rotation
        is_previous = record.digest != digest
        if rotation is not None and is_previous and rotation.mode == "g":
            outcome = Outcome.MERGED
        elif rotation is not None:
            changed = replace(
                changed,
                digest=rotation.digest,
                previous=record.digest,
                previous_until=now + rotation.grace,
                mode=rotation.mode,
                renewed=now,
                generation=rotation.generation or record.generation,
            )
        elif write.rekeyed and not is_previous:
            changed = replace(changed, digest=write.rekeyed)
        self._keep(place, changed)
        return Reply(outcome, now, changed.deadline)

    async def destroy(self, place: str, digest: bytes | None, user: str = "") -> bool:  # noqa: ARG002  # nothing is indexed
        """See `SessionStore.destroy`."""
        kept = self._find(place)
        if kept is None or isinstance(kept.record, Tombstone):
            return False
        if digest is not None and self._open(place, digest)[0] is None:
            return False
        self._end(place)
        return True

    async def increment(
        self, place: str, digest: bytes, key: str, by: int, limits: Limits
    ) -> Reply:
        """See `SessionStore.increment`."""
        now = self._now()
        record, outcome = self._open(place, digest)
        if record is None:
            return Reply(outcome, now)
        held = record.data.get(key, b"0")
        if not held.lstrip(b"-").isdigit():
            return Reply(Outcome.NO_NUMBER, now, record.deadline)
        data = {**record.data, key: b"%d" % (int(held) + by)}
        if _is_too_large(record.data, data, limits):
            return Reply(Outcome.TOO_LARGE, now, record.deadline)
        self._keep(place, replace(record, data=data))
        return Reply(Outcome.DONE, now, record.deadline, data[key])

    async def take(self, place: str, digest: bytes, key: str) -> Reply:
        """See `SessionStore.take`."""
        now = self._now()
        record, outcome = self._open(place, digest)
        if record is None:
            return Reply(outcome, now)
        data = dict(record.data)
        value = data.pop(key, None)
        self._keep(place, replace(record, data=data))
        return Reply(Outcome.DONE, now, record.deadline, value)

    async def list(self, user: str) -> Sequence[Listed]:
        """See `SessionStore.list`."""
        now = self._now()
        listed = [
            Listed(place, kept.record, kept.until - now, now)
            for place in list(self._kept)
            if (kept := self._find(place)) is not None
            and isinstance(kept.record, SessionRecord)
            and kept.record.user == user
        ]
        return sorted(listed, key=lambda each: each.record.login, reverse=True)

    async def close(self) -> None:
        """See `SessionStore.close`: what is kept stays."""

    def _now(self) -> int:
        return int((self._epoch + self._clock.monotonic()) * 1000)

    def _find(self, place: str) -> _Kept | None:
        kept = self._kept.get(place)
        if kept is not None and kept.until <= self._now():
            del self._kept[place]
            return None
        return kept

    def _open(self, place: str, digest: bytes) -> tuple[SessionRecord | None, Outcome]:
        kept = self._find(place)
        record = None if kept is None else kept.record
        verdict, _ = judge(record, [digest], self._now())
        if isinstance(record, SessionRecord) and verdict.opens:
            return record, Outcome.DONE
        return None, _OUTCOMES[verdict]

    def _keep(self, place: str, record: SessionRecord) -> None:
        until = min(self._now() + record.idle, record.deadline)
        self._kept[place] = _Kept(record, until)

    def _end(self, place: str) -> None:
        self._kept[place] = _Kept(TOMBSTONE, self._now() + TOMBSTONE_MS)

    def __repr__(self) -> str:
        return f"<MemorySessionStore {len(self._kept)} sessions>"


def _is_too_large(before: Mapping[str, bytes], after: Mapping[str, bytes], limits: Limits) -> bool:
    size, had = _size(after), _size(before)
    return (size > limits.most_bytes and size > had) or (
        len(after) > limits.most_fields and len(after) > len(before)
    )


def _size(data: Mapping[str, bytes]) -> int:
    # As on a server, where keys stand behind a dot.
    return sum(len(key.encode()) + 1 + len(raw) for key, raw in data.items())
