"""Times as people write them on a command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_time(text: str, now: datetime) -> datetime:
    """Read ``2026-11-20``, ``2026-11-20T14:00``, ``2h``, ``3d ago``, ``now``; UTC where no zone is given.

    Raises:
        ValueError: It is none of these.
    """
    words = text.strip().lower().removesuffix("ago").strip()
    if words == "now":
        return now
    match = re.fullmatch(r"(\d+)\s*([smhdw])[a-z]*", words)
    if match:
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is no time: write 2026-11-20, 2026-11-20T14:00Z, 2h or 3d") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
