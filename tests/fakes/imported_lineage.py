"""The command ``hallmark import`` against the real intake, over memory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hallmark.lineage.answering import Answerer
from hallmark.lineage.intake.naming import Names
from hallmark.lineage.intake.receiving import Intake, describe
from hallmark.lineage.questions import TraceAnswer, TraceQuestion
from hallmark.lineage.rows import GraphRows
from tests.fakes.foreign_lineage import RecordingBus
from tests.fakes.lineage_service import CannedService
from tests.fakes.memory_store import KnownContents, MemoryStore


class Everything:
    """KnownData that knows every place."""

    def is_known(self, place: str, besides: str) -> bool:
        return True


class ImportedLineage:
    """What was imported.

    Args:
        contents: What lies in S3.
        calls: How many calls are answered before the function is gone; None for all.
    """

    def __init__(self, contents: KnownContents | None = None, calls: int | None = None) -> None:
        self.store = MemoryStore()
        self.calls = calls
        self.received: list[list[dict[str, Any]]] = []
        self._intake = Intake(
            Names(), RecordingBus(self.store, contents), Everything(), clock=lambda: datetime.now(UTC)
        )

    @property
    def service(self) -> CannedService:
        """What the command line talks to."""
        return CannedService(functions=self._answer)

    def _answer(self, output: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        assert output == "ReceiveLineageFunctionName"
        if self.calls is not None and len(self.received) >= self.calls:
            raise KeyboardInterrupt
        self.received.append(payload["events"])
        return describe(self._intake.receive(payload["events"], payload["by"]))

    def rows(self) -> GraphRows:
        """Return the graph."""
        rows = GraphRows()
        rows.add(self.store.since(None))
        return rows

    def upstream(self, node: str, depth: int | None = None, rows: GraphRows | None = None) -> set[str]:
        """Return the keys of a node's ancestors."""
        question = TraceQuestion.model_validate({"node": node, "direction": "up", "depth": depth})
        answer = Answerer(rows or self.rows(), self.store, lambda: datetime.now(UTC)).answer(question)
        assert isinstance(answer, TraceAnswer)
        return {found.key for found in answer.nodes} - {answer.start.key}
