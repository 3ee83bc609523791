"""The journal: what has to be deleted, the newest once each, and never forgotten too early."""

from __future__ import annotations

import pytest

from asynccache.levels.journal import BATCH, Journal


def replayed(journal: Journal) -> list[list[str] | None]:
    """Replay all of a journal, and return the keys of each batch."""
    batches: list[list[str] | None] = []
    while (batch := journal.next_batch()) is not None:
        batches.append(batch.keys)
        journal.done(batch)
    return batches


def test_a_new_journal_asks_for_nothing() -> None:
    """It holds no key and has no batch."""
    journal = Journal()

    assert (journal.next_batch(), len(journal), journal.holds("a")) == (None, 0, False)
    assert repr(journal) == "<Journal 0>"


def test_keys_are_replayed_once_each_in_the_order_of_their_first_note() -> None:
    """A key that failed ten times is deleted once."""
    journal = Journal()
    for keys in (["a", "b"], ["b"], ["c", "a"], []):
        journal.note(keys)

    assert (len(journal), repr(journal)) == (3, "<Journal 3>")
    assert replayed(journal) == [["a", "b", "c"]]
    assert len(journal) == 0


def test_a_key_bypasses_redis_until_its_delete_is_done() -> None:
    """Handing out a batch is no success yet."""
    journal = Journal()
    journal.note(["a"])
    batch = journal.next_batch()
    assert batch is not None
    assert journal.holds("a")
    assert not journal.holds("b")

    journal.done(batch)

    assert not journal.holds("a")


def test_batches_are_bounded_and_cover_everything() -> None:
    """A long outage does not end in one huge command."""
    keys = [f"key:{number}" for number in range(2 * BATCH + 1)]
    journal = Journal()
    journal.note(keys)

    batches = replayed(journal)

    assert [len(batch or []) for batch in batches] == [BATCH, BATCH, 1]
    assert [key for batch in batches for key in batch or []] == keys


def test_a_batch_that_failed_comes_again() -> None:
    """What is not done stays noted."""
    journal = Journal()
    journal.note(["a", "b"])
    first, second = journal.next_batch(), journal.next_batch()

    assert first is not None
    assert second is not None
    assert first.keys == second.keys == ["a", "b"]


def test_a_key_noted_during_its_replay_is_replayed_again() -> None:
    """The delete on its way may come before the write that the new note is about."""
    journal = Journal()
    journal.note(["a", "b"])
    batch = journal.next_batch()
    assert batch is not None
    journal.note(["a"])
    journal.done(batch)

    assert journal.holds("a")
    assert replayed(journal) == [["a"]]


@pytest.mark.parametrize("again", [["a"], None])
def test_everything_noted_during_its_replay_is_replayed_again(again: list[str] | None) -> None:
    """The clear on its way may come before the newer change."""
    journal = Journal()
    journal.note_all()
    batch = journal.next_batch()
    assert batch is not None
    if again is None:
        journal.note_all()
    else:
        journal.note(again)
    journal.done(batch)

    assert journal.holds("a")
    assert replayed(journal) == [None]


def test_everything_covers_single_keys() -> None:
    """They are dropped from the journal, and every key bypasses Redis."""
    journal = Journal()
    journal.note(["a"])
    journal.note_all()

    assert journal.holds("anything")
    assert (len(journal), repr(journal)) == (1, "<Journal everything>")
    assert replayed(journal) == [None]


def test_a_batch_of_keys_does_not_end_a_later_note_of_everything() -> None:
    """Its success says nothing about the rest."""
    journal = Journal()
    journal.note(["a"])
    batch = journal.next_batch()
    assert batch is not None
    journal.note_all()
    journal.done(batch)

    assert replayed(journal) == [None]


def test_a_journal_that_is_full_turns_into_everything() -> None:
    """Its memory is bounded; nothing that was noted is lost."""
    journal = Journal(most_keys=3)
    journal.note(["a", "b", "c", "a"])
    assert not journal.holds("d")
    journal.note(["d"])

    assert all(journal.holds(key) for key in "abcd")
    assert replayed(journal) == [None]
