from __future__ import annotations

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from hallmark.cli import evaluations
from hallmark.cli.main import app
from hallmark.cli.session import Context
from hallmark.evaluation.comparison.making import make_report
from hallmark.evaluation.datasets.reading import DataReport, read_dataset
from hallmark.evaluation.foreseeing import foresee
from hallmark.evaluation.questions import (
    ForecastQuestion,
    HistoryQuestion,
    Question,
    ReportQuestion,
    RunsQuestion,
    StartQuestion,
    TryQuestion,
)
from hallmark.evaluation.runs import Run, RunStatus, Trigger
from hallmark.evaluation.suites import DatasetSource, Suite
from tests.fakes.evaluated_cases import QUALITY, evidence_of, scores_of
from tests.fakes.lineage_service import CannedService

RUN = Run(
    run="answers-20261101-060000-a1b2c3",
    suite="answers",
    status=RunStatus.RUNNING,
    trigger=Trigger(kind="manual", source="someone"),
    started_at=datetime(2026, 11, 1, 6, tzinfo=UTC),
    models=("nova", "titan"),
    planned=800,
    answered=300,
    failed=2,
    spent_usd=0.0123,
    budget_usd=5,
)
REPORT = "# answers\n\nnova is better\n"


def ask(answers: dict[Any, Any], *arguments: str) -> tuple[int, str, CannedService]:
    def answer(question: Question) -> dict[str, Any]:
        found = answers[type(question)]
        given: dict[str, Any] = found.pop(0) if isinstance(found, list) else found
        return given

    service, out = CannedService(evaluations=answer), StringIO()
    screen = Console(file=out, width=120, highlight=False)
    context = Context(lambda: service, screen=screen, errors=Console(file=StringIO(), width=120))
    result = CliRunner().invoke(app, list(arguments), obj=context)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, out.getvalue() + result.stdout, service


def listed(*runs: Run) -> dict[str, Any]:
    return {"runs": [run.model_dump(mode="json") for run in runs]}


STARTED = {"run": RUN.run, "suite": "answers", "started_at": "2026-11-01T06:00:00Z"}


def test_evaluate_starts_a_run_and_says_how_to_follow_it() -> None:
    code, out, service = ask({StartQuestion: STARTED}, "evaluate", "answers", "--model", "titan")

    (question,) = service.asked_of_evaluations
    assert isinstance(question, StartQuestion)
    assert (code, question.suite, question.models) == (0, "answers", ("titan",))
    assert f"hallmark runs {RUN.run}" in " ".join(out.split())


def test_forecast_shows_what_a_run_could_find_and_what_finding_more_would_cost() -> None:
    suite = Suite(model_variants=("old", "new"), champion="old", datasets=("d",), scorers=("rouge",))
    report = make_report(
        evidence_of(scores_of({"old": [0.4] * 50, "new": [0.4, 0.5] * 25}, QUALITY), QUALITY, cost_usd=1)
    )
    answer = foresee("answers", suite, QUALITY, report, difference=0.01).model_dump(mode="json")

    code, out, service = ask({ForecastQuestion: answer}, "forecast", "answers", "--difference", "0.01")

    (question,) = service.asked_of_evaluations
    assert isinstance(question, ForecastQuestion)
    assert (code, question.difference, question.cases) == (0, 0.01, None)
    (line,) = (line.split() for line in out.splitlines() if line.split()[:1] == ["new"])
    assert line[:2] == ["new", "old"]
    assert line[3] == f"{answer['prospects'][0]['needed']:,}"
    assert "50 cases of each model, about $1.0000 of $10" in out
    assert "80% power" in out


def test_forecast_of_no_difference_at_all_is_refused() -> None:
    code, *_ = ask({}, "forecast", "answers", "--difference", "0")

    assert code != 0


def test_evaluate_with_wait_ends_with_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluations, "_LOOK_SECONDS", 0)
    done = RUN.model_copy(update={"status": RunStatus.COMPLETED, "report": "s3://b/r/", "answered": 800})
    answers = {
        StartQuestion: STARTED,
        RunsQuestion: [listed(), listed(RUN), listed(done)],
        ReportQuestion: {"run": RUN.run, "form": "md", "report": REPORT, "uri": "s3://b/r/"},
    }

    code, out, _ = ask(answers, "evaluate", "answers", "--wait")

    assert code == 0
    assert "completed" in out
    assert "nova is better" in out


