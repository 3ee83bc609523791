"""The Python examples of the README and of the documentation run, as they stand.

Each fenced ``python`` block is a program of its own; ``await`` may stand at its top level, and
``redis://localhost:6379`` is a real server. A comment above a block changes that (CONTRIBUTING.md
says when to use which):

    <!-- continues -->                         it goes on where the block before it ended
    <!-- request: GET /products/7 -->          then its ``app`` is served and answers with 200
    <!-- request: GET /products/0 -> 404 -->   the same with another status
    <!-- not run: needs a cluster -->          it is only shown, and this is why
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from types import FunctionType, ModuleType

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SERVER = "redis://localhost:6379"

FENCE = re.compile(
    r"(?P<above>(?:^ *<!--[^\n]*-->\n\s*?)*)"
    r"^(?P<indent> *)```python\b[^\n]*\n(?P<code>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
DIRECTIVE = re.compile(r"<!-- (?P<word>continues|request|not run)(?:: (?P<rest>.+?))? -->")
REQUEST = re.compile(r"(?P<method>[A-Z]+) (?P<path>/\S*)(?: -> (?P<status>\d{3}))?")


@dataclass(frozen=True)
class Request:
    """What is asked of an example's application, and the status it answers with."""

    method: str
    path: str
    status: int


@dataclass(frozen=True)
class Block:
    """A fenced block: where its code begins, the code, and what its ``app`` is then asked."""

    page: Path
    line: int
    code: str
    requests: tuple[Request, ...]


Example = list[Block]
"""Blocks that run one after the other in one namespace and one event loop."""


def examples(page: Path, text: str) -> Iterator[Example]:
    """Yield the examples of a page, those marked as not run left out."""
    example: Example = []
    for match in FENCE.finditer(text):
        given = [(found["word"], found["rest"]) for found in DIRECTIVE.finditer(match["above"])]
        block = Block(
            page,
            text.count("\n", 0, match.start("code")) + 1,
            dedent(match["code"]),
            tuple(parsed_request(rest) for word, rest in given if word == "request"),
        )
        if "not run" in dict(given):
            assert dict(given)["not run"], f"{page}:{block.line}: say why it is not run"
        elif "continues" in dict(given):
            assert example, f"{page}:{block.line}: there is nothing to continue"
            example.append(block)
        else:
            if example:
                yield example
            example = [block]
    if example:
        yield example


def parsed_request(text: str) -> Request:
    """Read what stands after ``request:``."""
    match = REQUEST.fullmatch(text)
    assert match, f"not a request such as 'GET /path -> 404': {text!r}"
    return Request(match["method"], match["path"], int(match["status"] or 200))


def run(example: Example, module: ModuleType, server: str = SERVER) -> None:
    """Run an example in a module of its own, with a server in the place of the usual one."""
    with asyncio.Runner() as runner:
        for block in example:
            # The empty lines make a traceback point into the page.
            source = "\n" * (block.line - 1) + block.code.replace(SERVER, server)
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            code = compile(source, str(block.page), "exec", flags, dont_inherit=True)
            result = FunctionType(code, vars(module))()
            if inspect.iscoroutine(result):
                runner.run(result)
            if block.requests:
                runner.run(ask(module.app, block.requests))


async def ask(app: Starlette, requests: Iterable[Request]) -> None:
    """Serve an application, its lifespan included, and check what it answers."""
    async with app.router.lifespan_context(app) as state:

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        transport = httpx.ASGITransport(app=served)
        async with httpx.AsyncClient(transport=transport, base_url="http://example") as client:
            for request in requests:
                response = await client.request(request.method, request.path)
                assert response.status_code == request.status, (request, response.text)


def needs_redis(example: Example) -> bool:
    """Tell whether an example talks to Redis."""
    return any(SERVER in block.code for block in example)


def documented() -> Iterator[Example]:
    """Yield the examples of all pages."""
    for page in (README, *sorted((ROOT / "docs" / "pages").rglob("*.md"))):
        yield from examples(page, page.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(
            example,
            id=f"{example[0].page.relative_to(ROOT)}:{example[0].line}",
            marks=[pytest.mark.integration] if needs_redis(example) else [],
        )
        for example in documented()
    ],
)
def test_example_runs(
    example: Example, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader who copies the example sees it work."""
    url = request.getfixturevalue("redis_url") if needs_redis(example) else SERVER
    module = ModuleType("example")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    run(example, module, url.removesuffix("/0"))


def test_the_readme_shows_an_application_that_answers() -> None:
    """The README begins with a web application, and it is asked for something."""
    first, *_ = examples(README, README.read_text(encoding="utf-8"))

    assert first[0].requests


PAGE = """
```python
count = 1
```

<!-- continues -->
```python
import asyncio

await asyncio.sleep(0)
count += 1
```

```python
asyncio
```

Indented, as in a list:

    <!-- not run: it would go wrong -->
    ```python
    raise SystemExit
    ```

    ```python
    def f():
        return "redis://localhost:6379/0"
    ```

<!-- request: GET / -->
<!-- request: POST / -> 405 -->
```python
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("hello"))])
```

```console
$ not python
```
"""


def test_examples_are_found_with_their_lines_and_directives() -> None:
    """Blocks that continue belong together, those marked are left out, lines are the page's."""
    found = list(examples(Path("page.md"), PAGE))

    assert [[block.line for block in example] for example in found] == [[3, 8], [15], [26], [33]]
    assert found[2][0].code.startswith("def f():\n    return")
    assert found[3][0].requests == (Request("GET", "/", 200), Request("POST", "/", 405))


def test_an_example_runs_in_one_namespace_of_its_own() -> None:
    """A block that continues sees what came before it; another example does not."""
    module = ModuleType("example")
    first, second, third, _ = examples(Path("page.md"), PAGE)

    run(first, module)
    run(third, module, "redis://127.0.0.1:7000")

    assert module.count == 2
    assert module.f() == "redis://127.0.0.1:7000/0"
    with pytest.raises(NameError):
        run(second, ModuleType("another"))


def test_an_application_that_answers_otherwise_fails_its_example() -> None:
    """The statuses that an example promises are compared with those that come."""
    *_, example = examples(Path("page.md"), PAGE)
    run(example, ModuleType("example"))

    *_, wrong = examples(Path("page.md"), PAGE.replace("405", "200"))
    with pytest.raises(AssertionError, match="POST"):
        run(wrong, ModuleType("example"))


@pytest.mark.parametrize("above", ["<!-- not run -->", "<!-- continues -->", "<!-- request: x -->"])
def test_a_directive_that_makes_no_sense_is_refused(above: str) -> None:
    """A block is not left out without a reason, nor by a slip of the pen."""
    with pytest.raises(AssertionError):
        list(examples(Path("page.md"), f"{above}\n```python\n```\n"))
