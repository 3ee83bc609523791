"""The link that settings ask for: to one server, to a cluster, or to what sentinels watch over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from asynccache.redis.cluster import ClusterLink
from asynccache.redis.link import Link
from asynccache.redis.listening import Listening
from asynccache.redis.sentinel import SentinelDialer
from asynccache.redis.settings import RedisSettings

AnyLink: TypeAlias = Link | ClusterLink


def make_link(
    settings: RedisSettings,
    *,
    listening: Listening | None = None,
    on_incarnation: Callable[[], None] | None = None,
    on_state: Callable[[str, str | None], None] | None = None,
) -> AnyLink:
    """Return a link, not started yet.

    Args:
        settings: Where Redis is and how it is asked.
        listening: What else is to be heard from every server that holds keys; None: nothing.
        on_incarnation: Is told when a server may have lost what it had acknowledged, unless the
            settings trust it.
        on_state: Is told the address of a server that is given up, with the reason, and of one that
            is asked again.
    """
    if settings.on_failover == "trust":
        on_incarnation = None
    if settings.cluster:
        return ClusterLink(
            settings,
            listening=listening,
            on_incarnation=on_incarnation,
            asks_time=True,
            on_state=on_state,
        )
    return Link(
        settings,
        dialer=None if settings.sentinel_master is None else SentinelDialer(settings),
        listening=listening,
        on_incarnation=on_incarnation,
        asks_time=True,
        on_state=on_state,
    )
