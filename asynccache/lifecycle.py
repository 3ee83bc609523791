"""How a cache is made, started and ended, and how an application gets it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from asynccache.clock import Clock, SystemClock
from asynccache.codecs.base import Codec
from asynccache.codecs.msgpack import MsgpackCodec
from asynccache.core.arguments import (
    checked_callable,
    checked_key,
    positive_int,
    seconds,
    wrong_type,
)
from asynccache.core.keys import KeySpace, checked_namespace
from asynccache.core.policy import Policy
from asynccache.core.record import RecordFormat
from asynccache.errors import InvalidArgument, NotStarted, UsageError
from asynccache.events import Observer
from asynccache.memory.engine import RemovalListener
from asynccache.memory.sharded import Engine, Table, make_engine
from asynccache.memory.weighing import Weigher
from asynccache.redis.settings import RedisSettings
from asynccache.runtime import Configuration, Runtime
from asynccache.types import MISSING, Duration
from asynccache.wiring import unwire, wire

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster

T = TypeVar("T")

MEMORY_URL = "memory://"

DEFAULT_MAX_STALENESS = 2.0
"""Seconds. Long enough for four heartbeats on a busy machine, short enough to promise to users."""

SHORTEST_MAX_STALENESS = 0.1

DEFAULT_CONCURRENT_LOADS = 256
"""More than a pool of database connections has, and less than what would drown one."""

DEFAULT_OUTAGE_STALENESS = 30.0
"""Seconds: a failover and a restart are over by then."""

NEGATIVE_SHARE = 10
"""One in so many entries of L1 may be a negative one; see `Policy.negative_ttl`."""


class Lifecycle:
    """The part of `Cache` that is not about keys; see there for the arguments."""

    def __init__(
        self,
        url: str | RedisSettings = MEMORY_URL,
        *,
        redis: Redis | RedisCluster | None = None,
        namespace: str = "cache",
        name: str = "default",
        policy: Policy | None = None,
        codec: Codec | None = None,
        max_entries: int = 10_000,
        max_bytes: int | None = None,
        weigher: Weigher | None = None,
        on_removal: RemovalListener | None = None,
        max_staleness: Duration = DEFAULT_MAX_STALENESS,
        max_concurrent_loads: int | None = DEFAULT_CONCURRENT_LOADS,
        outage: Literal["load", "stale"] = "load",
        outage_staleness: Duration = DEFAULT_OUTAGE_STALENESS,
        observer: Observer | None = None,
        shutdown_timeout: Duration = 5,
        secret: str | bytes | None = None,
        clock: Clock | None = None,
    ) -> None:
        if policy is not None and not isinstance(policy, Policy):
            raise wrong_type("policy", policy, "a Policy")
        for given, argument, method in ((codec, "codec", "decode"), (clock, "clock", "monotonic")):
            if given is not None and not callable(getattr(given, method, None)):
                raise wrong_type(argument, given, f"an object with a method {method!r}, or None")
        if observer is not None:
            checked_callable(observer, "observer", "a function of an event, or None")
        settings = _redis_settings(url, redis)
        self._configuration = Configuration(
            name=checked_key(name, "name"),
            keys=KeySpace(checked_namespace(namespace), 0 if settings is None else settings.db),
            redis=settings,
            policy=Policy() if policy is None else policy,
            codec=MsgpackCodec() if codec is None else codec,
            records=RecordFormat(_secret_bytes(secret)),
            clock=SystemClock() if clock is None else clock,
            max_staleness=_checked_staleness(max_staleness),
            max_concurrent_loads=None
            if max_concurrent_loads is None
            else positive_int(max_concurrent_loads, "max_concurrent_loads"),
            max_negatives=max(1, positive_int(max_entries, "max_entries") // NEGATIVE_SHARE),
            outage_staleness=_checked_outage(outage, outage_staleness),
            observer=observer,
            shutdown_timeout=seconds(shutdown_timeout, "shutdown_timeout"),
        )
        self._new_engine = partial(make_engine, max_entries, max_bytes, weigher, on_removal)
        # What an L1 hit touches, as near as can be.
        self._use(self._new_engine())
        self._now = self._configuration.clock.monotonic
        self._decode = self._configuration.codec.decode
        self._runtime: Runtime | None = None
        self._started = False

    # Beginning and end.

    async def __aenter__(self) -> Self:
        """Start the cache. Redis need not be there yet.

        Raises:
            UsageError: It is running already.
        """
        if self._started and self._runtime is not None and not self._runtime.is_orphaned:
            raise UsageError(f"the cache {self.name!r} is running already; start it once")
        engine = self._new_engine()
        runtime = self._runtime = Runtime(self._configuration, engine)
        self._started = True
        self._use(engine)
        try:
            await runtime.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the cache: wait for its loads, tell Redis what is unsaid, end every task.

        Loads that have not ended after ``shutdown_timeout`` are cancelled, and those who wait for
        them get `CacheClosed`. Closing a cache that is not running does nothing.

        Raises:
            WrongLoop: It runs in another event loop.
        """
        runtime = self._runtime
        if runtime is None or not self._started:
            return
        if runtime.is_orphaned:
            runtime.abandon()
            self._started = False
            return
        runtime.check_place()
        try:
            await runtime.close()
        finally:
            # Somebody else may have closed it too, and started it again.
            if self._runtime is runtime:
                self._started = False

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[dict[str, Any]]:
        """Run the cache for the life of a Starlette or FastAPI application.

        ``FastAPI(lifespan=cache.lifespan)``, or ``async with cache.lifespan(app):`` inside a
        lifespan of your own. Handlers then find it with ``get_cache``, and as ``app.state.cache``.

        Args:
            app: The application.

        Yields:
            The lifespan state by which requests to mounted applications find the cache too.
        """
        async with self:
            state = wire(app, self.name, self)
            try:
                yield state
            finally:
                unwire(app, self.name, self)

    @property
    def name(self) -> str:
        """How a request finds this cache when its application has several."""
        return self._configuration.name

    @property
    def namespace(self) -> str:
        """The prefix of everything in Redis."""
        return self._configuration.keys.namespace

    @property
    def codec(self) -> Codec:
        """Encodes values; ``cache.codec.register(T)`` makes a type known."""
        return self._configuration.codec

    @property
    def policy(self) -> Policy:
        """How values live and are loaded, unless a call says otherwise."""
        return self._configuration.policy

    def __repr__(self) -> str:
        redis = self._configuration.redis
        where = MEMORY_URL if redis is None else redis.address
        state = "running" if self._started else "stopped"
        return f"<Cache {self.name!r} {where} namespace={self.namespace!r} {state}>"

    def _use(self, engine: Engine) -> None:
        self._entries: Table = engine.entries
        self._set_epoch(engine.epoch)
        engine.hooks.on_epoch = self._set_epoch

    def _set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def _held(self, key: str) -> Any:
        if self._runtime is None:
            return MISSING
        try:
            return self._runtime.first.get(key)
        except TypeError:
            checked_key(key)
            raise

    @property
    def clock(self) -> Clock:
        """Where the cache's time comes from."""
        return self._configuration.clock

    @property
    def redis_settings(self) -> RedisSettings | None:
        """Where its Redis is; None: it has none. Not part of the public API."""
        return self._configuration.redis

    def spawn(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        """Do something in the cache's context that ends with it. Not part of the public API.

        Args:
            work: What to do.
            name: The task's name.
        """
        return self._running().spawn(work, name=name)

    def _running(self) -> Runtime:
        if self._runtime is None:
            raise self._not_started()
        self._runtime.check_usable()
        return self._runtime

    def _not_started(self) -> NotStarted:
        return NotStarted(
            f"the cache {self.name!r} is not started; use 'async with cache:' or "
            "FastAPI(lifespan=cache.lifespan)"
        )

    def resolve_policy(self, policy: Policy | None, ttl: Duration | None) -> Policy:
        """Return the policy that a call's options stand for. Not part of the public API."""
        if policy is None:
            policy = self._configuration.policy
        elif not isinstance(policy, Policy):
            raise wrong_type("policy", policy, "a Policy")
        return policy if ttl is None else policy.replace(ttl=ttl)


def _redis_settings(
    url: str | RedisSettings, redis: Redis | RedisCluster | None
) -> RedisSettings | None:
    if redis is not None:
        if url != MEMORY_URL:
            raise InvalidArgument("redis", "give a url or a client, not both")
        return RedisSettings.from_client(redis)
    if isinstance(url, RedisSettings):
        return url
    return None if url == MEMORY_URL else RedisSettings.from_url(url)


def _secret_bytes(secret: str | bytes | None) -> bytes:
    if secret is None:
        return b""
    if not isinstance(secret, str | bytes):
        raise wrong_type("secret", secret, "str or bytes")
    try:
        encoded = secret.encode() if isinstance(secret, str) else secret
    except UnicodeEncodeError:
        raise InvalidArgument("secret", "must be encodable as UTF-8; or give bytes") from None
    if len(encoded) < 16:
        raise InvalidArgument("secret", "must be at least 16 bytes, for example from os.urandom")
    return encoded


def _checked_outage(outage: str, staleness: Duration) -> float:
    checked = seconds(staleness, "outage_staleness")
    if outage not in ("load", "stale"):
        raise InvalidArgument("outage", f"must be 'load' or 'stale', got {outage!r}")
    return checked if outage == "stale" else 0.0


def _checked_staleness(value: Duration) -> float:
    checked = seconds(value, "max_staleness")
    if checked < SHORTEST_MAX_STALENESS:
        raise InvalidArgument("max_staleness", f"must be at least 0.1 s, got {value!r}")
    return checked
