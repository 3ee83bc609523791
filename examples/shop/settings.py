"""How the shop is configured: by the environment, read in one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asynccache import Cache

from .seeding import default_path


@dataclass(frozen=True)
class Settings:
    """What a worker of the shop needs to know.

    Attributes:
        cache_url: `memory://`, a Redis URL, or `off` to leave the cache out.
        namespace: The prefix of the shop's keys in Redis.
        database: The SQLite file; it is made and filled when it is missing.
    """

    cache_url: str
    namespace: str
    database: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Read ASYNCCACHE_URL, ASYNCCACHE_NAMESPACE and SHOP_DATABASE."""
        database = environment.get("SHOP_DATABASE")
        return cls(
            cache_url=environment.get("ASYNCCACHE_URL", "memory://"),
            namespace=environment.get("ASYNCCACHE_NAMESPACE", "shop"),
            database=Path(database) if database else default_path(),
        )

    def make_cache(self) -> Cache | None:
        """Return the cache to use, or None when it is off."""
        if self.cache_url == "off":
            return None
        return Cache(self.cache_url, namespace=self.namespace)
