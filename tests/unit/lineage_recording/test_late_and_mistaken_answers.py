"""What Describe answers late, for another resource, or not at all; and what an event does not say."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from hallmark.lineage.folding import fold
from hallmark.lineage.model import NodeKind, Origin
from hallmark.lineage.recording import Recording, record_description, record_event
from tests.fakes.memory_store import KnownResources, MemoryStore, surroundings
from tests.fakes.sagemaker_events import (
    ACCOUNT,
    arn,
    at,
    config,
    described_endpoint,
    described_training,
    endpoint,
    event,
    model,
    package,
    processing,
    training,
)

PIPELINE = arn("pipeline", "wine")
EXECUTION = f"{PIPELINE}/execution/abcdef123456"


def described(recording: Recording) -> list[tuple[str | None, datetime | None]]:
    subject = recording.fact.subject
    return [(state.status, state.at) for state in recording.fact.states if state.node.id == subject.id]


# --- another resource under the same name ---


def test_a_description_of_a_later_job_with_the_same_name_is_not_mixed_with_the_event() -> None:
    later = described_training("train-1", {}, begun=600, TrainingJobStatus="InProgress", HyperParameters={"depth": "9"})
    tags = {arn("training-job", "train-1"): {"team": "of the later one"}}
    told = training("train-1", "Completed", {}, begun=10)
    del told["detail"]["Tags"]

    recording = record_event(told, surroundings(describer=KnownResources({"train-1": later}, tags)))

    attributes = recording.fact.states[0].attributes
    assert recording.fact.subject.born == at(10)
    assert recording.fact.origin is Origin.EVENT
    assert attributes["event_only"] is True
    assert attributes["hyperparameters"] == {"depth": "3"}
    assert "tags" not in attributes
    assert "metrics" not in attributes


def test_a_creation_time_that_is_cut_to_the_second_is_the_same_creation() -> None:
    told = training("train-1", "Completed", {})
    told["detail"]["CreationTime"] = int(at(10).timestamp())
    answer = described_training("train-1", {}, CreationTime=at(10) + timedelta(milliseconds=700))

    recording = record_event(told, surroundings(describer=KnownResources({"train-1": answer})))

    assert recording.fact.origin is Origin.DESCRIBED
    assert recording.fact.subject.born == at(10)


# --- answers that lag behind ---


def test_a_description_that_lags_behind_does_not_undo_the_end_of_a_run() -> None:
    behind = {
        **described_training("train-1", {}),
        "TrainingJobStatus": "InProgress",
        "LastModifiedTime": at(12),
        "TrainingEndTime": None,
        "ModelArtifacts": {},
    }
    store = MemoryStore()

    recording = record_event(
        training("train-1", "Completed", {}), surroundings(store, describer=KnownResources({"train-1": behind}))
    )

    assert described(recording) == [("Completed", at(15))]
    assert [edge.role for edge in store.all_edges if edge.type.value == "Produced"] == ["model"]


# --- deletions ---


def test_a_late_event_of_an_endpoint_that_is_gone_does_not_date_its_deletion() -> None:
    store = MemoryStore()
    events = [endpoint("IN_SERVICE", "wine-v1", 31), endpoint("DELETING", "wine-v1", 60)]
    for order in permutations(events):
        store = MemoryStore()
        for told in order:
            record_event(told, surroundings(store))

        view = fold(store.states(arn("endpoint", "wine-live")))

        assert (view.status, view.deleted_at) == ("Deleted", at(60))


@pytest.mark.parametrize(
    "made", [model("wine-v1", 1, 27)[0], config("wine-v1", "wine-v1", 27)[0], package(1, "Approved", 27)]
)
def test_an_event_much_later_than_all_that_it_tells_of_is_that_of_a_deletion(made: dict[str, Any]) -> None:
    recording = record_event({**made, "time": at(500).isoformat()}, surroundings())

    assert described(recording)[0] == ("Deleted", at(500))


@pytest.mark.parametrize("made", [model("wine-v1", 1, 27)[0], config("wine-v1", "wine-v1", 27)[0]])
def test_the_event_of_a_creation_that_is_delivered_after_the_deletion_dates_no_deletion(made: dict[str, Any]) -> None:
    recording = record_event({**made, "time": (at(27) + timedelta(seconds=2)).isoformat()}, surroundings())

    assert described(recording) == [(None, at(27))]
    assert recording.fact.states[0].attributes["event_only"] is True


# --- states that tell no time of their own ---


@pytest.mark.parametrize(
    ("detail_type", "resource", "field", "created", "statuses"),
    [
        (
            *("SageMaker Feature Group State Change", arn("feature-group", "wine")),
            *("FeatureGroupStatus", "CreationTime", ("Creating", "Created")),
        ),
        (
            *("SageMaker Model Building Pipeline Execution Status Change", EXECUTION),
            *("currentPipelineExecutionStatus", "executionStartTime", ("Executing", "Stopping")),
        ),
        (
            *("SageMaker Transform Job State Change", arn("transform-job", "score")),
            *("TransformJobStatus", "TransformStartTime", ("InProgress", "Stopping")),
        ),
    ],
    ids=["feature group", "pipeline execution", "transform job"],
)
def test_the_later_status_holds_in_either_order_where_only_the_envelope_tells_when(
    detail_type: str, resource: str, field: str, created: str, statuses: tuple[str, str]
) -> None:
    times = {"CreationTime": at(1).isoformat(), created: at(1).isoformat()}
    told = [
        event(detail_type, resource, {**times, field: status}, at(minute)) for minute, status in enumerate(statuses, 1)
    ]
    for order in permutations(told):
        store = MemoryStore()
        for one in order:
            recording = record_event(one, surroundings(store))

        assert fold(store.states(recording.fact.subject.id)).status == statuses[1]


def test_several_events_of_one_creation_make_one_state() -> None:
    store = MemoryStore()
    made, answer = model("wine-v1", 1, 27)
    for seconds in (0, 1, 3):
        record_event(
            {**made, "id": str(seconds), "time": (at(27) + timedelta(seconds=seconds)).isoformat()},
            surroundings(store, describer=KnownResources({"wine-v1": answer})),
        )

    assert len(store.states(arn("model", "wine-v1"))) == 1


# --- what handling late changes ---


def test_events_handled_late_lead_to_the_same_current_view() -> None:
    """In time, Describe answers what the event tells; late, it answers the last state for every event."""
    steps = [("CREATING", "Creating", "wine-v1", 30), ("IN_SERVICE", "InService", "wine-v1", 31)]
    steps += [("UPDATING", "Updating", "wine-v1", 40), ("IN_SERVICE", "InService", "wine-v2", 50)]
    last = described_endpoint("wine-v2", 50)
    views = []
    for late in (False, True):
        store = MemoryStore()
        for told, status, name, minute in steps:
            answer = last if late else described_endpoint(name, minute, status)
            record_event(
                endpoint(told, name, minute), surroundings(store, describer=KnownResources({"wine-live": answer}))
            )
        view = fold(store.states(arn("endpoint", "wine-live")))
        configs = {(edge.source.id, edge.valid_from) for edge in store.all_edges if edge.role == "config"}
        views.append((view.status, view.at, view.attributes["config"], configs))

    assert views[0] == views[1]


# --- parents that nothing names outright ---


def test_a_job_of_a_pipeline_is_joined_to_its_execution_by_the_names_that_pipelines_give() -> None:
    store = MemoryStore()
    told = processing("pipelines-abcdef123456-prepare-x1y2", "InProgress", {}, {})
    told["detail"]["ExperimentConfig"] = {"ExperimentName": "wine", "TrialName": "abcdef123456"}

    record_event(told, surroundings(store))

    assert EXECUTION in {edge.source.id for edge in store.all_edges if edge.role == "parent"}


def test_an_experiment_of_a_persons_own_makes_no_pipeline() -> None:
    store = MemoryStore()
    told = processing("prepare", "InProgress", {}, {})
    told["detail"]["ExperimentConfig"] = {"ExperimentName": "wine", "TrialName": "first"}

    recording = record_event(told, surroundings(store))

    assert not [edge for edge in store.all_edges if edge.source.kind is NodeKind.PIPELINE_EXECUTION]
    assert recording.fact.states[0].attributes["experiment"] == {"ExperimentName": "wine", "TrialName": "first"}


def test_the_start_and_the_end_of_a_step_make_one_edge_to_its_job() -> None:
    store = MemoryStore()
    detail = {
        "pipelineArn": PIPELINE,
        "pipelineExecutionArn": EXECUTION,
        "stepName": "Prepare",
        "stepType": "Processing",
        "metadata": {"processingJob": {"arn": arn("processing-job", "prepare")}},
        "stepStartTime": at(1).isoformat(),
    }
    for more in (
        {"currentStepStatus": "Executing"},
        {"currentStepStatus": "Succeeded", "stepEndTime": at(9).isoformat()},
    ):
        told = event(
            "SageMaker Model Building Pipeline Execution Step Status Change", EXECUTION, {**detail, **more}, at(9)
        )
        record_event(told, surroundings(store))

    (edge,) = [edge for edge in store.all_edges if edge.role == "Prepare"]
    assert (edge.source.id, edge.target.id, edge.valid_from) == (EXECUTION, arn("processing-job", "prepare"), at(1))


def test_an_execution_is_dated_alike_by_its_event_and_by_a_sweep() -> None:
    told, swept = MemoryStore(), MemoryStore()
    answer = {
        "PipelineArn": PIPELINE,
        "PipelineExecutionArn": EXECUTION,
        "PipelineExecutionStatus": "Succeeded",
        "CreationTime": at(1),
        "LastModifiedTime": at(9),
    }
    detail = {
        "pipelineArn": PIPELINE,
        "pipelineExecutionArn": EXECUTION,
        "currentPipelineExecutionStatus": "Succeeded",
        "executionStartTime": at(1).isoformat(),
        "executionEndTime": at(9).isoformat(),
    }
    record_event(
        event("SageMaker Model Building Pipeline Execution Status Change", EXECUTION, detail, at(9)),
        surroundings(told, describer=KnownResources({EXECUTION: answer})),
    )
    record_description("pipeline-execution", EXECUTION, answer, surroundings(swept))

    assert swept.snapshot() == told.snapshot()


# --- feature groups ---


def test_data_of_an_offline_store_join_the_feature_group_in_both_directions() -> None:
    store = MemoryStore()
    place = f"s3://bucket/store/{ACCOUNT}/sagemaker/us-east-1/offline-store/wine-features-1611624059/data"

    record_event(processing("ingest", "Completed", {}, {"features": place}), surroundings(store))
    record_event(training("train-1", "Completed", {"train": f"{place}/year=2026"}), surroundings(store))

    group = arn("feature-group", "wine-features")
    joined = {(edge.source.id, edge.target.id, edge.type.value) for edge in store.all_edges}
    assert (arn("processing-job", "ingest"), group, "Produced") in joined
    assert (group, arn("training-job", "train-1"), "ContributedTo") in joined


def test_the_offline_store_of_another_account_is_a_dataset_only() -> None:
    store = MemoryStore()
    place = "s3://bucket/999999999999/sagemaker/us-east-1/offline-store/wine-1611624059/data"

    record_event(training("train-1", "Completed", {"train": place}), surroundings(store))

    assert not [edge for edge in store.all_edges if edge.source.kind is NodeKind.FEATURE_GROUP]
