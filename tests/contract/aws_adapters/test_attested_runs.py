"""What attestations are made of: reports as runs write them, and training jobs as lineage answers."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from hallmark.attestations.evaluations import evaluation_statement
from hallmark.attestations.statements import Resource
from hallmark.attestations.training import training_statement
from hallmark.aws.attested_runs import measured_run, shown_node, trained_model
from hallmark.aws.lineage_service import LineageService
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.evaluation.comparison.report import write_report
from hallmark.evaluation.runs import Run, RunStatus, Trigger
from hallmark.lineage.model import EdgeType, NodeKind
from hallmark.lineage.questions import Answer, Question
from tests.contract.aws_adapters.test_gate_reports import AT, report
from tests.fakes.lineage_service import Lineage

JOB = "arn:aws:sagemaker:eu-central-1:111122223333:training-job/churn"
KEY = f"{JOB}@20261123T110000Z"
COMMIT = "9" * 40


class Reports:
    """S3 with one report, or an error."""

    def __init__(self, content: bytes, error: Exception | None = None) -> None:
        self.content, self.error = content, error
        self.asked: list[dict[str, Any]] = []

    def get_object(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        return {"Body": io.BytesIO(self.content)}


def run(status: RunStatus = RunStatus.COMPLETED, folder: str | None = "s3://reports/runs/s/s-1/") -> Run:
    return Run(
        run="s-1",
        suite="s",
        status=status,
        trigger=Trigger(kind="manual"),
        started_at=datetime(2026, 5, 4, tzinfo=UTC),
        execution="arn:aws:states:eu-west-1:1:execution:evaluate:s-1",
        report=folder,
    )


def test_a_run_is_what_its_report_says_with_the_digest_of_the_very_file() -> None:
    content = write_report(report(("old", "a.old"), ("candidate", "a.new")))
    files = Reports(content)

    found = measured_run(run(), files)

    assert files.asked == [{"Bucket": "reports", "Key": "runs/s/s-1/report.json"}]
    assert found.report_digest == sha256(content).hexdigest()
    assert [(each.name, each.model_id) for each in found.models] == [("old", "a.old"), ("candidate", "a.new")]
    assert found.execution.endswith(":s-1")
    assert found.completed_at == AT
    statement = evaluation_statement(found, "urn:hallmark:1:eu-west-1")
    assert statement.subject[1].digest == {"awsModelId": "a.new"}


@pytest.mark.parametrize("unfinished", [run(RunStatus.FAILED), run(RunStatus.RUNNING), run(folder=None)])
def test_a_run_without_a_report_is_not_attested(unfinished: Run) -> None:
    with pytest.raises(InvalidInputError, match="only a run with a report"):
        measured_run(unfinished, Reports(b""))


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://s3"),
        ClientError({"Error": {"Code": "NoSuchKey", "Message": ""}}, "GetObject"),
    ],
)
def test_a_report_that_cannot_be_read_now_is_asked_for_again(error: Exception) -> None:
    with pytest.raises(UnavailableError):
        measured_run(run(), Reports(b"", error))


class Service:
    """The query function over a small graph."""

    def __init__(self, graph: Lineage) -> None:
        self._graph = graph

    def ask(self, question: Question) -> Answer:
        return self._graph.answer(question)


def trained(status: str = "Completed", commit: str = COMMIT) -> tuple[Lineage, LineageService]:
    graph = Lineage()
    job = graph.node(NodeKind.TRAINING_JOB, "churn", key=KEY, status=status)
    graph.attributes[job] = {
        "arn": JOB,
        "hyperparameters": {"depth": "3"},
        "resources": {"instances": 1},
        "started_at": "2026-11-23T11:00:00Z",
        "ended_at": "2026-11-23T12:00:00Z",
        "metrics": {"loss": 0.1},
    }
    data = graph.node(NodeKind.DATASET_VERSION, "train", key=f"s3://data/train#sha256:{'a' * 64}")
    image = graph.node(NodeKind.IMAGE, "image", key=f"1.dkr.ecr/churn@sha256:{'b' * 64}")
    code = graph.node(NodeKind.CODE, "code", key=f"git:https://example.com/churn@{commit}")
    parent = graph.node(NodeKind.TUNING_JOB, "tune")
    for source, role in ((data, "train"), (image, "image"), (code, "code"), (parent, "parent")):
        graph.flow(source, job, role)
    model = graph.node(NodeKind.DATASET_VERSION, "model", key=f"s3://models/churn#sha256:{'d' * 64}")
    package = graph.node(NodeKind.MODEL_PACKAGE, "churn v1")
    graph.flow(job, model, "model", type_=EdgeType.PRODUCED)
    graph.flow(job, package, "generated-by", type_=EdgeType.PRODUCED)
    return graph, cast("LineageService", Service(graph))


def test_a_training_job_is_what_lineage_says_went_in_and_came_out() -> None:
    _, lineage = trained()

    found = trained_model(shown_node(lineage, KEY), lineage)

    assert (found.arn, found.region, found.account) == (JOB, "eu-central-1", "111122223333")
    assert {each.name: each for each in found.materials} == {
        "train": Resource(name="train", uri="s3://data/train", digest={"hallmarkSnapshot": "a" * 64}),
        "image": Resource(name="image", uri=f"docker://1.dkr.ecr/churn@sha256:{'b' * 64}", digest={"sha256": "b" * 64}),
        "code": Resource(name="code", uri=f"git+https://example.com/churn@{COMMIT}", digest={"gitCommit": COMMIT}),
    }
    assert [each.uri for each in found.products] == ["s3://models/churn"]
    assert found.requested == {"hyperparameters": {"depth": "3"}}
    assert training_statement(found, "urn:x").subject[0].digest == {"hallmarkSnapshot": "d" * 64}


def test_a_commit_with_changes_beside_it_is_no_digest_of_the_code() -> None:
    _, lineage = trained(commit=f"{COMMIT}-dirty")

    (code,) = [each for each in trained_model(shown_node(lineage, KEY), lineage).materials if each.name == "code"]

    assert code.digest is None
    assert code.annotations == {"uncommittedChanges": True}


@pytest.mark.parametrize("status", ["Failed", "Stopped", "InProgress"])
def test_a_job_that_did_not_complete_has_no_provenance(status: str) -> None:
    _, lineage = trained(status)

    with pytest.raises(InvalidInputError, match="completed training job"):
        trained_model(shown_node(lineage, KEY), lineage)


def test_a_job_that_lineage_does_not_know_yet_is_asked_for_again() -> None:
    _, lineage = trained()

    with pytest.raises(UnavailableError, match="yet"):
        shown_node(lineage, "arn:aws:sagemaker:eu-central-1:111122223333:training-job/new")
