"""Sessions on the server: kept in Redis, opened by a cookie that nobody else can make."""

from __future__ import annotations

from asynccache.core.session_changes import Serializer
from asynccache.sessions.dependencies import csrf_protect, get_session, require_user
from asynccache.sessions.events import SessionEvent
from asynccache.sessions.flashes import Flash
from asynccache.sessions.manager import SessionInfo, SessionManager
from asynccache.sessions.memory_store import MemorySessionStore
from asynccache.sessions.middleware import SessionMiddleware
from asynccache.sessions.redis_store import RedisSessionStore
from asynccache.sessions.serializer import JSONSerializer
from asynccache.sessions.session import Session
from asynccache.sessions.store import SessionStore

__all__ = [
    "Flash",
    "JSONSerializer",
    "MemorySessionStore",
    "RedisSessionStore",
    "Serializer",
    "Session",
    "SessionEvent",
    "SessionInfo",
    "SessionManager",
    "SessionMiddleware",
    "SessionStore",
    "csrf_protect",
    "get_session",
    "require_user",
]
