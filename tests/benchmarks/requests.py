"""Requests for keys: from trace files, or generated."""

from __future__ import annotations

import gzip
import random
from bisect import bisect
from collections.abc import Iterable, Iterator
from itertools import accumulate, islice
from pathlib import Path

MOST_REQUESTS = 1_000_000


def traces(paths: Iterable[Path]) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the requests of each trace.

    Args:
        paths: Files of gzipped text, a request a line with its key first; or directories of them.
    """
    for path in paths:
        for file in sorted(path.glob("*.gz")) if path.is_dir() else [path]:
            with gzip.open(file, "rt") as lines:
                keys = [line.split(maxsplit=1)[0] for line in islice(lines, MOST_REQUESTS)]
            yield file.name.partition(".")[0], keys


def generated(requests: int) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the requests of each kind that is made up here.

    Zipf 1.0 over a tenth as many keys as there are requests: the n-th key is asked for 1/n as
    often as the first. The same with a scan of new keys after every tenth part. And a loop, in
    which every key is asked for in turn: the order of last use finds nothing there.
    """
    chance = random.Random(42)
    keys = requests // 10
    weights = list(accumulate(1 / rank for rank in range(1, keys + 1)))
    zipf = [f"k{bisect(weights, chance.random() * weights[-1])}" for _ in range(requests)]
    yield "zipf", zipf

    scanned: list[str] = []
    part = requests // 10
    for number in range(10):
        scanned += zipf[number * part : number * part + part * 3 // 4]
        scanned += [f"scan{number}:{key}" for key in range(part // 4)]
    yield "zipf with scans", scanned
    yield "loop", [f"k{number % (keys // 10)}" for number in range(requests // 5)]
