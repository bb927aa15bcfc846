"""Records: what a monitor's features are selected from, and what could not be read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Record = Mapping[str, Any]
"""Has ``at`` (aware) and ``id`` besides what its source knows."""
AT = "at"
ID = "id"


@dataclass
class Reading:
    """Records, and how many lines were broken, by reason. A broken line stops nothing."""

    records: list[Record] = field(default_factory=list)
    broken: Counter[str] = field(default_factory=Counter)

    def within(self, start: datetime, end: datetime) -> Reading:
        """Return the records from ``start`` (inclusive) to ``end`` (exclusive)."""
        return Reading([record for record in self.records if start <= record[AT] < end], Counter(self.broken))


class BrokenLineError(ValueError):
    """A line is not what its source writes; the message says why, in few words, to be counted."""


def json_lines(content: bytes, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a file of lines; count the lines that hold none."""
    for line in content.splitlines():
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError:
            reading.broken["not JSON"] += 1
            continue
        if isinstance(found, dict):
            yield found
        else:
            reading.broken["no JSON object"] += 1


def read_instant(value: object) -> datetime:
    """Return the time that a record names; one without a zone is UTC.

    Raises:
        BrokenLineError: It names none.
    """
    if not isinstance(value, str):
        raise BrokenLineError("no time")
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise BrokenLineError("not a time") from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def select(record: Any, steps: Iterable[str | int]) -> Any:
    """Return what stands at the end of a selector's steps; None where there is nothing."""
    found = record
    for step in steps:
        if isinstance(step, int):
            found = found[step] if isinstance(found, list) and step < len(found) else None
        else:
            found = found.get(step) if isinstance(found, Mapping) else None
    return found
