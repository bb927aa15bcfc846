"""The intake over memory: what is sent in becomes facts at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hallmark.events.published import SOURCE
from hallmark.events.reports import LINEAGE_REPORTED, LineageReported
from hallmark.lineage.answering import Answerer
from hallmark.lineage.intake.naming import Names
from hallmark.lineage.intake.receiving import Intake
from hallmark.lineage.questions import TraceAnswer, TraceQuestion
from hallmark.lineage.recording import record_event
from hallmark.lineage.rows import GraphRows
from tests.fakes.memory_store import KnownContents, MemoryStore, surroundings

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PAYLOADS = Path(__file__).parents[1] / "payloads" / "openlineage"
SHARED = Path(__file__).parents[3] / "shared" / "conformance" / "openlineage-events"
"""All events of OpenLineage's compatibility tests, where they lie beside the project."""


def events_of(scenario: str) -> list[dict[str, Any]]:
    lines = (PAYLOADS / f"{scenario}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def delivered(report: LineageReported) -> dict[str, Any]:
    """Return a report as EventBridge delivers it."""
    entry = report.to_entry("bus", LINEAGE_REPORTED)
    return {
        "id": "1",
        "source": SOURCE,
        "detail-type": entry["DetailType"],
        "account": "111122223333",
        "region": "eu-west-1",
        "time": "2026-11-29T12:00:00Z",
        "resources": [],
        "detail": json.loads(entry["Detail"]),
    }


class RecordingBus:
    """ReportBus whose reports are recorded at once."""

    def __init__(self, store: MemoryStore, contents: KnownContents | None = None) -> None:
        self.store = store
        self.reports: list[LineageReported] = []
        self._contents = contents or KnownContents()

    def publish(self, reports: Sequence[LineageReported]) -> None:
        for report in reports:
            self.reports.append(report)
            record_event(delivered(report), surroundings(self.store, contents=self._contents))


class KnownByEdges:
    """KnownData over a memory store."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def is_known(self, place: str, besides: str) -> bool:
        ends = {edge.edge.target.id for edge in self._store.edges_from(place)}
        ends |= {edge.edge.source.id for edge in self._store.edges_to(place)}
        return bool({end for end in ends if not end.startswith(place)} - {besides})


class ForeignLineage:
    """An intake and the graph that it makes."""

    def __init__(
        self,
        aliases: dict[str, str] | None = None,
        *,
        contents: dict[str, Any] | None = None,
        sources: tuple[str, ...] = (),
        keep_partitions: bool = False,
    ) -> None:
        self.store = MemoryStore()
        self.bus = RecordingBus(self.store, KnownContents(contents))
        self.intake = Intake(
            names=Names(aliases, keep_partitions=keep_partitions),
            bus=self.bus,
            known=KnownByEdges(self.store),
            clock=lambda: NOW,
            sources=sources,
        )

    def nodes(self, kind: str) -> set[str]:
        """Return the ids of all nodes of a kind."""
        ends = {end for edge in self.store.all_edges for end in (edge.source, edge.target)}
        told = {state.node for state in self.store.all_states}
        return {node.id for node in ends | told if node.kind.value == kind}

    def upstream(self, name: str, direction: str = "up") -> set[str]:
        """Return the keys of what a node came from."""
        rows = GraphRows()
        rows.add(self.store.since(None))
        question = TraceQuestion.model_validate({"node": name, "direction": direction})
        answer = Answerer(rows, self.store, lambda: NOW).answer(question)
        assert isinstance(answer, TraceAnswer), answer
        return {node.key for node in answer.nodes} - {answer.start.key}


def run_event(
    kind: str = "COMPLETE",
    *,
    run: str = "3f5e83fa-3480-44ff-99c5-ff943904e5e8",
    job: str = "prepare",
    inputs: Sequence[tuple[str, str]] = (),
    outputs: Sequence[tuple[str, str]] = (),
    at: str = "2026-11-29T10:00:00Z",
    facets: dict[str, Any] | None = None,
    job_facets: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "eventType": kind,
        "eventTime": at,
        "producer": "https://example.com/orchestrator",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run, "facets": facets or {}},
        "job": {"namespace": "airflow", "name": job, "facets": job_facets or {}},
        "inputs": [{"namespace": namespace, "name": name} for namespace, name in inputs],
        "outputs": [{"namespace": namespace, "name": name} for namespace, name in outputs],
    }