def test_a_report_in_a_terminal_names_what_is_folded_and_how_to_see_it() -> None:
    folded = "<details><summary>Groups &amp; parts</summary>\n\n| long | 0.4 |\n\n</details>\n\n"
    answer = {"report": f"{REPORT}\n{folded}{folded.replace('Groups &amp; parts', 'How to read this')}"}

    code, out, _ = ask({ReportQuestion: answer}, "report", RUN.run)

    assert code == 0
    assert "nova is better" in out
    assert "0.4" not in out
    assert "Groups & parts, How to read this" in out
    assert f"hallmark report {RUN.run} -o" in out


def test_evaluate_with_wait_fails_where_the_run_failed_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluations, "_LOOK_SECONDS", 0)
    failed = RUN.model_copy(update={"status": RunStatus.FAILED, "reason": "there is no such object"})

    code, out, _ = ask({StartQuestion: STARTED, RunsQuestion: listed(failed)}, "evaluate", "answers", "--wait")

    assert code == 1
    assert "there is no such object" in out


def test_runs_are_listed_with_status_progress_and_cost() -> None:
    code, out, _ = ask({RunsQuestion: listed(RUN)}, "runs")

    assert code == 0
    assert all(word in out for word in ("running", "300/800", "$0.0123", "manual"))


def test_runs_as_json_are_the_answer_itself() -> None:
    _, out, _ = ask({RunsQuestion: listed(RUN)}, "runs", "--json")

    assert json.loads(out) == listed(RUN)


@pytest.mark.parametrize("suffix", ["html", "md", "json"])
def test_a_report_is_written_in_the_form_that_its_file_is_named_for(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / "new" / f"report.{suffix}"

    code, _, service = ask({ReportQuestion: {"report": "the report"}}, "report", RUN.run, "-o", str(file))

    (question,) = service.asked_of_evaluations
    assert isinstance(question, ReportQuestion)
    assert (code, question.form, file.read_text()) == (0, suffix, "the report")


def test_what_was_rejected_of_a_dataset_is_told_line_by_line() -> None:
    lines = ['{"id": "1", "prompt": "?", "group": "a"}', '{"id": "2"}', '{"id": "3", "prompt": "?"}']
    source = DatasetSource(location="s3://b/d.jsonl")
    found = read_dataset([("d.jsonl", "\n".join(lines).encode())], source)
    data = DataReport(report=found.report, rejections=found.rejections, rejected=len(found.rejections))
    told = json.dumps({"questions": data.model_dump(mode="json")})

    code, out, service = ask({ReportQuestion: {"report": told}}, "report", RUN.run, "--data")

    (question,) = service.asked_of_evaluations
    assert isinstance(question, ReportQuestion)
    assert (code, question.form) == (0, "data")
    assert "questions: 3 lines of 1 objects, 1 rejected" in out
    assert "groups: a 1" in out
    assert "rejected d.jsonl:2: " in out


def test_a_report_in_a_form_that_there_is_not_is_refused() -> None:
    code, _, service = ask({}, "report", RUN.run, "-o", "report.pdf")

    assert code == 1
    assert service.asked_of_evaluations == []


def test_try_shows_each_models_answer_and_scores() -> None:
    results = [
        {"model": "nova", "answer": {"text": "Paris"}, "scores": [{"metric": "exact_match", "value": 1.0}]},
        {"model": "titan", "failure": {"kind": "refused", "reason": "no access"}},
    ]

    code, out, service = ask({TryQuestion: {"results": results}}, "try", "answers", "Capital?", "--expected", "Paris")

    (question,) = service.asked_of_evaluations
    assert isinstance(question, TryQuestion)
    assert (code, question.cases[0].expected) == (0, ("Paris",))
    assert all(words in out for words in ("Paris", "exact_match 1.000", "refused: no access"))


def test_history_shows_each_model_from_old_to_new_and_where_it_changed() -> None:
    def point(value: float) -> dict[str, Any]:
        return {"run": "r", "at": "2026-11-01T06:00:00Z", "value": value, "span": None, "cases": 9, "coverage": 1.0}

    line = {
        "model": "nova",
        "points": [point(0.9), point(0.9), point(0.5)],
        "changes": [{"run": "r3", "at": "2026-11-03T06:00:00Z", "before": 0.9, "after": 0.5, "p_value": 0.01}],
        "breaks": [{"before": "r1", "after": "r2", "reasons": ["the dataset changed"]}],
        "sentence": "worse than the last good run",
    }
    answer = {"suite": "answers", "title": "Accuracy", "runs": 3, "lines": [line], "skipped": []}

    code, out, _ = ask({HistoryQuestion: answer}, "history", "answers")

    assert code == 0
    assert all(words in out for words in ("██▁", "worse than", "0.9 to 0.5 from r3", "the dataset changed"))
