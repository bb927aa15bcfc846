"""Whether a second run came to the same as the first one, from lineage alone."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.errors import InvalidInputError
from hallmark.events.envelope import read_envelope
from hallmark.events.reproductions import REPRODUCTION_JUDGED, ReproductionJudged
from hallmark.lineage.model import NodeKind
from hallmark.lineage.ports import StoredObject
from hallmark.lineage.questions import Direction, ShowAnswer, ShowQuestion, TraceAnswer, TraceQuestion
from hallmark.lineage.recording import record_event
from hallmark.lineage.references import resource_ref
from hallmark.lineage.reproduction.announcing import judge_recorded, reproduction_id
from hallmark.lineage.reproduction.judging import (
    ACCELERATED_TOLERANCE,
    SEEDED_TOLERANCE,
    UNSEEDED_TOLERANCE,
    Outcome,
    tolerance_of,
)
from hallmark.lineage.reproduction.manifest import Manifest
from hallmark.lineage.reproduction.writing import Choices, write_manifest
from tests.fakes.recorded_jobs import (
    BEGUN,
    CONTENTS,
    ENDED,
    IMAGE,
    PROCESSING,
    REQUESTS,
    TAGS,
    TRAINING,
    Recorded,
    kept,
)

HARDWARE = ACCELERATED_TOLERANCE
AGAIN = BEGUN + timedelta(hours=1)


class Desk:
    """A run, and a second one that a manifest of it started."""

    def __init__(self, kind: NodeKind = NodeKind.TRAINING_JOB, request: Mapping[str, Any] | None = None) -> None:
        self.kind = kind
        self.account = Recorded()
        self.first = self.account.record(kind, request or REQUESTS[kind], TAGS)
        found = write_manifest(self.account.ask, self.first, Choices())
        assert isinstance(found, Manifest)
        self.manifest = found

    def again(
        self,
        contents: Mapping[str, Sequence[StoredObject]] | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        request: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> str:
        """Record the second run; return its key."""
        asked = copy.deepcopy(dict(request or self.manifest.request or {}))
        self.account.contents.listings |= dict(self.staged() if contents is None else contents)
        given = [*asked.pop("Tags", []), *({"Key": name, "Value": value} for name, value in (tags or {}).items())]
        times = dict.fromkeys(("CreationTime", "TrainingStartTime", "ProcessingStartTime"), AGAIN)
        arn = self.account.record(self.kind, asked, given, **times, **more)
        return resource_ref(arn, self.kind, AGAIN).key

    def staged(self) -> dict[str, Sequence[StoredObject]]:
        """Return what lies in the places of the request: copies of the first run's data, and its own outputs."""
        found: dict[str, Sequence[StoredObject]] = {
            str(pinned.staged_uri): CONTENTS[pinned.uri] for pinned in self.manifest.data
        }
        place = "s3://bucket/hallmark-reproductions/runs"
        name = str((self.manifest.request or {}).get("TrainingJobName"))
        found[f"{place}/wine-train/models/{name}/output/model.tar.gz"] = [kept("", "model", "w1")]
        found[f"{place}/wine-train/checkpoints"] = [kept("1", "checkpoint", "w2")]
        found[f"{place}/wine-prepare/train"] = [kept("train.csv", "rows", "w3")]
        found[f"{place}/wine-prepare/test"] = [kept("test.csv", "few", "w4")]
        return found

    def judged(self, key: str) -> ReproductionJudged:
        found = judge_recorded({"node": key}, self.account.store)
        assert found is not None
        return found


def different_model(desk: Desk) -> dict[str, Sequence[StoredObject]]:
    found = desk.staged()
    for uri in found:
        if uri.endswith("model.tar.gz"):
            found[uri] = [kept("", "another", "w9")]
    return found


def loss(value: float) -> dict[str, Any]:
    return {"FinalMetricDataList": [{"MetricName": "validation:loss", "Value": value, "Timestamp": ENDED}]}


def test_a_run_whose_outputs_have_the_same_bytes_is_reproduced_exactly() -> None:
    desk = Desk()

    found = desk.judged(desk.again())

    assert (found.outcome, found.original) == (Outcome.EXACT, desk.manifest.run.key)
    assert "same bytes" in found.summary
    assert {role: each["is_same"] for role, each in found.lineage.attributes["read"].items()} == {
        "train": True,
        "extra": True,
        "code": True,
    }


def test_other_bytes_and_the_same_metrics_are_within_tolerance() -> None:
    desk = Desk()

    found = desk.judged(desk.again(different_model(desk), **loss(0.25 + 1e-8)))

    assert found.outcome == Outcome.WITHIN_TOLERANCE
    assert found.tolerance == SEEDED_TOLERANCE
    assert "other bytes in model" in found.summary


