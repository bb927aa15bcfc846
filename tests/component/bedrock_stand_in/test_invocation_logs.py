from __future__ import annotations

import gzip
import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hallmark.drift.sources.invocation_logs import read_invocations

MODEL = "hallmark.vader-sentiment-v1:0"
QUESTION = "Is it positive, negative or neutral?\nText: What a wonderful day"


@pytest.fixture
def logged(bedrock: Any) -> Any:
    bedrock.control.put_model_invocation_logging_configuration(
        loggingConfig={"s3Config": {"bucketName": bedrock.bucket, "keyPrefix": "logs"}, "textDataDeliveryEnabled": True}
    )
    return bedrock


def objects(bedrock: Any) -> dict[str, bytes]:
    bedrock.service.logging.flush()
    keys = [key for key in bedrock.keys("logs/") if key.endswith(".json.gz")]
    return {key: bedrock.s3.get_object(Bucket=bedrock.bucket, Key=key)["Body"].read() for key in keys}


def records(bedrock: Any) -> list[dict[str, Any]]:
    files = [content for key, content in objects(bedrock).items() if "/data/" not in key]
    return [json.loads(line) for content in files for line in gzip.decompress(content).splitlines()]


def test_a_call_is_logged_in_the_documented_layout_and_shape(logged: Any) -> None:
    logged.say(MODEL, QUESTION, requestMetadata={"ticket": "7"})

    (key,) = objects(logged)
    (record,) = records(logged)
    place = rf"logs/AWSLogs/{logged.account}/BedrockModelInvocationLogs/{logged.region}/\d{{4}}/\d\d/\d\d/\d\d/"
    assert re.fullmatch(place + r"\d{8}T\d{9}Z_[0-9a-f]{16}\.json\.gz", key)
    assert (record["schemaType"], record["schemaVersion"]) == ("ModelInvocationLog", "1.0")
    assert (record["operation"], record["modelId"], record["accountId"]) == ("Converse", MODEL, logged.account)
    assert record["identity"]["arn"].endswith("user/ann")
    assert record["requestMetadata"] == {"ticket": "7"}
    assert record["input"]["inputBodyJson"]["messages"][0]["content"] == [{"text": QUESTION}]
    assert record["input"]["inputTokenCount"] > 0
    assert record["output"]["outputBodyJson"]["stopReason"] == "end_turn"
    assert record["output"]["outputTokenCount"] > 0


def test_the_product_reads_what_is_logged(logged: Any) -> None:
    answer = logged.text(MODEL, QUESTION)

    (content,) = objects(logged).values()
    (found,) = read_invocations(content, lambda _place: None).records
    assert (found["prompt"], found["answer"], found["error"]) == (QUESTION, answer, 0)
    assert found["latency_ms"] is not None


def test_a_call_that_fails_is_logged_with_its_error(logged: Any) -> None:
    with pytest.raises(ClientError):
        logged.say(MODEL, "Anything?")

    (record,) = records(logged)
    assert record["errorCode"] == "ValidationException"
    assert "output" not in record


def test_invoke_model_and_streams_are_logged_too(logged: Any) -> None:
    logged.runtime.invoke_model(modelId=MODEL, body=json.dumps({"prompt": QUESTION}))
    list(
        logged.runtime.converse_stream(modelId=MODEL, messages=[{"role": "user", "content": [{"text": QUESTION}]}])[
            "stream"
        ]
    )

    found = {record["operation"]: record for record in records(logged)}
    assert set(found) == {"InvokeModel", "ConverseStream"}
    read = [read_invocations(json.dumps(record).encode(), lambda _place: None).records[0] for record in found.values()]
    assert len({record["answer"] for record in read}) == 1
    assert None not in {record["answer"] for record in read}


def test_a_body_of_more_than_100_kb_lies_in_an_object_of_its_own(logged: Any) -> None:
    long = f"{QUESTION} {'good ' * 25_000}"
    logged.say(MODEL, long)

    found = objects(logged)
    (record,) = records(logged)
    place = record["input"]["inputBodyS3Path"]
    bodies = {f"s3://{logged.bucket}/{key}": content for key, content in found.items() if "/data/" in key}
    assert place in bodies
    assert "inputBodyJson" not in record["input"]
    (read,) = read_invocations(json.dumps(record).encode(), bodies.get).records
    assert read["prompt"] == long


def test_nothing_is_logged_before_it_is_asked_for_and_after_it_is_ended(bedrock: Any) -> None:
    bedrock.say(MODEL, QUESTION)
    bedrock.service.logging.flush()

    assert bedrock.keys() == []


def test_texts_are_left_out_where_the_account_does_not_want_them(bedrock: Any) -> None:
    bedrock.control.put_model_invocation_logging_configuration(
        loggingConfig={
            "s3Config": {"bucketName": bedrock.bucket, "keyPrefix": "logs"},
            "textDataDeliveryEnabled": False,
        }
    )
    bedrock.say(MODEL, QUESTION)

    (record,) = records(bedrock)
    assert "inputBodyJson" not in record["input"]
    assert record["input"]["inputTokenCount"] > 0


def test_a_bucket_that_does_not_exist_is_refused(bedrock: Any) -> None:
    with pytest.raises(ClientError, match="Verify that Bedrock may write"):
        bedrock.control.put_model_invocation_logging_configuration(
            loggingConfig={"s3Config": {"bucketName": "nowhere"}, "textDataDeliveryEnabled": True}
        )
