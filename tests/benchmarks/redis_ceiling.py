"""The ceiling: what the server itself can do, asked by ``redis-benchmark``, which is written in C.

Its callers do nothing with an answer. ``-P`` is how many commands leave in one write.
"""

from __future__ import annotations

import csv
import shutil
import subprocess

from redis import Redis

from asynccache.redis.settings import RedisSettings

PROGRAMS = ("redis-benchmark", "valkey-benchmark")
CLIENTS = 50
REQUESTS = {1: 20_000, 16: 200_000, 64: 400_000}
"""Commands in one write, and requests in one run: some 0.5 to 1 s."""

# What it asks for unless it is told to make up keys.
_KEY = "key:__rand_int__"


def gets_per_second(url: str, size: int, repeats: int) -> dict[int, float] | None:
    """Return the most GETs per second for each number of commands in one write.

    Args:
        url: The server.
        size: Bytes of the value.
        repeats: How often each is measured; the best one counts.

    Returns:
        None if there is no such program.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        return None
    best = dict.fromkeys(REQUESTS, 0.0)
    with Redis.from_url(url) as client:
        client.set(_KEY, bytes(size))
        for _ in range(repeats):
            for commands in REQUESTS:
                best[commands] = max(best[commands], _run(program, url, commands))
        client.delete(_KEY)
    return best


def _run(program: str, url: str, commands: int) -> float:
    where = RedisSettings.from_url(url)
    address = ["-h", where.host, "-p", str(where.port), "--dbnum", str(where.db)]
    if where.password is not None:
        address += ["-a", where.password, *(["--user", where.username] if where.username else [])]
    load = ["-t", "get", "-c", str(CLIENTS), "-P", str(commands), "-n", str(REQUESTS[commands])]
    output = subprocess.run(
        [program, *address, *load, "--csv"], check=True, capture_output=True, text=True
    )
    rows = csv.DictReader(output.stdout.splitlines())
    return float(next(row["rps"] for row in rows if row["test"] == "GET"))
