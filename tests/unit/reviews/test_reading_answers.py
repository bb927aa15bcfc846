"""Answers as Bedrock's log and SageMaker's capture hold them, in the shapes of the models' own formats."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from hallmark.reviews.outputs import (
    SHOWN_CHARACTERS,
    answered_text,
    asked_text,
    read_captures,
    read_invocation_logs,
    shortened,
)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"messages": [{"role": "user", "content": [{"text": "one"}, {"image": {}}, {"text": "two"}]}]}, "one\ntwo"),
        ({"messages": [{"role": "user", "content": "first"}, {"role": "user", "content": "last"}]}, "last"),
        ({"prompt": "complete this"}, "complete this"),
        ({"inputText": "titan"}, "titan"),
        ("plain", "plain"),
        ({"unknown": 1}, '{"unknown": 1}'),
        (None, ""),
    ],
)
def test_what_was_asked_is_found_in_each_format(body: Any, text: str) -> None:
    assert asked_text(body) == text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"output": {"message": {"role": "assistant", "content": [{"text": "converse"}]}}}, "converse"),
        ({"content": [{"type": "text", "text": "claude"}]}, "claude"),
        ({"results": [{"outputText": "titan"}]}, "titan"),
        ({"outputs": [{"text": "mistral"}]}, "mistral"),
        ({"generation": "llama"}, "llama"),
        ({"completion": "older"}, "older"),
        ([{"chunk": 1}], '[{"chunk": 1}]'),
    ],
)
def test_what_was_answered_is_found_in_each_format(body: Any, text: str) -> None:
    assert answered_text(body) == text


def test_a_record_without_bodies_has_no_text_and_one_of_another_kind_is_left_out() -> None:
    lines = [
        json.dumps({"schemaType": "ModelInvocationLog", "requestId": "r", "modelId": "m", "timestamp": "not a time"}),
        json.dumps({"schemaType": "Other", "requestId": "x", "modelId": "m"}),
        json.dumps(["a list"]),
        '{"schemaType": "ModelInvocationLog", "requestId": "cut',
    ]

    (found,) = read_invocation_logs("\n".join(lines))

    assert (found.id, found.prompt, found.answer, found.at) == ("r", "", "", None)


def test_metadata_of_a_request_are_labels() -> None:
    record = {
        "schemaType": "ModelInvocationLog",
        "requestId": "r",
        "modelId": "m",
        "operation": "Converse",
        "timestamp": "2026-11-20T14:05:00Z",
        "requestMetadata": {"group": "fr"},
    }

    (found,) = read_invocation_logs(json.dumps(record))

    assert found.labels == {"operation": "Converse", "hour": "14", "group": "fr"}


def test_a_capture_in_base64_is_read_where_it_is_text_and_kept_where_it_is_not() -> None:
    def capture(data: str) -> str:
        sides = {
            "endpointInput": {"data": "1,2", "encoding": "CSV"},
            "endpointOutput": {"data": data, "encoding": "BASE64"},
        }
        return json.dumps({"captureData": sides, "eventMetadata": {"eventId": "e"}})

    binary = b64encode(b"\xff\xfe\x00").decode()
    texts = [next(read_captures(capture(data), "live")).answer for data in (b64encode(b"0.7").decode(), binary, "?!")]

    assert texts == ["0.7", binary, "?!"]


def test_long_texts_are_cut_and_say_so() -> None:
    assert len(shortened("x" * (SHOWN_CHARACTERS + 1))) == SHOWN_CHARACTERS
    assert shortened("x" * (SHOWN_CHARACTERS + 1)).endswith("(cut)")
    assert shortened("short") == "short"


@pytest.mark.parametrize("wanted", ["id-1", 'odd "id" / 1'])
def test_only_the_wanted_records_are_read_out_of_many(wanted: str) -> None:
    def record(request_id: str) -> str:
        text = 'say {"requestId": "id-1"}'
        body = {"messages": [{"role": "user", "content": [{"text": text}]}]}
        return json.dumps(
            {
                "schemaType": "ModelInvocationLog",
                "requestId": request_id,
                "modelId": "m",
                "input": {"inputBodyJson": body},
            }
        )

    content = "\n".join(record(request_id) for request_id in ("id-0", wanted, "id-2"))

    assert wanted in {found.id for found in read_invocation_logs(content, {wanted})}
    assert [found.id for found in read_invocation_logs(content, {"id-2"})] == ["id-2"]
    assert list(read_invocation_logs(content, {"id-9"})) == []
