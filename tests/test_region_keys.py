"""A region's keys: a stable text of each id, different for different ids."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from asynccache import ArgumentTypeError, Cache, Region
from tests.support.identifiers import readable_id
from tests.support.loading import Counted


class Colour(Enum):
    """An id."""

    RED = "red"


@pytest.mark.parametrize(
    ("id_", "key"),
    [
        (7, "r:7"),
        (-7, "r:-7"),
        ("seven", "r:seven"),
        ("a:b", "r:a%3Ab"),
        ("100%", "r:100%25"),
        ("", "r:"),
        (UUID(int=7), "r:00000000-0000-0000-0000-000000000007"),
        (date(2024, 2, 29), "r:2024-02-29"),
        (datetime(2024, 2, 29, 12, 30, tzinfo=UTC), "r:2024-02-29T12%3A30%3A00+00%3A00"),
        (Colour.RED, "r:red"),
        (True, "r:True"),
        (("eu", 7), "r:eu:7"),
        (("e:u", 7), "r:e%3Au:7"),
    ],
)
def test_ids_have_stable_texts(id_: Any, key: str) -> None:
    """The same in every process, and different for different ids."""
    region: Region[Any, int] = Cache("memory://").region("r", int)

    assert region.key(id_) == key


@pytest.mark.parametrize("id_", [object(), [1], {"id": 1}, 1.5, b"id", (1, [2])], ids=readable_id)
async def test_other_ids_are_refused(id_: Any) -> None:
    """By every method, before anything happens; the error names the argument."""
    async with Cache("memory://") as cache:
        region: Region[Any, int] = cache.region("r", int, loader=lambda id_: Counted(1)())
        for call in (region.get, region.find, region.refresh, region.delete, region.expire):
            with pytest.raises(ArgumentTypeError, match=r"^id_: must be a str, int, bool, UUID"):
                await call(id_)
        for many in (region.get_many, region.delete_many):
            with pytest.raises(ArgumentTypeError, match=r"^id_: must be a str, int, bool, UUID"):
                await many([id_])
