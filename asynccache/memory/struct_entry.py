"""Entries that the garbage collector does not look at. Needs msgspec."""

from __future__ import annotations

from typing import Any

import msgspec

from asynccache.memory.entry import FOREVER, NOWHERE, Extra


class StructEntry(msgspec.Struct, gc=False):
    """See `Entry`.

    An entry belongs to no cycle: its value does not know it, and no entry knows another. Never
    chain them: freeing a long chain of such objects recurses until the stack is full.
    """

    key: str
    value: Any
    encoded: bool
    expiry: float
    soft: float
    hard: float
    grace: float
    born: float = 0.0
    eager: float = FOREVER
    extra: Extra | None = None
    weight: int = 1
    epoch: int = 0
    hits: int = 0
    seen: int = 0
    queue: int = NOWHERE
    due: int = -1
