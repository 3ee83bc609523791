"""The public test suite of HTTP caches, run against ours: ``nox -s http_cache_tests``.

https://cache-tests.fyi, which npm has as ``http-cache-tests``. Its server is the origin, our
middleware in RFC mode stands in front of a proxy to it, and its client judges.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import uvicorn

KNOWN = {
    **dict.fromkeys(
        [
            *("age-parse-dup-0", "age-parse-dup-0-twoline", "age-parse-dup-old"),
            *("age-parse-float", "age-parse-negative", "age-parse-nonnumeric"),
            *("age-parse-numeric-parameter", "age-parse-parameter", "age-parse-prefix-twoline"),
        ],
        "RFC 9111, 5.1: an invalid Age is ignored, and of several the first counts. This version "
        "of the suite is older than that, and took such responses for stale",
    ),
    **dict.fromkeys(
        [
            *("stale-close-must-revalidate", "stale-close-no-cache"),
            *("stale-close-proxy-revalidate", "stale-close-s-maxage=2"),
        ],
        "nothing stale is served, but an error, as the suite demands by now; this version takes "
        "whatever does not come from the origin for stale",
    ),
    **dict.fromkeys(
        ["304-etag-update-response-Set-Cookie", "headers-store-Set-Cookie"],
        "responses with Set-Cookie are not stored, on purpose",
    ),
    "headers-store-Transfer-Encoding": "no ASGI application can send that one",
    "surrogate-fresh-cc-nostore": "the syntax of a W3C note of 2001, which RFC 9213 has not taken",
}
"""Required tests that do not hold, and why they should not."""


def main() -> int:
    """Run the suite; return how many required tests are not as expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", type=Path, help="where http-cache-tests was installed")
    parser.add_argument("--url", default="memory://", help="the cache's")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--origin", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--only", default="", help="the id of one test")
    options = parser.parse_args()
    if options.serve:
        from tests.conformance.proxy import make_app  # noqa: PLC0415

        app = make_app(f"http://127.0.0.1:{options.origin}", options.url)
        uvicorn.run(
            app, port=options.serve, log_level="warning", date_header=False, server_header=False
        )
        return 0
    return judge(options.suite.resolve(), options.url, options.only)


def judge(suite: Path, url: str, only: str) -> int:
    """Start origin and proxy, run the client, and print what it found."""
    origin_port, port = free_port(), free_port()
    node = {**os.environ, "npm_config_port": str(origin_port), "npm_config_protocol": "http"}
    origin = subprocess.Popen(
        ["node", "server/server.mjs"],
        cwd=suite,
        env={**node, "npm_config_pidfile": os.devnull},
        stdout=subprocess.DEVNULL,
    )
    proxy = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.conformance.run",
            str(suite),
            "--url",
            url,
            "--serve",
            str(port),
            "--origin",
            str(origin_port),
        ]
    )
    try:
        for each in (origin_port, port):
            wait_for(each)
        client = {**os.environ, "npm_config_base": f"http://127.0.0.1:{port}"}
        client["npm_config_id"] = client["npm_package_config_id"] = only
        done = subprocess.run(
            ["node", "--no-warnings", "cli.mjs"],
            cwd=suite,
            env=client,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    finally:
        for process in (proxy, origin):
            process.send_signal(signal.SIGTERM)
            process.wait(10)
    if only:
        print(done.stdout)
        return 0
    return report(suite, json.loads(done.stdout))


def report(suite: Path, results: dict[str, Any]) -> int:
    """Print how many tests of each kind hold; return how many required ones surprise us."""
    kinds = kinds_of(suite)
    counts: dict[str, list[str]] = {}
    failed: dict[str, list[str]] = {}
    for test, result in results.items():
        kind = kinds.get(test, "required")
        (counts if result is True else failed).setdefault(kind, []).append(test)
    for each in sorted({*counts, *failed}):
        good, bad = counts.get(each, []), failed.get(each, [])
        print(f"{each}: {len(good)} of {len(good) + len(bad)}")
        for test in bad:
            print(f"  {test}: {results[test]}")
    surprises = KNOWN.keys() ^ set(failed.get("required", ()))
    for test in sorted(surprises):
        print(f"not as expected: {test}: {results[test]}")
    return len(surprises)


def kinds_of(suite: Path) -> dict[str, str]:
    """Return the kind of each test: required, optimal, check, or for browsers only."""
    script = (
        "import tests from './tests/index.mjs';"
        "import s from './tests/surrogate-control.mjs'; tests.push(s);"
        "const out = {};"
        "for (const s of tests) for (const t of s.tests)"
        " out[t.id] = t.browser_only ? 'browser' : (t.kind || 'required');"
        "console.log(JSON.stringify(out))"
    )
    done = subprocess.run(
        ["node", "--no-warnings", "--input-type=module", "-e", script],
        cwd=suite,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    kinds: dict[str, str] = json.loads(done.stdout)
    return kinds


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")


if __name__ == "__main__":
    sys.exit(main() > 0)
