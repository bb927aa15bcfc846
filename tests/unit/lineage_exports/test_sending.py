"""Run events that are sent to others: about one node, valid by the schemas, small enough, the same each time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hallmark.errors import UnavailableError
from hallmark.lineage.exports.material import Material
from hallmark.lineage.exports.openlineage import openlineage, run_id
from hallmark.lineage.exports.sending import CATALOG_BYTES, SENT_KINDS, Sent, events_about, send_about, shrink
from hallmark.lineage.model import NodeKind
from infra.constructs.lineage_sending import KINDS
from local.standards import check_event, openlineage_schemas
from tests.fakes.described_lineage import ENDPOINT, PACKAGE, TRAINING, described
from tests.fakes.lineage_service import Lineage
from tests.unit.lineage_exports.test_openlineage_events import OWN


@pytest.mark.parametrize("node", [TRAINING, PACKAGE, ENDPOINT], ids=["run", "package", "endpoint"])
def test_the_events_about_a_node_are_those_of_its_run_alone_and_valid(node: str) -> None:
    events, schemas = events_about(described().answer, node), openlineage_schemas(OWN)

    assert events
    assert {event["run"]["runId"] for event in events} == {run_id(node)}
    for event in events:
        check_event(event, schemas)


def test_they_name_the_same_data_and_models_as_an_export_of_everything(material: Material) -> None:
    def ends(events: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
        return {
            (part, found["namespace"], found["name"])
            for event in events
            for part in ("inputs", "outputs")
            for found in event[part]
        }

    whole = [event for event in openlineage(material) if event["run"]["runId"] == run_id(TRAINING)]
    assert ends(events_about(described().answer, TRAINING)) >= ends(whole)


def test_nothing_is_sent_of_what_has_not_ended_tells_no_run_or_came_as_an_event_itself() -> None:
    lineage = Lineage()
    running = lineage.node(NodeKind.TRAINING_JOB, "a", status="InProgress")
    data = lineage.node(NodeKind.DATASET, "s3://bucket/raw")
    foreign = lineage.node(NodeKind.RUN, "b", status="Completed")
    other = lineage.node(NodeKind.RUN, "c", status="Completed")
    lineage.attributes[foreign] = {"tool": "openlineage"}
    lineage.attributes[other] = {"tool": "github-actions"}

    assert [len(events_about(lineage.answer, key)) for key in (running, data, foreign, other)] == [0, 0, 0, 1]
    assert events_about(lineage.answer, "no such node") == []


def test_the_rule_lets_through_exactly_the_kinds_that_are_sent() -> None:
    assert set(KINDS) == {kind.value for kind in SENT_KINDS}


def large(inputs: int, text: int) -> dict[str, Any]:
    lineage = described()
    lineage.attributes[TRAINING]["environment"] = {"PLAN": "x" * text}
    for number in range(inputs):
        place = lineage.node(NodeKind.DATASET, "raw", key=f"s3://bucket/{'d' * 60}/{number:05}")
        lineage.flow(place, TRAINING, "train")
    (event,) = [event for event in events_about(lineage.answer, TRAINING) if event["eventType"] == "COMPLETE"]
    return event


@pytest.mark.parametrize(("inputs", "text"), [(0, 400_000), (600, 0), (4000, 400_000)])
def test_an_event_that_is_too_large_for_the_catalog_is_shrunk_in_order_says_so_and_stays_valid(
    inputs: int, text: int
) -> None:
    event = large(inputs, text)
    sent = shrink(event)
    export = sent.event["run"]["facets"]["hallmark_export"]

    assert len(json.dumps(event)) > CATALOG_BYTES >= len(sent.body)
    assert json.loads(sent.body) == sent.event
    assert export["complete"] is False
    assert export["missing"][0] == "left out, to be small enough: facet hallmark_training"
    if inputs < 4000:
        assert len(sent.event["inputs"]) == len(event["inputs"])
    else:
        assert 0 < len(sent.event["inputs"]) < len(event["inputs"])
        assert export["missing"][-1].endswith(" inputs")
    check_event(sent.event, openlineage_schemas(OWN))
    assert "hallmark_training" in event["run"]["facets"], "the event itself is left as it is"


def test_what_is_small_enough_is_sent_whole_and_the_same_event_has_the_same_token() -> None:
    first, again = large(1, 10), large(1, 10)

    assert shrink(first).event == first
    assert shrink(first).token == shrink(again).token
    assert shrink(first).token != shrink(large(2, 10)).token


def test_what_is_not_taken_is_no_success() -> None:
    def refuse(_: Sent) -> None:
        raise UnavailableError("away")

    with pytest.raises(UnavailableError):
        send_about(described().answer, TRAINING, refuse)
