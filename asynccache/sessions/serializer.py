"""Values of a session as JSON: what it cannot say is refused, and what is odd is not believed."""

from __future__ import annotations

import json
import math
from typing import Any


class JSONSerializer:
    """JSON in UTF-8. Tuples become lists, as with Starlette's sessions."""

    def dumps(self, value: Any) -> bytes:
        """See `Serializer.dumps`."""
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()

    def loads(self, raw: bytes) -> Any:
        """See `Serializer.loads`."""
        try:
            return json.loads(raw.decode(), parse_float=_finite, parse_constant=_refuse)
        except RecursionError:
            raise ValueError("nested too deeply") from None

    def __repr__(self) -> str:
        return "JSONSerializer()"


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is no number")
    return number


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is no JSON")
