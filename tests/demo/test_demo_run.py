"""The demo as its user runs it: the command, real workers, a real Redis, and nothing left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.redis_server import RedisServer

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads /proc"),
]

ROOT = Path(__file__).resolve().parents[2]

SMALL = ("--products", "500", "--seconds", "0.7", "--warmup", "0.3", "--connections", "8")


class Command:
    """The demo's command in a process of its own, which can be told from all others.

    Attributes:
        temporary: The folder for everything temporary; holds only what was left behind.
    """

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        self._mark = f"ASYNCCACHE_TEST={uuid.uuid4().hex}"
        name, value = self._mark.split("=")
        self._environment = {**os.environ, name: value, "TMPDIR": str(temporary)}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `asynccache demo`."""
        return subprocess.Popen(
            [sys.executable, "-m", "asynccache.cli", "demo", *SMALL, *arguments],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> str:
        """Run it to its end and return what it printed."""
        process = self.start(*arguments)
        out, error = process.communicate(timeout=50)
        assert (process.returncode, error) == (0, ""), out
        return out

    def processes(self) -> list[int]:
        """Return the ids of its processes that are still there."""
        found = []
        for folder in Path("/proc").iterdir():
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:  # not a process, or not there any more
                continue
            if self._mark.encode() in environment:
                found.append(int(folder.name))
        return found

    def left_behind(self) -> list[str]:
        """Return the names of the temporary files that are still there."""
        return sorted(entry.name for entry in self.temporary.glob("asynccache-demo-*"))


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """The command; ends every process of it."""
    command = Command(tmp_path)
    yield command
    for pid in command.processes():
        os.kill(pid, signal.SIGKILL)


def table(printed: str) -> dict[str, list[str]]:
    """Return the printed table's cells by their row's label."""
    rows = [line.strip("│").split("│") for line in printed.splitlines() if "│" in line]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}


def number(cell: str) -> float:
    """Return a cell's number."""
    return float(cell.split(maxsplit=1)[0].replace(",", "").rstrip("%"))


def test_in_memory(command: Command) -> None:
    """The demo ends by itself, prints figures that hold together, and leaves nothing."""
    printed = command.run()
    rows = table(printed)
    assert printed.startswith("asynccache demo: a FastAPI shop, 500 products")
    assert "\x1b" not in printed
    without, cached, _ = map(number, rows["queries per 1,000 requests"])
    assert without > 1_000 > cached > 0
    assert 10 < number(rows["hit ratio L1 (memory)"][1]) < 100
    assert rows["hit ratio L2 (Redis), when asked"][1] == "no Redis"
    assert number(rows["loads"][1]) > 0
    assert number(rows["database queries saved"][1]) > 0
    assert all(number(cell) > 0 for cell in rows["requests/s"])
    assert rows["failed requests"][:2] == ["0", "0"]
    assert [cell.split()[0] for cell in rows["stale after a write, same worker"][:2]] == ["0", "0"]
    assert "Try next:" in printed
    assert command.processes() == []
    assert command.left_behind() == []


def test_two_workers_share_redis(
    command: Command, redis_url: str, redis_server: RedisServer
) -> None:
    """Two processes use the Redis, see each other's changes in time, and leave it empty."""
    # Longer, so that both kinds of checks happen more than a few times.
    printed = command.run("--redis", redis_url, "--workers", "2", "--seconds", "2")
    rows = table(printed)
    assert number(rows["hit ratio L2 (Redis), when asked"][1]) > 0
    stale, _, checked = rows["stale after 2 s, other worker"][1].split()
    assert (stale, int(checked) > 0) == ("0", True)
    assert rows["seen at the other worker, p50"][1].endswith(" ms")
    assert "none stale there" in printed
    assert redis_server.command("DBSIZE") == b":0\r\n"
    assert command.processes() == []
    assert command.left_behind() == []


@pytest.fixture(autouse=True)
def _heeded_ctrl_c() -> Iterator[None]:
    """A test run in the background ignores Ctrl-C, and what it starts would inherit that."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def served(process: subprocess.Popen[str]) -> str:
    """Wait until the shop is kept up, and return its address."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("The shop stays up at "):
            return line.split()[5]
    raise AssertionError("the demo ended without serving")


def test_serve_keeps_the_shop_up(command: Command) -> None:
    """With --serve the measured shop stays at its address until Ctrl-C, which is no failure."""
    port = free_port()
    process = command.start("--serve", "--port", str(port))
    url = served(process)
    assert url == f"http://127.0.0.1:{port}"
    change = urllib.request.Request(
        f"{url}/products/42/price",
        b'{"price_cents": 1999}',
        {"Content-Type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(change, timeout=5) as answer:
        assert json.load(answer)["price_cents"] == 1_999
    with urllib.request.urlopen(f"{url}/products/42", timeout=5) as answer:
        assert json.load(answer)["price_cents"] == 1_999
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=15)
    assert (process.returncode, error) == (0, "")
    assert command.processes() == []
    assert command.left_behind() == []


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "terminate"]
)
def test_an_interrupted_demo_cleans_up(command: Command, sent: signal.Signals, code: int) -> None:
    """A signal in the middle of a run stops the workers and removes the files."""
    process = command.start("--seconds", "30")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("without cache ..."):
            break
    process.send_signal(sent)
    _, error = process.communicate(timeout=15)
    assert (process.returncode, error) == (code, "")
    assert command.processes() == []
    assert command.left_behind() == []


def test_a_killed_demo_leaves_no_worker(command: Command) -> None:
    """Workers notice that the demo was killed, and end by themselves."""
    process = command.start("--serve", "--port", str(free_port()))
    served(process)
    assert len(command.processes()) == 2
    process.kill()
    process.communicate(timeout=5)
    deadline = time.monotonic() + 10
    while command.processes():
        assert time.monotonic() < deadline, "a worker outlived the demo"
        time.sleep(0.05)


def test_a_taken_port_is_told_before_anything_runs(command: Command) -> None:
    """Serving at a port that is taken fails at once, with what to do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        process = command.start("--serve", "--port", str(taken))
        out, error = process.communicate(timeout=15)
    assert (process.returncode, out) == (2, "")
    assert f"cannot listen on 127.0.0.1:{taken}" in error
    assert "--port" in error
