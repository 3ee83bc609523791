"""Which type of entries is the best one here."""

from __future__ import annotations

from typing import cast

from asynccache.memory.entry import Entry


def entry_type() -> type[Entry]:
    """Return the best type of entries here.

    With a million entries a full garbage collection visits a million objects, or none: 300 ms, or
    40. The struct's type is imported when a cache is made, not when this package is.
    """
    try:
        from asynccache.memory.struct_entry import StructEntry  # noqa: PLC0415
    except ImportError:
        return Entry
    return cast("type[Entry]", StructEntry)
