from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema.exceptions import ValidationError

from hallmark.lineage.exports.material import Material, document_text, gather
from hallmark.lineage.exports.openlineage import FACETS_URN, name_of, openlineage, run_id
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import NodeSummary
from local.standards import check_event, facets_of, openlineage_schemas
from tests.fakes.described_lineage import ENDPOINT, PACKAGE, TRAINING, described
from tests.fakes.lineage_service import ACCOUNT, BUCKET, Lineage, shipped_twice

OWN = Path(__file__).parent / "openlineage"
WHOLE = Path(__file__).parents[4] / "shared" / "conformance" / "openlineage" / "spec"
"""All of OpenLineage's facet schemas, where they lie beside the project."""


def event_of(events: list[dict[str, Any]], key: str, kind: str = "COMPLETE") -> dict[str, Any]:
    return next(event for event in events if event["run"]["runId"] == run_id(key) and event["eventType"] == kind)


@pytest.mark.parametrize("root", [OWN, WHOLE], ids=["own", "shared"])
def test_every_event_and_facet_is_valid_by_the_schema_that_it_names(root: Path, material: Material) -> None:
    if not root.exists():
        pytest.skip(f"{root} is not there")
    schemas = openlineage_schemas(root)
    events = openlineage(material)

    for event in events:
        check_event(event, schemas)
    assert len(events) > 12
    assert {facet["_schemaURL"].partition("#")[0] for event in events for facet in facets_of(event)} >= {FACETS_URN}


def test_the_check_rejects_a_wrong_event_and_a_wrong_facet(material: Material) -> None:
    schemas, event = openlineage_schemas(OWN), openlineage(material)[0]

    with pytest.raises(ValidationError):
        check_event({**event, "eventType": "DONE"}, schemas)
    event["run"]["facets"]["hallmark_export"]["complete"] = "yes"
    with pytest.raises(ValidationError):
        check_event(event, schemas)


def test_a_training_run_tells_its_data_by_digest_its_code_its_image_and_its_parent(material: Material) -> None:
    event = event_of(openlineage(material), TRAINING)
    inputs = {found["name"]: found["facets"]["version"]["datasetVersion"] for found in event["inputs"]}

    assert inputs == {"wine/v2/train": "sha256:2b00bbbb", "wine/v2/test": "sha256:2c00cccc"}
    assert {found["namespace"] for found in event["inputs"]} == {BUCKET}
    assert "model-package/wine v2" in {found["name"] for found in event["outputs"]}
    assert event["job"]["facets"]["sourceCodeLocation"]["version"] == "9d4fa1c2"
    assert event["run"]["facets"]["hallmark_images"]["images"] == ["sagemaker-scikit-learn@sha256:3f8c1d22"]
    assert event["run"]["facets"]["parent"]["run"]["runId"] == run_id(
        f"{ACCOUNT}:hyper-parameter-tuning-job/wine-tune-v2"
    )
    assert event["run"]["facets"]["hallmark_training"]["metrics"]["validation:accuracy"] == 0.9625
    assert event["eventTime"] == "2026-11-23T11:45:00Z"


def test_a_run_has_a_start_before_its_end_and_writes_nothing_at_its_start(material: Material) -> None:
    start = event_of(openlineage(material), TRAINING, "START")

    assert (start["eventTime"], start["outputs"]) == ("2026-11-23T11:30:00Z", [])


def test_every_edge_between_data_runs_and_models_is_in_some_event(material: Material) -> None:
    """A consumer that joins the events by dataset and run gets from the raw data to the endpoint."""
    reached, events = {(BUCKET, "wine/raw")}, openlineage(material)
    for _ in events:
        for event in events:
            if {(found["namespace"], found["name"]) for found in event.get("inputs", ())} & reached:
                reached |= {(found["namespace"], found["name"]) for found in event["outputs"]}

    assert (ACCOUNT, "endpoint/wine-live") in reached


def test_a_failed_run_fails_and_a_stopped_one_is_aborted() -> None:
    lineage = Lineage()
    failed = lineage.node(NodeKind.TRAINING_JOB, "a", status="Failed")
    stopped = lineage.node(NodeKind.TRAINING_JOB, "b", status="Stopped")
    running = lineage.node(NodeKind.TRAINING_JOB, "c", status="InProgress")
    kinds = []
    for key in (failed, stopped, running):
        found = gather(lineage.answer, key)
        assert isinstance(found, Material)
        kinds += [event["eventType"] for event in openlineage(found)]

    assert kinds == ["FAIL", "ABORT", "RUNNING"]


def test_a_name_that_was_used_again_keeps_its_birth_as_the_version() -> None:
    node = NodeSummary(key=f"{ACCOUNT}:endpoint/live@20261123T120000Z", kind=NodeKind.ENDPOINT, label="live")

    assert name_of(node) == (ACCOUNT, "endpoint/live", "20261123T120000Z")


def test_what_was_cut_is_said_in_each_event() -> None:
    found = gather(described().answer, ENDPOINT, nodes=5)
    assert isinstance(found, Material)

    for event in openlineage(found):
        told = event["run"]["facets"]["hallmark_export"]
        assert told["complete"] is False
        assert "only the nearest 5 nodes" in told["missing"][0]


def test_the_same_material_gives_the_same_bytes_whatever_order_it_came_in(material: Material) -> None:
    turned = Material(
        start=material.start,
        nodes=tuple(reversed(material.nodes)),
        edges=material.edges,
        shown=dict(reversed(list(material.shown.items()))),
    )

    assert document_text(openlineage(turned)) == document_text(openlineage(material))


def test_verdicts_and_approvals_of_the_package_are_events_too(material: Material) -> None:
    verdict = event_of(openlineage(material), "hallmark:verdict/1a2b")["outputs"][0]["facets"]["hallmark_verdict"]

    assert verdict["criteria"]["accuracy"]["threshold"] == 0.9
    assert PACKAGE in material.by_key


def test_a_lineage_of_which_nothing_is_described_can_be_written() -> None:
    found = gather(shipped_twice().answer, ENDPOINT)
    assert isinstance(found, Material)

    for event in openlineage(found):
        check_event(event, openlineage_schemas(OWN))
