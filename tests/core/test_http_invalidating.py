"""What responses to unsafe methods make invalid (RFC 9111, 4.4)."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from asynccache.core.http_invalidating import LONGEST, SAFE, invalidated_by

Targets = list[tuple[bytes, bytes]]
OWN: Targets = [(b"/a/b", b"q")]


def invalid(*headers: tuple[bytes, bytes], **more: Any) -> Targets:
    """Return what a successful POST to ``http://h/a/b?q`` makes invalid."""
    facts: dict[str, Any] = {
        "method": "POST",
        "status": 200,
        "scheme": "http",
        "host": b"h",
        "path": b"/a/b",
        "query": b"q",
        **more,
    }
    return invalidated_by(facts.pop("method"), facts.pop("status"), headers=headers, **facts)


@pytest.mark.parametrize(
    ("method", "status", "is_any"),
    [
        *((method, 200, False) for method in ("GET", "HEAD", "OPTIONS", "TRACE")),
        *((method, 200, True) for method in ("POST", "PUT", "DELETE", "PATCH", "get", "X", "")),
        *(("POST", status, True) for status in (200, 201, 204, 299, 301, 303, 399)),
        *(("POST", status, False) for status in (100, 199, 400, 404, 412, 500, 599, 0)),
    ],
)
def test_which_responses_invalidate(method: str, status: int, is_any: bool) -> None:
    """Successes of methods that are not known to be safe; names of methods have a case."""
    headers = [(b"location", b"/x")]
    found = invalid(*headers, method=method, status=status)
    assert found == ([*OWN, (b"/x", b"")] if is_any else [])


def test_safe_methods() -> None:
    """RFC 9110, 9.2.1."""
    assert {"GET", "HEAD", "OPTIONS", "TRACE"} == SAFE


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        # Absolute paths
        *((b"/x?y=1#z", (b"/x", b"y=1")), (b"/", (b"/", b"")), (b"/x?", (b"/x", b""))),
        *(
            (b"/a%2Fb%20", (b"/a%2Fb%20", b"")),
            (b" /x ", (b"/x", b"")),
            (b"/x;p?a;b", (b"/x;p", b"a;b")),
        ),
        *((b"/X", (b"/X", b"")), (b"/a/b?Q", (b"/a/b", b"Q")), (b"/a/b", (b"/a/b", b""))),
        # Relative ones
        *((b"c", (b"/a/c", b"")), (b"./c", (b"/a/c", b"")), (b"c/", (b"/a/c/", b""))),
        *((b"../d/./e", (b"/d/e", b"")), (b"../../../x", (b"/x", b"")), (b"..", (b"/", b""))),
        *((b".", (b"/a/", b"")), (b"?z", (b"/a/b", b"z")), (b"c?d=e/../f", (b"/a/c", b"d=e/../f"))),
        # With a scheme
        *((b"http://h/x", (b"/x", b"")), (b"http://h", (b"/", b"")), (b"http://h?y", (b"/", b"y"))),
        *((b"HTTP://H:80/x", (b"/x", b"")), (b"http://h:/x", (b"/x", b""))),
        *((b"http://h/a/../x", (b"/x", b"")), (b"http://h/a/./b/..", (b"/a/", b""))),
        *(
            (b"http://h/..", (b"/", b"")),
            (b"http://h/.", (b"/", b"")),
            (b"http://h/.x", (b"/.x", b"")),
        ),
        (b"http://user:secret@h/x", (b"/x", b"")),
        # Without one
        *((b"//h/x", (b"/x", b"")), (b"//h:80/x?y", (b"/x", b"y")), (b"//h", (b"/", b""))),
    ],
)
@pytest.mark.parametrize("name", [b"Location", b"content-location"])
def test_what_else_is_invalid(reference: bytes, target: tuple[bytes, bytes], name: bytes) -> None:
    """What Location and Content-Location name, resolved as clients do it (RFC 3986, 5.2)."""
    assert invalid((name, reference)) == [*OWN, target]


@pytest.mark.parametrize(
    "reference",
    [
        # The same once more
        *(b"", b"#z", b"b?q", b"/a/b?q#z", b"http://h/a/b?q", b"//h:80/a/b?q", b"../a/b?q"),
        # Other origins
        *(b"http://other/x", b"//other/x", b"https://h/x", b"http://h:81/x", b"//h:443/x"),
        *(b"http://h.other/x", b"http://h@other/x", b"http://h:80@other/x", b"ftp://h/x"),
        *(b"http://h\\@other/x", b"//h\\x", b"http://h./x", b"http://h%2e/x"),
        # Not even URLs of the kind
        *(b"mailto:a@h", b"javascript:x", b"data:,x", b"urn:x:y", b"about:blank"),
        # Garbage
        *(b"http://[bad/x", b"//[::1/x", b"http://h:port/", b"http://h:99999/", b"http://h:-1/x"),
        *(b"\xff", b"/\xc3\xa4", b"http://h\xff/", b"/" + b"x" * LONGEST),
    ],
    ids=lambda value: ascii(value[:25]),
)
def test_what_is_not(reference: bytes) -> None:
    """Nothing of another origin, lest one site empties another's cache; nor what is no URL."""
    for name in (b"location", b"content-location"):
        assert invalid((name, reference)) == OWN


