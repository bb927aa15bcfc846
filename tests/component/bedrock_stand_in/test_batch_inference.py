from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.bedrock.events import spoken_time
from local.bedrock.faults import Fault
from local.sagemaker.resources import utc_now

VADER = "hallmark.vader-sentiment-v1:0"
SAMPLE = Path(__file__).parents[2] / "payloads" / "aws" / "bedrock-batch-inference-job-state-change.json"


def record(number: int, text: str = "I love it") -> dict[str, Any]:
    content = [{"text": f"positive or negative?\n\nText: {text} {number}"}]
    return {"recordId": f"CALL{number:07d}", "modelInput": {"messages": [{"role": "user", "content": content}]}}


def start(bedrock: Any, uri: str, name: str = "nightly", **more: Any) -> str:
    answer = bedrock.control.create_model_invocation_job(
        **{
            "jobName": name,
            "roleArn": bedrock.role,
            "modelId": VADER,
            "inputDataConfig": {"s3InputDataConfig": {"s3Uri": uri, "s3InputFormat": "JSONL"}},
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"s3://{bedrock.bucket}/out/"}},
            **more,
        }
    )
    return str(answer["jobArn"])


def ended(bedrock: Any, arn: str) -> dict[str, Any]:
    bedrock.finish(arn)
    job: dict[str, Any] = bedrock.control.get_model_invocation_job(jobIdentifier=arn)
    return job


def test_every_record_is_answered_in_the_files_that_aws_writes(bedrock: Any) -> None:
    arn = start(bedrock, bedrock.put("in/asked.jsonl", map(record, range(120))), modelInvocationType="Converse")
    job = ended(bedrock, arn)

    assert (job["status"], job["totalRecordCount"], job["successRecordCount"]) == ("Completed", 120, 120)
    folder = f"out/{arn.rpartition('/')[2]}"
    assert sorted(bedrock.keys(folder)) == [f"{folder}/asked.jsonl.out", f"{folder}/manifest.json.out"]
    first = bedrock.lines(f"{folder}/asked.jsonl.out")[0]
    assert first["recordId"] == "CALL0000000"
    assert first["modelInput"] == record(0)["modelInput"]
    assert first["modelOutput"]["output"]["message"]["content"] == [{"text": "positive"}]
    assert first["modelOutput"]["metrics"]["latencyMs"] >= 0
    (manifest,) = bedrock.lines(f"{folder}/manifest.json.out")
    assert {name: manifest[name] for name in ("totalRecordCount", "processedRecordCount", "errorRecordCount")} == {
        "totalRecordCount": 120,
        "processedRecordCount": 120,
        "errorRecordCount": 0,
    }
    usage = [line["modelOutput"]["usage"] for line in bedrock.lines(f"{folder}/asked.jsonl.out")]
    assert manifest["inputTokenCount"] == sum(one["inputTokens"] for one in usage)


def test_a_record_that_fails_has_an_error_and_the_others_their_answers(bedrock: Any) -> None:
    broken = {"recordId": "BROKEN00001", "modelInput": {"messages": []}}
    nameless = {"modelInput": record(1)["modelInput"]}
    uri = bedrock.put("in/a.jsonl", [broken, nameless, *map(record, range(98))])
    arn = start(bedrock, uri)
    job = ended(bedrock, arn)

    assert (job["status"], job["errorRecordCount"], job["successRecordCount"]) == ("Completed", 1, 99)
    lines = bedrock.lines(f"out/{arn.rpartition('/')[2]}/a.jsonl.out")
    assert lines[0]["error"]["errorCode"] == 400
    assert "modelOutput" not in lines[0]
    assert re.fullmatch(r"[A-Z0-9]{11}", lines[1]["recordId"])
    assert set(lines[2]["modelOutput"]) == {"output", "stopReason", "usage"}


def test_less_than_a_hundred_records_fail_with_the_remedy(bedrock: Any) -> None:
    job = ended(bedrock, start(bedrock, bedrock.put("in/a.jsonl", map(record, range(99)))))

    assert job["status"] == "Failed"
    assert "99 records" in job["message"]
    assert "at least 100" in job["message"]


@pytest.mark.parametrize("broken", ["{nonsense", "[1]", '{"recordId": "A"}'])
def test_a_broken_line_fails_the_job_by_its_number(bedrock: Any, broken: str) -> None:
    job = ended(bedrock, start(bedrock, bedrock.put("in/a.jsonl", [*map(record, range(100)), broken])))

    assert job["status"] == "Failed"
    assert "line 101 of s3://data/in/a.jsonl" in job["message"]


