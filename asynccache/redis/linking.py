"""The link that settings ask for: to one server, to a cluster, or to what sentinels watch over."""

from __future__ import annotations

from typing import TypeAlias

from asynccache.redis.cluster import ClusterLink
from asynccache.redis.link import Link
from asynccache.redis.listening import Listening
from asynccache.redis.sentinel import SentinelDialer
from asynccache.redis.settings import RedisSettings

AnyLink: TypeAlias = Link | ClusterLink


def make_link(settings: RedisSettings, *, listening: Listening | None = None) -> AnyLink:
    """Return a link, not started yet.

    Args:
        settings: Where Redis is and how it is asked.
        listening: What else is to be heard from every server that holds keys; None: nothing.
    """
    if settings.cluster:
        return ClusterLink(settings, listening=listening)
    if settings.sentinel_master is not None:
        return Link(settings, dialer=SentinelDialer(settings), listening=listening)
    return Link(settings, listening=listening)
