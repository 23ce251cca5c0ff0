"""Dates and times as ISO 8601 writes them, as instants."""

import re
from datetime import UTC, datetime, timedelta

_TAIL = r"(?:0[48]|[2468][048]|[13579][26])"
_LEAP = rf"(?!0000)(?:[0-9]{{2}}{_TAIL}|(?:[02468][048]|[13579][26])00)"
_DAY = (
    r"(?!0000)[0-9]{4}-"
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{1,9})?)?"
_ZONE = r"(?:Z|[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?)"
PATTERN = rf"(?:{_DAY}|{_LEAP}-02-29)(?:[T ]{_TIME}{_ZONE}?)?"
"""The dates that there are, no others, for Python and for PostgreSQL."""

_DATE = re.compile(PATTERN)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def instant(text: str) -> int | None:
    """Microseconds since 1970 of a date such as 2024-05-31, 2024-05-31T12:00 or 2024-05-31T12:00:00.25+02:00,
    None for any other text.

    A date alone is its first moment. Without a zone it is UTC. Digits below microseconds are cut off.
    """
    if _DATE.fullmatch(text) is None:
        return None
    found = datetime.fromisoformat(text)
    return ((found if found.tzinfo else found.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def as_text(microseconds: int) -> str:
    """What `instant` makes so many of, as near as a year from 1 to 9999 allows."""
    try:
        return (_EPOCH + microseconds * _MICROSECOND).isoformat(" ")
    except OverflowError:
        return f"{'9999-12-31 23:59:59.999999' if microseconds > 0 else '0001-01-01 00:00:00'}+00:00"
