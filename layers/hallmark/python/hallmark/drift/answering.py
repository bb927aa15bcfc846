"""Answers to questions about monitors."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from hallmark.drift.planning import find_monitor
from hallmark.drift.ports import Memory, OwnFiles
from hallmark.drift.questions import (
    LookQuestion,
    LookStateQuestion,
    MonitorQuestion,
    MonitorsQuestion,
    Question,
    ReportQuestion,
    describe_look,
)
from hallmark.drift.settings import DriftPolicy, Monitor
from hallmark.errors import InvalidInputError, NotFoundError

_NODE = "hallmark:drift-report/"
_FORMS = {"json": "report.json", "html": "report.html", "md": "report.md"}


class Executions(Protocol):
    """The workflow of looks."""

    def start(self, name: str, given: Mapping[str, Any]) -> bool:
        """Start an execution of this name."""
        ...

    def outcome(self, name: str) -> Mapping[str, Any]:
        """Return ``status`` and, of one that has ended, ``output`` or ``error`` and ``cause``."""
        ...


class DriftDesk:
    """Answers questions."""

    def __init__(self, policy: DriftPolicy, memory: Memory, files: OwnFiles, workflow: Executions) -> None:
        self._policy = policy
        self._memory = memory
        self._files = files
        self._workflow = workflow

    def answer(self, question: Question) -> dict[str, Any]:
        """Answer a question, as JSON.

        Raises:
            InvalidInputError: It names a monitor that does not exist.
            NotFoundError: It names a report that does not exist.
        """
        match question:
            case MonitorsQuestion():
                return {"monitors": [self._summary(name, self._policy.monitors[name]) for name in self._names()]}
            case MonitorQuestion():
                return self._monitor(question)
            case LookQuestion():
                return self._look(question)
            case LookStateQuestion():
                return dict(self._workflow.outcome(question.execution))
            case ReportQuestion():
                return self._report(question)

    def _names(self) -> list[str]:
        return sorted(self._policy.monitors)

    def _summary(self, name: str, monitor: Monitor) -> dict[str, Any]:
        state, _ = self._memory.state(name)
        following = state.last_end + monitor.every + monitor.delay if state.last_end is not None else None
        return {
            "monitor": name,
            "subject": monitor.subject_name,
            "source": monitor.source.kind,
            "status": "failed" if state.failure is not None else state.status.value,
            "since": _text(state.since),
            "reason": state.failure,
            "drifted": sorted({told.feature for told in state.told}),
            "last_window": _text(state.last_end),
            "next": _text(following),
            "every": str(monitor.every),
            "actions": [action.kind for action in monitor.actions],
            "report": state.last_report,
        }

    def _monitor(self, question: MonitorQuestion) -> dict[str, Any]:
        monitor = find_monitor(self._policy, question.monitor)
        state, _ = self._memory.state(question.monitor)
        looks = self._memory.looks(question.monitor, question.looks)
        return {
            **self._summary(question.monitor, monitor),
            "settings": monitor.model_dump(mode="json", exclude_defaults=True),
            "baseline": state.baseline,
            "baseline_uri": state.baseline_uri,
            "looks": [describe_look(look) for look in looks],
        }

    def _look(self, question: LookQuestion) -> dict[str, Any]:
        find_monitor(self._policy, question.monitor)
        at = question.at or datetime.now(UTC)
        if at.tzinfo is None:
            raise InvalidInputError("at", at.isoformat(), "give a time with its zone")
        name = f"{question.monitor}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        self._workflow.start(name, {"monitor": question.monitor, "at": at.isoformat()})
        return {"execution": name, "monitor": question.monitor, "at": at.isoformat()}

    def _report(self, question: ReportQuestion) -> dict[str, Any]:
        asked = question.report.removeprefix(_NODE)
        if asked in self._policy.monitors:
            state, _ = self._memory.state(asked)
            if state.last_report is None:
                raise NotFoundError(f"the monitor {asked} has no report yet")
            asked = state.last_report.removeprefix(_NODE)
        if asked.count("/") != 1 or ".." in asked:
            raise InvalidInputError(
                "report", question.report, "name a report (<monitor>/<window>-<digest>) or a monitor"
            )
        content = self._files.find(f"reports/{asked}/{_FORMS[question.form]}")
        if content is None:
            raise NotFoundError(f"there is no report {asked}: `hallmark monitors show` lists a monitor's reports")
        return {"report": f"{_NODE}{asked}", "form": question.form, "content": content.decode()}


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
