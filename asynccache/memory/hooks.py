"""Whom an engine tells that there is something to do, or to know."""

from __future__ import annotations

from collections.abc import Callable


def _nothing() -> None:
    """Nobody wants to know."""


def _ignore(epoch: int) -> None:
    """Nobody wants to know."""


class Hooks:
    """Whom an engine tells that there is something to do. None of them may use the engine.

    Attributes:
        on_pending: There is something to be told to the removal listener.
        on_expiring: Something is going to expire, and nothing was before.
        on_work: There is something for `MemoryEngine.work` to do.
        on_epoch: The epoch is another one from now on.
    """

    __slots__ = ("on_epoch", "on_expiring", "on_pending", "on_work")

    def __init__(self) -> None:
        self.on_pending: Callable[[], None] = _nothing
        self.on_expiring: Callable[[], None] = _nothing
        self.on_work: Callable[[], None] = _nothing
        self.on_epoch: Callable[[int], None] = _ignore
