from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hallmark.drift.settings import CloudWatchMetrics, DataCapture, InvocationLogs, read_selector
from hallmark.drift.sources.datasets import read_dataset
from hallmark.drift.sources.evaluations import read_histories
from hallmark.drift.sources.invocation_logs import read_invocations
from hallmark.drift.sources.metrics import metric_queries, read_metrics
from hallmark.drift.sources.places import capture_prefix, hours_of, is_record_file, log_prefix

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def record(**changes: Any) -> dict[str, Any]:
    return {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": "2026-11-01T12:00:00Z",
        "accountId": "123456789012",
        "region": "eu-west-1",
        "requestId": "r-1",
        "operation": "Converse",
        "modelId": "amazon.nova-micro-v1:0",
        "identity": {"arn": "arn:aws:sts::123456789012:assumed-role/app/s"},
        "input": {
            "inputContentType": "application/json",
            "inputBodyJson": {
                "messages": [
                    {"role": "user", "content": [{"text": "first"}]},
                    {"role": "assistant", "content": [{"text": "yes?"}]},
                    {"role": "user", "content": [{"text": "How long?"}]},
                ]
            },
            "inputTokenCount": 9,
        },
        "output": {
            "outputContentType": "application/json",
            "outputBodyJson": {
                "output": {"message": {"role": "assistant", "content": [{"text": "Two days."}]}},
                "stopReason": "end_turn",
                "metrics": {"latencyMs": 340},
                "usage": {"inputTokens": 9, "outputTokens": 3, "totalTokens": 12},
            },
            "outputTokenCount": 3,
        },
        **changes,
    }


def no_body(place: str) -> bytes | None:
    raise AssertionError(f"{place} is not wanted")


def logged(*records: dict[str, Any]) -> bytes:
    return gzip.compress(b"\n".join(json.dumps(each).encode() for each in records))


def test_a_call_of_converse_has_prompt_answer_tokens_and_latency() -> None:
    (found,) = read_invocations(logged(record()), no_body).records

    assert (found["prompt"], found["answer"]) == ("How long?", "Two days.")
    assert (found["input_tokens"], found["output_tokens"], found["latency_ms"]) == (9, 3, 340)
    assert (found["error"], found["stop_reason"], found["at"]) == (0, "end_turn", NOON)


