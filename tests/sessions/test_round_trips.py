"""How often Redis is asked for each kind of request, and what of it is a write."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from asynccache import RedisSessionStore, RedisSettings
from asynccache.redis.linking import AnyLink
from tests.sessions.site import Site, ask, cookie_of
from tests.sessions.visits import begun


class Counting(RedisSessionStore):
    """Counts its questions."""

    trips = 0

    async def _link(self) -> AnyLink:
        link = await super()._link()
        return _Counted(link, self)  # type: ignore[return-value]


class _Counted:
    def __init__(self, link: AnyLink, store: Counting) -> None:
        self._link = link
        self._store = store

    async def call(self, *commands: Any, retry: bool = True) -> list[Any]:
        self._store.trips += 1
        return await self._link.call(*commands, retry=retry)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)


@pytest.mark.parametrize(
    ("path", "has_cookie", "trips"),
    [
        ("/untouched", False, 0),
        ("/read", False, 0),
        ("/logout", False, 0),
        ("/untouched", True, 1),
        ("/read", True, 1),
        ("/set?b=2", True, 2),
        ("/incr", True, 2),
        ("/set?b=2", False, 1),
        ("/login", True, 2),
        ("/login", False, 1),
        ("/logout", True, 2),
        ("/regenerate", True, 2),
    ],
)
async def test_round_trips(redis_url: str, path: str, has_cookie: bool, trips: int) -> None:
    store = Counting(RedisSettings.from_url(redis_url))
    site = Site(store=store)
    await ask(site, "/login")  # the server knows the scripts
    cookie = await begun(site)
    await ask(site, "/set?x=1", cookie)
    await ask(site, "/regenerate", await begun(site))
    await ask(site, "/logout", await begun(site))
    await ask(site, "/incr", await begun(site))
    store.trips = 0

    response = await ask(site, path, cookie if has_cookie else None)

    assert response.status_code == 200
    assert store.trips == trips
    await store.close()


async def test_a_read_writes_nothing(redis_url: str) -> None:
    store = RedisSessionStore(RedisSettings.from_url(redis_url))
    site = Site(store=store)
    cookie = cookie_of(await ask(site, "/login"))
    redis = Redis.from_url(redis_url)
    (place,) = await redis.keys("acs:s:*")
    key = place.decode() if isinstance(place, bytes) else place
    before, life = await redis.dump(key), await redis.pexpiretime(key)
    await redis.config_resetstat()

    for _ in range(5):
        await ask(site, "/read", cookie)

    assert (await redis.dump(key), await redis.pexpiretime(key)) == (before, life)
    asked = set(await redis.info("commandstats"))
    assert asked <= {f"cmdstat_{name}" for name in ("hgetall", "pttl", "dump", "pexpiretime")} | {
        "cmdstat_config|resetstat",
        "cmdstat_info",
        "cmdstat_time",
    }
    await redis.aclose()
    await store.close()