@pytest.mark.parametrize(
    ("scheme", "host", "reference", "is_own"),
    [
        ("https", b"h", b"https://h:443/x", True),
        ("https", b"h:443", b"https://h/x", True),
        ("https", b"h", b"//h/x", True),
        ("https", b"h", b"http://h/x", False),
        ("https", b"h", b"https://h:80/x", False),
        ("http", b"h:8080", b"http://h:8080/x", True),
        ("http", b"h:8080", b"//h:8080/x", True),
        ("http", b"h:8080", b"http://h/x", False),
        ("http", b"H.Test", b"http://h.tESt/x", True),
        ("http", b"127.0.0.1", b"http://127.0.0.1:80/x", True),
        ("http", b"[::1]", b"http://[::1]/x", True),
        ("http", b"[::1]:8080", b"//[::1]:8080/x", True),
        ("http", b"[::1]:80", b"http://[::1]/x", True),
        ("http", b"[::AB]", b"http://[::ab]:80/x", True),
        ("http", b"[::1]:8080", b"http://[::1]/x", False),
        ("http", b"[::1]", b"http://[::2]/x", False),
        # A host that is none has no others.
        *(("http", host, b"http://h/x", False) for host in (b"", b"[bad", b"h:port", b"\xff")),
        *(("http", host, b"http://x/x", False) for host in (b"h/../x", b"h?x", b"h#x", b"h\\x")),
    ],
)
def test_origins(scheme: str, host: bytes, reference: bytes, is_own: bool) -> None:
    """Scheme, host and port, in any case, the default port or none (RFC 9110, 4.2.3, 4.3.1)."""
    found = invalid((b"location", reference), scheme=scheme, host=host)
    assert found == ([*OWN, (b"/x", b"")] if is_own else OWN)


@pytest.mark.parametrize(
    ("path", "query", "reference", "target"),
    [
        (b"/", b"", b"x", (b"/x", b"")),
        (b"/a/", b"", b"x", (b"/a/x", b"")),
        (b"//a/b", b"", b"c", (b"//a/c", b"")),
        (b"/a%2Fb/c", b"", b"d", (b"/a%2Fb/d", b"")),
        (b"/a", b"x=/y/z", b"c", (b"/c", b"")),
        (b"/a", b"x", b"?y", (b"/a", b"y")),
        (b"/a\xff/b", b"\xff", b"c", (b"/a\xff/c", b"")),
        (b"/a;p/b;q", b"", b"c", (b"/a;p/c", b"")),
    ],
)
def test_where_a_reference_starts(
    path: bytes, query: bytes, reference: bytes, target: tuple[bytes, bytes]
) -> None:
    """At the request's own path, whatever bytes are in it."""
    found = invalid((b"location", reference), path=path, query=query)
    assert found == [(path, query), target]


def test_several_fields() -> None:
    """Both count, each page once; of a repeated field, which is an error, the first."""
    found = invalid(
        *((b"Location", b"/x"), (b"location", b"/no"), (b"Content-Location", b"/y")),
        (b"link", b"</z>"),
    )
    assert found == [*OWN, (b"/x", b""), (b"/y", b"")]
    assert invalid((b"location", b"/x"), (b"content-location", b"/x")) == [*OWN, (b"/x", b"")]
    assert invalid() == OWN


@pytest.mark.parametrize(
    "reference",
    [b"../" * 2_700, b"/a/.." * 1_600, b"http://" + b"[" * 8_000, b"." * 8_192, b"//" * 4_096],
    ids=lambda value: ascii(value[:9]),
)
def test_hostile_references_end(reference: bytes) -> None:
    """In time that grows with their length only."""
    start = time.thread_time()
    invalid((b"location", reference))
    assert time.thread_time() - start < 5


def test_random_bytes_never_raise() -> None:
    """Whatever an application or a client sends; the page itself is always among them."""
    chance = random.Random(7)
    letters = b"http://h:80@[]?#.%\\;\t\n \xff/a"
    for _ in range(5_000):
        one, two = (
            bytes(chance.choice(letters) for _ in range(chance.randrange(16))) for _ in range(2)
        )
        found = invalid((b"location", one), (b"content-location", b"http://h/" + one), host=two)
        assert found[0] == OWN[0]
        assert invalid((b"location", one), path=b"/" + two, query=two)[0] == (b"/" + two, two)
