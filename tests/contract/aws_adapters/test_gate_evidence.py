"""What gates keep and read, on DynamoDB, S3 and SageMaker as moto plays them; lineage answers as its function does."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from hallmark.aws.gate_lineage import LineageOrigins
from hallmark.aws.gate_models import SageMakerModels
from hallmark.aws.gate_table import DynamoVerdicts
from hallmark.aws.gating import GateAnnouncer
from hallmark.aws.lineage_service import LineageService
from hallmark.errors import NotFoundError, UnavailableError
from hallmark.gates.ports import Subject
from hallmark.gates.requests import GateRequest
from hallmark.gates.uncertainty import Counts
from hallmark.gates.verdicts import RequestState, Verdict
from hallmark.lineage.model import EdgeType, NodeKind
from hallmark.lineage.questions import Direction, NodeSummary, ShowAnswer, TraceAnswer, TracedEdge, TracedNode

REGION = "eu-west-1"
AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
MODEL = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/wine/3"
DIGEST = "sha256:" + "ab" * 32


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield


# --- the table ---


@pytest.fixture
def table(aws: None) -> DynamoVerdicts:
    dynamodb = boto3.client("dynamodb", REGION)
    names = ("pk", "sk", "listed", "listed_at", "model")
    indexes: list[Any] = [
        {
            "IndexName": index,
            "KeySchema": [
                {"AttributeName": partition, "KeyType": "HASH"},
                {"AttributeName": "listed_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
        for index, partition in (("listing", "listed"), ("model", "model"))
    ]
    dynamodb.create_table(
        TableName="gates",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=indexes,
        BillingMode="PAY_PER_REQUEST",
    )
    return DynamoVerdicts("gates", dynamodb)


def verdict(request_id: str, *, outcome: str = "passed", model: str = MODEL, minutes: int = 0) -> Verdict:
    request = GateRequest(gate="g", model=model, request_id=request_id, trigger="manual", callback_token="t")
    return Verdict.model_validate(
        {
            "id": f"hallmark:verdict/{request.digest}",
            "request": request,
            "stage": "staging",
            "outcome": outcome,
            "model_name": "wine:3",
            "package": model,
            "criteria": (),
            "action": "none",
            "decided_at": AT + timedelta(minutes=minutes),
            "summary": "it does",
        }
    )


def test_the_first_verdict_of_a_request_is_kept(table: DynamoVerdicts) -> None:
    first, second = verdict("r"), verdict("r", outcome="failed", minutes=1)

    assert (table.add(first), table.add(second)) == (first, first)
    assert table.find(first.request) == first
    assert table.verdict(first.id) == table.verdict(first.request.digest) == first
    assert table.find(verdict("other").request) is None
    with pytest.raises(NotFoundError):
        table.verdict("none")


def test_verdicts_are_listed_the_latest_first_all_or_of_a_model(table: DynamoVerdicts) -> None:
    kept = [table.add(verdict(str(number), minutes=number)) for number in range(3)]
    other = table.add(verdict("x", model="a.model", minutes=9))

    assert table.latest(10) == [other, *reversed(kept)]
    assert table.latest(2, MODEL) == [kept[2], kept[1]]


def test_a_request_that_is_decided_stays_so(table: DynamoVerdicts) -> None:
    kept = table.add(verdict("r"))
    late = RequestState(request=kept.request.digest, status="failed", gate="g", model=MODEL, reason="late", since=AT)

    table.note(late)

    state = table.state(kept.request.digest)
    assert state is not None
    assert (state.status, state.verdict) == ("decided", kept.id)
    assert table.state("unknown") is None


# --- packages and their reports ---


class NoLineage(LineageService):
    """Lineage that knows which packages an endpoint serves."""

    def __init__(self, *packages: str) -> None:
        self._packages = packages

    def packages_behind(self, endpoint: str) -> tuple[str, ...]:
        return self._packages


def register(version: str, digest: str, right: int, status: str = "PendingManualApproval") -> str:
    s3, sagemaker = boto3.client("s3", REGION), boto3.client("sagemaker", REGION)
    if not s3.list_buckets()["Buckets"]:
        s3.create_bucket(Bucket="reports", CreateBucketConfiguration={"LocationConstraint": REGION})  # type: ignore[typeddict-item]
        sagemaker.create_model_package_group(ModelPackageGroupName="wine")
    counts = {"accuracy": {"successes": right, "cases": 100}}
    report = {"dataset": {"item_count": 100, "digest": digest}, "counts": counts}
    s3.put_object(Bucket="reports", Key=f"{version}.json", Body=json.dumps(report).encode())
    statistics: Any = {"ContentType": "application/json", "S3Uri": f"s3://reports/{version}.json"}
    return sagemaker.create_model_package(
        ModelPackageGroupName="wine",
        ModelApprovalStatus=status,  # type: ignore[arg-type]
        ModelMetrics={"ModelQuality": {"Statistics": statistics}},
        CustomerMetadataProperties={"hallmark:model-id": "a.model"},
        InferenceSpecification={
            "Containers": [{"Image": "image"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]


def models(*packages: str) -> SageMakerModels:
    return SageMakerModels(boto3.client("sagemaker", REGION), boto3.client("s3", REGION), NoLineage(*packages))


def test_a_package_and_its_report_are_read_and_held_against_the_approved_one_before(aws: None) -> None:
    register("1", "d", 90, "Approved")
    package = register("2", "d", 95)
    registry = models()

    subject = registry.describe(package)
    source, problems = registry.quality_report(subject)

    assert (subject.name, subject.group, subject.model_id) == ("wine:2", "wine", "a.model")
    assert source is not None
    assert problems == ()
    assert source.metrics[0].measured == Counts(successes=95, cases=100)
    assert source.against[0].champion == "wine:1"
    assert source.against[0].apart == Counts(successes=90, cases=100)
    assert source.against[0].incomparable == ()


def test_reports_on_different_data_do_not_compare(aws: None) -> None:
    register("1", "d", 90, "Approved")
    registry = models()

    source, _ = registry.quality_report(registry.describe(register("2", "e", 95)))

    assert source is not None
    assert source.against[0].incomparable == ("they were measured on different data",)


def test_the_package_behind_an_endpoint_is_judged(aws: None) -> None:
    package = register("1", "d", 90)
    endpoint = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/live"

    assert models(package).describe(endpoint).package == package
    assert "no model package behind" in models().describe(endpoint).problems[0]
    assert "2 model packages" in models("a", "b").describe(endpoint).problems[0]


def test_a_package_that_is_gone_or_without_a_report_is_said_to_be(aws: None) -> None:
    package = register("1", "d", 90)
    gone = models().describe(package.replace("/1", "/9"))

    assert "there is no model package" in gone.problems[0]
    boto3.client("s3", REGION).delete_object(Bucket="reports", Key="1.json")
    source, problems = models().quality_report(models().describe(package))
    assert source is None
    assert "cannot be read: NoSuchKey" in problems[0]


@pytest.mark.parametrize(
    ("body", "reason"), [(b"{", "is not JSON"), (b"[]", "no JSON object"), (b"{}", "docs/gates.md")]
)
def test_a_report_that_is_none_is_said_to_be(aws: None, body: bytes, reason: str) -> None:
    package = register("1", "d", 90)
    boto3.client("s3", REGION).put_object(Bucket="reports", Key="1.json", Body=body)

    source, problems = models().quality_report(models().describe(package))

    assert source is None
    assert reason in problems[0]


# --- lineage ---


class QueryLineage:
    """The function ``query_lineage``, with prepared answers."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def invoke(self, **request: Any) -> dict[str, Any]:
        question = json.loads(request["Payload"])
        self.asked.append(question)
        answer = next(each for each in self._answers if each.answer == question["ask"])
        return {"Payload": io.BytesIO(answer.model_dump_json().encode())}


