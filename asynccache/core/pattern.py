"""Redis glob patterns over user keys: ``*``, ``?``, ``[abc]``, ``[^a]``, ``[a-z]``, ``\\x``.

The same pattern has to mean the same in L1, in the flights and in Redis, where keys are escaped and
long ones are hashed. So Redis is asked with a coarser pattern, and `Pattern.matches` decides.

Two forms differ from Redis's on purpose: a class that does not end is an error, and a dash before
the end of a class stands for itself.
"""

from __future__ import annotations

import re

from asynccache.core.arguments import checked_key, wrong_type
from asynccache.core.keys import HASHED_MARK, escape, kept_beginning, unescape
from asynccache.errors import InvalidArgument

LONGEST_PATTERN = 512
_LITERAL_OF_GLOB = re.compile(r"([*?\[\]\\])")


class Pattern:
    """A compiled Redis glob.

    Args:
        glob: The pattern over user keys.

    Raises:
        ArgumentTypeError: It is not a str.
        InvalidArgument: It is empty, too long, ends inside a character class, or cannot be encoded
            as UTF-8.
    """

    __slots__ = ("_match", "glob", "redis_glob")

    def __init__(self, glob: str) -> None:
        if not isinstance(glob, str):
            raise wrong_type("pattern", glob, "a str such as 'user:list:*'")
        if not glob or len(glob) > LONGEST_PATTERN:
            raise InvalidArgument(
                "pattern", f"must be 1 to {LONGEST_PATTERN} characters, got {len(glob)}"
            )
        checked_key(glob, "pattern")
        regex, coarse = _translate(glob)
        self.glob = glob
        self.redis_glob = coarse
        self._match = re.compile(regex, re.DOTALL).fullmatch

    def matches(self, key: str) -> bool:
        """Tell whether a user key matches."""
        return self._match(key) is not None

    def may_match_name(self, name: str) -> bool:
        """Tell whether an escaped name from Redis may match.

        A hashed name tells only how its key begins; whatever may match is taken, since dropping
        too much costs a load and dropping too little leaves a stale value.
        """
        beginning = kept_beginning(name)
        if beginning is None:
            return self.matches(unescape(name))
        literal = self.literal_beginning
        shared = min(len(literal), len(beginning))
        return literal[:shared] == beginning[:shared]

    @property
    def literal_beginning(self) -> str:
        """The characters before the first one that has a meaning."""
        return _LITERAL_OF_GLOB.split(self.glob, maxsplit=1)[0]

    def __repr__(self) -> str:
        return f"Pattern({self.glob!r})"


def redis_globs(pattern: Pattern) -> tuple[str, str]:
    """Return the two globs over escaped names that together cover a pattern: plain and hashed."""
    return pattern.redis_glob, _escape_glob(HASHED_MARK) + "*"


def _escape_glob(text: str) -> str:
    return _LITERAL_OF_GLOB.sub(r"\\\1", text)


def _translate(glob: str) -> tuple[str, str]:
    """Return a regular expression over characters and a coarser glob over escaped bytes."""
    fixed: list[list[str]] = [[]]  # what stands between the stars
    coarse: list[str] = []

    def widen() -> None:
        if coarse[-1:] != ["*"]:
            coarse.append("*")

    position = 0
    while position < len(glob):
        character = glob[position]
        position += 1
        if character == "*":
            fixed.append([])
            widen()
        elif character == "?":
            fixed[-1].append(".")
            widen()  # one character may be several bytes in Redis
        elif character == "[":
            charset, position = _translate_class(glob, position)
            fixed[-1].append(charset)
            widen()
        else:
            if character == "\\" and position < len(glob):
                character = glob[position]
                position += 1
            fixed[-1].append(re.escape(character))
            coarse.append(_escape_glob(escape(character)))
    return _join(["".join(part) for part in fixed]), "".join(coarse)


def _join(parts: list[str]) -> str:
    """Join what stands between stars; atomic groups keep the matching time linear in the stars."""
    if len(parts) == 1:
        return parts[0]
    middle = "".join(f"(?>.*?{part})" for part in parts[1:-1] if part)
    return f"{parts[0]}{middle}.*{parts[-1]}"


def _translate_class(glob: str, position: int) -> tuple[str, int]:
    negated = glob[position : position + 1] == "^"
    position += negated
    members: list[str] = []
    while True:
        if position >= len(glob):
            raise InvalidArgument("pattern", f"ends inside a character class: {glob!r}")
        character = glob[position]
        if character == "]":
            break
        escaped = character == "\\" and position + 1 < len(glob)
        if escaped:
            position += 1
            character = glob[position]
        position += 1
        begins_range = not escaped and glob[position : position + 1] == "-"
        if begins_range and glob[position + 1 : position + 2] not in ("", "]"):
            low, high = sorted((character, glob[position + 1]))
            members.append(f"{re.escape(low)}-{re.escape(high)}")
            position += 2
        else:
            members.append(re.escape(character))
    if not members:
        return ("." if negated else "(?!)"), position + 1
    return f"[{'^' if negated else ''}{''.join(members)}]", position + 1
