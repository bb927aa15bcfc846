"""A detail of any content is recorded, or refused by name: nothing else may happen."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.errors import InvalidInputError
from hallmark.events.subscriptions import RESOURCES
from hallmark.lineage.recording import record_event
from tests.fakes.memory_store import KnownResources, surroundings
from tests.fakes.sagemaker_events import arn, training

PAYLOADS = Path(__file__).parents[2] / "payloads" / "aws"
EVENTS = [
    raw
    for path in sorted(PAYLOADS.glob("*.json"))
    if str((raw := json.loads(path.read_text())).get("detail-type")) in RESOURCES.get(str(raw.get("source")), {})
]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(["", " ", "arn:aws:sagemaker", "s3://", "s3:///", "x" * 3000, 10**400, "https://", "@", "://"])
)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value within a detail, at any depth."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_value_anywhere_is_recorded_or_refused_by_name(data: st.DataObject) -> None:
    raw = copy.deepcopy(data.draw(st.sampled_from(EVENTS)))
    whole = copy.deepcopy(raw["detail"])
    for path in data.draw(st.lists(st.sampled_from(sorted(places(whole), key=str)), min_size=1, max_size=3)):
        holder = raw["detail"]
        for step in path[:-1]:
            holder = holder[step] if isinstance(holder, list | dict) and step in _keys(holder) else None
        if isinstance(holder, dict | list) and path[-1] in _keys(holder):
            holder[path[-1]] = data.draw(JSON)
    known = surroundings(describer=KnownResources({raw["resources"][-1]: raw["detail"]}))

    try:
        record_event(raw, known)
    except InvalidInputError:
        return
    assert not record_event(raw, known).new


def _keys(holder: Any) -> Any:
    return holder.keys() if isinstance(holder, dict) else range(len(holder))


def texts(value: Any) -> set[str]:
    """Return all texts and numbers in a value, as texts."""
    if isinstance(value, dict):
        return {text for item in value.values() for text in texts(item)}
    if isinstance(value, list | tuple):
        return {text for item in value for text in texts(item)}
    return set() if value is None or isinstance(value, bool) else {str(value)}


@pytest.mark.parametrize("raw", EVENTS, ids=lambda raw: str(raw["detail-type"]))
def test_every_word_and_number_of_a_payload_is_kept(raw: dict[str, Any]) -> None:
    recording = record_event(raw, surroundings())

    fact = json.dumps(recording.fact.model_dump(mode="json"), ensure_ascii=False).lower()
    changed_in_spelling = {"in_service", "updating", "manifest_file", "fullyreplicated", "continuous", "pipe"}
    lost = {
        text
        for text in texts(raw["detail"])
        if text.lower() not in fact
        and text.lower() not in changed_in_spelling
        and not text.replace(".", "").isdigit()  # times and numbers in another form
        and not text[:4].isdigit()  # ISO times
        and not text.startswith("Aug 28, 2024")
        and "tuningJob" not in text
    }
    assert lost == set()


def test_an_unknown_field_within_a_known_section_is_kept() -> None:
    event = training("train-1", "Completed", {"train": "s3://bucket/train"})
    event["detail"]["AlgorithmSpecification"]["Accelerator"] = "photonic"
    event["detail"]["InputDataConfig"][0]["DataSource"]["S3DataSource"]["Novelty"] = [1]

    unrecognised = record_event(event, surroundings()).fact.states[0].attributes["unrecognised"]

    assert unrecognised["AlgorithmSpecification"]["Accelerator"] == "photonic"
    assert unrecognised["InputDataConfig"][0]["DataSource"]["S3DataSource"]["Novelty"] == [1]


def test_a_value_of_another_type_is_kept_as_unrecognised() -> None:
    event = training("train-1", "Completed", {"train": "s3://bucket/train"})
    event["detail"]["AlgorithmSpecification"]["TrainingImage"] = {"Registry": "r", "Tag": 5}

    attributes = record_event(event, surroundings()).fact.states[0].attributes

    assert attributes["unrecognised"]["AlgorithmSpecification"]["TrainingImage"] == {"Registry": "r", "Tag": 5}
    assert "image" not in attributes


def test_recording_leaves_the_event_as_it_came() -> None:
    for raw in EVENTS:
        before = copy.deepcopy(raw)
        record_event(raw, surroundings())
        assert raw == before


def test_an_identifier_that_is_longer_than_any_of_aws_is_refused_by_name() -> None:
    event = training("train-1", "Completed", {})
    event["detail"]["TrainingJobArn"] = arn("training-job", "x" * 2_000)

    with pytest.raises(InvalidInputError, match=r"NodeRef\.id"):
        record_event(event, surroundings())