class BrokenLineage:
    """The same, when it fails."""

    def invoke(self, **_request: Any) -> dict[str, Any]:
        return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorType": "X", "errorMessage": "no"}')}


def node(key: str, kind: NodeKind, **more: Any) -> TracedNode:
    return TracedNode(key=key, kind=kind, label=key, depth=1, **more)


def edge(source: str, target: str, role: str = "") -> TracedEdge:
    return TracedEdge(
        source=source, target=target, type=EdgeType.CONTRIBUTED_TO, role=role, valid_from=AT, recorded_at=AT
    )


TRAIN = f"s3://data/train#{DIGEST}"
CODE = f"s3://data/code.tar.gz#{DIGEST}"
ORIGIN = TraceAnswer(
    complete=True,
    start=NodeSummary(key=MODEL, kind=NodeKind.MODEL_PACKAGE, label="wine v3"),
    direction=Direction.UP,
    nodes=(
        node("job", NodeKind.TRAINING_JOB),
        node(TRAIN, NodeKind.DATASET_VERSION),
        node(CODE, NodeKind.DATASET_VERSION),
        node(f"image@{DIGEST}", NodeKind.IMAGE),
        node("image:latest", NodeKind.IMAGE),
        node("git:repo@abc-dirty", NodeKind.CODE),
    ),
    edges=(edge(TRAIN, "job", "train"), edge(CODE, "job", "code")),
)
SUBJECT = Subject(model=MODEL, name="wine:3", package=MODEL)


