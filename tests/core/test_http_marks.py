"""What is known not to be cacheable, and the variants of pages: all of it bounded."""

from __future__ import annotations

import pytest

from asynccache.core.http_marks import MOST_MARKS, MOST_PAGES, Marks, Variants


@pytest.mark.parametrize(
    ("seconds", "later", "holds"),
    [(5, 0, True), (5, 4.9, True), (5, 5, False), (5, 6, False), (0, 0, False), (5, -1, True)],
)
def test_marks_end(seconds: float, later: float, holds: bool) -> None:
    """After so many seconds; what has ended takes no room."""
    marks = Marks(seconds)
    marks.add("a", 100)

    assert marks.holds("a", 100 + later) is holds
    assert marks.holds("b", 100) is False
    assert len(marks) == holds


def test_a_mark_that_is_set_again_lasts_from_then_on() -> None:
    """And is the newest."""
    marks = Marks(5)
    marks.add("a", 100)
    marks.add("a", 104)

    assert len(marks) == 1
    assert marks.holds("a", 108)


def test_marks_are_bounded() -> None:
    """The oldest go first."""
    marks = Marks(5)
    marks.add("again", 100)
    for number in range(MOST_MARKS):
        marks.add(f"k{number}", 100)
        if number == 7:
            marks.add("again", 100)

    assert len(marks) == MOST_MARKS
    assert not marks.holds("k0", 100)
    assert marks.holds("again", 100)
    assert marks.holds("k1", 100)


def test_variants_make_room() -> None:
    """The one that was not used for longest goes."""
    variants = Variants()
    assert variants.add("p", "a", 2) == []
    assert variants.add("p", "b", 2) == []
    variants.touch("p", "a")

    assert variants.add("p", "c", 2) == ["b"]
    assert variants.add("p", "a", 2) == []
    assert variants.add("p", "d", 2) == ["c"]


def test_each_page_has_its_own() -> None:
    """Also where they have the same name."""
    variants = Variants()
    assert [variants.add(page, "v", 1) for page in ("p", "q", "p")] == [[], [], []]
    assert variants.add("p", "w", 1) == ["v"]
    assert variants.add("q", "v", 1) == []


def test_fewer_are_allowed_than_there_are() -> None:
    """As after a change of the policy: all that are too many go, oldest first."""
    variants = Variants()
    for name in "abcd":
        variants.add("p", name, 9)
    assert variants.add("p", "e", 2) == ["a", "b", "c"]


def test_what_is_not_known_is_not_noted_by_its_use() -> None:
    """Only what is stored takes room."""
    variants = Variants()
    variants.touch("p", "a")
    variants.add("p", "b", 1)
    variants.touch("p", "a")
    assert variants.add("p", "c", 1) == ["b"]


def test_pages_make_room_with_all_their_variants() -> None:
    """What is no longer counted may not stay."""
    variants = Variants()
    variants.add("first", "v1", 9)
    variants.add("first", "v2", 9)
    gone = [each for number in range(MOST_PAGES) for each in variants.add(f"p{number}", "v", 9)]
    assert gone == ["v1", "v2"]


@pytest.mark.parametrize("how", ["touch", "add"])
def test_a_page_that_is_used_stays(how: str) -> None:
    """However many others nobody asks for a second time."""
    variants = Variants()
    variants.add("used", "v", 9)
    gone: list[str] = []
    for number in range(3 * MOST_PAGES):
        gone += variants.add(f"p{number}", f"v{number}", 9)
        if number % 1_000 == 0:
            if how == "touch":
                variants.touch("used", "v")
            else:
                variants.add("used", "v", 9)

    assert "v" not in gone
    assert len(gone) == 2 * MOST_PAGES + 1
