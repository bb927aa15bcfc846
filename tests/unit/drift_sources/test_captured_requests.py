from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from hallmark.drift.sources.data_capture import read_capture
from hallmark.drift.sources.records import select

# As the developer guide shows a captured line ("Capture data from real-time endpoint").
DOCUMENTED = {
    "captureData": {
        "endpointInput": {
            "observedContentType": "text/csv",
            "mode": "INPUT",
            "data": "132,25,113.2,96",
            "encoding": "CSV",
        },
        "endpointOutput": {
            "observedContentType": "text/csv; charset=utf-8",
            "mode": "OUTPUT",
            "data": "0.01076381653547287",
            "encoding": "CSV",
        },
    },
    "eventMetadata": {"eventId": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "inferenceTime": "2020-02-14T17:25:06Z"},
    "eventVersion": "0",
}


def line(given: Any = None, said: Any = None, **metadata: str) -> bytes:
    sides = {"endpointInput": given, "endpointOutput": said}
    captured = {name: side for name, side in sides.items() if side is not None}
    return json.dumps(
        {"captureData": captured, "eventMetadata": {**DOCUMENTED["eventMetadata"], **metadata}, "eventVersion": "0"}  # type: ignore[dict-item]
    ).encode()


def side(data: str, encoding: str, content_type: str = "application/json") -> dict[str, str]:
    return {"observedContentType": content_type, "mode": "INPUT", "data": data, "encoding": encoding}


def test_the_documented_line_is_one_record() -> None:
    reading = read_capture(json.dumps(DOCUMENTED).encode())

    (record,) = reading.records
    assert record["at"] == datetime(2020, 2, 14, 17, 25, 6, tzinfo=UTC)
    assert record["id"] == "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
    assert select(record, ("input", 2)) == "113.2"
    assert select(record, ("output", 0)) == "0.01076381653547287"
    assert not reading.broken


def test_the_callers_own_id_goes_before_the_events() -> None:
    (record,) = read_capture(line(side("[1]", "JSON"), inferenceId="order-7")).records

    assert record["id"] == "order-7"


def test_base64_is_read_as_what_its_content_type_says() -> None:
    packed = base64.b64encode(b"1,2\n3,4\n").decode()

    records = read_capture(line(side(packed, "BASE64", "text/csv"))).records

    assert [record["input"] for record in records] == [["1", "2"], ["3", "4"]]


def test_each_row_of_a_request_has_its_own_answer() -> None:
    records = read_capture(line(side("[[1, 2], [3, 4]]", "JSON"), side("[0, 2]", "JSON"))).records

    assert [(record["input"], record["output"]) for record in records] == [([1, 2], 0), ([3, 4], 2)]
    assert len({record["id"] for record in records}) == 2


def test_the_probabilities_of_one_row_are_one_answer() -> None:
    (record,) = read_capture(line(side("5,6", "CSV", "text/csv"), side("[0.1, 0.9]", "JSON"))).records

    assert record["output"] == [0.1, 0.9]


def test_rows_under_a_protocols_member_are_rows() -> None:
    records = read_capture(
        line(side('{"instances": [{"age": 3}, {"age": 4}]}', "JSON"), side('{"predictions": [[0], [1]]}', "JSON"))
    ).records

    assert [(select(each, ("input", "age")), select(each, ("output", 0))) for each in records] == [(3, 0), (4, 1)]


def test_a_broken_line_is_counted_and_the_others_are_read() -> None:
    content = b"\n".join(
        [
            b"{half",
            b"[]",
            b'{"eventMetadata": {}}',
            line(side("not json", "JSON")),
            line(side("%%%", "BASE64")),
            line(side("[1]", "JSON"), inferenceTime="yesterday"),
            line(side("[1]", "JSON")),
        ]
    )

    reading = read_capture(content)

    assert len(reading.records) == 1
    assert dict(reading.broken) == {
        "not JSON": 1,
        "no JSON object": 1,
        "no captureData or eventMetadata": 1,
        "captured data is not JSON": 1,
        "BASE64 that holds no text": 1,
        "not a time": 1,
    }


def test_answers_that_fit_no_row_belong_to_none() -> None:
    reading = read_capture(line(side("1\n2\n", "CSV", "text/csv"), side("0\n1\n2\n", "CSV", "text/csv")))

    assert [record["output"] for record in reading.records] == [None, None]
    assert reading.broken["answers of another number than rows"] == 1


def test_a_window_holds_its_start_and_not_its_end() -> None:
    reading = read_capture(json.dumps(DOCUMENTED).encode())
    at = reading.records[0]["at"]

    assert len(reading.within(at, at.replace(minute=59)).records) == 1
    assert not reading.within(at.replace(minute=0), at).records