def test_ancestors_tell_data_images_and_code(aws: None) -> None:
    service = LineageService("f", QueryLineage(ORIGIN))

    found = LineageOrigins(service, None).provenance(SUBJECT, with_tags=False)

    assert found is not None
    assert [(each.name, each.trained_on) for each in found.snapshots] == [("s3://data/train", True)]
    assert found.images_with_digest == (f"image@{DIGEST}",)
    assert found.images_without == ("image:latest",)
    assert found.has_uncommitted


def test_tags_are_those_of_exactly_the_objects_of_the_snapshot(aws: None) -> None:
    s3 = boto3.client("s3", REGION)
    s3.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": REGION})  # type: ignore[typeddict-item]
    s3.put_object(Bucket="data", Key="train/a", Body=b"1", Tagging="approved=true")
    s3.put_object(Bucket="data", Key="train/b", Body=b"1", Tagging="approved=true&pii=true")
    manifest = [["train/a", "", "x", 1], ["train/b", "", "x", 1]]
    shown = ShowAnswer(
        node=NodeSummary(key=TRAIN, kind=NodeKind.DATASET_VERSION, label="train"),
        attributes={"uri": "s3://data/train", "manifest": manifest},
        history=(),
        upstream=(),
        downstream=(),
        neighbours=(),
    )
    service = LineageService("f", QueryLineage(ORIGIN, shown))

    found = LineageOrigins(service, s3).provenance(SUBJECT, with_tags=True)

    assert found is not None
    tags = found.snapshots[0].tags
    assert tags is not None
    assert tags.on_all == {"approved=true"}
    assert tags.on_any == {"approved=true", "pii=true"}
    s3.delete_object(Bucket="data", Key="train/b")
    again = LineageOrigins(service, s3).provenance(SUBJECT, with_tags=True)
    assert again is not None
    assert again.snapshots[0].tags is None


def reports(*states: tuple[str, str, int]) -> TraceAnswer:
    nodes = [
        node(
            f"hallmark:drift-report/{monitor}/{minutes}",
            NodeKind.DRIFT_REPORT,
            status=status,
            at=AT + timedelta(minutes=minutes),
        )
        for monitor, status, minutes in states
    ]
    nodes += [node("hallmark:baseline/quiet/1", NodeKind.BASELINE), node("config", NodeKind.ENDPOINT_CONFIG)]
    start = NodeSummary(key="e", kind=NodeKind.ENDPOINT, label="e")
    return TraceAnswer(complete=True, start=start, direction=Direction.DOWN, nodes=tuple(nodes), edges=())


def test_the_latest_report_of_each_monitor_says_whether_drift_is_open() -> None:
    answer = reports(("traffic", "Drifted", 1), ("traffic", "Clear", 2), ("wines", "Clear", 1), ("wines", "Drifted", 3))
    lineage = QueryLineage(answer)

    found = LineageOrigins(LineageService("f", lineage), None).monitors(Subject(model="e", name="e", endpoint="arn:e"))

    # Reports come of the config that the endpoint serves, not of the endpoint.
    assert [(asked["node"], asked["direction"]) for asked in lineage.asked] == [
        ("arn:e", "up"),
        ("arn:e", "down"),
        ("config", "down"),
    ]

    assert found is not None
    assert {each.monitor: each.is_open for each in found} == {"traffic": False, "wines": True, "quiet": False}


def test_lineage_that_does_not_answer_is_asked_again() -> None:
    with pytest.raises(UnavailableError):
        LineageService("f", BrokenLineage()).packages_behind("e")


# --- pipelines ---


class Steps:
    """SageMaker's two answers to a callback step."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, dict[str, Any]]] = []

    def send_pipeline_execution_step_success(self, **request: Any) -> None:
        self.answers.append(("success", request))

    def send_pipeline_execution_step_failure(self, **request: Any) -> None:
        self.answers.append(("failure", request))


@pytest.mark.parametrize(
    ("outcome", "answer"), [("passed", "success"), ("failed", "failure"), ("inconclusive", "failure")]
)
def test_a_verdict_ends_the_step_that_waits_for_it(aws: None, outcome: str, answer: str) -> None:
    events, steps = boto3.client("events", REGION), Steps()
    events.create_event_bus(Name="hallmark")

    GateAnnouncer("hallmark", events, steps).tell(verdict("r", outcome=outcome))

    assert [(kind, request["CallbackToken"]) for kind, request in steps.answers] == [(answer, "t")]
