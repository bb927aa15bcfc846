"""Kubeflow Pipelines' API as an HTTP server: with the API of artifacts, and as it was before it."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from jsonschema import Draft202012Validator

from hallmark.aws.tool_api import HttpToolApi
from hallmark.errors import InvalidInputError
from hallmark.lineage.connectors.kubeflow.syncing import KubeflowPass, KubeflowSync
from hallmark.lineage.connectors.kubeflow.translation import Installation, read_run
from hallmark.lineage.folding import fold
from hallmark.lineage.intake.naming import Names
from tests.fakes.imported_lineage import ImportedLineage
from tests.fakes.memory_connectors import Collected, MemoryOfTools, record_reports
from tests.fakes.memory_store import KnownContents, MemoryStore, stored, surroundings
from tests.unit.cli.test_commands import run

PAYLOADS = Path(__file__).parents[2] / "payloads" / "kubeflow"
KNOWN: dict[str, Any] = json.loads((PAYLOADS / "installation.json").read_text(encoding="utf-8"))
DEFINITIONS: dict[str, Any] = json.loads((PAYLOADS / "definitions.json").read_text(encoding="utf-8"))
START = datetime(2026, 11, 29, tzinfo=UTC)


class KubeflowAnswers:
    """The API over a dictionary; two runs a page."""

    def __init__(self) -> None:
        self.known = copy.deepcopy(KNOWN)
        self.has_artifacts = True
        self.asked: list[str] = []
        answers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                answers.asked.append(parts.path)
                found = answers.answer(parts.path.removeprefix("/apis/v2beta1/"), query)
                body = json.dumps(found if found is not None else {"code": 5, "message": "Not Found"}).encode()
                self.send_response(200 if found is not None else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path: str, query: dict[str, str]) -> dict[str, Any] | None:
        kind, _, name = path.partition("/")
        if kind == "runs" and not name:
            start = int(query.get("page_token") or 0)
            page = self.known["runs"][start : start + 2]
            more = start + 2 < len(self.known["runs"])
            return {"runs": page, **({"next_page_token": str(start + 2)} if more else {})}
        if kind == "runs":
            return next((each for each in self.known["runs"] if each["run_id"] == name), None)
        if not self.has_artifacts:
            return None
        if kind == "artifact_tasks":
            uses = [use for use in self.known["artifact_tasks"] if use["run_id"] == query["run_ids"]]
            return {"artifact_tasks": uses}
        return next((each for each in self.known["artifacts"] if each["artifact_id"] == name), None)


@pytest.fixture
def answers() -> Iterator[KubeflowAnswers]:
    found = KubeflowAnswers()
    yield found
    found.server.shutdown()
    found.server.server_close()


class Looking:
    """Passes one hour apart that remember."""

    def __init__(self, answers: KubeflowAnswers) -> None:
        self.now = START
        self.reporter = Collected()
        names = Names({"minio://mlpipeline": "s3://cluster-artifacts"})
        api = HttpToolApi(answers.url, requests_per_second=1_000)
        self.sync = KubeflowSync(Installation("prod", names), api, MemoryOfTools(), self.reporter, lambda: self.now)

    def look(self, steps: int = 1_000) -> int:
        self.now += timedelta(hours=1)
        before = len(self.reporter.reports)
        at: KubeflowPass | None = KubeflowPass(server="prod")
        while at is not None:
            left = [True] * steps
            at = self.sync.go_on(
                KubeflowPass.model_validate_json(at.model_dump_json()),
                lambda left=left: bool(left and left.pop()),  # type: ignore[misc]
            ).following
        return len(self.reporter.reports) - before

    def graph(self, contents: KnownContents | None = None) -> MemoryStore:
        store = MemoryStore()
        record_reports(self.reporter.reports, surroundings(store, contents=contents))
        return store


@pytest.mark.parametrize(
    ("name", "documents"),
    [
        ("V2beta1Run", KNOWN["runs"]),
        ("V2beta1Artifact", KNOWN["artifacts"]),
        ("V2beta1ArtifactTask", KNOWN["artifact_tasks"]),
    ],
)
def test_the_shapes_that_are_tested_are_those_of_kubeflows_own_definitions(name: str, documents: list[Any]) -> None:
    validator = Draft202012Validator({**DEFINITIONS, "$ref": f"#/$defs/{name}"})

    for document in documents:
        validator.validate(document)


def edges(store: MemoryStore) -> set[tuple[str, str, str]]:
    return {
        (edge.source.id.partition("#")[0], edge.target.id.partition("#")[0], edge.role)
        for edge in store.all_edges
        if edge.role != "version"
    }


def test_runs_tasks_and_artifacts_become_a_graph(answers: KubeflowAnswers) -> None:
    looking = Looking(answers)
    looking.look()
    store = looking.graph()

    task = "kubeflow:prod/tasks/t-"
    assert {
        ("kubeflow:prod/runs/r-1", f"{task}root", "root"),
        (f"{task}root", f"{task}fit", "fit"),
        ("s3://lake/raw.csv", f"{task}split", "raw"),
        (f"{task}split", "s3://cluster-artifacts/v2/train", "train"),
        ("s3://cluster-artifacts/v2/train", f"{task}fit", "train"),
        (f"{task}fit", "s3://models/wine", "model"),
    } <= edges(store)
    whole = fold(store.states("kubeflow:prod/runs/r-1"))
    assert (whole.status, whole.attributes["hyperparameters"]["depth"]) == ("Completed", 3)
    assert fold(store.states(f"{task}fit")).attributes["metrics"] == {"accuracy": 0.93}
    assert "hunter2" not in store.snapshot().decode()


def test_what_runs_and_what_failed_say_so_without_the_year_1970(answers: KubeflowAnswers) -> None:
    looking = Looking(answers)
    looking.look()
    store = looking.graph()

    again, broken = (fold(store.states(f"kubeflow:prod/runs/r-{number}")) for number in (2, 3))
    assert (again.status, broken.status) == ("InProgress", "Failed")
    assert (broken.attributes["failure_reason"], broken.attributes["lifecycle"]) == ("out of memory", "archived")
    assert all(state.at is None or state.at.year > 2000 for state in store.all_states)


def test_an_installation_without_the_api_of_artifacts_tells_them_by_id(answers: KubeflowAnswers) -> None:
    answers.has_artifacts = False
    looking = Looking(answers)
    looking.look()

    assert ("kubeflow:prod/artifacts/2", "kubeflow:prod/tasks/t-fit", "train") in edges(looking.graph())
    assert sum(path.endswith("artifact_tasks") for path in answers.asked) == 1


def test_only_what_changed_is_told_again(answers: KubeflowAnswers) -> None:
    looking = Looking(answers)
    assert looking.look() > 0
    assert looking.look() == 0

    answers.known["runs"][1] |= {"state": "SUCCEEDED", "finished_at": "2026-11-28T02:10:00Z"}
    assert looking.look() == 1
    assert fold(looking.graph().states("kubeflow:prod/runs/r-2")).status == "Completed"


def test_a_run_that_is_gone_is_recorded_as_deleted(answers: KubeflowAnswers) -> None:
    looking = Looking(answers)
    looking.look()
    del answers.known["runs"][0]
    looking.look()
    looking.look()

    gone = fold(looking.graph().states("kubeflow:prod/runs/r-1"))
    assert (gone.status, gone.deleted_at, gone.attributes["name"]) == ("Deleted", START + timedelta(hours=2), "nightly")


def test_a_pass_that_is_interrupted_after_each_step_tells_the_same(answers: KubeflowAnswers) -> None:
    whole, pieces = Looking(answers), Looking(answers)
    whole.look()
    pieces.look(steps=1)

    assert pieces.reporter.reports == whole.reporter.reports


def test_what_lies_in_s3_joins_by_content(answers: KubeflowAnswers) -> None:
    looking = Looking(answers)
    looking.look()
    store = looking.graph(KnownContents({"s3://lake/raw.csv": [stored("", "rows")]}))

    assert any("s3://lake/raw.csv#sha256:" in edge.source.id for edge in store.all_edges)


def test_one_command_imports_everything_and_again_changes_nothing(answers: KubeflowAnswers) -> None:
    lineage = ImportedLineage()
    command = ("import", "kfp", "--url", answers.url, "--name", "prod")
    counted = json.loads(run(lineage.service, *command, "--dry-run", "--json").out)
    assert (counted["counts"]["runs"], lineage.received) == (3, [])

    screen = run(lineage.service, *command, "--json")
    assert (screen.code, json.loads(screen.out)["sent"]) == (0, 3)
    before = lineage.store.snapshot()
    assert run(lineage.service, *command).code == 0
    assert lineage.store.snapshot() == before
    assert "kubeflow:prod/runs/r-1" in lineage.upstream("kubeflow:prod/tasks/t-fit")


def test_an_answer_that_is_no_run_is_refused_by_field() -> None:
    with pytest.raises(InvalidInputError, match=r"PipelineRun\.created_at"):
        read_run({"run_id": "r"})
