"""AWS's own payloads, and variants of them in every documented type, are recorded."""

from __future__ import annotations

import copy
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.events.subscriptions import RESOURCES
from hallmark.events.times import parse_time
from hallmark.lineage.recording import record_event
from tests.fakes.memory_store import surroundings

PAYLOADS = Path(__file__).parents[2] / "payloads" / "aws"
EVENTS = {
    path.stem: raw
    for path in sorted(PAYLOADS.glob("*.json"))
    if (raw := json.loads(path.read_text())).get("detail-type")
    and str(raw["detail-type"]) in RESOURCES.get(str(raw.get("source")), {})
}
TIMES = ("Time", "time")


def test_there_is_a_payload_for_most_of_the_subscribed_events() -> None:
    told = {raw["detail-type"] for raw in EVENTS.values()}

    assert len(told) >= 13


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_a_payload_of_the_documentation_is_recorded_under_its_arn(name: str) -> None:
    raw = EVENTS[name]
    arns = [str(resource).lower() for resource in raw["resources"]]

    recording = record_event(raw, surroundings())

    identifier = recording.fact.subject.id.lower().replace("hyper-parameter-tuning-job", "tuningjob")
    assert identifier in arns
    assert recording.new


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_a_repeat_of_a_payload_changes_nothing(name: str) -> None:
    known = surroundings()

    assert [record_event(EVENTS[name], known).new for _ in range(2)] == [True, False]


def as_types(value: Any, choose: Any) -> Any:
    """Write each time in another documented type, and each Tags section in another shape."""
    if isinstance(value, dict):
        found = {}
        for field, item in value.items():
            moment = parsed(item) if field.endswith(TIMES) else None
            if moment is not None:
                milliseconds = round(moment.timestamp() * 1000)
                ways = [
                    milliseconds,
                    float(milliseconds),
                    str(milliseconds),
                    moment.isoformat(),
                    f"{moment:%Y-%m-%dT%H:%M:%SZ}",
                ]
                found[field] = choose(ways)
            elif field == "Tags":
                found[field] = choose([{}, {"team": "a"}, [], [{"Key": "team", "Value": "a"}], None])
            else:
                found[field] = as_types(item, choose)
        return found
    if isinstance(value, list):
        return [as_types(item, choose) for item in value]
    return value


def parsed(value: object) -> datetime | None:
    try:
        return parse_time(value)
    except ValueError:
        return None


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_every_documented_type_of_times_and_tags_is_recorded(data: st.DataObject) -> None:
    raw = copy.deepcopy(EVENTS[data.draw(st.sampled_from(sorted(EVENTS)))])
    raw["detail"] = as_types(raw["detail"], lambda ways: data.draw(st.sampled_from(ways)))
    raw["time"] = data.draw(st.sampled_from([raw["time"], None, "odd", 1583831889050, "2026-01-01T00:00:00Z"]))
    raw["detail"]["SomethingNew"] = data.draw(st.sampled_from([1, "x", None, {"a": [1]}, [None]]))
    if raw["time"] in {None, "odd"} and "labeling" in raw["detail-type"].lower():
        raw["time"] = "2026-01-01T00:00:00Z"  # this detail has no time of its own

    recording = record_event(raw, surroundings())

    assert recording.new


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_missing_or_null_section_but_the_arn_is_tolerated(data: st.DataObject) -> None:
    raw = copy.deepcopy(EVENTS[data.draw(st.sampled_from(sorted(EVENTS)))])
    for field in data.draw(st.lists(st.sampled_from(sorted(raw["detail"])), unique=True)):
        if data.draw(st.booleans()):
            del raw["detail"][field]
        else:
            raw["detail"][field] = None
    raw["time"] = "2026-01-01T00:00:00Z"

    assert record_event(raw, surroundings()).new


@pytest.mark.parametrize(
    ("partition", "region"), [("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1"), ("aws-eusc", "eusc-de-east-1")]
)
@pytest.mark.parametrize("name", sorted(EVENTS))
def test_a_payload_of_another_partition_names_nothing_in_the_usual_one(name: str, partition: str, region: str) -> None:
    text = json.dumps(EVENTS[name]).replace("arn:aws:", f"arn:{partition}:").replace(EVENTS[name]["region"], region)
    text = text.replace(".amazonaws.com/", ".amazonaws.com.cn/" if partition == "aws-cn" else ".amazonaws.com/")

    recording = record_event(json.loads(text), surroundings())

    assert recording.fact.subject.id.startswith(f"arn:{partition}:")
    assert "arn:aws:" not in recording.fact.model_dump_json()
