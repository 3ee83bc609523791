"""Names of test cases that are the same in every process."""

from __future__ import annotations

import re


def readable_id(value: object) -> str:
    """Return a value's repr, without an object's address, and a set's parts in order."""
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(readable_id, value)))}}}"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
