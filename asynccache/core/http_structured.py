"""Structured fields (RFC 9651): as strict as they have to be, or nothing."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

LONGEST: Final = 16_384
"""Bytes of a field that are looked at; a longer one is invalid."""

_KEY: Final = re.compile(r"[a-z*][a-z0-9_\-.*]*")
_TOKEN: Final = re.compile(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*")
_NUMBER: Final = re.compile(r"-?(?:(\d{1,12})\.(\d{1,3})|(\d{1,15}))(?![\d.])")
_STRING: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_BYTES: Final = re.compile(r":([A-Za-z0-9+/=]*):")
_DATE: Final = re.compile(r"@(-?\d{1,15})(?![\d.])")
_DISPLAY: Final = re.compile(r'%"((?:[ !#$&-~]|%[0-9a-f]{2})*)"')
_PLAIN_STRING: Final = re.compile(r"[ -~]*")


class Token(str):
    """A token: a word that stands without quotes."""

    __slots__ = ()


class Date(int):
    """A date, in seconds since 1970; no number."""

    __slots__ = ()


class DisplayString(str):
    """A string of any characters, for people."""

    __slots__ = ()


Bare: TypeAlias = "int | float | str | bytes | bool"


@dataclass(frozen=True, slots=True)
class Member:
    """An item or an inner list.

    Attributes:
        value: The bare item, or a list of members.
        parameters: Its parameters.
    """

    value: Any
    parameters: dict[str, Bare] = field(default_factory=dict)


class _Invalid(Exception):
    pass


def parse_dictionary(value: bytes) -> dict[str, Member] | None:
    """Return a dictionary (RFC 9651, 4.2.2), the last of equal keys; None: it is none."""
    parser = _parser_of(value)
    try:
        return None if parser is None else parser.dictionary()
    except _Invalid:
        return None


def parse_list(value: bytes) -> list[Member] | None:
    """Return a list (RFC 9651, 4.2.1); None: it is none."""
    parser = _parser_of(value)
    try:
        return None if parser is None else parser.list()
    except _Invalid:
        return None


def _parser_of(value: bytes) -> _Parser | None:
    if len(value) > LONGEST or not value.isascii():
        return None
    return _Parser(value.decode("ascii").strip(" "))


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def dictionary(self) -> dict[str, Member]:
        found: dict[str, Member] = {}
        while self._at < len(self._text):
            key = self._take(_KEY)[0]
            found.pop(key, None)
            if self._skip("="):
                found[key] = self._member()
            else:
                found[key] = Member(True, self._parameters())
            self._comma()
        return found

    def list(self) -> list[Member]:
        found: list[Member] = []
        while self._at < len(self._text):
            found.append(self._member())
            self._comma()
        return found

    def _comma(self) -> None:
        self._blank(" \t")
        if self._at == len(self._text):
            return
        if not self._skip(","):
            raise _Invalid
        self._blank(" \t")
        if self._at == len(self._text):
            raise _Invalid  # a comma at the end

    def _member(self) -> Member:
        if not self._skip("("):
            value: Any = self._bare()
            return Member(value, self._parameters())
        items: list[Member] = []
        while True:
            self._blank(" ")
            if self._skip(")"):
                return Member(items, self._parameters())
            bare = self._bare()
            items.append(Member(bare, self._parameters()))
            if self._text[self._at : self._at + 1] not in {" ", ")"}:
                raise _Invalid

    def _parameters(self) -> dict[str, Bare]:
        found: dict[str, Bare] = {}
        while self._skip(";"):
            self._blank(" ")
            key = self._take(_KEY)[0]
            found.pop(key, None)
            found[key] = self._bare() if self._skip("=") else True
        return found

    def _bare(self) -> Bare:
        first = self._text[self._at : self._at + 1]
        if first == '"':
            return re.sub(r"\\(.)", r"\1", self._take(_STRING)[1])
        if first == ":":
            return _decoded(self._take(_BYTES)[1])
        if first == "%":
            try:
                return DisplayString(unquote_to_bytes(self._take(_DISPLAY)[1]).decode())
            except UnicodeDecodeError:
                raise _Invalid from None
        if first == "?":
            flag = self._text[self._at + 1 : self._at + 2]
            if flag not in {"0", "1"}:
                raise _Invalid
            self._at += 2
            return flag == "1"
        if first == "@":
            return Date(self._take(_DATE)[1])
        if first == "-" or first.isdigit():
            match = self._take(_NUMBER)
            return int(match[0]) if match[3] is not None else float(match[0])
        return Token(self._take(_TOKEN)[0])

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise _Invalid
        self._at = match.end()
        return match

    def _skip(self, char: str) -> bool:
        if self._text.startswith(char, self._at):
            self._at += 1
            return True
        return False

    def _blank(self, chars: str) -> None:
        while self._at < len(self._text) and self._text[self._at] in chars:
            self._at += 1


def _decoded(text: str) -> bytes:
    """Return a byte sequence, also of what is not padded (RFC 9651, 4.2.7)."""
    if "=" not in text:
        text += "=" * (-len(text) % 4)
    try:
        return b64decode(text, validate=True)
    except Error:
        raise _Invalid from None


def serialise_string(text: str) -> bytes:
    """Return a string (RFC 9651, 4.1.6); what it cannot hold is left out."""
    kept = "".join(char for char in text if _PLAIN_STRING.fullmatch(char))
    escaped = kept.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.encode()


def serialise_token_or_string(text: str) -> bytes:
    """Return a token if the text can be one, else a string."""
    return text.encode() if _TOKEN.fullmatch(text) else serialise_string(text)
