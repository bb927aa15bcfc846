"""``hallmark openlineage``: events of a file are sent in parts, and the proxy listens to its own machine."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hallmark.aws.deployed import QuestionError
from hallmark.lineage.answering import Answerer
from hallmark.lineage.rows import GraphRows
from tests.fakes.foreign_lineage import NOW, ForeignLineage, run_event
from tests.fakes.lineage_service import CannedService
from tests.unit.cli.test_commands import run


def service() -> CannedService:
    def answer(output: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        assert output == "ReceiveLineageFunctionName"
        count = len(payload["events"])
        return {"events": count, "ignored": 0, "nodes": ["openlineage:1"], "unmatchedInputs": ["hdfs://n/typo"]}

    return CannedService(functions=answer)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (json.dumps(run_event(), indent=1), 1),
        (json.dumps([run_event()] * 3), 3),
        ("\n".join([json.dumps(run_event())] * 450) + "\n\n", 450),
    ],
    ids=["one", "list", "lines"],
)
def test_the_events_of_a_file_are_sent_in_the_callers_name(tmp_path: Path, text: str, count: int) -> None:
    file, asked = tmp_path / "events.json", service()
    file.write_text(text)
    screen = run(asked, "openlineage", "send", str(file))

    assert (screen.code, screen.out) == (0, f"{count} events, 0 of them Hallmark's own\n")
    assert "nothing else in lineage tells of hdfs://n/typo" in screen.err
    sent = [payload for _, payload in asked.called]
    assert sum(len(payload["events"]) for payload in sent) == count
    assert max(len(payload["events"]) for payload in sent) <= 200
    assert {payload["by"] for payload in sent} == {"arn:aws:iam::111122223333:user/rater-1"}


def test_a_file_that_is_no_json_is_named_with_the_line_and_nothing_is_sent(tmp_path: Path) -> None:
    file, asked = tmp_path / "events.jsonl", service()
    file.write_text(json.dumps(run_event()) + "\n{\n")
    screen = run(asked, "openlineage", "send", str(file), width=200)

    assert (screen.code, asked.called) == (1, [])
    assert f"{file}:2: no JSON" in screen.err
    assert run(asked, "openlineage", "send", str(tmp_path / "none")).code == 1


def test_what_the_intake_refuses_is_said(tmp_path: Path) -> None:
    def refuse(_output: str, _payload: Mapping[str, Any]) -> dict[str, Any]:
        raise QuestionError("[0].run.runId is None: give the run an id: a UUID")

    file = tmp_path / "events.json"
    file.write_text("{}")
    screen = run(CannedService(functions=refuse), "openlineage", "send", str(file), width=200)

    assert (screen.code, "run.runId" in screen.err) == (1, True)


def test_the_proxy_listens_to_nobody_else_unless_that_is_said() -> None:
    screen = run(service(), "openlineage", "proxy", "--host", "0.0.0.0", width=200)  # noqa: S104 - it refuses

    assert screen.code == 1
    assert "add --anyone" in screen.err


def test_a_port_that_is_taken_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CannedService, "signed_posts", lambda *_: lambda body, headers: (201, b""))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        screen = run(service(), "openlineage", "proxy", "--port", str(taken.getsockname()[1]), width=200)

    assert screen.code == 1
    assert "take another --port" in screen.err


def test_data_of_a_run_that_was_told_in_parts_are_shown_once() -> None:
    lineage = ForeignLineage()
    for number, kind in enumerate(("START", "RUNNING", "COMPLETE")):
        lineage.intake.receive(run_event(kind, inputs=[("hdfs://n", "/raw")], at=f"2026-11-29T10:0{number}:00Z"))
    rows = GraphRows()
    rows.add(lineage.store.since(None))
    answerer = Answerer(rows, lineage.store, lambda: NOW)
    screen = run(CannedService(answerer.answer), "show", "openlineage:3f5e83fa-3480-44ff-99c5-ff943904e5e8", width=120)

    assert "comes from (1)" in screen.out
