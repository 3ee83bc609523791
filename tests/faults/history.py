"""What workers have seen: a line for each operation, written at once so that a kill loses none.

Times are of the machine's monotonic clock, so that those of several processes can be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias


class Read(NamedTuple):
    """A reader got a version; ``process`` is one life of a worker."""

    process: str
    key: int
    begin: float
    end: float
    version: int


class Write(NamedTuple):
    """A version was committed, and its key invalidated from ``begin`` to ``end``."""

    process: str
    key: int
    begin: float
    end: float
    version: int
    acknowledged: bool


class Load(NamedTuple):
    """A loader has read a version."""

    process: str
    key: int
    at: float
    version: int


class Final(NamedTuple):
    """What a process answers when all is quiet again."""

    process: str
    key: int
    version: int


class Note(NamedTuple):
    """Something else: an ``error``, a foreign ``cancellation``, ``tasks`` left, operations done."""

    process: str
    kind: str
    text: str


Line: TypeAlias = Read | Write | Load | Final | Note

_KINDS: dict[str, type[Line]] = {"R": Read, "W": Write, "L": Load, "F": Final, "N": Note}
_LETTERS = {kind: letter for letter, kind in _KINDS.items()}


class Log:
    """Writes one process's lines.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, line: Line) -> None:
        """Write a line."""
        fields = [
            repr(field) if not isinstance(field, str) else " ".join(field.split()) or "-"
            for field in line
        ]
        self._file.write("\t".join([_LETTERS[type(line)], *fields]).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def lines(paths: Iterable[Path]) -> Iterator[Line]:
    """Return all lines of some files; one that was cut short by a kill is left out."""
    for path in paths:
        for text in path.read_text().splitlines(keepends=True):
            if text.endswith("\n"):
                letter, *fields = text.rstrip("\n").split("\t")
                yield _parsed(letter, fields)


def _parsed(letter: str, fields: list[str]) -> Line:
    match letter:
        case "R":
            process, key, begin, end, version = fields
            return Read(process, int(key), float(begin), float(end), int(version))
        case "W":
            process, key, begin, end, version, acknowledged = fields
            return Write(
                process, int(key), float(begin), float(end), int(version), acknowledged == "True"
            )
        case "L":
            process, key, at, version = fields
            return Load(process, int(key), float(at), int(version))
        case "F":
            process, key, version = fields
            return Final(process, int(key), int(version))
        case _:
            process, kind, text = fields
            return Note(process, kind, text)