def test_a_metric_that_is_further_apart_is_named_with_both_values() -> None:
    desk = Desk()

    found = desk.judged(desk.again(different_model(desk), **loss(0.26)))

    assert found.outcome == Outcome.DIFFERENT
    assert "validation:loss was 0.25, is 0.26" in found.summary


def test_the_tolerance_that_was_asked_for_stands_in_the_runs_tag() -> None:
    desk = Desk()
    manifest = write_manifest(desk.account.ask, desk.first, Choices(tolerance=0.1))
    assert isinstance(manifest, Manifest)
    desk.manifest = manifest

    found = desk.judged(desk.again(different_model(desk), **loss(0.26)))

    assert (found.outcome, found.tolerance, found.tolerance_rule) == (Outcome.WITHIN_TOLERANCE, 0.1, "as was asked for")


def test_a_metric_that_is_missing_is_not_near() -> None:
    desk = Desk()

    found = desk.judged(desk.again(different_model(desk), FinalMetricDataList=[]))

    assert found.outcome == Outcome.DIFFERENT
    assert "is none" in found.summary


def test_other_data_are_other_conditions_whatever_the_metrics_say() -> None:
    desk = Desk()
    contents = desk.staged()
    train = next(str(pinned.staged_uri) for pinned in desk.manifest.data if pinned.role == "train")
    contents[train] = [kept("train.csv", "others", "w5"), kept("new.csv", "new", "w6")]

    found = desk.judged(desk.again(contents))

    assert found.outcome == Outcome.DIFFERENT
    assert "other conditions" in found.summary
    assert "2 of 2 objects: new.csv, train.csv" in found.summary


def test_another_etag_of_a_copy_of_the_same_version_is_the_same_and_says_so() -> None:
    desk = Desk()
    contents = desk.staged()
    train = next(str(pinned.staged_uri) for pinned in desk.manifest.data if pinned.role == "train")
    contents[train] = [kept("train.csv", "rows", "w5")._replace(identity="etag:whole-not-in-parts")]

    found = desk.judged(desk.again(contents))

    assert found.outcome == Outcome.EXACT
    assert "uploaded in parts" in found.lineage.attributes["read"]["train"]["text"]


def test_another_etag_elsewhere_is_another_content() -> None:
    desk = Desk()
    request = copy.deepcopy(desk.manifest.request or {})
    request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] = "s3://bucket/else"
    contents = {**desk.staged(), "s3://bucket/else": [kept("train.csv", "rows", "w5")._replace(identity="etag:other")]}

    assert desk.judged(desk.again(contents, request=request)).outcome == Outcome.DIFFERENT


def test_another_image_and_other_hyperparameters_are_other_conditions() -> None:
    desk = Desk()
    request = copy.deepcopy(desk.manifest.request or {})
    request["HyperParameters"]["epochs"] = "4"
    request["AlgorithmSpecification"]["TrainingImage"] = f"{IMAGE.rpartition(':')[0]}@sha256:{'cd' * 32}"

    found = desk.judged(desk.again(request=request))

    assert found.lineage.attributes["conditions"] == [
        "image abababababab was, cdcdcdcdcdcd is",
        "hyperparameters epochs",
    ]


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_run_that_did_not_complete_is_not_reproduced_and_says_why(status: str) -> None:
    desk = Desk()

    found = desk.judged(desk.again(TrainingJobStatus=status, FailureReason="out of memory"))

    assert (found.outcome, found.summary) == (Outcome.DIFFERENT, f"the second run is {status}: out of memory")


def test_a_processing_job_has_no_metrics_so_its_bytes_decide() -> None:
    same, other = Desk(NodeKind.PROCESSING_JOB), Desk(NodeKind.PROCESSING_JOB)
    contents = other.staged()
    contents["s3://bucket/hallmark-reproductions/runs/wine-prepare/test"] = [kept("test.csv", "new", "w7")]

    assert same.judged(same.again()).outcome == Outcome.EXACT
    found = other.judged(other.again(contents))
    assert found.outcome == Outcome.DIFFERENT
    assert "there are no metrics, and other bytes in test: 1 of 1 objects: test.csv" in found.summary


def test_where_nothing_can_be_compared_nobody_can_tell() -> None:
    desk = Desk(NodeKind.PROCESSING_JOB)
    contents = {uri: listed for uri, listed in desk.staged().items() if "/runs/" not in uri}

    found = desk.judged(desk.again(contents))

    assert found.outcome == Outcome.INCONCLUSIVE
    assert "not known" in found.summary


def test_what_could_not_be_listed_of_the_inputs_is_said_with_the_verdict() -> None:
    desk = Desk()
    extra = next(str(pinned.staged_uri) for pinned in desk.manifest.data if pinned.role == "extra")

    found = desk.judged(desk.again({uri: listed for uri, listed in desk.staged().items() if uri != extra}))

    assert found.outcome == Outcome.EXACT
    assert "whether it read the same is not known of extra" in found.summary


