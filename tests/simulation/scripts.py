"""The Lua scripts, told again in Python for `RedisDouble`."""

from __future__ import annotations

from typing import Any, Final

from redis.exceptions import ResponseError

from asynccache.redis import lua
from tests.simulation.redis_double import RedisDouble


def _store(db: RedisDouble, keys: list[bytes], value: bytes, px: bytes) -> None:
    db.put(keys[0], value, int(px) or None)
    db.delete(keys[1])


def _grace(db: RedisDouble, key: bytes) -> int:
    head = db.get(key) or b""
    if len(head) < 20 or not head.startswith(b"ac"):
        return 0
    grace = int.from_bytes(head[12:20], "big")
    return 0 if grace > 2**53 - 1 else grace


def _is_fresh(db: RedisDouble, key: bytes) -> bool:
    left = db.left(key)
    return left == -1 or (left > 0 and left > _grace(db, key))


def _late(db: RedisDouble, limit: bytes) -> int | None:
    return -db.milliseconds if limit != b"0" and db.milliseconds > int(limit) else None


def _wake(db: RedisDouble, wait: bytes, channel: bytes, message: bytes) -> None:
    if db.delete(wait):
        db.publish(channel, message)


def fill(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.FILL`."""
    if db.get(keys[1]) != argv[0]:
        return 0
    _store(db, keys, argv[1], argv[2])
    _wake(db, keys[2], argv[3], argv[4])
    return 1


def release(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.RELEASE`."""
    if db.get(keys[1]) != argv[0]:
        return 0
    db.delete(keys[1])
    _wake(db, keys[2], argv[1], argv[2])
    return 1


def renew(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.RENEW`."""
    return db.keep(keys[1], int(argv[1])) if db.get(keys[1]) == argv[0] else 0


def put(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.PUT`."""
    late = _late(db, argv[0])
    if late is not None:
        return late
    version = (int(argv[3]) << 32) + int(argv[4])
    head = db.get(keys[0]) or b""
    is_record = len(head) >= 32 and head.startswith(b"ac\2")
    if version and is_record and int.from_bytes(head[24:32], "big") > version:
        return 0
    if db.find(keys[2]) is not None:
        db.delete(*keys[:2])
        return 2
    _store(db, keys, argv[1], argv[2])
    return 1


def add(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.ADD`."""
    late = _late(db, argv[0])
    if late is not None:
        return late
    if db.get(keys[0]) is not None and _is_fresh(db, keys[0]):
        return 0
    _store(db, keys, argv[1], argv[2])
    return 1


def forget(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.FORGET`."""
    db.delete(keys[1])
    if argv[0] != b"0":
        db.put(keys[2], b"", int(argv[0]))
    return db.delete(keys[0])


def mark(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.MARK`."""
    stored = db.find(keys[2])
    if stored is not None and not isinstance(stored.value, set):
        db.delete(keys[2])
    db.delete(*keys[:2])
    db.execute(("SADD", keys[2], argv[0]))
    if db.left(keys[2]) < int(argv[1]):
        db.keep(keys[2], int(argv[1]))
    return 1


def unmark(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.UNMARK`."""
    db.execute(("SREM", keys[2], argv[0]))
    db.delete(keys[1])
    return db.delete(keys[0])


def _token(db: RedisDouble, seed: bytes) -> bytes:
    total = zip(seed, db.microseconds.to_bytes(8, "big"), strict=True)
    return bytes((each + digit) % 256 for each, digit in total)


def ensure(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.ENSURE`."""
    token = db.get(keys[0])
    if token is not None and len(token) == 24:
        if db.left(keys[0]) < int(argv[1]) / 2:
            db.keep(keys[0], int(argv[1]))
        return token
    token = _token(db, argv[0]) + b"0" * 16
    db.put(keys[0], token, int(argv[1]))
    return token


def _tick(db: RedisDouble, key: bytes) -> int:
    try:
        if db.get(key) is not None:
            return db.add(key, 1)
    except ResponseError:
        pass
    db.delete(key)
    return db.add(key, db.milliseconds * 1000)


def tick(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.TICK`."""
    return _tick(db, keys[0])


def retag(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.RETAG`."""
    former = db.get(keys[1]) or b""
    db.delete(keys[1])
    clock = argv[2] or b"%016x" % _tick(db, keys[0])
    if len(former) == 24 and former[8:] > clock:
        clock = former[8:]
    db.put(keys[1], _token(db, argv[0]) + clock, int(argv[1]))
    return 1


def expire(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.EXPIRE`."""
    db.delete(keys[1])
    if not _is_fresh(db, keys[0]):
        return 0
    grace = _grace(db, keys[0])
    return db.keep(keys[0], grace) if grace else db.delete(keys[0])


def touch(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.TOUCH`."""
    if not _is_fresh(db, keys[0]):
        return 0
    if argv[0] == b"0":
        db.keep(keys[0], None)
        return 1
    return db.keep(keys[0], int(argv[0]) + _grace(db, keys[0]))


def increment(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.INCREMENT`."""
    late = _late(db, argv[0])
    if late is not None:
        return late
    old = db.get(keys[0])
    count = b"0"
    if old is not None:
        if not old.startswith(b"#"):
            raise ResponseError("not an integer")
        if old.startswith(argv[3]):
            count = old[len(argv[3]) :]
        else:
            old = None
    left = int(argv[2]) if old is None else db.left(keys[0])
    db.put(keys[0], count)
    db.delete(keys[1])
    error = None
    try:
        count = b"%d" % db.add(keys[0], int(argv[1]))
    except ResponseError as refusal:
        error = refusal
        if old is None:
            db.delete(keys[0])
            raise
    db.put(keys[0], argv[3] + count, left if left > 0 else None)
    if error is not None:
        raise error
    return count


def exchange(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.EXCHANGE`."""
    if db.get(keys[0]) != argv[0]:
        return 0
    if not argv[1]:
        return db.delete(keys[0])
    left = db.left(keys[0])
    fresh = left - _grace(db, keys[0])
    db.put(keys[0], argv[1])
    if left >= 0:
        db.keep(keys[0], fresh)
    return 1


def publish(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.PUBLISH`."""
    db.keep(keys[0], None)
    try:
        number = db.add(keys[0], 1)
    except ResponseError:
        number = 0
    if not 2 <= number <= 2**53 - 1:
        db.delete(keys[0])
        number = db.add(keys[0], int(argv[2]))
    return db.publish(argv[0], b"%d|%b" % (number, argv[1]))


def nudge(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    """See `lua.NUDGE`."""
    db.put(keys[0], b"")
    return db.delete(keys[0])


SCRIPTS: Final = {
    lua.FILL.sha1: fill,
    lua.RELEASE.sha1: release,
    lua.RENEW.sha1: renew,
    lua.PUT.sha1: put,
    lua.ADD.sha1: add,
    lua.FORGET.sha1: forget,
    lua.MARK.sha1: mark,
    lua.UNMARK.sha1: unmark,
    lua.ENSURE.sha1: ensure,
    lua.TICK.sha1: tick,
    lua.RETAG.sha1: retag,
    lua.EXPIRE.sha1: expire,
    lua.TOUCH.sha1: touch,
    lua.INCREMENT.sha1: increment,
    lua.EXCHANGE.sha1: exchange,
    lua.PUBLISH.sha1: publish,
    lua.NUDGE.sha1: nudge,
}
"""What they do, by the digest of the real one."""
