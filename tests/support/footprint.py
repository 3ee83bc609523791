"""What this process holds: memory, file descriptors, tasks, and objects that should be few."""

from __future__ import annotations

import asyncio
import gc
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

_MEMORY = Path("/proc/self/statm")


async def holdings(kinds: Iterable[type]) -> Counter[str]:
    """Return how many of each are there, when all that can be collected has been.

    Args:
        kinds: Classes whose instances, and their subclasses', are counted by their class's name.
    """
    for _ in range(3):  # what was closed is gone a turn or two of the loop later
        await asyncio.sleep(0)
        gc.collect()
    wanted = tuple(kinds)
    counts = Counter(
        kind.__name__ for each in gc.get_objects() if issubclass(kind := type(each), wanted)
    )
    counts["tasks"] = len(asyncio.all_tasks())
    counts["file descriptors"] = _open_descriptors()
    return counts


def _open_descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def resident_bytes() -> int:
    """Return how much memory of the machine this process takes (Linux only)."""
    return int(_MEMORY.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
