"""Time that is only a number."""

from __future__ import annotations

import asyncio

import pytest

from tests.simulation.loop import Deadlock, VirtualLoop


def test_an_hour_is_over_at_once() -> None:
    """And everything in it comes in its order."""

    async def sleepers() -> list[int]:
        order: list[int] = []

        async def sleep(seconds: int) -> None:
            await asyncio.sleep(seconds)
            order.append(seconds)

        await asyncio.gather(*map(sleep, (3_600, 1, 60)))
        return order

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        began = runner.get_loop().time()
        assert runner.run(sleepers()) == [1, 60, 3_600]
        assert runner.get_loop().time() == pytest.approx(began + 3_600)


def test_who_waits_for_nothing_is_told() -> None:
    """A simulation must not hang."""
    loop = VirtualLoop()
    try:
        with pytest.raises(Deadlock):
            loop.run_until_complete(loop.create_future())
    finally:
        loop.close()
