"""Sessions on Redis: one server, a cluster, or what sentinels watch over."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

from redis.exceptions import ResponseError

from asynccache.core.session_record import SessionRecord, Tombstone, parse_record
from asynccache.errors import Unavailable
from asynccache.redis.linking import AnyLink, make_link
from asynccache.redis.scripts import Script, ScriptCall, run
from asynccache.redis.settings import RedisSettings
from asynccache.redis.transport import Argument
from asynccache.sessions import scripts
from asynccache.sessions.store import Found, Limits, Listed, Outcome, Reply, Write


class RedisSessionStore:
    """Keeps each session in one hash. It connects when it is first asked, in each event loop.

    Args:
        settings: Where Redis is. What it acknowledged counts after a failover, too.
        prefix: Of all keys.
    """

    def __init__(self, settings: RedisSettings, prefix: str = "acs") -> None:
        self._settings = settings
        self._prefix = prefix
        # A test client makes an event loop for each request, and a fork inherits what is useless.
        self._links: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[int, AnyLink]]
        self._links = WeakKeyDictionary()

    async def load(self, place: str) -> Found:
        """See `SessionStore.load`."""
        link, key = await self._link(), self._key(place)
        fields, ttl = await link.call(("HGETALL", key), ("PTTL", key))
        return Found(_record_of(fields), ttl if isinstance(ttl, int) else -2, self._now(link, key))

    async def touch(self, place: str, digest: bytes) -> None:
        """See `SessionStore.touch`."""
        await self._run(scripts.TOUCH, place, digest)

    async def create(
        self, place: str, digest: bytes, write: Write, limits: Limits, generation: str
    ) -> Reply:
        """See `SessionStore.create`."""
        user = write.user or ""
        sizes = (limits.most_bytes, limits.most_fields)
        pairs = _pairs(write.changes.sets)
        return await self._run(
            scripts.CREATE,
            place,
            digest,
            *(write.absolute, write.idle, user, generation),
            *sizes,
            *pairs,
            listed=write,
        )

    async def commit(self, place: str, digest: bytes, write: Write, limits: Limits) -> Reply:
        """See `SessionStore.commit`."""
        changes, rotation = write.changes, write.rotation
        new: tuple[Argument, ...] = ("", "", 0, "")
        if rotation is not None:
            new = (rotation.digest, rotation.mode, rotation.grace, rotation.generation)
        deletes = [f".{key}" for key in changes.deletes]
        expected: list[Argument] = []
        for key, raw in (write.expected or {}).items():
            expected += [f".{key}", int(raw is not None), raw or b""]
        return await self._run(
            scripts.COMMIT,
            place,
            digest,
            *new,
            *(write.absolute, write.idle, int(write.user is not None), write.user or ""),
            *(int(changes.clear), limits.most_bytes, limits.most_fields, write.rekeyed),
            *(len(changes.sets), len(deletes), len(expected) // 3),
            *_pairs(changes.sets),
            *deletes,
            *expected,
            listed=write,
        )

    async def destroy(self, place: str, digest: bytes | None, user: str = "") -> bool:
        """See `SessionStore.destroy`."""
        reply = await self._run(scripts.DESTROY, place, b"*" if digest is None else digest)
        if user and reply.outcome is Outcome.DONE:
            link = await self._link()
            await link.call(("ZREM", self._user_key(user), place))
        return reply.outcome is Outcome.DONE

    async def increment(
        self, place: str, digest: bytes, key: str, by: int, limits: Limits
    ) -> Reply:
        """See `SessionStore.increment`."""
        sizes = (limits.most_bytes, limits.most_fields)
        return await self._run(scripts.INCREMENT, place, digest, f".{key}", by, *sizes, retry=False)

    async def take(self, place: str, digest: bytes, key: str) -> Reply:
        """See `SessionStore.take`."""
        return await self._run(scripts.TAKE, place, digest, f".{key}", retry=False)

    async def list(self, user: str) -> Sequence[Listed]:
        """See `SessionStore.list`."""
        link, key = await self._link(), self._user_key(user)
        (members,) = await link.call(("ZRANGE", key, 0, -1))
        if isinstance(members, Exception) or not members:
            return []
        places = [member.decode("ascii", "replace") for member in members]
        found = await asyncio.gather(*(self.load(place) for place in places))
        listed: list[Listed] = []
        gone: list[str] = []
        for place, each in zip(places, found, strict=True):
            record = each.record
            if isinstance(record, SessionRecord) and record.user == user:
                listed.append(Listed(place, record, each.ttl, each.now))
            else:
                gone.append(place)
        if gone:
            await link.call(("ZREM", key, *gone))
        return sorted(listed, key=lambda each: each.record.login, reverse=True)

    async def close(self) -> None:
        """See `SessionStore.close`."""
        pid, link = self._links.pop(asyncio.get_running_loop(), (0, None))
        if link is not None and pid == os.getpid():
            await link.close()

    async def _link(self) -> AnyLink:
        loop, pid = asyncio.get_running_loop(), os.getpid()
        known = self._links.get(loop)
        if known is not None and known[0] == pid:
            return known[1]
        link = make_link(self._settings)
        self._links[loop] = pid, link
        await link.start()
        return link

    async def _run(
        self,
        script: Script,
        place: str,
        *arguments: Argument,
        listed: Write | None = None,
        retry: bool = True,
    ) -> Reply:
        link = await self._link()
        calls: list[ScriptCall] = [(script, [self._key(place)], arguments)]
        if listed is not None and listed.user:
            # First: a crash in between leaves an entry without a session, never a session that
            # nobody can find.
            noted: list[Argument] = [place, listed.absolute]
            calls.insert(0, (scripts.INDEX, [self._user_key(listed.user)], noted))
        replies: list[Any] = []
        # The servers of a cluster keep no order among themselves.
        for together in [calls] if link.is_ordered else [[call] for call in calls]:
            replies += await run(link, *together, retry=retry)
        *noticed, reply = replies
        if noticed and isinstance(noticed[0], Exception):
            raise Unavailable(f"Redis refused to note a session: {noticed[0]}")
        match reply:
            case [int() as number, int() as now, int() as deadline, *more]:
                return Reply(Outcome(number), now, deadline, more[0] if more else None)
            case ResponseError():
                # OOM, NOPERM: it may be asked, but will not do this.
                raise Unavailable(f"Redis refused to write a session: {reply}")
        raise Unavailable("Redis gave an answer that is none")

    def _now(self, link: AnyLink, key: str) -> int:
        told = link.time(key)
        return int((time.time() if told is None else told) * 1000)

    def _key(self, place: str) -> str:
        return f"{self._prefix}:s:{place}"

    def _user_key(self, user: str) -> str:
        # A user's name may be an address, and may hold braces.
        return f"{self._prefix}:u:{sha256(user.encode()).hexdigest()[:32]}"

    def __repr__(self) -> str:
        return f"<RedisSessionStore {self._settings.address} prefix={self._prefix!r}>"


def _pairs(sets: Mapping[str, bytes]) -> list[Argument]:
    return [part for key, raw in sets.items() for part in (f".{key}", raw)]


def _record_of(reply: Any) -> SessionRecord | Tombstone | None:
    if isinstance(reply, list):  # RESP2
        reply = dict(zip(reply[::2], reply[1::2], strict=False))
    return parse_record(reply) if isinstance(reply, dict) else None
