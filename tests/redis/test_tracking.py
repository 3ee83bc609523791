"""Asking for pushes: what each answer of a server leads to."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from asynccache.redis.tracking import MOST_UNANSWERED, Tracking


class Connection:
    """As much of one as is used; its server gives some answers, and then hangs up."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    async def send_command(self, *_: Any, **__: Any) -> None:
        """Send nothing."""

    async def read_response(self) -> Any:
        """Return the next answer."""
        answer = self._answers.pop(0) if self._answers else RedisConnectionError("closed")
        if isinstance(answer, Exception):
            raise answer
        return answer


class Nobody:
    """Takes pushes."""

    def pushed(self, names: object) -> None:
        """Take them."""

    async def settled(self) -> None:
        """Wait for nothing."""


def tracking() -> Tracking:
    """Return one that has not begun."""

    async def touch(_: str) -> None: ...

    return Tracking("r:", str, touch, Nobody(), stamp=lambda: None)


async def begin(tracked: Tracking, *answers: Any) -> bool:
    """Begin on a connection with these answers after those about who the server is."""
    return await tracked.begin(Connection(b"", b"", *answers))  # type: ignore[arg-type]


def state_of(tracked: Tracking) -> str:
    """Return its state, of which a type checker believes that it stays."""
    return tracked.state


WELL = (7, b"OK", [b"subscribe", b"__redis__:invalidate", 1])


@pytest.mark.parametrize("place", range(3))
async def test_a_refusal_is_said_once(place: int, caplog: pytest.LogCaptureFixture) -> None:
    """Whichever part is refused, and however often; after it went well, once more."""
    tracked = tracking()
    refusal = (*WELL[:place], ResponseError("NOPERM"))
    with caplog.at_level(logging.WARNING, "asynccache"):
        for _ in range(3):
            assert not await begin(tracked, *refusal)
        assert len(caplog.messages) == 1
        assert state_of(tracked) == "refused"
        assert tracked.take(None) is None

        assert await begin(tracked, *WELL)
        assert state_of(tracked) == "off"  # until something is pushed
        await tracked.touch()
        tracked.take([tracked._awaited])
        await tracked.arrived()
        assert state_of(tracked) == "on"

        assert not await begin(tracked, *refusal)
        assert len(caplog.messages) == 2


async def test_a_server_that_hangs_up_when_it_is_asked_is_done_without(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After some tries; later it is asked again."""
    tracked = tracking()
    with caplog.at_level(logging.WARNING, "asynccache"):
        for _ in range(MOST_UNANSWERED):
            with pytest.raises(RedisConnectionError):
                await begin(tracked)
        assert not await begin(tracked, *WELL)
        assert state_of(tracked) == "refused"
        assert await begin(tracked, *WELL)
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("data", [b"text", [b"r:{k}", None], 7, [1]])
async def test_garbage_is_told_from_pushes(data: object) -> None:
    """It may have been something that matters."""
    assert "garbage" in str(tracking().take(data))
