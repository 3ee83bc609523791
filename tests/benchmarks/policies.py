"""Other orders in which entries may leave, as simulations, and the best one that is possible."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from heapq import heappop, heappush


def lru(requests: Sequence[Hashable], capacity: int) -> int:
    """Return how many requests are answered when the least recently used entry leaves."""
    held: OrderedDict[Hashable, None] = OrderedDict()
    hits = 0
    for key in requests:
        if key in held:
            held.move_to_end(key)
            hits += 1
            continue
        if len(held) >= capacity:
            held.popitem(last=False)
        held[key] = None
    return hits


def arc(requests: Sequence[Hashable], capacity: int) -> int:  # noqa: C901  # as in the figure
    """Return how many requests ARC answers (Megiddo and Modha, FAST 2003, figure 4)."""
    recent: OrderedDict[Hashable, None] = OrderedDict()  # T1
    frequent: OrderedDict[Hashable, None] = OrderedDict()  # T2
    was_recent: OrderedDict[Hashable, None] = OrderedDict()  # B1
    was_frequent: OrderedDict[Hashable, None] = OrderedDict()  # B2
    target = 0.0  # p: how many of the recent ones
    hits = 0

    def replace(key: Hashable) -> None:
        too_many = len(recent) > target or (key in was_frequent and len(recent) == target)
        if recent and too_many:
            was_recent[recent.popitem(last=False)[0]] = None
        else:
            was_frequent[frequent.popitem(last=False)[0]] = None

    for key in requests:
        if key in recent or key in frequent:
            (recent if key in recent else frequent).pop(key)
            frequent[key] = None
            hits += 1
        elif key in was_recent:
            target = min(capacity, target + max(1, len(was_frequent) / len(was_recent)))
            replace(key)
            del was_recent[key]
            frequent[key] = None
        elif key in was_frequent:
            target = max(0, target - max(1, len(was_recent) / len(was_frequent)))
            replace(key)
            del was_frequent[key]
            frequent[key] = None
        else:
            if len(recent) + len(was_recent) == capacity:
                if len(recent) < capacity:
                    was_recent.popitem(last=False)
                    replace(key)
                else:
                    recent.popitem(last=False)
            else:
                known = len(recent) + len(frequent) + len(was_recent) + len(was_frequent)
                if known >= capacity:
                    if known == 2 * capacity:
                        was_frequent.popitem(last=False)
                    replace(key)
            recent[key] = None
    return hits


def belady(requests: Sequence[Hashable], capacity: int) -> int:
    """Return how many could be answered by whoever knew the future (Belady, 1966).

    The entry leaves that is asked for the latest.
    """
    never = len(requests)
    next_use = [never] * len(requests)
    last_seen: dict[Hashable, int] = {}
    for index in range(len(requests) - 1, -1, -1):
        next_use[index] = last_seen.get(requests[index], never)
        last_seen[requests[index]] = index
    due: dict[Hashable, int] = {}
    latest: list[tuple[int, int]] = []  # when it is asked for next, counted down; where it was seen
    hits = 0
    for index, key in enumerate(requests):
        if key in due:
            hits += 1
        elif len(due) >= capacity:
            while True:
                negative, seen_at = heappop(latest)
                victim = requests[seen_at]
                if due.get(victim) == -negative:
                    break  # else it was asked for since
            del due[victim]
        due[key] = next_use[index]
        heappush(latest, (-next_use[index], index))
    return hits
