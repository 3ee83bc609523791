"""The double against a real server: the same commands and scripts, the same replies.

Times are compared within the milliseconds that the real one takes; its clock runs by itself.
"""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from redis.exceptions import ResponseError

from asynccache.core.policy import Lifetime
from asynccache.core.record import RecordFormat
from asynccache.redis import lua
from asynccache.redis.link import Link
from asynccache.redis.scripts import Script
from asynccache.redis.settings import RedisSettings
from asynccache.redis.transport import Command
from tests.simulation.redis_double import RedisDouble
from tests.simulation.scripts import SCRIPTS

pytestmark = pytest.mark.integration

STEPS = 150
SLACK = 2_000
"""Milliseconds by which times may differ on a busy machine."""

NAMES = ("{k}r", "{k}l", "{k}w", "{k}x")
RECORDS = RecordFormat()


def record(version: int, grace: float) -> bytes:
    """Return a record."""
    lifetime = Lifetime(60, grace)
    return RECORDS.pack(b"identity", b"v", codec=1, lifetime=lifetime, version=version)


def call(script: Script, *arguments: Any, keys: tuple[str, ...] = NAMES[:3]) -> Command:
    """Return the command that runs a script."""
    return ("EVALSHA", script.sha1, len(keys), *keys, *arguments)


def any_command(chance: random.Random) -> Command:
    """Return some command that a cache might send, or what damages what it finds."""
    key, other = chance.sample(NAMES, 2)
    token = chance.choice((b"token-1", b"token-2"))
    value = chance.choice(
        (record(chance.randrange(4), chance.choice((0, 30))), b"#pre7", b"#pre", b"7", b"", b"x")
    )
    px = chance.choice((0, 60_000, 90_000_000))
    limit = chance.choice((0, 1, 2**45))
    version = chance.randrange(4)
    amount = chance.choice((1, -5, 2**62))
    return chance.choice(
        (
            ("GET", key),
            ("PTTL", key),
            ("EXISTS", key),
            ("DEL", key, other),
            ("SET", key, value),
            ("SET", NAMES[0], value),
            ("SET", key, token, "NX", "PX", 60_000),
            ("SADD", key, "nonce"),
            call(lua.FILL, token, value, px, "channel", "message"),
            call(lua.RELEASE, token, "channel", "message"),
            call(lua.RENEW, token, 50_000),
            call(lua.PUT, limit, value, px, 0, version),
            call(lua.ADD, limit, value, px),
            call(lua.FORGET, chance.choice((0, 40_000))),
            call(lua.MARK, chance.choice(("a", "b")), 30_000),
            call(lua.UNMARK, chance.choice(("a", "b"))),
            call(lua.ENSURE, b"12345678", 50_000, keys=(key,)),
            call(lua.RETAG, b"abcdefgh", 50_000, f"{version:016x}", keys=(other, key)),
            call(lua.EXPIRE),
            call(lua.TOUCH, px),
            call(lua.INCREMENT, limit, amount, px, b"#pre"),
            call(lua.EXCHANGE, value, chance.choice((b"", b"#pre3"))),
            call(lua.NUDGE, keys=(key,)),
            call(lua.PUBLISH, "channel", "message", 1_000, keys=(key,)),
        )
    )


def same(real: object, double: object) -> bool:
    """Tell whether two replies are alike."""
    if isinstance(real, ResponseError) and isinstance(double, ResponseError):
        return True
    if isinstance(real, bytes) and isinstance(double, bytes) and len(real) == 24:
        return len(double) == 24 and real[8:] == double[8:]  # the rest is made of the time
    if isinstance(real, int) and isinstance(double, int) and abs(real) > SLACK:
        return abs(real - double) <= SLACK
    return real == double


@pytest.mark.parametrize("seed", range(12))
async def test_it_answers_like_a_real_one(redis_url: str, seed: int) -> None:
    """Whatever is asked, in whatever order, of whatever it holds."""
    chance = random.Random(seed)
    link = Link(RedisSettings.from_url(redis_url))
    double = RedisDouble(time.time, SCRIPTS)
    await link.start()
    try:
        loads = [("SCRIPT", "LOAD", each.source) for each in vars(lua).values() if is_script(each)]
        await link.call(*loads, ("DEL", *NAMES))
        for step in range(STEPS):
            command = any_command(chance)
            (real,) = await link.call(command)
            replied = double.execute(command)
            assert same(real, replied), f"step {step}: {command}: {real!r}, not {replied!r}"
            looks = [(name, key) for key in NAMES for name in ("TYPE", "PTTL")]
            state = await link.call(*looks)
            assert all(map(same, state, [double.execute(look) for look in looks])), command
    finally:
        await link.close()


def is_script(candidate: object) -> bool:
    """Tell what is one."""
    return isinstance(candidate, Script)


def test_every_script_is_told_again() -> None:
    """By its digest: one that was changed has to be told anew, and compared."""
    assert {each.sha1 for each in vars(lua).values() if isinstance(each, Script)} == set(SCRIPTS)
