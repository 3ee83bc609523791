"""How far the demo is: moving bars on a terminal, plain lines in a log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


class Advance(Protocol):
    """Tells how far a stage is."""

    def __call__(self, done: float, detail: str) -> None:
        """Show how much of the stage's total is done, and a few words."""
        ...


class Stages:
    """The stages of the demo, one line each.

    Args:
        console: Where to show them.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, label: str, total: float) -> Iterator[Advance]:
        """Show one stage for as long as the context lasts.

        Args:
            label: What is being done.
            total: What `done` will be at the end.
        """
        shown = self._bar(label, total) if self._console.is_terminal else self._lines(label)
        with shown as advance:
            yield advance

    @contextmanager
    def _bar(self, label: str, total: float) -> Iterator[Advance]:
        columns = (
            TextColumn("{task.description:<22}"),
            BarColumn(bar_width=30),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}"),
        )
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(label, total=total, detail="")

            def advance(done: float, detail: str) -> None:
                progress.update(task, completed=done, detail=detail)

            yield advance
            progress.update(task, completed=total)

    @contextmanager
    def _lines(self, label: str) -> Iterator[Advance]:
        last = ""

        def advance(done: float, detail: str) -> None:  # noqa: ARG001  the signature of Advance
            nonlocal last
            last = detail

        self._console.print(f"{label} ...")
        yield advance
        self._console.print(f"{label}: {last}")
