"""Servers for the tests, and a cache that needs none."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from asynccache import Cache, ManualClock
from tests.support.loading import TASK_FACTORIES
from tests.support.redis_cluster import RedisCluster
from tests.support.redis_sentinel import RedisSentinels
from tests.support.redis_server import RedisServer


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A server that all tests share; a test that breaks servers takes ``own_redis``."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of the shared server, which holds no key."""
    redis_server.flush()
    return redis_server.url


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A private server, to freeze, kill and restart."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    """Three servers with a third of the slots each, which all tests share: leave it as it was."""
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture
def cluster_url(redis_cluster: RedisCluster) -> str:
    """The URL of the shared cluster, which holds no key."""
    redis_cluster.flush()
    return redis_cluster.url


@pytest.fixture
def own_cluster() -> Iterator[RedisCluster]:
    """A private cluster with a replica for each primary, to freeze and kill in."""
    with RedisCluster(replicas=1) as cluster:
        yield cluster


@pytest.fixture
def own_sentinels() -> Iterator[RedisSentinels]:
    """A private master with a replica and three sentinels, to fail over."""
    with RedisSentinels() as sentinels:
        yield sentinels


@pytest.fixture
def clock() -> ManualClock:
    """The clock of ``cache``; time passes when a test says so."""
    return ManualClock()


@pytest.fixture
async def complaints() -> AsyncIterator[list[dict[str, Any]]]:
    """What the event loop's exception handler is told; at the end there must have been nothing."""
    loop = asyncio.get_running_loop()
    contexts: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: contexts.append(context))
    yield contexts
    # "Never retrieved" is said when a task or future is collected; those of this test are young.
    gc.collect(1)
    await asyncio.sleep(0)
    assert contexts == []


@pytest.fixture
async def cache(clock: ManualClock, complaints: list[dict[str, Any]]) -> AsyncIterator[Cache]:
    """A running cache in memory. After its end no task of its own may be left."""
    before = asyncio.all_tasks()
    async with Cache("memory://", clock=clock, shutdown_timeout=0.5) as running:
        yield running
    named = {task.get_name() for task in asyncio.all_tasks() - before}
    assert [name for name in named if name.startswith("asynccache")] == []


@pytest.fixture(params=TASK_FACTORIES, ids=lambda factory: "eager" if factory else "usual")
async def task_factory(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """The test runs with the usual tasks, and with eager ones where there are any."""
    asyncio.get_running_loop().set_task_factory(request.param)
    yield
    asyncio.get_running_loop().set_task_factory(None)