@pytest.mark.parametrize(
    ("asked", "said", "prompt", "answer"),
    [
        ({"inputText": "Hi"}, {"results": [{"outputText": "Ho"}]}, "Hi", "Ho"),
        ({"prompt": "Hi"}, {"generation": "Ho"}, "Hi", "Ho"),
        ({"prompt": "Hi"}, {"outputs": [{"text": "Ho"}]}, "Hi", "Ho"),
        (
            {"messages": [{"role": "user", "content": "Hi"}]},
            {"content": [{"type": "text", "text": "Ho"}]},
            "Hi",
            "Ho",
        ),
        (
            {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
            [{"contentBlockDelta": {"delta": {"text": "H"}}}, {"contentBlockDelta": {"delta": {"text": "o"}}}],
            "Hi",
            "Ho",
        ),
        ({"custom": 1}, {"custom": 2}, None, None),
    ],
)
def test_texts_are_found_in_the_bodies_that_providers_use(
    asked: Any, said: Any, prompt: str | None, answer: str | None
) -> None:
    call = record(operation="InvokeModel", input={"inputBodyJson": asked}, output={"outputBodyJson": said})

    (found,) = read_invocations(logged(call), no_body).records

    assert (found["prompt"], found["answer"]) == (prompt, answer)


def test_a_large_body_is_read_from_its_own_object() -> None:
    bodies = {"s3://logs/data/r-1_input.json.gz": gzip.compress(b'{"prompt": "long"}')}
    call = record(
        input={"inputBodyS3Path": "s3://logs/data/r-1_input.json.gz"},
        output={"outputBodyS3Path": "s3://logs/data/r-1_output.json.gz"},
    )

    reading = read_invocations(logged(call), bodies.get)

    assert (reading.records[0]["prompt"], reading.records[0]["answer"]) == ("long", None)
    assert dict(reading.broken) == {"a body's own object is missing": 1}


def test_only_calls_of_the_model_are_read_by_name_or_arn() -> None:
    arn = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-micro-v1:0"
    content = logged(record(), record(modelId=arn, requestId="r-2"), record(modelId="other.model"))

    by_profile = read_invocations(content, no_body, "eu.amazon.nova-micro-v1:0").records
    by_name = read_invocations(content, no_body, "amazon.nova-micro-v1:0").records

    assert [[each["id"] for each in found] for found in (by_profile, by_name)] == [["r-2"], ["r-1"]]


def test_a_failed_call_is_an_error() -> None:
    call = record(errorCode="ThrottlingException", output=None)

    (found,) = read_invocations(logged(call), no_body).records

    assert (found["error"], found["error_code"], found["answer"]) == (1, "ThrottlingException", None)


def test_half_an_object_is_counted_and_fatal_to_nobody() -> None:
    assert dict(read_invocations(logged(record())[:40], no_body).broken) == {"broken gzip": 1}


def test_an_error_rate_is_a_ratio_where_there_were_calls() -> None:
    source = CloudWatchMetrics.model_validate(
        {
            "queries": {
                "errors": {"metric": "InvocationServerErrors", "statistic": "Sum", "per": "Invocations"},
                "latency": {"metric": "InvocationLatency", "statistic": "p95"},
            }
        }
    )
    times = [NOON + timedelta(minutes=minute) for minute in range(3)]

    queries = metric_queries(source, {"ModelId": "m"})
    reading = read_metrics(
        source,
        [
            {"Id": "q0", "Timestamps": times[:1], "Values": [3.0]},
            {"Id": "d0", "Timestamps": times, "Values": [10.0, 20.0, 0.0]},
            {"Id": "q1", "Timestamps": times[1:], "Values": [250.0, 300.0]},
        ],
    )

    assert [query["Id"] for query in queries] == ["q0", "d0", "q1"]
    assert queries[0]["MetricStat"]["Metric"]["Dimensions"] == [{"Name": "ModelId", "Value": "m"}]
    assert [(each.get("errors"), each.get("latency")) for each in reading.records] == [
        (0.3, None),
        (0.0, 250.0),
        (None, 300.0),
    ]


def test_the_history_of_a_suite_is_a_record_a_run() -> None:
    def history(*values: float) -> dict[str, Any]:
        points = [
            {"run": f"r{place}", "at": (NOON + timedelta(days=place)).isoformat(), "value": value}
            for place, value in enumerate(values)
        ]
        return {"lines": [{"model": "vader", "points": points}, {"model": "other", "points": points[:1]}]}

    records = read_histories({"accuracy": history(0.8, 0.7), "f1": history(0.5)}, "vader").records

    assert [(each["id"], each["accuracy"], each.get("f1")) for each in records] == [("r0", 0.8, 0.5), ("r1", 0.7, None)]


def test_a_dataset_is_read_by_its_header_and_a_short_row_is_counted() -> None:
    reading = read_dataset("train.csv", b"alcohol,hue\n13.2,1.04\n12.9\n14.1,0.9,7\n")

    assert [(each["alcohol"], each["hue"]) for each in reading.records] == [("13.2", "1.04")]
    assert dict(reading.broken) == {"a row of another length than the header": 2}
    assert read_dataset("a.jsonl.gz", gzip.compress(b'{"hue": 1}')).records[0]["hue"] == 1


def test_files_are_listed_by_hour_with_the_one_before() -> None:
    hours = hours_of(NOON + timedelta(minutes=10), NOON + timedelta(minutes=70))
    capture = DataCapture(location="s3://b/captured/")
    logs = InvocationLogs(location="s3://b")

    assert [hour.hour for hour in hours] == [11, 12, 13]
    assert capture_prefix(capture, "live", "All", NOON) == "s3://b/captured/live/All/2026/11/01/12/"
    assert log_prefix(logs, "1", "eu-west-1", NOON) == (
        "s3://b/AWSLogs/1/BedrockModelInvocationLogs/eu-west-1/2026/11/01/12/"
    )
    assert [is_record_file(key) for key in ("a/12/x.json.gz", "a/12/data/r_input.json.gz", "a/permission-check")] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("selector", "steps"),
    [("$.input[3]", ("input", 3)), ("$.output.label", ("output", "label")), ("$['a b']", ("a b",))],
)
def test_a_selector_is_a_way_of_steps(selector: str, steps: tuple[str | int, ...]) -> None:
    assert read_selector(selector) == steps


@pytest.mark.parametrize("selector", ["input[3]", "$", "$.input[*]", "$..label", "$.input["])
def test_a_selector_that_is_none_is_refused_with_an_example(selector: str) -> None:
    with pytest.raises(ValueError, match=r"\$\.input\[3\]"):
        read_selector(selector)
