from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hallmark.errors import InvalidInputError
from hallmark.events.envelope import MAXIMUM_EVENT_BYTES, read_envelope, read_event_text

PAYLOAD = Path(__file__).parents[2] / "payloads" / "aws" / "sm-training-job-state-change.json"


def event(**changes: Any) -> dict[str, Any]:
    raw: dict[str, Any] = json.loads(PAYLOAD.read_text())
    return {name: value for name, value in {**raw, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("raw", "field", "remedy"),
    [
        ([1, 2], "the event", "JSON object"),
        (event(source=None), "source", "as EventBridge delivers it"),
        (event(source="aws.glue"), "source", "aws.sagemaker, aws.bedrock"),
        ({**event(), "detail-type": "SageMaker Notebook Instance State Change"}, "detail-type", "no lineage"),
        (event(detail="text"), "detail", "JSON object"),
        (event(account="999999999999"), "account", "111122223333"),
    ],
)
def test_a_refusal_names_field_value_and_remedy(raw: object, field: str, remedy: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_envelope(raw, account="111122223333")

    assert caught.value.field == field
    assert remedy in str(caught.value)


def test_text_that_is_not_json_is_refused_with_the_place_of_the_fault() -> None:
    with pytest.raises(InvalidInputError, match="line 1 column 2"):
        read_event_text("{broken")


def test_an_event_of_one_megabyte_is_refused_with_its_size() -> None:
    with pytest.raises(InvalidInputError, match=r"1,000,002 bytes"):
        read_event_text('"' + "x" * 1_000_000 + '"')


def test_an_event_of_the_largest_size_is_read() -> None:
    assert len(read_event_text('"' + "x" * (MAXIMUM_EVENT_BYTES - 2) + '"')) == MAXIMUM_EVENT_BYTES - 2


def test_an_odd_time_of_the_envelope_is_no_reason_to_refuse() -> None:
    assert read_envelope(event(time="some day")).time is None


def test_an_event_of_any_account_is_read_where_none_is_asked_for() -> None:
    assert read_envelope(event(account="999999999999")).account == "999999999999"
