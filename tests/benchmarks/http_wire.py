"""Requests a second through a server: uvicorn, one process, under wrk on the same machine."""

from __future__ import annotations

import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Final

from tests.benchmarks.http_apps import PATH

CANDIDATES: Final[Mapping[str, tuple[str, ...]]] = {
    "stored": ("tests.benchmarks.http_apps:stored",),
    "ours": ("--factory", "tests.benchmarks.http_apps:served"),
    "uncached": ("--factory", "tests.benchmarks.http_apps:starlette"),
    "starlette-caches": ("--factory", "tests.benchmarks.http_apps:starlette_caches"),
    "fastapi-cache2": ("--factory", "tests.benchmarks.http_apps:fastapi_cache"),
    "cashews": ("--factory", "tests.benchmarks.http_apps:cashews"),
    "hishel": ("--factory", "tests.benchmarks.http_apps:hishel"),
}

_RATE: Final = re.compile(r"Requests/sec:\s+([\d.]+)")


def measure(seconds: float, rounds: int) -> dict[str, float | None] | None:
    """Return each candidate's requests a second; None: it does not run, or wrk is not there.

    Args:
        seconds: How long each is loaded.
        rounds: How often, in turn; the median counts.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        return None
    rates: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    for _ in range(rounds):
        for name, target in CANDIDATES.items():
            rate = _loaded(wrk, target, seconds)
            if rate is not None:
                rates[name].append(rate)
    return {name: statistics.median(found) if found else None for name, found in rates.items()}


def _loaded(wrk: str, target: tuple[str, ...], seconds: float) -> float | None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", *target, "--port", str(port)),
            *("--log-level", "critical", "--no-access-log"),
        ],
        stderr=subprocess.DEVNULL,  # of a library that does not run
    )
    try:
        if not _listens(port, server):
            return None
        url = f"http://127.0.0.1:{port}{PATH}"
        for duration in (0.5, seconds):  # the first one warms up
            done = subprocess.run(
                [wrk, "-t1", "-c16", f"-d{max(1, round(duration))}s", url],
                check=True,
                capture_output=True,
                text=True,
            )
        match = _RATE.search(done.stdout)
        is_wrong = "Non-2xx" in done.stdout
        return None if match is None or is_wrong else float(match[1])
    finally:
        server.terminate()
        server.wait(10)


def _listens(port: int, server: subprocess.Popen[bytes]) -> bool:
    for _ in range(200):
        if server.poll() is not None:
            return False
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.05)
    return False
