"""Times as people write them on a command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_UNITS = {
    "seconds": ("s", "sec", "secs", "second", "seconds"),
    "minutes": ("m", "min", "mins", "minute", "minutes"),
    "hours": ("h", "hour", "hours"),
    "days": ("d", "day", "days"),
    "weeks": ("w", "week", "weeks"),
}
_NAMES = {name: unit for unit, names in _UNITS.items() for name in names}


def read_time(text: str, now: datetime) -> datetime:
    """Read ``2026-11-20``, ``2026-11-20T14:00``, ``2h``, ``3d ago``, ``now``; UTC where no zone is given.

    Raises:
        ValueError: It is none of these.
    """
    words = text.strip().lower()
    if words == "now":
        return now
    match = re.fullmatch(r"(\d+)\s*([a-z]+)(\s+ago)?", words)
    try:
        if match and match[2] in _NAMES:
            return now - timedelta(**{_NAMES[match[2]]: int(match[1])})
        found = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time: write 2026-11-20, 2026-11-20T14:00Z, 2h or 3d ago") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
