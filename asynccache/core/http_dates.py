"""HTTP dates (RFC 9110, 5.6.7): all three forms, and nothing that only looks like one."""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, datetime
from typing import Final

_MONTHS: Final = (
    *(b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun"),
    *(b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"),
)
_DAYS: Final = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_LONG_DAYS: Final = rb"(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"
_MONTH: Final = b"(?P<month>" + b"|".join(_MONTHS) + b")"
_DAY: Final = b"(?:" + b"|".join(_DAYS) + b")"
_TIME: Final = rb"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>[0-5]\d|60)"

_FORMS: Final = (
    re.compile(
        _DAY + rb", (?P<day>\d\d) " + _MONTH + rb" (?P<year>\d{4}) " + _TIME + rb" GMT",
        re.IGNORECASE,
    ),
    re.compile(
        _LONG_DAYS + rb", (?P<day>\d\d)-" + _MONTH + rb"-(?P<short>\d\d) " + _TIME + rb" GMT",
        re.IGNORECASE,
    ),
    re.compile(
        _DAY + b" " + _MONTH + rb" (?P<day>[ \d]\d) " + _TIME + rb" (?P<year>\d{4})",
        re.IGNORECASE,
    ),
)
"""The preferred form, and the obsolete ones of RFC 850 and of C's asctime.

Caches have to take them in any case (RFC 9111, 4.2).
"""

_HALF_A_CENTURY: Final = 50


def parse_date(value: bytes, now: float) -> float | None:
    """Return a date in seconds since 1970; None: it is none.

    Args:
        value: The field's value.
        now: The present, in seconds since 1970: a year of two digits that seems more than fifty
            years ahead is one of the past.
    """
    value = value.strip(b" \t")
    match = next((found for form in _FORMS if (found := form.fullmatch(value))), None)
    if match is None:
        return None
    parts = match.groupdict()
    rest = (
        _MONTHS.index(parts["month"].capitalize()) + 1,
        int(parts["day"]),
        int(parts["hour"]),
        int(parts["minute"]),
        min(int(parts["second"]), 59),  # a leap second
    )
    year = int(parts["year"]) if "year" in parts else _whole_year(int(parts["short"]), rest, now)
    try:
        moment = datetime(year, *rest, tzinfo=UTC)
    except ValueError:
        return None
    return float(timegm(moment.timetuple()))


def _whole_year(short: int, rest: tuple[int, int, int, int, int], now: float) -> int:
    """Return the next year that ends so, or the last one if that is too far ahead."""
    present = datetime.fromtimestamp(now, UTC).timetuple()[:6]
    ahead = (short - present[0]) % 100
    is_too_far = (present[0] + ahead - _HALF_A_CENTURY, *rest) > present
    return present[0] + ahead - (100 if is_too_far else 0)


def format_date(moment: float) -> bytes:
    """Return a moment, in seconds since 1970, in the preferred form."""
    date = datetime.fromtimestamp(moment, UTC)
    return b"%b, %02d %b %04d %02d:%02d:%02d GMT" % (
        *(_DAYS[date.weekday()], date.day, _MONTHS[date.month - 1], date.year),
        *(date.hour, date.minute, date.second),
    )
