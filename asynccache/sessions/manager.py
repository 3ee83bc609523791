"""Sessions from outside a request: to list a user's, and to end them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from asynccache.core.arguments import seconds, wrong_type
from asynccache.sessions.asking import within
from asynccache.sessions.locating import RedisPlace, find_store
from asynccache.sessions.naming import checked_user, moment
from asynccache.types import Duration

if TYPE_CHECKING:
    from asynccache.cache import Cache
    from asynccache.sessions.store import Listed, SessionStore


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One of a user's sessions.

    Attributes:
        public_id: Names it, and opens nothing.
        user_id: Whose it is.
        created_at: When it began.
        authenticated_at: When its user logged in.
        expires_at: When it ends, whatever happens.
        idle_until: When it ends if nothing happens.
    """

    public_id: str
    user_id: str
    created_at: datetime
    authenticated_at: datetime
    expires_at: datetime
    idle_until: datetime


class SessionManager:
    """Lists and ends sessions; inside requests and outside.

    Args:
        redis: Where sessions are kept; see `SessionMiddleware`.
        cache: Instead: where this cache is.
        store: Instead: the store itself.
        prefix: As the middleware's.
        io_timeout: Seconds for each question.
    """

    def __init__(
        self,
        redis: RedisPlace | None = None,
        *,
        cache: Cache | None = None,
        store: SessionStore | None = None,
        prefix: str = "acs",
        io_timeout: Duration = 2.0,
    ) -> None:
        self._budget = seconds(io_timeout, "io_timeout")
        self.store: SessionStore = find_store(redis, cache, store, prefix, self._budget)

    async def list(self, user_id: str | int) -> list[SessionInfo]:
        """Return a user's sessions, the latest login first.

        Raises:
            SessionStoreUnavailable: The store cannot be asked.
        """
        listed = await within(self._budget, self.store.list(checked_user(user_id)))
        return [_info(each) for each in listed]

    async def revoke(self, public_id: str) -> bool:
        """End a session, whatever is under way in it; tell whether there was one.

        Raises:
            SessionStoreUnavailable: The store cannot be asked.
        """
        if not isinstance(public_id, str):
            raise wrong_type("public_id", public_id, "a str: SessionInfo.public_id")
        return await within(self._budget, self.store.destroy(public_id, None))

    async def revoke_all(self, user_id: str | int, *, except_: str | None = None) -> int:
        """End a user's sessions.

        Args:
            user_id: Whose.
            except_: The public id of one that is kept: ``request.session.id_public``.

        Returns:
            How many were ended.

        Raises:
            SessionStoreUnavailable: The store cannot be asked; some may have been ended.
        """
        user = checked_user(user_id)
        ended = 0
        for each in await within(self._budget, self.store.list(user)):
            if each.public_id != except_:
                gone = self.store.destroy(each.public_id, None, user)
                ended += await within(self._budget, gone)
        return ended

    async def close(self) -> None:
        """Hang up."""
        await self.store.close()


def _info(listed: Listed) -> SessionInfo:
    record = listed.record
    return SessionInfo(
        public_id=listed.public_id,
        user_id=record.user,
        created_at=moment(record.created),
        authenticated_at=moment(record.login),
        expires_at=moment(record.deadline),
        idle_until=moment(listed.now + max(0, listed.ttl)),
    )