def test_a_tuning_job_is_compared_by_its_best_objective() -> None:
    desk = Desk(NodeKind.TUNING_JOB)

    found = desk.judged(desk.again())

    assert found.lineage.attributes["metrics"] == {"validation:loss": {"first": 0.25, "second": 0.25, "is_near": True}}
    assert found.outcome == Outcome.WITHIN_TOLERANCE


def test_a_run_that_reproduces_nothing_or_has_not_ended_is_not_judged() -> None:
    desk = Desk()
    key = desk.manifest.run.key

    assert judge_recorded({"node": key}, desk.account.store) is None
    assert judge_recorded({"node": "hallmark:verdict/x"}, desk.account.store) is None
    assert judge_recorded({"node": desk.again(TrainingJobStatus="InProgress")}, desk.account.store) is None


def test_an_event_without_a_node_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"detail\.node"):
        judge_recorded({}, Desk().account.store)


@pytest.mark.parametrize(
    ("original", "words"),
    [
        ("arn:aws:sagemaker:us-east-1:111122223333:training-job/never@20260101T000000Z", "lineage knows no"),
        ("nonsense", "lineage knows no"),
    ],
)
def test_a_run_that_lineage_does_not_know_cannot_be_compared(original: str, words: str) -> None:
    desk = Desk()
    request = {name: value for name, value in (desk.manifest.request or {}).items() if name != "Tags"}

    found = desk.judged(desk.again(request=request, tags={"hallmark:reproduces": original}))

    assert found.outcome == Outcome.INCONCLUSIVE
    assert words in found.summary


def test_a_tolerance_that_is_none_is_told_and_not_made_up() -> None:
    desk = Desk()

    found = desk.judged(desk.again(tags={"hallmark:tolerance": "a lot"}))

    assert found.outcome == Outcome.INCONCLUSIVE
    assert "give a share from 0 to 1" in found.summary


@pytest.mark.parametrize(
    ("told", "relative"),
    [
        ({"hyperparameters": {"seed": "7"}, "resources": {"instance_type": "ml.m5.large"}}, SEEDED_TOLERANCE),
        (
            {"hyperparameters": {"random-state": "7"}, "resources": {"instance_type": "ml.p3.2xlarge"}},
            ACCELERATED_TOLERANCE,
        ),
        ({"environment": {"SEED": "7"}, "resources": {"instance_type": "ml.trn1.2xlarge"}}, HARDWARE),
        ({"hyperparameters": {"epochs": "7"}}, UNSEEDED_TOLERANCE),
    ],
)
def test_the_rule_depends_on_seed_and_machine(told: dict[str, Any], relative: float) -> None:
    assert tolerance_of(told, None).relative == relative


@given(st.floats(0, 1), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_nearness_does_not_depend_on_which_run_was_first(share: float, one: float, other: float) -> None:
    tolerance = tolerance_of({}, str(share))

    assert tolerance.allows(one, other) == tolerance.allows(other, one)
    assert tolerance.allows(one, one)


def test_the_verdict_becomes_a_node_with_edges_from_both_runs_and_a_repeat_changes_nothing() -> None:
    desk = Desk()
    key = desk.again()
    event = {
        "version": "0",
        "id": "1",
        "source": "hallmark",
        "detail-type": REPRODUCTION_JUDGED,
        "account": "111122223333",
        "region": "us-east-1",
        "time": "2026-11-23T12:00:00Z",
        "resources": [],
        "detail": desk.judged(key).model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    assert read_envelope(event, account=None).resource == "record"

    first = record_event(event, desk.account.surroundings)
    again = record_event({**event, "id": "2"}, desk.account.surroundings)

    assert (first.new, again.new) == (True, False)
    shown = desk.account.ask(ShowQuestion(node=reproduction_id(key)))
    assert isinstance(shown, ShowAnswer)
    assert (shown.node.kind, shown.node.status) == (NodeKind.REPRODUCTION, "Exact")
    trace = desk.account.ask(TraceQuestion(node=desk.manifest.run.key, direction=Direction.DOWN, depth=1))
    assert isinstance(trace, TraceAnswer)
    assert reproduction_id(key) in {node.key for node in trace.nodes}
    roles = {(edge.source, edge.role) for edge in shown.upstream}
    assert roles == {(desk.manifest.run.key, "original"), (key, "reproduction")}


def test_the_requests_of_these_tests_are_the_manifests_own() -> None:
    assert Desk().manifest.request is not None
    assert (Desk(NodeKind.PROCESSING_JOB).manifest.run.name, TRAINING["TrainingJobName"]) == (
        PROCESSING["ProcessingJobName"],
        "wine-train",
    )
