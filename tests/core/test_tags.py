"""Generations of tags: bounded memory, and never a stale hit for it."""

from __future__ import annotations

from asynccache.core.tags import Generations


def test_the_newest_of_several_counts() -> None:
    """What was never invalidated is of epoch 0."""
    generations = Generations()
    generations.invalidate(["a", "b"], 2)
    generations.invalidate(["b"], 4)

    assert generations.newest(["a"]) == 2
    assert generations.newest(["a", "b"]) == 4
    assert generations.newest(["c"]) == generations.newest([]) == 0


def test_what_is_forgotten_counts_as_invalidated() -> None:
    """At the epoch of the newest that was forgotten: misses, never a stale hit."""
    generations = Generations(most=2)
    for epoch, tag in enumerate("abca", 1):
        generations.invalidate([tag], epoch)

    assert len(generations) == 2
    assert generations.floor == 2
    assert generations.newest(["b"]) == generations.newest(["never seen"]) == 2
    assert (generations.newest(["c"]), generations.newest(["a"])) == (3, 4)
