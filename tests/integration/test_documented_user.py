"""The ACL user that the documentation recommends: it may do all that a cache does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asynccache import MISSING, load_context
from tests.support.caches import Caches, link_of
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.integration

SETTINGS = Path(__file__).parents[2] / "docs" / "pages" / "settings.md"


async def tagged() -> int:
    """Load a value whose tag only its loader knows."""
    load_context().tags = ["late"]
    return 1


async def test_the_documented_user_may_do_what_a_cache_does(
    own_redis: RedisServer, caches: Caches
) -> None:
    """Every call, with the rule as it stands there; the server has refused nothing."""
    text = SETTINGS.read_text(encoding="utf-8")
    rules = re.findall(r"ACL SETUSER (shop .*?)```", text, re.DOTALL)
    assert len(rules) == 2  # the second for tracking
    for rule in rules:
        assert own_redis.command("ACL", "SETUSER", *rule.split()) == b"+OK\r\n"
    url = f"redis://shop:password@127.0.0.1:{own_redis.port}/?tracking=true"
    here, there = [await caches.start(url, namespace="shop", load_scripts=False) for _ in range(2)]
    assert link_of(here).stamp("") != bytes(8)
    assert here.health().tracking == "on"

    assert (await here.set("k", 1, tags=["a"], version=3, strict=True)).affected == 1
    assert await there.get("k") == 1
    await there.invalidate_tags("a", strict=True)
    assert await there.get("k") is MISSING
    assert await here.add("n", 1)
    assert await here.incr("n") == 2
    assert (await here.touch("n")).acknowledged
    await here.expire("n", strict=True)
    await here.delete("n", settle=1, strict=True)
    async with here.writing("k"):
        assert await there.get_or_load("k", tagged) == 1
    for key in ("k", "k2"):
        assert await here.get_or_load(key, tagged) == 1
    assert await here.refresh("k", tagged) == 1
    assert (await here.invalidate_pattern("k*", strict=True)).affected == 2
    await here.clear(strict=True)
    assert own_redis.command("ACL", "LOG") == b"*0\r\n"
