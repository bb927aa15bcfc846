"""What arrives at the door and was never meant for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hallmark.errors import InvalidInputError
from hallmark.events.envelope import read_envelope, read_event_text
from hallmark.events.times import parse_time

ARN = "arn:aws:sagemaker:us-east-1:111122223333:training-job/train-1"


def raw(resources: Any) -> dict[str, Any]:
    return {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Training Job State Change",
        "account": "111122223333",
        "resources": resources,
        "detail": {},
    }


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"loss": NaN}',
        '{"loss": -Infinity}',
        '{"name": "\\ud800"}',
        '{"name": "\\uDC00 alone"}',
        "",
    ],
    ids=["nested without end", "NaN", "infinity", "half a surrogate pair", "the other half", "nothing"],
)
def test_text_that_no_store_could_keep_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInputError, match="send JSON"):
        read_event_text(text)


def test_a_whole_surrogate_pair_is_a_character_like_any_other() -> None:
    assert read_event_text(json.dumps({"name": "🍷"})) == {"name": "🍷"}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [(ARN, (ARN,)), ([ARN, None, 5, ""], (ARN,)), (5, ()), (None, ()), ({"arn": ARN}, ())],
)
def test_resources_of_any_type_are_read_as_the_names_that_they_hold(resources: Any, expected: tuple[str, ...]) -> None:
    assert read_envelope(raw(resources)).resources == expected


@pytest.mark.parametrize("value", [10**400, "9" * 400, "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
def test_a_time_beyond_the_calendar_is_refused_as_a_value(value: object) -> None:
    with pytest.raises(ValueError, match="epoch milliseconds"):
        parse_time(value)
