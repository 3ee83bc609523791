"""Where the demo finds its shop, and what it says when something is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from asynccache.demo.errors import DemoProblem
from asynccache.demo.locate import Shop, locate_shop, require_libraries


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package, so far without a shop."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = tmp_path / "site" / "asynccache"
    folder.mkdir(parents=True)
    return folder


def put_shop(folder: Path) -> None:
    """Put something that looks like the shop into a folder."""
    folder.mkdir(parents=True)
    (folder / "app.py").touch()


def test_the_packaged_shop_comes_first(package: Path) -> None:
    """An installed package brings its own shop, even beside a checkout's."""
    put_shop(package / "demo" / "shop")
    put_shop(package.parent / "examples" / "shop")
    before = list(sys.path)
    assert locate_shop(package) == Shop("asynccache.demo.shop")
    assert sys.path == before


def test_a_checkout_has_it_beside_the_package(package: Path) -> None:
    """A checkout's example is found and made importable."""
    put_shop(package.parent / "examples" / "shop")
    assert locate_shop(package) == Shop("examples.shop")
    assert sys.path[0] == str(package.parent)


def test_a_missing_shop_is_told(package: Path) -> None:
    """Without the shop the message names both places."""
    with pytest.raises(DemoProblem) as problem:
        locate_shop(package)
    assert str(package / "demo" / "shop") in str(problem.value)
    assert str(package.parent / "examples" / "shop") in str(problem.value)


def test_the_shop_of_this_repository_is_found() -> None:
    """The real shop can be imported by its name."""
    assert locate_shop().module("seeding").PRODUCTS == 50_000


def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names what is missing and the extra that brings it."""
    require_libraries()
    for name in ("aiosqlite", "uvicorn"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DemoProblem) as problem:
        require_libraries()
    assert str(problem.value) == (
        'the demo needs aiosqlite, uvicorn; install it with: pip install "asynccache[demo]"'
    )
