"""A session as a handler sees it: a dict with Starlette's habits, and what a server adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Literal, Self, TypeVar

from asynccache.core.arguments import seconds, wrong_type
from asynccache.core.session_csrf import PROOF_BYTES, mask_token, token_proves
from asynccache.errors import InvalidArgument, SessionClosed
from asynccache.sessions.flashes import Flash, flash_key, flash_keys, read_flash
from asynccache.sessions.naming import LONGEST_FIELD, checked_user, moment
from asynccache.sessions.views import View, view_of
from asynccache.sessions.visit import Visit
from asynccache.types import Duration

T = TypeVar("T")


class Session(dict[str, Any]):
    """The session of a request or a WebSocket.

    What is assigned, deleted, or changed inside a value is written before the response begins. Of
    two requests that change different keys at once both are saved; of one key the last write is.

    Attributes:
        accessed: It was looked at: the response depends on it.
        modified: Something was assigned or deleted.
    """

    def __init__(self, visit: Visit) -> None:
        super().__init__()
        self.accessed: bool = False
        self.modified: bool = False
        self._visit = visit
        self._touched: set[str] = set()
        self._cleared = False
        self._views: list[View] = []

    # What Starlette's sessions have too.

    def mark_accessed(self) -> None:
        """Note that the response depends on it."""
        self.accessed = True

    def mark_modified(self) -> None:
        """Note that it was changed, and write all of it."""
        self._visit.check_writable()
        self.accessed = self.modified = True
        self._touched.update(dict.keys(self))

    def __setitem__(self, key: str, value: Any) -> None:
        self._change(key, value)
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self._look()
        if dict.__contains__(self, key):
            self._change(key)
        super().__delitem__(key)

    def clear(self) -> None:
        """Remove everything. A session that is empty when the response begins is ended."""
        self._look()
        if self or self._visit.state == "open":
            self._visit.check_writable()
            self.modified = self._cleared = True
            for key in self._visit.settings.auth_keys & dict.keys(self):
                self._change(key)
        super().clear()

    def pop(self, key: str, *default: Any) -> Any:
        """Remove a value and return it."""
        self._look()
        if dict.__contains__(self, key):
            self._change(key)
        return super().pop(key, *default)

    def popitem(self) -> tuple[str, Any]:
        """Remove the last value and return it with its key."""
        self._look()
        for key in reversed(list(dict.keys(self))):
            return key, self.pop(key)
        raise KeyError("the session is empty")

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return a value; assign it first if there is none."""
        if key not in self:
            self[key] = default
        return dict.__getitem__(self, key)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Assign several values."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, other: Any, /) -> Self:  # type: ignore[override,misc]  # as Starlette's
        self.update(other)
        return self

    # Reading, through which a scope's session is looked at without its request.

    def __getitem__(self, key: str) -> Any:
        self._look()
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._look()
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        self._look()
        return super().__iter__()

    def __len__(self) -> int:
        self._look()
        return super().__len__()

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default."""
        self._look()
        return super().get(key, default)

    def keys(self) -> Any:
        """Return the keys."""
        self._look()
        return super().keys()

    def values(self) -> Any:
        """Return the values."""
        self._look()
        return super().values()

    def items(self) -> Any:
        """Return the keys and values."""
        self._look()
        return super().items()

    # What a server adds.

    async def load(self) -> None:
        """Look for the session; with ``autoload`` that has been done.

        Raises:
            SessionStoreUnavailable: The store cannot be asked.
        """
        if self._visit.state == "unloaded":
            dict.update(self, await self._visit.load())

    async def save(self) -> None:
        """Write now what has changed, instead of when the response begins.

        Raises:
            TypeError: A value cannot be encoded; its key is named.
            SessionTooLarge: It holds more than it may.
            SessionConflict: Another request has changed the same keys, and ``conflict="raise"``.
            SessionClosed: There is no session yet, and the response is on its way.
            SessionStoreUnavailable: It could not be written.
        """
        for view in self._views:
            self.update(view.changes())
        # Not by its own methods: that would be to look at it. If nobody has, nothing in it can have
        # changed, and it need not be encoded to be compared.
        is_known = self.accessed or self.modified
        current = {key: value for key, value in dict.items(self)} if is_known else {}  # noqa: C416
        await self._visit.commit(current, self._touched, cleared=self._cleared)
        self._touched.clear()
        self._cleared = False

    def login(
        self,
        user_id: str | int,
        *,
        max_age: Duration | None = None,
        keep: Iterable[str] | None = None,
    ) -> None:
        """Make the session a user's: with the response comes a new identifier.

        The old one opens nothing from then on, and both timers begin anew.

        Args:
            user_id: Who it is; sessions are listed and revoked by it.
            max_age: Seconds that the session lives at most; None: as configured.
            keep: Keys that are kept of what the session held before; None: all.

        Raises:
            SessionClosed: The response is on its way.
        """
        visit = self._visit
        user = checked_user(user_id)
        visit.check_loaded()
        if visit.state == "unavailable":
            visit.check_writable()
        visit.raise_privilege()
        visit.user, visit.is_login = user, True
        if max_age is not None:
            visit.absolute = int(seconds(max_age, "max_age") * 1000)
        if keep is not None:
            for key in dict.keys(self) - set(keep):
                self.pop(key)
        self.accessed = self.modified = True

    async def logout(self) -> None:
        """End the session at once, whatever becomes of this request.

        Raises:
            SessionStoreUnavailable: It could not be ended.
        """
        self._look()
        await self._visit.destroy()
        super().clear()
        self._touched.clear()
        self._cleared = False

    destroy = logout

    def regenerate(self) -> None:
        """Let the response bring a new identifier; the old one is good for the grace only.

        Raises:
            SessionClosed: The response is on its way.
        """
        self._look()
        if self._visit.is_answered:
            raise SessionClosed("the response is on its way: the identifier cannot be replaced")
        if self._visit.rotation is None:
            self._visit.rotation = "g"

    def set_expiry(self, *, idle: Duration | None = None, absolute: Duration | None = None) -> None:
        """Let this session live longer, or shorter, than others.

        Args:
            idle: Seconds without a request; None: as it is.
            absolute: Seconds from now on at most, for which a new identifier is handed out; None:
                as it is.
        """
        self._visit.check_writable()
        self.accessed = True
        if idle is not None:
            self._visit.idle = max(1, int(seconds(idle, "idle") * 1000))
        if absolute is not None:
            longest = int(seconds(absolute, "absolute") * 1000)
            self.regenerate()
            self._visit.absolute = longest

    async def incr(self, key: str, by: int = 1) -> int:
        """Add to a whole number, at once, so that no other request's addition is lost.

        Returns:
            The sum.

        Raises:
            TypeError: The value is no whole number.
            SessionClosed: The session has ended.
        """
        self._checked_key(key)
        if isinstance(by, bool) or not isinstance(by, int):
            raise wrong_type("by", by, "a whole number")
        if not await self._is_stored(key):
            self[key] = self.get(key, 0) + by
            return int(dict.__getitem__(self, key))
        value = int(await self._visit.increment(key, by))
        dict.__setitem__(self, key, value)
        return value

    async def take(self, key: str, default: Any = None) -> Any:
        """Remove a value and return it, at once: of several requests one gets it."""
        self._checked_key(key)
        if not await self._is_stored(key):
            return self.pop(key, default)
        raw = await self._visit.take(key)
        dict.pop(self, key, None)
        return default if raw is None else self._visit.settings.serializer.loads(raw)

    async def _is_stored(self, key: str) -> bool:
        self._look()
        self._visit.check_writable()
        if self._visit.state == "open" and (key in self._touched or self._cleared):
            await self.save()
        return self._visit.state == "open"

    async def touch(self) -> None:
        """Ask for nothing, and let the session live on: for long streams and WebSockets."""
        await self._visit.extend()

    async def is_valid(self) -> bool:
        """Ask whether it still lives: for who holds it for long, as a WebSocket does.

        Raises:
            SessionStoreUnavailable: The store cannot be asked.
        """
        return await self._visit.is_valid()

    def as_model(self, type_: type[T]) -> T:
        """Return the session as an object with types.

        Of its fields, those that differ when the session is saved are assigned to the session.

        Args:
            type_: A dataclass or a pydantic model; fields without a default must be there.

        Raises:
            ValueError: The session's values are none of it.
        """
        self._look()
        model, view = view_of(type_, self)
        self._views.append(view)
        return model

    def flash(self, message: str, category: str = "info") -> None:
        """Leave a message for the next page that asks for `flashes`."""
        visit = self._visit
        self[flash_key(visit.now(), visit.settings.entropy(6).hex())] = [message, category]

    def flashes(self) -> list[Flash]:
        """Return the messages that were left, the oldest first, and remove them."""
        found = [read_flash(self.pop(key)) for key in flash_keys(self)]
        return [each for each in found if each is not None]

    def csrf_token(self) -> str:
        """Return a token for this session's forms; a session is made if there is none."""
        visit = self._visit
        visit.check_writable()
        self.accessed = visit.is_wanted = True
        (proof, *_) = visit.settings.keys.proofs(visit.ticket_to_be(), visit.generation)
        return mask_token(proof, visit.settings.entropy(PROOF_BYTES))

    def check_csrf(self, token: object) -> bool:
        """Tell whether a token was made for this session since its last login."""
        self._look()
        visit = self._visit
        if visit.ticket is None or visit.record is None:
            return False
        return token_proves(
            token, visit.settings.keys.proofs(visit.ticket, visit.record.generation)
        )

    @property
    def id_public(self) -> str | None:
        """The session's name, which opens nothing; None: there is no session yet."""
        self._look()
        return self._visit.public_id

    @property
    def is_new(self) -> bool:
        """Whether this request has no session of before."""
        self._look()
        return self._visit.is_new or self._visit.record is None

    @property
    def available(self) -> bool:
        """Whether the store could be asked."""
        return self._visit.state != "unavailable"

    @property
    def user_id(self) -> str | None:
        """Whose it is; None: nobody's."""
        self._look()
        if self._visit.user is not None:
            return self._visit.user or None
        return (self._visit.record.user if self._visit.record else None) or None

    @property
    def created_at(self) -> datetime | None:
        """When it began."""
        return self._time("created")

    @property
    def authenticated_at(self) -> datetime | None:
        """When its user logged in."""
        return self._time("login")

    @property
    def expires_at(self) -> datetime | None:
        """When it ends, whatever happens."""
        return self._time("deadline")

    def __repr__(self) -> str:
        return f"<Session {self._visit.public_id or '-'} {self._visit.state}>"

    def _look(self) -> None:
        self.accessed = True
        self._visit.check_loaded()

    def _time(self, name: Literal["created", "login", "deadline"]) -> datetime | None:
        self._look()
        record = self._visit.record
        milliseconds: int = 0 if record is None else getattr(record, name)
        return moment(milliseconds) if milliseconds else None

    def _checked_key(self, key: str) -> None:
        if not isinstance(key, str):
            raise wrong_type("key", key, "a str")
        if not 0 < len(key) <= LONGEST_FIELD:
            raise InvalidArgument("key", f"must have 1 to {LONGEST_FIELD} characters")

    def _change(self, key: str, *value: Any) -> None:
        self._checked_key(key)
        visit = self._visit
        visit.check_writable()
        self.accessed = self.modified = True
        self._touched.add(key)
        if key in visit.settings.auth_keys:
            new = value[0] if value else None
            if new != dict.get(self, key):
                visit.raise_privilege()
                if not visit.is_login:
                    is_name = isinstance(new, str | int) and not isinstance(new, bool)
                    visit.user = str(new) if is_name else ""
