"""What each event of a workflow adds to the graph, as docs/graph.md promises."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.lineage.model import Edge, NodeKind, Origin
from hallmark.lineage.recording import record_description, record_event
from tests.fakes.memory_store import KnownContents, KnownImages, KnownResources, MemoryStore, stored, surroundings
from tests.fakes.sagemaker_events import (
    IMAGE,
    arn,
    at,
    config,
    described_endpoint,
    described_training,
    endpoint,
    model,
    package,
    processing,
    training,
)

OLD = at(-1000)
TRAIN = [stored("train.csv", "rows", at=OLD)]
CHANNELS = {"train": "s3://bucket/prepared/train/"}


def ends(edges: list[Edge]) -> set[tuple[str, str, str, str]]:
    return {(edge.source.id.split("#")[0], edge.target.id.split("#")[0], edge.type.value, edge.role) for edge in edges}


def contents(**more: Any) -> KnownContents:
    return KnownContents(
        {
            "s3://bucket/raw": [stored("a.csv", "raw", at=OLD)],
            "s3://bucket/prepared": [stored("train/train.csv", "rows", at=OLD), stored("test/test.csv", "few", at=OLD)],
            "s3://bucket/prepared/train": TRAIN,
            "s3://bucket/models/train-1/output/model.tar.gz": [stored("", "model 1", at=OLD)],
            **more,
        }
    )


def test_a_processing_job_joins_what_it_read_and_what_it_wrote() -> None:
    store = MemoryStore()
    event = processing("prepare", "Completed", {"raw": "s3://bucket/raw"}, {"all": "s3://bucket/prepared/"})

    record_event(event, surroundings(store, contents=contents()))

    job = arn("processing-job", "prepare")
    assert ends(store.all_edges) >= {
        ("s3://bucket/raw", job, "ContributedTo", "raw"),
        (job, "s3://bucket/prepared", "Produced", "all"),
        (IMAGE, job, "ContributedTo", "image"),
        ("s3://bucket/prepared", "s3://bucket/prepared/train", "DerivedFrom", "part"),
    }


def test_the_part_of_an_output_is_the_same_node_as_the_input_that_is_read_from_there() -> None:
    store = MemoryStore()
    known = surroundings(store, contents=contents())
    record_event(processing("prepare", "Completed", {}, {"all": "s3://bucket/prepared"}), known)
    record_event(training("train-1", "Completed", CHANNELS), known)

    part = next(
        edge.target
        for edge in store.all_edges
        if edge.role == "part" and edge.target.id.startswith("s3://bucket/prepared/train#")
    )
    read = next(edge.source for edge in store.all_edges if edge.role == "train")
    assert part == read


def test_a_training_job_carries_code_image_metrics_and_its_model() -> None:
    store = MemoryStore()
    name = arn("training-job", "train-1")
    describer = KnownResources(
        {"train-1": described_training("train-1", CHANNELS, TuningJobArn=arn("hyper-parameter-tuning-job", "tune"))}
    )
    images = KnownImages({IMAGE: f"sha256:{'b' * 64}"})

    recording = record_event(
        training("train-1", "Completed", CHANNELS),
        surroundings(store, contents=contents(), describer=describer, images=images),
    )

    attributes = recording.fact.states[0].attributes
    assert attributes["metrics"] == {"f1": 0.9}
    assert attributes["billable_seconds"] == 280
    assert attributes["code"] == {"commit": "0123456789abcdef", "repository": "https://example.com/wine.git"}
    assert attributes["image"] == {"uri": IMAGE, "digest": f"sha256:{'b' * 64}"}
    assert attributes["resources"] == {"instance_type": "ml.m5.large", "instance_count": 1, "volume_gb": 5}
    assert ends(store.all_edges) >= {
        ("git:https://example.com/wine.git@0123456789abcdef", name, "ContributedTo", "code"),
        (f"{IMAGE.removesuffix(':1')}@sha256:{'b' * 64}", name, "ContributedTo", "image"),
        (arn("hyper-parameter-tuning-job", "tune"), name, "AssociatedWith", "parent"),
        (name, "s3://bucket/models/train-1/output/model.tar.gz", "Produced", "model"),
    }


def test_a_run_in_progress_has_written_nothing_yet_and_is_not_described() -> None:
    store, describer = MemoryStore(), KnownResources()

    record_event(
        training("train-1", "InProgress", CHANNELS), surroundings(store, contents=contents(), describer=describer)
    )

    assert not [edge for edge in store.all_edges if edge.type.value == "Produced"]
    assert describer.asked == []


def test_a_failed_run_keeps_what_it_read_and_wrote() -> None:
    store = MemoryStore()

    record_event(training("train-1", "Failed", CHANNELS), surroundings(store, contents=contents()))

    assert {edge.type.value for edge in store.all_edges} >= {"ContributedTo", "Produced"}


def test_a_job_that_was_deleted_before_describe_is_recorded_from_the_event_and_marked() -> None:
    recording = record_event(training("train-1", "Completed", CHANNELS), surroundings(contents=contents()))

    assert recording.fact.states[0].attributes["event_only"] is True
    assert recording.fact.states[0].status == "Completed"
    assert recording.fact.origin is Origin.EVENT


def test_a_name_that_is_used_again_after_a_deletion_is_another_node() -> None:
    first = record_event(training("train-1", "Completed", CHANNELS, begun=10), surroundings(contents=contents()))
    second = record_event(training("train-1", "Completed", CHANNELS, begun=600), surroundings(contents=contents()))

    assert first.fact.subject.id == second.fact.subject.id
    assert first.fact.subject.key != second.fact.subject.key


def test_the_same_bytes_under_two_addresses_have_the_same_digest() -> None:
    store = MemoryStore()
    known = surroundings(store, contents=contents(**{"s3://elsewhere/copy": TRAIN}))
    record_event(training("train-1", "Completed", CHANNELS), known)
    record_event(training("train-2", "Completed", {"train": "s3://elsewhere/copy"}), known)

    digests = [edge.source.id.partition("#")[2] for edge in store.all_edges if edge.role == "train"]
    assert len(digests) == 2
    assert len(set(digests)) == 1


def test_other_content_under_the_same_address_is_another_version() -> None:
    store = MemoryStore()
    record_event(training("train-1", "Completed", CHANNELS), surroundings(store, contents=contents()))
    changed = contents(**{"s3://bucket/prepared/train": [stored("train.csv", "other rows", at=OLD)]})
    record_event(training("train-2", "Completed", CHANNELS, begun=60), surroundings(store, contents=changed))

    versions = {edge.source.id for edge in store.all_edges if edge.role == "train"}
    assert len(versions) == 2
    assert {version.partition("#")[0] for version in versions} == {"s3://bucket/prepared/train"}


def test_content_that_changed_while_a_run_read_it_is_not_claimed_to_be_known() -> None:
    store = MemoryStore()
    late = [stored("train.csv", "newer", at=at(10) + timedelta(seconds=30))]

    record_event(
        training("train-1", "Completed", CHANNELS),
        surroundings(store, contents=contents(**{"s3://bucket/prepared/train": late})),
    )

    (edge,) = [edge for edge in store.all_edges if edge.role == "train"]
    assert edge.source.kind is NodeKind.DATASET
    (entry,) = [entry for entry in store.facts[0].states[0].attributes["inputs"] if entry["role"] == "train"]
    assert entry["changed_after"] == 1


def test_a_dataset_that_may_not_be_read_is_recorded_by_address_with_the_reason() -> None:
    store = MemoryStore()

    recording = record_event(training("train-1", "Completed", CHANNELS), surroundings(store))

    (entry,) = [entry for entry in store.facts[0].states[0].attributes["inputs"] if entry["role"] == "train"]
    assert entry["refused"].startswith("NoSuchBucket")
    assert len(recording.refusals) == 2


def test_a_listing_beyond_the_bound_is_marked_with_its_count() -> None:
    many = [stored(f"{number:04}.csv", f"rows {number}", at=OLD) for number in range(30)]
    store = MemoryStore()

    record_event(
        training("train-1", "Completed", CHANNELS),
        surroundings(store, contents=contents(**{"s3://bucket/prepared/train": many}), object_limit=20),
    )

    (entry,) = [entry for entry in store.facts[0].states[0].attributes["inputs"] if entry["role"] == "train"]
    assert (entry["objects"], entry["complete"]) == (20, False)


def test_a_long_listing_goes_to_the_manifest_store() -> None:
    many = [stored(f"{number:04}.csv", f"rows {number}", at=OLD) for number in range(150)]
    store = MemoryStore()

    record_event(
        training("train-1", "Completed", CHANNELS),
        surroundings(store, contents=contents(**{"s3://bucket/prepared/train": many})),
    )

    version = next(state for state in store.all_states if state.node.id.startswith("s3://bucket/prepared/train#"))
    assert version.attributes["manifest_uri"].startswith("s3://lineage/manifests/")
    assert "manifest" not in version.attributes


def test_unknown_fields_and_statuses_are_kept() -> None:
    event = training("train-1", "Hibernating", CHANNELS, Novelty={"level": 3})

    recording = record_event(event, surroundings(contents=contents()))

    assert recording.fact.states[0].status == "Hibernating"
    assert recording.fact.states[0].attributes["unrecognised"]["Novelty"] == {"level": 3}


def test_a_field_of_a_wrong_type_does_not_lose_the_rest() -> None:
    event = training("train-1", "Completed", CHANNELS, TrainingTimeInSeconds={"not": "a number"})

    recording = record_event(event, surroundings(contents=contents()))

    assert recording.fact.states[0].attributes["unrecognised"]["Unreadable"] == {
        "TrainingTimeInSeconds": {"not": "a number"}
    }
    assert recording.fact.states[0].attributes["inputs"]


def test_a_package_joins_model_data_image_generator_and_group() -> None:
    store = MemoryStore()
    event = package(1, "PendingManualApproval", 20)
    describer = KnownResources({arn("model-package", "wine/1"): event["detail"]})

    record_event(event, surroundings(store, contents=contents(), describer=describer))

    name = arn("model-package", "wine/1")
    assert ends(store.all_edges) >= {
        ("s3://bucket/models/train-1/output/model.tar.gz", name, "ContributedTo", "model-data"),
        (f"{IMAGE.removesuffix(':1')}@sha256:{'a' * 64}", name, "ContributedTo", "image"),
        (arn("training-job", "train-1"), name, "Produced", "generated-by"),
        (name, arn("model-package-group", "wine"), "AssociatedWith", "member"),
    }


def test_an_approval_that_describe_has_overtaken_is_kept_in_the_history() -> None:
    store = MemoryStore()
    later = package(1, "Rejected", 40)["detail"]
    describer = KnownResources({arn("model-package", "wine/1"): later})

    record_event(package(1, "Approved", 30), surroundings(store, contents=contents(), describer=describer))

    told = {state.attributes["approval_status"] for state in store.all_states if "approval_status" in state.attributes}
    assert told == {"Approved", "Rejected"}


def test_an_endpoint_descends_from_config_model_and_package() -> None:
    store = MemoryStore()
    config_event, described_config = config("wine-v1", "wine-v1", 28)
    model_event, described_model = model("wine-v1", 1, 27)
    describer = KnownResources(
        {"wine-v1": {**described_model, **described_config}, "wine-live": described_endpoint("wine-v1", 31)}
    )
    known = surroundings(store, contents=contents(), describer=describer)

    for event in (endpoint("IN_SERVICE", "wine-v1", 31), config_event, model_event):
        record_event(event, known)

    assert ends(store.all_edges) >= {
        (arn("model-package", "wine/1"), arn("model", "wine-v1"), "ContributedTo", "package"),
        (arn("model", "wine-v1"), arn("endpoint-config", "wine-v1"), "ContributedTo", "AllTraffic"),
        (arn("endpoint-config", "wine-v1"), arn("endpoint", "wine-live"), "ContributedTo", "config"),
    }


def test_an_endpoint_that_can_no_longer_be_described_was_deleted_and_keeps_its_past() -> None:
    store = MemoryStore()

    record_event(endpoint("IN_SERVICE", "wine-v1", 31), surroundings(store))
    recording = record_event(endpoint("DELETING", "wine-v1", 60), surroundings(store))

    assert [(state.status, state.at) for state in recording.fact.states] == [("Deleted", at(60)), ("Deleting", at(60))]
    assert (arn("endpoint-config", "wine-v1"), arn("endpoint", "wine-live"), "ContributedTo", "config") in ends(
        store.all_edges
    )


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_other_partitions_keep_their_arns(partition: str) -> None:
    event = training("train-1", "Completed", CHANNELS)
    event["detail"]["TrainingJobArn"] = event["detail"]["TrainingJobArn"].replace("arn:aws:", f"arn:{partition}:")

    recording = record_event(event, surroundings(contents=contents()))

    assert recording.fact.subject.id == f"arn:{partition}:sagemaker:us-east-1:111122223333:training-job/train-1"


def test_an_event_without_any_arn_is_refused() -> None:
    event = training("train-1", "Completed", CHANNELS)
    del event["detail"]["TrainingJobArn"]
    event["resources"] = []

    with pytest.raises(InvalidInputError, match=r"detail\.TrainingJobArn"):
        record_event(event, surroundings())


def test_the_arn_in_resources_stands_in_for_a_missing_one() -> None:
    event = training("train-1", "Completed", CHANNELS)
    del event["detail"]["TrainingJobArn"]

    assert record_event(event, surroundings()).fact.subject.id == arn("training-job", "train-1")


def test_a_resource_that_no_event_told_of_makes_the_same_node_and_edges() -> None:
    described = described_training("train-1", CHANNELS)
    tags = {"git_commit": "0123456789abcdef", "git_repository": "https://example.com/wine.git"}
    told, swept = MemoryStore(), MemoryStore()
    describer = KnownResources({"train-1": described})
    record_event(
        training("train-1", "Completed", CHANNELS), surroundings(told, contents=contents(), describer=describer)
    )

    record_description(
        "training-job", arn("training-job", "train-1"), described, surroundings(swept, contents=contents()), tags=tags
    )

    assert swept.snapshot() == told.snapshot()


def test_a_service_that_does_not_answer_leaves_nothing_half_done() -> None:
    class Silent(KnownContents):
        def listing(self, uri: str, as_of: Any, limit: int) -> Any:
            raise UnavailableError("SlowDown")

    store = MemoryStore()

    with pytest.raises(UnavailableError):
        record_event(training("train-1", "Completed", CHANNELS), surroundings(store, contents=Silent()))

    assert store.facts == []
