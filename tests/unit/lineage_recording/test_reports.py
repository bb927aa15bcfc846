"""What other tools report joins SageMaker's lineage, by name and by content, in any order, however often."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hallmark.errors import InvalidInputError
from hallmark.events.published import SOURCE
from hallmark.events.records import LineageFlow, LineageNode, LineageSection
from hallmark.events.reports import LINEAGE_REPORTED, RUN_STATUSES, LineageReported, data_node, foreign_id
from hallmark.lineage.answering import Answerer
from hallmark.lineage.folding import fold
from hallmark.lineage.model import FINAL_STATUSES, EdgeType, NodeKind
from hallmark.lineage.questions import TraceAnswer, TraceQuestion
from hallmark.lineage.recording import record_event
from hallmark.lineage.rows import GraphRows
from hallmark.lineage.snapshot import content_digest
from tests.fakes.memory_store import KnownContents, KnownResources, MemoryStore, stored, surroundings
from tests.fakes.sagemaker_events import at as minute
from tests.fakes.sagemaker_events import described_training, training

START = minute(0)
OLD = minute(-1000)
TRAIN = [stored("train.csv", "rows", at=OLD)]
ROWS = content_digest(TRAIN)
RUN = foreign_id("mlflow", "tracking.example.com/runs/8f0c")
PACKAGE = "arn:aws:sagemaker:eu-west-1:111122223333:model-package/wine/3"


def flow(uri: str, direction: str = "in", *, digest: str | None = None, role: str = "") -> LineageFlow:
    kind = "Produced" if direction == "out" else "ContributedTo"
    return LineageFlow.model_validate(
        {"node": data_node(uri, digest), "direction": direction, "type": kind, "role": role}
    )


def report(
    minutes: float, status: str | None, *flows: LineageFlow, node: LineageNode | None = None, **attributes: Any
) -> dict[str, Any]:
    told = LineageReported(
        tool="mlflow",
        lineage=LineageSection(
            node=node or LineageNode(kind="run", id=RUN),
            at=START + timedelta(minutes=minutes),
            since=START,
            status=status,
            attributes=attributes,
            flows=list(flows),
        ),
    )
    entry = told.to_entry("bus", LINEAGE_REPORTED)
    return {
        "id": "1",
        "source": SOURCE,
        "detail-type": entry["DetailType"],
        "account": "111122223333",
        "region": "eu-west-1",
        "time": "2026-01-01T00:00:00Z",
        "resources": [],
        "detail": json.loads(entry["Detail"]),
    }


def record(*events: dict[str, Any], contents: dict[str, Any] | None = None) -> MemoryStore:
    store = MemoryStore()
    for event in events:
        record_event(event, surroundings(store, contents=KnownContents(contents)))
    return store


def upstream_of(store: MemoryStore, name: str) -> set[str]:
    rows = GraphRows()
    rows.add(store.since(None))
    question = TraceQuestion.model_validate({"node": name, "direction": "up"})
    answer = Answerer(rows, store, lambda: minute(10_000)).answer(question)
    assert isinstance(answer, TraceAnswer)
    return {found.key for found in answer.nodes}


def nodes(store: MemoryStore) -> set[tuple[str, str]]:
    ends = {end for edge in store.all_edges for end in (edge.source, edge.target)}
    return {(node.kind.value, node.id) for node in ends | {state.node for fact in store.facts for state in fact.states}}


@pytest.mark.parametrize("kind", ["run", "registered-model", "model-version"])
def test_each_kind_of_another_tool_becomes_a_node_that_says_which_tool(kind: str) -> None:
    store = record(report(1, "Completed", node=LineageNode(kind=kind, id="mlflow:wine/3")))

    (fact,) = store.facts
    assert (fact.subject.kind.value, fact.subject.id, fact.states[0].status) == (kind, "mlflow:wine/3", "Completed")
    assert fact.states[0].attributes["tool"] == "mlflow"


def test_nobody_can_say_in_whose_name_a_report_came() -> None:
    (fact,) = record(report(1, "Completed", reported_by="arn:aws:iam::1:user/boss", tool="other")).facts
    assert (fact.states[0].attributes.get("reported_by"), fact.states[0].attributes["tool"]) == (None, "mlflow")


def test_a_dataset_with_a_digest_is_that_content_of_the_place() -> None:
    told = LineageNode(kind="dataset", id="file:///data/wine.csv/", digest="sha256:" + "a" * 64)
    store = record(report(1, None, node=told))

    (fact,) = store.facts
    assert fact.subject.kind is NodeKind.DATASET_VERSION
    assert fact.subject.id == f"file:///data/wine.csv#sha256:{'a' * 64}"
    (edge,) = fact.edges
    assert (edge.source.id, edge.type, edge.role) == ("file:///data/wine.csv", EdgeType.ASSOCIATED_WITH, "version")


def test_what_another_tool_read_from_s3_is_looked_at_as_of_its_start() -> None:
    store = record(report(30, "Completed", flow("s3a://bucket/train/")), contents={"s3://bucket/train": TRAIN})

    assert ("dataset-version", f"s3://bucket/train#{ROWS}") in nodes(store)


def test_content_with_the_same_digest_joins_another_tool_with_sagemaker() -> None:
    store = record(
        report(1, "Completed", flow("hdfs://lake/train", "out", digest=ROWS)),
        contents={"s3://bucket/train": TRAIN},
    )
    channels = {"train": "s3://bucket/train"}
    record_event(
        training("train-1", "Completed", channels),
        surroundings(
            store,
            contents=KnownContents({"s3://bucket/train": TRAIN}),
            describer=KnownResources({"train-1": described_training("train-1", channels)}),
        ),
    )

    assert RUN in upstream_of(store, "train-1")


def test_a_digest_that_is_told_and_a_look_at_the_place_both_join() -> None:
    told = "md5:" + "b" * 32
    store = record(
        report(1, "Completed", flow("s3://bucket/train", digest=told)), contents={"s3://bucket/train": TRAIN}
    )

    read = {edge.source.id for edge in store.all_edges if edge.target.id == RUN}
    assert read == {f"s3://bucket/train#{told}", f"s3://bucket/train#{ROWS}"}


def test_what_lies_where_a_run_is_only_going_to_write_is_not_of_its_making() -> None:
    out = flow("s3://bucket/model", "out")
    store = record(report(0, "InProgress", out), contents={"s3://bucket/model": TRAIN})
    assert not [edge for edge in store.all_edges if edge.source.id == RUN]

    ended = record(report(9, "Completed", out), contents={"s3://bucket/model": TRAIN})
    assert [edge.type for edge in ended.all_edges if edge.source.id == RUN] == [EdgeType.PRODUCED]


def test_a_lost_start_does_not_lose_the_run() -> None:
    store = record(report(9, "Completed", flow("hdfs://lake/a"), flow("hdfs://lake/b", "out")))

    assert nodes(store) >= {("run", RUN), ("dataset", "hdfs://lake/a"), ("dataset", "hdfs://lake/b")}


PARTS = (
    report(0, "InProgress", flow("hdfs://lake/a"), name="prepare"),
    report(5, "InProgress", flow("hdfs://lake/b"), metrics={"rows": 5}),
    report(9, "Completed", flow("hdfs://lake/c", "out", digest="sha256:" + "c" * 64)),
    report(7, "InProgress", flow("s3://bucket/train", digest="sha256:" + "d" * 64)),
)


@settings(max_examples=50, deadline=None)
@given(st.permutations([*PARTS, *PARTS]), st.integers(0, 4))
def test_parts_of_a_run_merge_in_any_order_with_any_repeats(order: list[dict[str, Any]], extra: int) -> None:
    told, expected = record(*order, *order[:extra]), record(*PARTS)

    assert told.snapshot() == expected.snapshot()
    view = fold(told.states(RUN))
    assert view.status == "Completed"
    assert view.attributes["name"] == "prepare"
    assert [use["uri"] for use in view.attributes["inputs"]] == ["s3://bucket/train"]
    assert [use["uri"] for use in view.attributes["outputs"]] == ["hdfs://lake/c"]
    read = {edge.source.id.partition("#")[0] for edge in told.all_edges if edge.target.id == RUN}
    assert read == {"hdfs://lake/a", "hdfs://lake/b", "s3://bucket/train"}


def test_the_statuses_of_runs_that_end_them_are_final() -> None:
    assert set(RUN_STATUSES) - FINAL_STATUSES == {"InProgress"}


@pytest.mark.parametrize("kind", ["verdict", "approval", "model-package", "endpoint", "attestation"])
def test_no_tool_can_say_that_a_verdict_passed_or_a_package_was_approved(kind: str) -> None:
    with pytest.raises(ValidationError, match="another tool tells of"):
        report(1, "Approved", node=LineageNode(kind=kind, id=PACKAGE))
    forged = report(1, "Approved")
    forged["detail"]["lineage"]["node"] = {"kind": kind, "id": PACKAGE}
    with pytest.raises(InvalidInputError):
        record(forged)


@pytest.mark.parametrize(
    ("node", "field"),
    [
        ({"kind": "run", "id": "nameless"}, "detail.lineage.node.id"),
        ({"kind": "run", "id": PACKAGE}, "detail.lineage.node.id"),
        ({"kind": "dataset", "id": "s3://b/k", "digest": "1a2b"}, "detail.lineage.node.digest"),
        ({"kind": "dataset-version", "id": "s3://b/k"}, "detail.lineage.node.id"),
    ],
)
def test_a_node_that_cannot_be_another_tools_is_refused_by_field(node: dict[str, Any], field: str) -> None:
    wrong = report(1, "Completed")
    wrong["detail"]["lineage"]["node"] = node
    with pytest.raises(InvalidInputError) as refused:
        record(wrong)
    assert refused.value.field == field
