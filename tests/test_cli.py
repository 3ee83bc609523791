"""The command line: what it says, and its exit codes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

import asynccache
from asynccache.cli import main
from asynccache.demo.errors import DemoProblem
from asynccache.demo.run import Demo
from tests.support.ports import free_port


def run(*arguments: str) -> tuple[int, str, str]:
    """Run the command line in this process; return its exit code and what it printed."""
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.stdout, result.stderr


def test_the_version_is_printed() -> None:
    """`--version` prints the package's version."""
    assert run("--version") == (0, f"asynccache {asynccache.__version__}\n", "")


@pytest.mark.parametrize(("succeeded", "code"), [(True, 0), (False, 1)])
def test_the_demo_fails_when_something_was_wrong(
    succeeded: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stale read or a failed request makes the exit code 1."""

    async def pretend(demo: Demo) -> bool:
        return succeeded

    monkeypatch.setattr(Demo, "run", pretend)
    assert run("demo") == (code, "", "")


def test_a_problem_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps the demo from running is said in a line, with exit code 2."""

    async def fail(demo: Demo) -> bool:
        raise DemoProblem("the sea is too rough")

    monkeypatch.setattr(Demo, "run", fail)
    assert run("demo") == (2, "", "asynccache demo: the sea is too rough\n")


def test_two_workers_need_redis() -> None:
    """Two processes share nothing without Redis, so the demo does not pretend."""
    code, out, error = run("demo", "--workers", "2")
    assert (code, out) == (2, "")
    assert "need Redis" in error
    assert "--redis redis://127.0.0.1:6379/0" in error


def test_an_unreachable_redis_is_told_without_its_password() -> None:
    """The message names the place, never the password."""
    port = free_port()
    code, out, error = run("demo", "--redis", f"redis://:hush@127.0.0.1:{port}/0")
    assert (code, out) == (2, "")
    assert f"Redis at 127.0.0.1:{port} does not answer" in error
    assert "hush" not in error


def test_a_wrong_redis_url_is_told() -> None:
    """A URL of another kind is refused, with those that are known."""
    code, out, error = run("demo", "--redis", "http://127.0.0.1")
    assert (code, out) == (2, "")
    assert "redis://" in error


@pytest.mark.parametrize(
    "arguments", [("--workers", "0"), ("--seconds", "0"), ("--products", "1"), ("--skew", "-1")]
)
def test_options_out_of_range_are_refused(arguments: tuple[str, str]) -> None:
    """An impossible option is named, with exit code 2."""
    code, _, error = run("demo", *arguments)
    assert code == 2
    assert arguments[0] in error


@pytest.mark.parametrize("library", ["typer", "rich"])
def test_without_its_libraries_it_names_the_extra(library: str) -> None:
    """Without typer or rich there is one line on what to install, and no traceback."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.modules[{library!r}] = None; import asynccache.cli",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"asynccache: the command line needs {library}; install it with: "
        'pip install "asynccache[cli]"\n'
    )