def test_all_files_of_a_folder_are_read(bedrock: Any) -> None:
    bedrock.put("in/a.jsonl", map(record, range(60)))
    bedrock.put("in/b.jsonl", map(record, range(60, 120)))
    bedrock.put("in/notes.txt", ["not a record"])
    arn = start(bedrock, "s3://data/in/")

    assert ended(bedrock, arn)["totalRecordCount"] == 120
    names = {key.rpartition("/")[2] for key in bedrock.keys(f"out/{arn.rpartition('/')[2]}")}
    assert names == {"a.jsonl.out", "b.jsonl.out", "manifest.json.out"}


def test_when_the_time_is_up_what_was_done_is_kept(bedrock: Any) -> None:
    bedrock.service.faults.set(VADER, Fault(batch_records=70))
    arn = start(bedrock, bedrock.put("in/a.jsonl", map(record, range(100))))
    job = ended(bedrock, arn)

    assert (job["status"], job["processedRecordCount"], job["totalRecordCount"]) == ("PartiallyCompleted", 70, 100)
    assert len(bedrock.lines(f"out/{arn.rpartition('/')[2]}/a.jsonl.out")) == 70


def test_a_stopped_job_keeps_what_it_did(bedrock: Any) -> None:
    bedrock.service.faults.set(VADER, Fault(latency_seconds=0.5))
    arn = start(bedrock, bedrock.put("in/a.jsonl", map(record, range(100))))
    bedrock.control.stop_model_invocation_job(jobIdentifier=arn)

    assert ended(bedrock, arn)["status"] == "Stopped"
    with pytest.raises(ClientError) as error:
        bedrock.control.stop_model_invocation_job(jobIdentifier=arn)
    assert error.value.response["Error"]["Code"] == "ConflictException"


def test_the_same_request_makes_one_job_and_another_of_its_name_none(bedrock: Any) -> None:
    uri = bedrock.put("in/a.jsonl", map(record, range(100)))
    first = start(bedrock, uri, clientRequestToken="once")

    assert start(bedrock, uri, clientRequestToken="once") == first
    with pytest.raises(ClientError, match="ConflictException"):
        start(bedrock, uri, clientRequestToken="twice")
    bedrock.finish(first)
    assert bedrock.service.faults.calls(VADER).answered == 100
    summaries = bedrock.control.list_model_invocation_jobs(statusEquals="Completed")["invocationJobSummaries"]
    assert [summary["jobArn"] for summary in summaries] == [first]


def test_every_state_is_told_in_the_shape_of_awss_sample(bedrock: Any) -> None:
    arn = start(bedrock, bedrock.put("in/a.jsonl", map(record, range(100))))
    bedrock.finish(arn)
    sample = json.loads(SAMPLE.read_text())

    told = [entry["Detail"]["status"] for entry in bedrock.events()]
    assert told == ["Submitted", "Validating", "Scheduled", "InProgress", "Completed"]
    for entry in bedrock.events():
        assert (entry["Source"], entry["DetailType"]) == (sample["source"], sample["detail-type"])
        assert entry["Resources"] == [arn]
        assert {name: type(value) for name, value in entry["Detail"].items()} == {
            name: type(value) for name, value in sample["detail"].items()
        }
        assert re.fullmatch(r"[A-Z][a-z]{2} \d{1,2}, \d{4}, \d{1,2}:\d\d:\d\d [AP]M", entry["Detail"]["creationTime"])


@pytest.mark.parametrize(("hour", "spoken"), [(0, "12:05:09 AM"), (12, "12:05:09 PM"), (22, "10:05:09 PM")])
def test_midnight_and_noon_are_twelve_oclock(hour: int, spoken: str) -> None:
    time = utc_now().replace(year=2024, month=8, day=28, hour=hour, minute=5, second=9)

    assert spoken_time(time) == f"Aug 28, 2024, {spoken}"


def test_vectors_come_in_batches_too(bedrock: Any) -> None:
    texts = [{"recordId": f"TEXT{n:07d}", "modelInput": {"inputText": f"word {n}"}} for n in range(100)]
    arn = start(bedrock, bedrock.put("in/t.jsonl", texts), modelId="hallmark.usem3-embedding-v1:0")

    assert ended(bedrock, arn)["successRecordCount"] == 100
    assert len(bedrock.lines(f"out/{arn.rpartition('/')[2]}/t.jsonl.out")[0]["modelOutput"]["embedding"]) == 512


def test_a_job_of_a_model_that_does_not_exist_is_refused(bedrock: Any) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        start(bedrock, "s3://data/in/a.jsonl", modelId="nobody.knows-this-v1")
