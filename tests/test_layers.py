"""Imports point down the layers: the rule, its checker, and the checker's own tests.

Every import counts, wherever it stands: at the top, inside a function, or under
``TYPE_CHECKING``. A name that is only needed for a type is known all the same.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import asynccache

TABLE = {
    0: ["errors", "clock", "types", "events", "health", "statistics", "results"],
    1: ["core"],
    2: ["codecs", "memory"],
    3: [
        *("context", "flight", "flights", "redis", "tasks"),
        *("levels.store", "levels.journal", "levels.leases", "levels.replay"),
    ],
    4: ["levels", "runtime", "wiring", "lifecycle", "invalidating", "writing", "cache", "region"],
    5: ["decorator"],
    6: ["starlette", "fastapi", "http", "sessions"],
    7: [""],  # asynccache itself: the public names
    8: ["cli", "demo"],  # programs; they use the public names as anybody's program does
}
"""The modules and packages of each layer; a package stands for all that is in it."""

LAYERS = {
    f"asynccache.{name}".rstrip("."): layer for layer, names in TABLE.items() for name in names
}

CORE = 1
FORBIDDEN_IN_CORE = {"asyncio", "logging", "os", "random", "time"}
"""Time, randomness and the world are arguments of the core, so its tests wait for nothing."""

OPTIONAL = {
    *("aiohttp", "aiosqlite", "fastapi", "msgspec", "pydantic", "rich", "typer", "uvicorn"),
}
"""Libraries of extras: a program that does not use them must not need, or pay for, them."""


def package_sources() -> dict[str, str]:
    """Return each module's source under its full name; a package's is its ``__init__``."""
    package = Path(asynccache.__file__).parent
    found = {}
    for path in package.rglob("*.py"):
        # A wheel carries examples/shop there: an application, which imports as it likes.
        if not path.is_relative_to(package / "demo" / "shop"):
            parts = path.relative_to(package.parent).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path.read_text(encoding="utf-8")
    return found


def imported_names(source: str) -> Iterator[str]:
    """Yield the name of everything that a module imports; a relative one begins with a dot."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def layer_of(name: str, layers: Mapping[str, int]) -> int | None:
    """Return a module's layer, or ``None`` if the table does not have it."""
    if name in layers:
        return layers[name]
    package = name.rpartition(".")[0]
    # The root package stands for itself, not for whatever is in it.
    return layer_of(package, layers) if "." in package else None


def violations(sources: Mapping[str, str], layers: Mapping[str, int] = LAYERS) -> list[str]:
    """Return each breach of the layer rule as a sentence."""
    found: list[str] = []
    graph: dict[str, set[str]] = {name: set() for name in sources}
    for name, source in sources.items():
        own = layer_of(name, layers)
        if own is None:
            found.append(f"{name} is in no layer: add it to TABLE")
            continue
        for target in imported_names(source):
            if target.startswith("."):
                found.append(f"{name} imports {target}: write the whole name")
            if own == CORE and target.partition(".")[0] in FORBIDDEN_IN_CORE:
                found.append(f"{name} imports {target}, which the core does without")
            # "from package import name" may name a module or something inside one.
            module = target if target in sources else target.rpartition(".")[0]
            if module in sources:
                graph[name].add(module)
                if (layer_of(module, layers) or 0) > own:
                    found.append(f"{name} (layer {own}) imports {module} from above")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found.append(f"imports go round: {' -> '.join(reversed(error.args[1]))}")
    return found


def test_imports_point_down_the_layers() -> None:
    """Every module has a layer, imports nothing above it, and no imports go round."""
    assert violations(package_sources()) == []


def test_the_table_names_no_module_that_is_gone() -> None:
    """An entry of the table stands for a module that is there."""
    assert LAYERS.keys() - package_sources().keys() == set()


def test_the_package_imports_without_its_extras() -> None:
    """``import asynccache`` takes in no library that only an extra needs."""
    script = f"import asynccache, sys; print(sorted({OPTIONAL} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(asynccache.__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "[]"


FAKE_LAYERS = {"pkg.low": 0, "pkg.core": CORE, "pkg.high": 2, "pkg": 7}


@pytest.mark.parametrize(
    ("sources", "complaint"),
    [
        ({"pkg.low": "import pkg.high", "pkg.high": ""}, "pkg.low (layer 0) imports pkg.high"),
        ({"pkg.low": "from pkg.high import f", "pkg.high": ""}, "imports pkg.high from above"),
        ({"pkg.low": "from pkg import high", "pkg.high": "", "pkg": ""}, "imports pkg.high"),
        ({"pkg.low.a": "import pkg.high.b", "pkg.high.b": ""}, "imports pkg.high.b from above"),
        ({"pkg.low": "def f():\n    import pkg.high", "pkg.high": ""}, "imports pkg.high"),
        ({"pkg.low": "if TYPE_CHECKING:\n    import pkg.high", "pkg.high": ""}, "imports pkg.high"),
        ({"pkg.low": "from pkg import VERSION", "pkg": ""}, "pkg.low (layer 0) imports pkg"),
        ({"pkg.low": "from . import high"}, "write the whole name"),
        ({"pkg.low": "from ..high import f"}, "write the whole name"),
        ({"pkg.new": ""}, "pkg.new is in no layer"),
        ({"pkg.core.a": "import time"}, "pkg.core.a imports time"),
        ({"pkg.core.a": "from os.path import join"}, "pkg.core.a imports os.path.join"),
        ({"pkg.core.a": "def f():\n    import asyncio"}, "pkg.core.a imports asyncio"),
        ({"pkg.low.a": "import pkg.low.b", "pkg.low.b": "import pkg.low.a"}, "imports go round"),
        (
            {"pkg.low.a": "import pkg.low.b", "pkg.low.b": "def f():\n    import pkg.low.a"},
            "imports go round",
        ),
    ],
)
def test_a_planted_violation_is_found(sources: dict[str, str], complaint: str) -> None:
    """The checker names each kind of breach, in whatever form the import is written."""
    found = violations(sources, FAKE_LAYERS)

    assert any(complaint in sentence for sentence in found), found


def test_permitted_imports_are_not_complained_of() -> None:
    """Imports downwards, beside, and of other libraries are fine."""
    sources = {
        "pkg.low": "import time",
        "pkg.core.a": "from pkg.low import x\nfrom pkg.core.b import y\nimport math",
        "pkg.core.b": "from pkg import low",
        "pkg.core": "from pkg.core.a import z",
        "pkg.high": "import asyncio\nimport pkg.core.a, timeit",
        "pkg": "from pkg.high import f",
    }

    assert violations(sources, FAKE_LAYERS) == []
