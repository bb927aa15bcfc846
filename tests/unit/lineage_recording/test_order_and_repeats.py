"""The order and the number of deliveries do not matter."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.lineage.recording import record_event
from hallmark.lineage.rows import GraphRows
from tests.fakes.memory_store import KnownContents, KnownResources, MemoryStore, stored, surroundings
from tests.fakes.sagemaker_events import (
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
CHANNELS = {"train": "s3://bucket/prepared/train"}


@cache
def deliveries() -> tuple[tuple[dict[str, Any], dict[str, Any]], ...]:
    """Return the events of a workflow, each with what Describe would answer at the moment of its delivery."""
    config_event, described_config = config("wine-v1", "wine-v1", 28)
    model_event, described_model = model("wine-v1", 1, 27)
    package_name = arn("model-package", "wine/1")
    return (
        (processing("prepare", "InProgress", {"raw": "s3://bucket/raw"}, {"all": "s3://bucket/prepared"}), {}),
        (processing("prepare", "Completed", {"raw": "s3://bucket/raw"}, {"all": "s3://bucket/prepared"}), {}),
        (training("train-1", "InProgress", CHANNELS), {}),
        (training("train-1", "Completed", CHANNELS), {"train-1": described_training("train-1", CHANNELS)}),
        (training("train-1", "Completed", CHANNELS), {}),
        (package(1, "PendingManualApproval", 20), {package_name: package(1, "PendingManualApproval", 20)["detail"]}),
        (package(1, "Approved", 25), {package_name: package(1, "Approved", 25)["detail"]}),
        (package(1, "PendingManualApproval", 20), {package_name: package(1, "Approved", 25)["detail"]}),
        (model_event, {"wine-v1": described_model}),
        (config_event, {"wine-v1": described_config}),
        (endpoint("CREATING", "wine-v1", 30), {"wine-live": described_endpoint("wine-v1", 30, "Creating")}),
        (endpoint("IN_SERVICE", "wine-v1", 31), {"wine-live": described_endpoint("wine-v1", 31)}),
        (endpoint("IN_SERVICE", "wine-v2", 50), {"wine-live": described_endpoint("wine-v2", 50)}),
        (endpoint("DELETING", "wine-v2", 60), {}),
    )


def recorded(order: list[int]) -> MemoryStore:
    store = MemoryStore()
    contents = KnownContents(
        {
            "s3://bucket/raw": [stored("a.csv", "raw", at=OLD)],
            "s3://bucket/prepared": [stored("train/t.csv", "rows", at=OLD)],
            "s3://bucket/prepared/train": [stored("t.csv", "rows", at=OLD)],
        }
    )
    for number in order:
        event, descriptions = deliveries()[number]
        record_event(event, surroundings(store, contents=contents, describer=KnownResources(descriptions)))
    return store


@cache
def expected() -> tuple[bytes, bytes]:
    store = recorded(list(range(len(deliveries()))))
    rows = GraphRows()
    rows.add(store.since(None))
    return store.snapshot(), rows.to_bytes()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_order_with_any_repeats_gives_the_same_graph_byte_for_byte(data: st.DataObject) -> None:
    once = data.draw(st.permutations(range(len(deliveries()))))
    repeats = data.draw(st.lists(st.sampled_from(once), max_size=10))
    order = data.draw(st.permutations([*once, *repeats]))

    store = recorded(order)
    rows = GraphRows()
    rows.add(store.since(None))

    assert (store.snapshot(), rows.to_bytes()) == expected()
