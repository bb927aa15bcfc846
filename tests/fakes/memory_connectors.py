"""Ports of connectors over dictionaries; what is reported becomes facts as it does behind the bus."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from hallmark.events.published import SOURCE
from hallmark.events.records import LineageSection
from hallmark.events.reports import LINEAGE_REPORTED, LineageReported
from hallmark.lineage.connectors.ports import Known
from hallmark.lineage.recording import Surroundings, record_event

ACCOUNT = "111122223333"


class MemoryOfTools:
    """Memory."""

    def __init__(self) -> None:
        self.things: dict[str, Known] = {}

    def recall(self, names: Sequence[str]) -> Mapping[str, Known]:
        return {name: self.things[name] for name in names if name in self.things}

    def remember(self, things: Iterable[Known]) -> None:
        for known in things:
            # As DynamoDB would keep it.
            self.things[known.name] = known._replace(state=json.loads(json.dumps(dict(known.state))))

    def forget(self, names: Iterable[str]) -> None:
        for name in names:
            self.things.pop(name, None)

    def unseen(self, prefix: str, since: datetime) -> Iterator[Known]:
        yield from [
            known for name, known in sorted(self.things.items()) if name.startswith(prefix) and known.seen_at < since
        ]


class Collected:
    """Reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.reports: list[LineageReported] = []

    def report(self, tool: str, sections: Sequence[LineageSection]) -> None:
        self.reports += [LineageReported(tool=tool, lineage=section) for section in sections]


def bus_event(report: LineageReported) -> dict[str, Any]:
    """Return a report as EventBridge delivers it."""
    entry = report.to_entry("bus", LINEAGE_REPORTED)
    return {
        "id": "1",
        "source": SOURCE,
        "detail-type": LINEAGE_REPORTED,
        "account": ACCOUNT,
        "region": "eu-west-1",
        "time": "2026-11-29T00:00:00Z",
        "resources": [],
        "detail": json.loads(entry["Detail"]),
    }


def record_reports(reports: Iterable[LineageReported], surroundings: Surroundings) -> None:
    """Record reports as the function behind the bus does."""
    for report in reports:
        record_event(bus_event(report), surroundings)
