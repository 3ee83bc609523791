"""A Redis in memory, as far as a cache uses one.

`test_redis_double.py` compares it with a real one. Its scripts are those of `asynccache.redis.lua`,
told again in Python; each is found by the digest of the real one, so that a script that was changed
has to be told anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from redis.exceptions import NoScriptError, ResponseError

from asynccache.redis.transport import Command

Value = bytes | set[bytes]


class Stored(NamedTuple):
    """What stands under a key, and the server's millisecond at which it ends; None: never."""

    value: Value
    until: int | None


ServerScript: TypeAlias = "Callable[[RedisDouble, list[bytes], list[bytes]], Any]"
"""Takes the server, KEYS and ARGV, and returns the reply."""


class WrongType(ResponseError):
    """The key holds something else."""

    def __init__(self) -> None:
        super().__init__("WRONGTYPE Operation against a key holding the wrong kind of value")


class RedisDouble:
    """One server.

    Args:
        time: Returns its time in seconds.
        scripts: What its scripts do, by digest.

    Attributes:
        life: Changes when it was restarted.
        subscribers: Whom to tell of messages, by channel.
        trackers: Whom to tell of changed keys, in any order; of None when all of them are lost.
        on_change: Is told of the first change since `push`; None: nobody tracks.
    """

    def __init__(
        self,
        time: Callable[[], float],
        scripts: Mapping[str, ServerScript],
    ) -> None:
        self._time = time
        self._scripts = scripts
        self._data: dict[bytes, Stored] = {}
        self.life = 1
        self.subscribers: dict[bytes, list[Callable[[bytes], None]]] = {}
        self.trackers: list[Callable[[list[bytes] | None], None]] = []
        self.on_change: Callable[[], object] | None = None
        self._changed: dict[bytes, None] = {}  # in this turn of its loop

    # What a test does to it.

    def snapshot(self) -> dict[bytes, Stored]:
        """Return what it holds, for `restart`."""
        return {
            key: Stored(set(each.value) if isinstance(each.value, set) else each.value, each.until)
            for key, each in self._data.items()
        }

    def restart(self, data: dict[bytes, Stored]) -> None:
        """Begin another life, with the data of a snapshot, and nobody who listens."""
        self._data = data
        self.life += 1
        self.subscribers.clear()
        self.trackers.clear()
        self._changed.clear()

    def flush(self) -> None:
        """Lose everything, and go on."""
        self._data.clear()
        for tracker in self.trackers:
            tracker(None)

    def push(self) -> None:
        """Tell of what has changed, each key once: the turn ends."""
        changed, self._changed = list(self._changed), {}
        for tracker in self.trackers:
            tracker(changed)

    def _note(self, key: bytes) -> None:
        if self.on_change is not None and not self._changed:
            self.on_change()
        self._changed[key] = None

    @property
    def keys(self) -> list[bytes]:
        """Which keys there are, sorted."""
        return sorted(self._data)

    # Commands.

    @property
    def milliseconds(self) -> int:
        """The server's time."""
        return int(self._time() * 1000)

    @property
    def microseconds(self) -> int:
        """The same, finer."""
        return int(self._time() * 1_000_000)

    def execute(self, command: Command) -> Any:
        """Carry out a command and return its reply, an error too."""
        name, *arguments = (_bytes(each) for each in command)
        try:
            return getattr(self, f"_{name.decode().lower()}")(*arguments)
        except ResponseError as error:
            return error

    def _evalsha(self, digest: bytes, count: bytes, *rest: bytes) -> Any:
        script = self._scripts.get(digest.decode())
        if script is None:
            raise NoScriptError("No matching script")
        return script(self, list(rest[: int(count)]), list(rest[int(count) :]))

    def find(self, key: bytes) -> Stored | None:
        """Return what stands under a key."""
        stored = self._data.get(key)
        if stored is not None and stored.until is not None and stored.until <= self.milliseconds:
            del self._data[key]
            self._note(key)
            return None
        return stored

    def put(self, key: bytes, value: Value, px: int | None = None) -> None:
        """Replace what stands under a key, for some milliseconds; None: for ever."""
        self._data[key] = Stored(value, None if px is None else self.milliseconds + px)
        self._note(key)

    def get(self, key: bytes) -> bytes | None:
        """Return a string; None: there is none, or something else."""
        stored = self.find(key)
        return stored.value if stored is not None and isinstance(stored.value, bytes) else None

    def delete(self, *keys: bytes) -> int:
        """Remove keys; return how many were there."""
        found = [key for key in keys if self.find(key) is not None]
        for key in found:
            del self._data[key]
            self._note(key)
        return len(found)

    def left(self, key: bytes) -> int:
        """Return a key's milliseconds, as PTTL does."""
        stored = self.find(key)
        if stored is None:
            return -2
        return -1 if stored.until is None else stored.until - self.milliseconds

    def keep(self, key: bytes, px: int | None) -> int:
        """Give a key another lifetime; None: for ever."""
        stored = self.find(key)
        if stored is None:
            return 0
        if px is not None and px <= 0:
            return self.delete(key)
        self.put(key, stored.value, px)
        return 1

    def add(self, key: bytes, amount: int) -> int:
        """Add to a number, as INCRBY does."""
        stored = self.find(key)
        text = b"0" if stored is None else self._get(key) or b""
        if not _is_integer(text):
            raise ResponseError("value is not an integer or out of range")
        total = int(text) + amount
        if not -(2**63) <= total < 2**63:
            raise ResponseError("increment or decrement would overflow")
        self._data[key] = Stored(b"%d" % total, None if stored is None else stored.until)
        self._note(key)
        return total

    def publish(self, channel: bytes, message: bytes) -> int:
        """Tell whoever listens."""
        listeners = self.subscribers.get(channel, [])
        for listener in list(listeners):
            listener(message)
        return len(listeners)

    def _get(self, key: bytes) -> bytes | None:
        stored = self.find(key)
        if stored is None:
            return None
        if not isinstance(stored.value, bytes):
            raise WrongType
        return stored.value

    def _set(self, key: bytes, value: bytes, *options: bytes) -> bytes | None:
        if b"NX" in options and self.find(key) is not None:
            return None
        px = int(options[options.index(b"PX") + 1]) if b"PX" in options else None
        self.put(key, value, px)
        return b"OK"

    def _type(self, key: bytes) -> bytes:
        stored = self.find(key)
        if stored is None:
            return b"none"
        return b"string" if isinstance(stored.value, bytes) else b"set"

    def _pttl(self, key: bytes) -> int:
        return self.left(key)

    def _exists(self, *keys: bytes) -> int:
        return sum(self.find(key) is not None for key in keys)

    def _del(self, *keys: bytes) -> int:
        return self.delete(*keys)

    _unlink = _del

    def _sadd(self, key: bytes, *members: bytes) -> int:
        stored = self.find(key)
        if stored is None:
            self.put(key, set(members))
            return len(set(members))
        if not isinstance(stored.value, set):
            raise WrongType
        new = set(members) - stored.value
        stored.value.update(new)
        return len(new)

    def _srem(self, key: bytes, *members: bytes) -> int:
        stored = self.find(key)
        if stored is None:
            return 0
        if not isinstance(stored.value, set):
            raise WrongType
        gone = stored.value.intersection(members)
        stored.value.difference_update(gone)
        if not stored.value:
            self.delete(key)
        return len(gone)


def _bytes(argument: object) -> bytes:
    return argument if isinstance(argument, bytes) else str(argument).encode()


def _is_integer(text: bytes) -> bool:
    try:
        return b"%d" % int(text) == text and -(2**63) <= int(text) < 2**63
    except ValueError:
        return False
