from __future__ import annotations

import json
from collections.abc import Mapping
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from hallmark.cli.main import app
from hallmark.cli.session import Context
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import Candidates, NodeSummary, ShowAnswer
from tests.fakes.lineage_service import ACCOUNT, NOON, CannedService

ME = "arn:aws:iam::111122223333:user/rater-1"
LINE = {
    "review": "tweets-0123456789ab",
    "program": "tweets",
    "subject": "arn:aws:bedrock:us-east-1::foundation-model/vader",
    "subject_name": "vader",
    "status": "completed",
    "tasks": 2,
    "per_item": 2,
    "threshold": 0.85,
    "cause": "",
    "source": "s3://logs/",
    "population": 120,
    "requested_at": "2026-11-20T12:00:00+00:00",
    "expires_at": "2026-11-27T12:00:00+00:00",
    "ended_at": "2026-11-21T12:00:00+00:00",
    "outcome": {
        "judgement": "low",
        "mean": 0.5,
        "low": 0.2,
        "high": 0.8,
        "agreement": {"alpha": 0.41, "low": 0.1, "high": 0.7, "outputs": 2},
        "no_agreement": "",
    },
}
SCORE = {"by": ME, "value": 1.0, "fraction": 1.0, "note": "fine", "revision": 1, "counts": True}
SHOWN = {
    **LINE,
    "tasks_listed": [
        {"id": "0001", "prompt": "is it [bold]?", "answer": "positive", "scores": [{**SCORE, "counts": False}, SCORE]}
    ],
}
NEXT = {
    "review": "tweets-0123456789ab",
    "subject_name": "vader",
    "questions": ["Is this right?"],
    "scale": "likert",
    "points": 5,
    "expires_at": "2026-11-27T12:00:00+00:00",
    "waiting": 3,
    "task": {"id": "0001", "prompt": "[not markup]", "answer": "positive"},
}


def run(answer: Mapping[str, Any], *arguments: str, lineage: Any = None) -> tuple[int, str, str, CannedService]:
    service = CannedService(
        answer=(lambda _question: lineage) if lineage is not None else None,
        functions=lambda _output, _asked: {**answer},
    )
    out, errors = StringIO(), StringIO()
    context = Context(
        lambda: service,
        screen=Console(file=out, width=140, highlight=False),
        errors=Console(file=errors, width=140, highlight=False),
    )
    result = CliRunner().invoke(app, list(arguments), obj=context)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, out.getvalue() + result.stdout, errors.getvalue(), service


def test_the_list_tells_mean_bounds_judgement_and_agreement() -> None:
    code, out, _, service = run({"reviews": [LINE]}, "review", "list", "--ended")

    assert code == 0
    assert "0.50 (0.20 to 0.80) low" in out
    assert "0.41 (0.10 to 0.70)" in out
    assert service.called[0] == ("QueryReviewsFunctionName", {"ask": "list", "ended": True, "limit": 20})


def test_a_review_is_shown_with_each_score_and_note() -> None:
    _, out, _, _ = run(SHOWN, "review", "show", "tweets-0123456789ab")

    assert "asked for 0.85" in out
    assert "is it [bold]?" in out
    assert out.count("rater-1: fine") == 2


def test_the_next_answer_is_shown_as_it_is_with_the_command_that_rates_it() -> None:
    _, out, _, service = run(NEXT, "review", "next")

    assert "[not markup]" in out
    assert "hallmark review score tweets-0123456789ab/0001 --score (1 to 5)" in out
    assert service.called[0][1]["proof"] == "signed"


def test_a_score_is_sent_in_the_callers_name() -> None:
    answer = {"score": {**SCORE, "revision": 0}, "status": "completed"}
    code, out, _, service = run(answer, "review", "score", "tweets-1/0002", "--score", "up", "--note", "fine")

    assert code == 0
    assert "hallmark review show tweets-1" in out
    assert service.called[0][1]["message"] == {
        "ask": "score",
        "review": "tweets-1",
        "task": "0002",
        "score": "up",
        "note": "fine",
        "change": False,
    }


def test_a_task_without_its_review_is_refused_before_anything_is_asked() -> None:
    code, _, errors, service = run({}, "review", "score", "0002", "--score", "up")

    assert code == 1
    assert "REVIEW/NUMBER" in errors
    assert service.called == []


def test_a_note_goes_to_the_node_that_lineage_knows() -> None:
    key = f"{ACCOUNT}:endpoint/live@20261101T123000Z"
    node = NodeSummary(key=key, kind=NodeKind.ENDPOINT, label="live", at=NOON)
    shown = ShowAnswer(node=node, attributes={}, history=(), upstream=(), downstream=(), neighbours=())
    _, out, _, service = run(
        {"note": "hallmark:review/note-1"}, "review", "note", "live", "--text", "odd", lineage=shown
    )

    assert "hallmark:review/note-1" in out
    assert service.called[0][1]["message"] == {
        "ask": "note",
        "kind": "endpoint",
        "node": f"{ACCOUNT}:endpoint/live",
        "text": "odd",
    }


def test_a_note_on_an_unknown_node_ends_as_every_unknown_node_does() -> None:
    unknown = Candidates(asked="live", reason="unknown", candidates=())
    code, _, errors, service = run({}, "review", "note", "live", "--text", "odd", lineage=unknown)

    assert code == 2
    assert "live" in errors
    assert service.called == []


@pytest.mark.parametrize("words", [("feedback", "q-1"), ("feedback", "give", "q-1")])
def test_feedback_is_given_with_or_without_the_word(words: tuple[str, ...]) -> None:
    answer = {"feedback": "f-1", "new": True}
    code, out, _, service = run(answer, *words, "--score", "0", "--correct", "negative")

    assert code == 0
    assert "f-1 kept" in out
    said = {"request_id": "q-1", "by": ME, "score": 0.0, "correct": "negative"}
    assert service.called == [("ReceiveFeedbackFunctionName", said)]


def test_feedback_status_names_what_is_lost() -> None:
    counts = {"waiting": 1, "usable": 2, "scored": 3, "exported": 4, "lost": 5}
    _, out, _, _ = run({"counts": counts}, "feedback", "status")

    assert "5  were about answers that no log has" in out


def test_an_export_tells_its_datasets() -> None:
    made = {"datasets": [{"dataset": "s3://b/d.jsonl", "model": "vader", "cases": 12}]}
    _, out, _, service = run(made, "feedback", "export", "--min-cases", "5", "--json")

    assert json.loads(out) == made
    assert service.called == [("ExportFeedbackFunctionName", {"min_cases": 5})]
