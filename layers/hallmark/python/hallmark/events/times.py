"""One reader for every way in which AWS's events write a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator

_MILLISECONDS_FROM = 1e11
"""Epoch seconds reach this number in the year 5138; a larger number is milliseconds."""

_WORDED = ("%a %b %d %H:%M:%S %Z %Y", "%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M:%S %p")
"""``Wed Aug 28 22:58:30 UTC 2024`` and ``Aug 28, 2024, 10:47:53 PM`` (Bedrock user guide, monitoring-eventbridge)."""


_EXPECTED = "a time is epoch milliseconds or seconds, or ISO 8601"


def parse_time(value: object) -> datetime | None:
    """Read a time that AWS wrote; None for nothing.

    Takes epoch milliseconds or seconds as integer, float or digits in a string; ISO 8601 with any fraction of a
    second and any zone (UTC, where there is none); and the two worded forms that Bedrock's samples show.

    Raises:
        ValueError: It is none of these.
    """
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, str):
        text = " ".join(value.split())
        if re.fullmatch(r"-?\d+(\.\d+)?([eE]\+?\d+)?", text):
            return _from_epoch(float(text))
        return _from_text(text)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_epoch(value)
    raise ValueError(_EXPECTED)


def _from_epoch(number: float) -> datetime:
    try:
        seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
        return datetime.fromtimestamp(round(float(seconds), 3), UTC)
    except (OverflowError, OSError, ValueError):
        raise ValueError(_EXPECTED) from None


def _from_text(text: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        for form in _WORDED:
            try:
                parsed = datetime.strptime(text, form).replace(tzinfo=UTC)
                break
            except ValueError:
                continue
        else:
            raise ValueError(_EXPECTED) from None
    try:
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except OverflowError:  # the first and the last day of the calendar, in another zone
        raise ValueError(_EXPECTED) from None


AwsTime = Annotated[datetime | None, BeforeValidator(parse_time)]
