"""Two-level caching for asyncio, Starlette and FastAPI: fast, shared, and right under faults."""

from __future__ import annotations

# The cache, and what it is made with.
from asynccache.cache import Cache
from asynccache.clock import Clock, ManualClock, SystemClock
from asynccache.codecs import Codec, MsgpackCodec
from asynccache.core.policy import Policy
from asynccache.memory.entry import RemovalCause
from asynccache.redis.settings import RedisSettings

# Ways to use it.
from asynccache.context import LoadContext, load_context
from asynccache.decorator import BoundCachedFunction, CachedFunction, cached
from asynccache.http import (
    OutputCache,
    OutputCacheContext,
    OutputCacheMiddleware,
    OutputPolicy,
    StoredResponse,
    get_output_cache,
    output_cache,
)
from asynccache.region import Region
from asynccache.sessions import (
    Flash,
    JSONSerializer,
    MemorySessionStore,
    RedisSessionStore,
    Session,
    SessionEvent,
    SessionInfo,
    SessionManager,
    SessionMiddleware,
    SessionStore,
    csrf_protect,
    get_session,
    require_user,
)
from asynccache.starlette import cache_of, combine_lifespans, get_cache, named_cache

# What it answers.
from asynccache.health import Health
from asynccache.levels.verification import Verification
from asynccache.results import LoadResult, WriteResult
from asynccache.statistics import Statistics
from asynccache.types import MISSING, Missing

# What it raises.
from asynccache.errors import (
    ArgumentTypeError,
    AsyncCacheError,
    CacheClosed,
    DecodeError,
    EncodeError,
    InvalidArgument,
    LoadCancelled,
    LoadTimeout,
    NotAcknowledged,
    NotStarted,
    NotWired,
    RecursiveLoad,
    SessionClosed,
    SessionConflict,
    SessionError,
    SessionNotLoaded,
    SessionStoreUnavailable,
    SessionTooLarge,
    Unavailable,
    UsageError,
    WrongLoop,
    WrongProcess,
)

__version__ = "0.1.0"

__all__ = [
    "MISSING",
    "ArgumentTypeError",
    "AsyncCacheError",
    "BoundCachedFunction",
    "Cache",
    "CacheClosed",
    "CachedFunction",
    "Clock",
    "Codec",
    "DecodeError",
    "EncodeError",
    "Flash",
    "Health",
    "InvalidArgument",
    "JSONSerializer",
    "LoadCancelled",
    "LoadContext",
    "LoadResult",
    "LoadTimeout",
    "ManualClock",
    "MemorySessionStore",
    "Missing",
    "MsgpackCodec",
    "NotAcknowledged",
    "NotStarted",
    "NotWired",
    "OutputCache",
    "OutputCacheContext",
    "OutputCacheMiddleware",
    "OutputPolicy",
    "Policy",
    "RecursiveLoad",
    "RedisSessionStore",
    "RedisSettings",
    "Region",
    "RemovalCause",
    "Session",
    "SessionClosed",
    "SessionConflict",
    "SessionError",
    "SessionEvent",
    "SessionInfo",
    "SessionManager",
    "SessionMiddleware",
    "SessionNotLoaded",
    "SessionStore",
    "SessionStoreUnavailable",
    "SessionTooLarge",
    "Statistics",
    "StoredResponse",
    "SystemClock",
    "Unavailable",
    "UsageError",
    "Verification",
    "WriteResult",
    "WrongLoop",
    "WrongProcess",
    "cache_of",
    "cached",
    "combine_lifespans",
    "csrf_protect",
    "get_cache",
    "get_output_cache",
    "get_session",
    "load_context",
    "named_cache",
    "output_cache",
    "require_user",
]
