from __future__ import annotations

import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from hallmark.cli import monitors
from hallmark.cli.main import app
from hallmark.cli.session import Context
from tests.fakes.lineage_service import CannedService

SUMMARY = {
    "monitor": "sizes",
    "subject": "live",
    "source": "data_capture",
    "status": "drifted",
    "since": "2026-11-01T13:00:00+00:00",
    "reason": None,
    "drifted": ["size"],
    "last_window": "2026-11-01T14:00:00+00:00",
    "next": "2026-11-01T15:10:00+00:00",
    "every": "1:00:00",
    "actions": ["alert"],
    "report": "hallmark:drift-report/sizes/20261101T1400Z-abc",
}
LOOK = {
    "start": "2026-11-01T13:00:00+00:00",
    "end": "2026-11-01T14:00:00+00:00",
    "outcome": "drifted",
    "at": "2026-11-01T14:10:00+00:00",
    "report": SUMMARY["report"],
    "reason": None,
    "told": ["DriftDetected"],
}
OUTPUT = {"outcome": "drifted", "reason": "", "report": SUMMARY["report"], "told": ["DriftDetected"]}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitors, "_LOOK_SECONDS", 0.0)


def ask(answers: dict[str, Any], *arguments: str) -> tuple[int, str, CannedService]:
    def answer(output: str, question: Mapping[str, Any]) -> dict[str, Any]:
        assert output == "QueryDriftFunctionName"
        found = answers[question["ask"]]
        given: dict[str, Any] = found.pop(0) if isinstance(found, list) else found
        return given

    service, out, errors = CannedService(functions=answer), StringIO(), StringIO()
    screen = Console(file=out, width=140, highlight=False)
    context = Context(lambda: service, screen=screen, errors=Console(file=errors, width=140))
    result = CliRunner().invoke(app, ["monitors", *arguments], obj=context)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, out.getvalue() + result.stdout + errors.getvalue(), service


def test_monitors_are_listed_with_how_they_stand() -> None:
    code, text, _ = ask({"monitors": {"monitors": [SUMMARY]}})

    assert code == 0
    for part in ("sizes", "drifted", "data_capture of live", "2026-11-01 14:00", "2026-11-01 15:10"):
        assert part in text


def test_a_monitor_is_shown_with_its_looks() -> None:
    answer: dict[str, Any] = {**SUMMARY, "settings": {}, "baseline": "hallmark:baseline/sizes/1", "looks": [LOOK]}

    _, text, _ = ask({"monitor": answer}, "show", "sizes")

    for part in ("hallmark:baseline/sizes/1", "DriftDetected", "sizes/20261101T1400Z-abc"):
        assert part in text


def test_a_look_is_waited_for_and_its_report_shown() -> None:
    answers = {
        "look": {"execution": "sizes-1", "monitor": "sizes", "at": "2026-11-01T14:00:00+00:00"},
        "look-state": [
            {"status": "RUNNING"},
            {
                "status": "SUCCEEDED",
                "output": {**OUTPUT, "retraining": {"started": False, "reason": "it cools down"}},
            },
        ],
        "report": {"report": SUMMARY["report"], "form": "md", "content": "# sizes: drifted"},
    }

    code, text, service = ask(answers, "run", "sizes", "--at", "2026-11-01T14:00", "--wait")

    assert code == 0
    assert service.called[0][1]["at"] == "2026-11-01T14:00:00Z"
    assert "sizes: drifted" in text
    assert "retraining not started: it cools down" in text


def test_a_look_that_could_not_be_made_ends_with_the_reason_and_code_1() -> None:
    failed = {"outcome": "failed", "reason": "the window had 0 records", "report": "", "told": ["MonitorFailed"]}
    answers = {
        "look": {"execution": "sizes-1", "monitor": "sizes", "at": "x"},
        "look-state": {"status": "SUCCEEDED", "output": failed},
    }

    code, text, _ = ask(answers, "run", "sizes", "--wait")

    assert code == 1
    assert "the window had 0 records" in text


def test_an_execution_that_broke_off_says_why() -> None:
    answers = {
        "look": {"execution": "sizes-1", "monitor": "sizes", "at": "x"},
        "look-state": {"status": "FAILED", "error": "InvalidInputError", "cause": "no such bucket"},
    }

    code, text, _ = ask(answers, "run", "sizes", "--wait")

    assert code == 1
    assert "could not look: InvalidInputError: no such bucket" in text


def test_a_report_is_written_in_the_form_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "report.html"

    code, _, service = ask(
        {"report": {"report": "r", "form": "html", "content": "<html></html>"}}, "report", "sizes", "-o", str(file)
    )

    assert (code, file.read_text(), service.called[0][1]["form"]) == (0, "<html></html>", "html")


def test_a_file_of_another_form_is_refused() -> None:
    code, text, service = ask({}, "report", "sizes", "-o", "report.pdf")

    assert (code, service.called) == (1, [])
    assert ".html, .md, .json" in text


def test_answers_can_be_had_as_json() -> None:
    _, text, _ = ask({"monitors": {"monitors": [SUMMARY]}}, "--json")

    assert json.loads(text)["monitors"][0]["monitor"] == "sizes"
