"""A few connections to SQLite, each with its thread, so that queries really run side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite

READERS = 8
"""SQLite works outside Python's global lock: a few more threads than cores keep them all busy."""

Row = tuple[Any, ...]


class Database:
    """The shop's database: readers for queries, one writer for changes.

    Attributes:
        queries: How many statements were run; the figure that a cache is there to keep small.
    """

    def __init__(
        self, readers: Iterable[aiosqlite.Connection], writer: aiosqlite.Connection
    ) -> None:
        self.queries = 0
        self._readers: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
        for reader in readers:
            self._readers.put_nowait(reader)
        self._writer = writer
        self._writing = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, readers: int = READERS) -> AsyncIterator[Database]:
        """Open a seeded database; closes its connections, and ends their threads, at the end."""
        async with AsyncExitStack() as stack:
            connections = [
                # No isolation level: each statement is a transaction of its own.
                await stack.enter_async_context(aiosqlite.connect(path, isolation_level=None))
                for _ in range(readers + 1)
            ]
            for connection in connections:
                # With two workers a writer may have to wait for the other worker's commit.
                await connection.execute("PRAGMA busy_timeout = 5000")
                await connection.execute("PRAGMA synchronous = NORMAL")
            yield cls(connections[1:], connections[0])

    async def fetch(self, statement: str, parameters: dict[str, object]) -> list[Row]:
        """Run a query on a free reader and return its rows."""
        reader = await self._readers.get()
        try:
            self.queries += 1
            return [tuple(row) for row in await reader.execute_fetchall(statement, parameters)]
        finally:
            self._readers.put_nowait(reader)

    async def change(self, statement: str, parameters: dict[str, object]) -> list[Row]:
        """Run a statement that changes data; it is committed when its rows are returned."""
        async with self._writing:
            self.queries += 1
            return [
                tuple(row) for row in await self._writer.execute_fetchall(statement, parameters)
            ]
