"""A source of truth that processes share: a version for each key, in a file that is mapped."""

from __future__ import annotations

import fcntl
import mmap
import struct
from pathlib import Path

_CELL = struct.Struct("<q")


class SharedSource:
    """The versions of keys 0 to ``keys - 1``, which begin at 1.

    Args:
        path: The file; made if it is not there.
        keys: How many keys there are.
    """

    def __init__(self, path: Path, keys: int) -> None:
        if not path.exists():
            path.write_bytes(_CELL.pack(1) * keys)
        self._file = path.open("r+b")
        self._map = mmap.mmap(self._file.fileno(), keys * _CELL.size)

    def read(self, key: int) -> int:
        """Return a key's version."""
        (version,) = _CELL.unpack_from(self._map, key * _CELL.size)
        return int(version)

    def commit(self, key: int) -> int:
        """Give a key its next version, and return it."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            version = self.read(key) + 1
            _CELL.pack_into(self._map, key * _CELL.size, version)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        return version

    def close(self) -> None:
        """Give the file back."""
        self._map.close()
        self._file.close()
