"""One request's dealings with its session: what it may do, what is written, which cookie is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from asynccache.core.session_changes import Changes, changes_of
from asynccache.core.session_ids import Ticket, new_ticket, rotated
from asynccache.core.session_record import SessionRecord, Verdict, judge, touch_is_due
from asynccache.errors import (
    SessionClosed,
    SessionConflict,
    SessionNotLoaded,
    SessionStoreUnavailable,
    SessionTooLarge,
)
from asynccache.sessions.asking import finished, within
from asynccache.sessions.events import Kind, SessionEvent, tell
from asynccache.sessions.settings import SessionSettings
from asynccache.sessions.store import Outcome, Reply, Rotation, SessionStore, Write

State = Literal["unloaded", "absent", "open", "superseded", "lost", "unavailable"]
"""``superseded``: by a login elsewhere in this browser, whose cookie no late answer may replace;
``lost``: it has ended while it was open."""


class Visit:
    """A request and its session.

    Args:
        settings: How sessions are kept.
        store: Where.
        ticket: What the request has shown; None: nothing.

    Attributes:
        state: What there is.
        record: The session as it was loaded, or made.
        loaded: Its values as they are stored, as far as this request knows.
        cookie: The ``Set-Cookie`` that the response has to carry; None: none.
        is_answered: The response is on its way: no cookie can be set any more.
        is_frozen: What is changed is not written.
        rotation: How the identifier will be replaced; None: it will not.
        user: Whose the session will be; None: as it is.
        absolute: Milliseconds that it will live at most; 0: as it is.
        idle: Milliseconds that it will live without a request; 0: as it is.
        is_login: ``user`` was said by a login, and no value stands for it.
        is_wanted: There must be a session even without a value in it.
    """

    def __init__(
        self, settings: SessionSettings, store: SessionStore, ticket: Ticket | None
    ) -> None:
        self.settings: SessionSettings = settings
        self.ticket: Ticket | None = ticket
        self.state: State = "absent" if ticket is None else "unloaded"
        self.record: SessionRecord | None = None
        self.loaded: Mapping[str, bytes] = {}
        self.cookie: bytes | None = None
        self.is_answered: bool = False
        self.is_frozen: bool = False
        self.rotation: Literal["g", "s"] | None = None
        self.user: str | None = None
        self.absolute: int = 0
        self.idle: int = 0
        self.is_login: bool = False
        self.is_wanted: bool = False
        self.is_new: bool = False
        self._store = store
        self._digest = b""
        self._rekeyed = b""  # what the digest would be by the newest key, if it is by another
        self._generation = ""
        self._has_cookie = ticket is not None

    # What may be done.

    def check_loaded(self) -> None:
        """Refuse to answer about a session that nobody has looked for.

        Raises:
            SessionNotLoaded: It was not loaded.
        """
        if self.state == "unloaded":
            raise SessionNotLoaded("await request.session.load() first: autoload is off")

    def check_writable(self) -> None:
        """Refuse what could not be saved.

        Raises:
            SessionNotLoaded: It was not loaded.
            SessionStoreUnavailable: The store could not be asked.
            SessionClosed: There is no session, and the response is on its way.
        """
        self.check_loaded()
        if self.state == "unavailable":
            raise SessionStoreUnavailable("the store of sessions could not be asked")
        if self.state == "absent" and self.is_answered:
            raise SessionClosed("the response is on its way: no session can be made any more")

    def now(self) -> int:
        """Return the time, milliseconds since 1970: by this machine, to sort by and no more."""
        return int(self.settings.wall() * 1000)

    @property
    def public_id(self) -> str | None:
        """The session's name; None: it has none yet."""
        return self.ticket.public_id if self.ticket and self.record else None

    @property
    def generation(self) -> str:
        """See `SessionRecord.generation`; what it will be, once it is known."""
        if not self._generation:
            self._generation = self.record.generation if self.record else self._new_generation()
        return self._generation

    def _new_generation(self) -> str:
        return self.settings.entropy(6).hex()

    def ticket_to_be(self) -> Ticket:
        """Return the identifier that the session has, or will have."""
        if self.ticket is None:
            self.ticket = new_ticket(self.settings.entropy)
        return self.ticket

    def raise_privilege(self) -> None:
        """Let the identifier be replaced, and let the old one open nothing."""
        if self.is_answered:
            raise SessionClosed("the response is on its way: the identifier cannot be replaced")
        self.rotation = "s"
        self._generation = self._new_generation()

    # Reading.

    async def load(self) -> dict[str, Any]:
        """Look for the session, and return its values.

        Raises:
            SessionStoreUnavailable: The store cannot be asked.
        """
        if self.ticket is None:
            return {}
        settings, place = self.settings, self.ticket.public_id
        try:
            found = await within(settings.io_timeout, self._store.load(place))
        except SessionStoreUnavailable as error:
            self._tell("store-error", str(error.__cause__))
            if not settings.is_anonymous_without_store:
                raise
            self.state = "unavailable"
            return {}
        digests = settings.keys.digests(self.ticket)
        verdict, self._digest = judge(found.record, digests, found.now)
        record, values = found.record, None
        if verdict.opens and isinstance(record, SessionRecord):
            values = self._decoded(record)
        if values is None or not isinstance(record, SessionRecord):
            self._not_opened(verdict)
            return {}
        self.record = record
        self.state, self.loaded = "open", record.data
        if touch_is_due(record, found.ttl, found.now, settings.touch):
            await self._touch(place)
        if verdict is Verdict.CURRENT:
            if self._digest != digests[0]:
                self._rekeyed = digests[0]
            if settings.renew and found.now - record.renewed >= settings.renew:
                self.rotation = "g"
        return values

    def _decoded(self, record: SessionRecord) -> dict[str, Any] | None:
        try:
            loads = self.settings.serializer.loads
            return {key: loads(raw) for key, raw in record.data.items()}
        except ValueError as error:
            # The whole of it: without one of its values it might allow what it forbade.
            self._tell("damaged", str(error))
            return None

    def _not_opened(self, verdict: Verdict) -> None:
        self.state = "superseded" if verdict is Verdict.SUPERSEDED else "absent"
        if verdict in (Verdict.SUPERSEDED, Verdict.STALE):
            self._tell("stale")
        elif not verdict.opens:
            self._tell("rejected", verdict.value)
        self.ticket = None

    async def _touch(self, place: str) -> None:
        try:
            await within(self.settings.io_timeout, self._store.touch(place, self._digest))
        except SessionStoreUnavailable as error:  # a replica answers reads all the same
            self._tell("store-error", f"not extended: {error.__cause__}")

    async def is_valid(self) -> bool:
        """Ask whether the session still is what it was."""
        if self.state != "open" or self.ticket is None:
            return False
        place, keys = self.ticket.public_id, self.settings.keys
        found = await within(self.settings.io_timeout, self._store.load(place))
        return judge(found.record, keys.digests(self.ticket), found.now)[0].opens

    async def extend(self) -> None:
        """Let the session live for its idle time from now on."""
        if self.state == "open" and self.ticket is not None:
            work = self._store.touch(self.ticket.public_id, self._digest)
            await within(self.settings.io_timeout, work)

    # Writing.

    async def commit(self, current: Mapping[str, Any], touched: set[str], *, cleared: bool) -> None:
        """Write what has changed.

        Raises:
            TypeError: A value cannot be encoded.
            SessionError: It could not be written.
        """
        if self.is_frozen or self.state in ("unloaded", "unavailable"):
            return
        changes = changes_of(
            self.loaded, current, touched, cleared=cleared, serializer=self.settings.serializer
        )
        if self.state == "open":
            await self._change(changes)
            return
        is_login = bool(self.user)
        if not changes.sets and not is_login and not self.is_wanted:
            return
        if self.state == "lost" or (self.state == "superseded" and not is_login):
            self._tell("dropped", "its session has ended" if self.state == "lost" else "superseded")
            return
        self.check_writable()
        await self._create(Changes(changes.sets))

    async def _create(self, changes: Changes) -> None:
        settings, ticket = self.settings, self.ticket_to_be()
        absolute = self.absolute or settings.absolute
        write = Write(
            changes=changes,
            absolute=absolute,
            idle=min(self.idle or settings.idle, absolute),
            user=self.user,
        )
        digest = settings.keys.digest(ticket)
        creation = self._store.create(
            ticket.public_id, digest, write, settings.limits, self.generation
        )
        reply = await finished(within(settings.io_timeout, creation))
        self._check(reply)
        if reply.outcome is not Outcome.DONE:
            self.state = "lost"
            self._tell("dropped", reply.outcome.name)
            return
        user = self.user or ""
        self.record = SessionRecord(
            digest=digest,
            created=reply.now,
            login=reply.now if user else 0,
            deadline=reply.deadline,
            idle=write.idle,
            renewed=reply.now,
            user=user,
            generation=self.generation,
            data=changes.sets,
        )
        self.state, self._digest, self._rekeyed = "open", digest, b""
        self.is_new = True
        self._tell("created")
        self._hand_out(reply)
        await self._written(changes.sets)

    async def _change(self, changes: Changes) -> None:
        assert self.ticket is not None  # noqa: S101  # it is open
        settings, record = self.settings, self.record
        rotation = None if self.is_answered else self.rotation
        if not (changes or rotation or self.absolute or self.idle or self.user is not None):
            return
        ticket, new = self.ticket, None
        if rotation is not None:
            ticket = rotated(ticket, settings.entropy)
            generation = self.generation if rotation == "s" else ""
            new = Rotation(
                digest=settings.keys.digest(ticket),
                mode=rotation,
                grace=settings.grace,
                generation=generation,
            )
        expected = None
        if settings.raises_conflicts:
            expected = {key: self.loaded.get(key) for key in changes.keys}
        absolute = self.absolute or (settings.absolute if self.user else 0)
        write = Write(
            changes=changes,
            expected=expected,
            rotation=new,
            rekeyed=self._rekeyed,
            absolute=absolute,
            idle=self.idle,
            user=self.user,
        )
        place = ticket.public_id
        commit = self._store.commit(place, self._digest, write, settings.limits)
        reply = await finished(within(settings.io_timeout, commit))
        self._check(reply)
        if reply.outcome is Outcome.EMPTIED:
            self._ended()
            return
        if reply.outcome not in (Outcome.DONE, Outcome.MERGED):
            self.state = "lost"
            self._tell("dropped", reply.outcome.name)
            return
        if new is not None and reply.outcome is Outcome.DONE:
            self.ticket, self._digest = ticket, new.digest
            self._tell("rotated")
            self._hand_out(reply)
        elif new is None and self._rekeyed:
            self._digest = self._rekeyed
        self._rekeyed = b""
        if record is not None:
            self._renew(record, reply)
        await self._written(changes.applied_to(self.loaded))

    def _renew(self, record: SessionRecord, reply: Reply) -> None:
        user = record.user if self.user is None else self.user
        login = record.login if self.user is None else reply.now if user else 0
        self.record = replace(
            record,
            digest=self._digest,
            login=login,
            deadline=reply.deadline,
            idle=self.idle or record.idle,
            renewed=reply.now if self.rotation else record.renewed,
            user=user,
            generation=self.generation,
        )

    async def _written(self, data: Mapping[str, bytes]) -> None:
        user = self.user
        self.loaded = dict(data)
        self.rotation = self.user = None
        self.is_login = False
        self.absolute = self.idle = 0
        if user and self.settings.max_sessions is not None:
            await self._limit(user, self.settings.max_sessions)

    async def _limit(self, user: str, most: int) -> None:
        listed = await within(self.settings.io_timeout, self._store.list(user))
        own = self.public_id
        others = [each.public_id for each in listed if each.public_id != own]
        for place in others[most - 1 :]:
            await within(self.settings.io_timeout, self._store.destroy(place, None, user))

    def _check(self, reply: Reply) -> None:
        if reply.outcome is Outcome.TOO_LARGE:
            limits = self.settings.limits
            raise SessionTooLarge(
                f"a session holds at most {limits.most_bytes} bytes in {limits.most_fields} keys"
            )
        if reply.outcome is Outcome.CONFLICT:
            raise SessionConflict("another request has changed the same keys")

    async def destroy(self) -> None:
        """End the session, at once.

        Raises:
            SessionStoreUnavailable: It could not be ended.
        """
        if self.state == "unavailable":
            raise SessionStoreUnavailable("the store of sessions could not be asked")
        if self.state == "open" and self.ticket is not None:
            user = self.record.user if self.record else ""
            work = self._store.destroy(self.ticket.public_id, self._digest, user)
            await finished(within(self.settings.io_timeout, work))
            self._ended()

    def _ended(self) -> None:
        self._tell("destroyed")
        self.cookie = self.settings.cookie.end() if self._has_cookie else None
        self.state, self.record, self.ticket, self.loaded = "absent", None, None, {}
        self.rotation = self.user = None
        self.is_login = False
        self._generation = ""

    async def increment(self, key: str, by: int) -> bytes:
        """See `Session.incr`."""
        assert self.ticket is not None  # noqa: S101  # it is open
        work = self._store.increment(
            self.ticket.public_id, self._digest, key, by, self.settings.limits
        )
        reply = await finished(within(self.settings.io_timeout, work))
        self._check(reply)
        if reply.outcome is Outcome.NO_NUMBER:
            raise TypeError(f"session[{key!r}]: is no whole number")
        if reply.outcome is not Outcome.DONE or reply.value is None:
            self.state = "lost"
            raise SessionClosed("the session has ended")
        self.loaded = {**self.loaded, key: reply.value}
        return reply.value

    async def take(self, key: str) -> bytes | None:
        """See `Session.take`."""
        assert self.ticket is not None  # noqa: S101  # it is open
        work = self._store.take(self.ticket.public_id, self._digest, key)
        reply = await finished(within(self.settings.io_timeout, work))
        if reply.outcome is not Outcome.DONE:
            self.state = "lost"
            return None
        self.loaded = {name: raw for name, raw in self.loaded.items() if name != key}
        return reply.value

    def _hand_out(self, reply: Reply) -> None:
        settings = self.settings
        keeps = settings.keeps_cookie or bool(self.absolute)
        max_age = max(1, (reply.deadline - reply.now) // 1000) if keeps else None
        assert self.ticket is not None  # noqa: S101  # it has just been made
        self.cookie = settings.cookie.set(self.ticket, max_age)
        self._has_cookie = True

    def _tell(self, kind: Kind, detail: str = "") -> None:
        place = "" if self.ticket is None else self.ticket.public_id
        tell(self.settings.events, SessionEvent(kind, place, detail))
