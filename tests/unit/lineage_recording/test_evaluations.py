"""What a run of a suite tells becomes lineage, whatever the order of deliveries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hallmark.events.published import EVALUATION_COMPLETED, EvaluatedDataset, EvaluatedModel, EvaluationCompleted
from hallmark.lineage.model import NodeKind
from hallmark.lineage.recording import record_event
from tests.fakes.memory_store import surroundings

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:EvaluateSuite:sentiment-20261101"
PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/tweets/3"


def told(**changes: Any) -> dict[str, Any]:
    completed = EvaluationCompleted(
        execution=EXECUTION,
        run="sentiment-20261101",
        suite="sentiment",
        trigger="model_package",
        source=PACKAGE,
        started_at=datetime(2026, 11, 1, 6, tzinfo=UTC),
        completed_at=datetime(2026, 11, 1, 7, tzinfo=UTC),
        champion="nova",
        primary="accuracy",
        models=[
            EvaluatedModel(
                name="nova", model_id="amazon.nova-lite-v1:0", answered=9, planned=10, metrics={"accuracy": 0.8}
            ),
        ],
        datasets=[EvaluatedDataset(name="tweets", location="s3://data/tweets.jsonl", digest="ab12", cases=10)],
        coverage=0.9,
        cost_usd=0.5,
        report="s3://evaluations/runs/sentiment/sentiment-20261101/",
    ).model_copy(update=changes)
    entry = completed.to_entry("bus", EVALUATION_COMPLETED)
    return {
        "id": "1",
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "account": "123456789012",
        "region": "us-east-1",
        "time": "2026-11-01T07:00:01Z",
        "resources": [],
        "detail": completed.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def test_an_evaluation_is_a_node_with_its_models_its_data_and_its_trigger() -> None:
    fact = record_event(told(), surroundings()).fact

    sources = {(edge.source.kind, edge.source.id) for edge in fact.edges if edge.target == fact.subject}
    assert fact.subject.kind is NodeKind.EVALUATION
    assert fact.subject.id == EXECUTION
    assert (
        NodeKind.FOUNDATION_MODEL,
        "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
    ) in sources
    assert (NodeKind.MODEL_PACKAGE, PACKAGE) in sources
    assert any(identifier.startswith("s3://data/tweets.jsonl") for _, identifier in sources)


def test_the_numbers_and_the_digest_of_the_data_are_attributes_and_nothing_is_left_over() -> None:
    attributes = record_event(told(), surroundings()).fact.states[0].attributes

    assert attributes["models"]["nova"] == {"answered": 9, "planned": 10, "metrics": {"accuracy": 0.8}}
    assert attributes["datasets"]["tweets"]["digest"] == "ab12"
    assert "unrecognised" not in attributes


def test_a_repeat_changes_nothing() -> None:
    known = surroundings()

    assert [record_event(told(), known).new for _ in range(2)] == [True, False]
