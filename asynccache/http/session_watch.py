"""Whether an application has looked at the session of a request: then its response is somebody's.

A session middleware that stands outside adds ``Vary: Cookie`` after the output cache has decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SessionWatch:
    """Watches a session while an application runs; ours, Starlette's, or any that tells.

    Args:
        scope: The request's; what was looked at before counts for nothing.
    """

    __slots__ = ("_before", "_session")

    def __init__(self, scope: Mapping[str, Any]) -> None:
        session = scope.get("session")
        self._session: Any = session if isinstance(_accessed(session), bool) else None
        self._before = False
        if self._session is not None:
            self._before, self._session.accessed = self._session.accessed, False

    def end(self) -> bool:
        """Tell whether it was looked at, and let it say so again as it would have without us."""
        session, self._session = self._session, None
        if session is None:
            return False
        used = bool(session.accessed)
        session.accessed = used or self._before
        return used


def _accessed(session: object) -> object:
    return getattr(session, "accessed", None)
