"""Batch inference: CreateModelInvocationJob and the operations around it.

Sources: Bedrock user guide, "Process multiple prompts with batch inference" (formats of input and output, states), and
the quotas of Bedrock (at least 100 records in a job).
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from local.bedrock.contract import Call, Document, Operation, ServiceError
from local.bedrock.foundation import (
    Foundation,
    JobFailedError,
    below,
    check_s3_uri,
    listed,
    new_identifier,
    raise_if_stopping,
    read_json_lines,
)
from local.bedrock.runtime import Runtime, conversation_answer, read_conversation
from local.sagemaker.jobs import JobRun
from local.sagemaker.resources import Resource, utc_now
from local.sagemaker.s3_files import split_s3_uri, upload_bytes

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

KIND = "model-invocation-job"
MIN_RECORDS = 100
_RUNNING = ("Submitted", "Validating", "Scheduled", "InProgress")
_PAGE, _MAX_PAGE = 100, 1000
_TOLD_EVERY = 50
_RECORD_ID_LENGTH = 11
_STATUSES = {
    "ThrottlingException": 429,
    "ServiceUnavailableException": 503,
    "ModelErrorException": 424,
    "ModelTimeoutException": 408,
    "ModelNotReadyException": 429,
}
_BAD_REQUEST = 400


@dataclass
class _Totals:
    total: int = 0
    processed: int = 0
    success: int = 0
    error: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def counts(self) -> Document:
        return {
            "totalRecordCount": self.total,
            "processedRecordCount": self.processed,
            "successRecordCount": self.success,
            "errorRecordCount": self.error,
        }

    def manifest(self) -> Document:
        return {**self.counts(), "inputTokenCount": self.input_tokens, "outputTokenCount": self.output_tokens}


class BatchJobs:
    """Runs batch inference jobs."""

    def __init__(self, foundation: Foundation, runtime: Runtime) -> None:
        self._foundation = foundation
        self._runtime = runtime

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {
            "CreateModelInvocationJob": self._create,
            "GetModelInvocationJob": self._get,
            "ListModelInvocationJobs": self._list,
            "StopModelInvocationJob": self._stop,
        }

    def _create(self, call: Call) -> Document:
        wanted = call.parameters
        served_arn = self._foundation.check_model(call, wanted["modelId"])
        check_s3_uri(wanted["inputDataConfig"]["s3InputDataConfig"]["s3Uri"])
        check_s3_uri(wanted["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"])
        s3 = self._foundation.s3_for(call, KIND)

        def make() -> Resource:
            now = utc_now()
            hours = wanted.get("timeoutDurationInHours", 24)
            description = {name: value for name, value in wanted.items() if name != "tags"}
            description |= {
                "jobArn": call.arn(f"{KIND}/{new_identifier()}"),
                "modelId": served_arn,
                "status": "Submitted",
                "submitTime": now,
                "lastModifiedTime": now,
                "jobExpirationTime": now + timedelta(hours=hours),
                "timeoutDurationInHours": hours,
                "modelInvocationType": wanted.get("modelInvocationType", "InvokeModel"),
            }
            return self._foundation.new_job(call, KIND, description["jobArn"], description, "tags")

        def start(job: Resource) -> None:
            self._foundation.run(
                job,
                lambda run: self._work(job, run, s3),
                lambda reason: {"status": "Failed", "message": reason, "endTime": utc_now()},
            )

        return {"jobArn": self._foundation.create_once(call, KIND, make, start)}

    def _get(self, call: Call) -> Document:
        return self._foundation.store.describe(self._foundation.find(call, KIND, call.parameters["jobIdentifier"]))

    def _list(self, call: Call) -> Document:
        jobs, token = listed(call, self._foundation.store.of_kind(call, KIND), _PAGE, _MAX_PAGE)
        return {"invocationJobSummaries": [self._foundation.store.describe(job) for job in jobs]} | token

    def _stop(self, call: Call) -> Document:
        job = self._foundation.find(call, KIND, call.parameters["jobIdentifier"])
        self._foundation.stop(job, _RUNNING)
        return {}

    def _work(self, job: Resource, run: JobRun, s3: S3Client) -> Mapping[str, Any]:
        try:
            return self._process(job, run, s3)
        finally:
            self._foundation.change(job, {"endTime": utc_now()}, silent=True)

    def _process(self, job: Resource, run: JobRun, s3: S3Client) -> Mapping[str, Any]:
        pause = self._foundation.settings.state_seconds
        self._foundation.change(job, {"status": "Validating"})
        files = {uri: list(_records(s3, uri)) for uri in self._input_files(job, s3)}
        totals = _Totals(total=sum(len(records) for records in files.values()))
        self._foundation.change(job, totals.counts(), silent=True)
        if totals.total < MIN_RECORDS:
            raise JobFailedError(
                f"The input has {totals.total} records; a batch inference job needs at least {MIN_RECORDS}: "
                "add records, or call the model directly"
            )
        for status in ("Scheduled", "InProgress"):
            run.pause(pause)
            raise_if_stopping(run)
            self._foundation.change(job, {"status": status})
        in_time = self._foundation.inference.faults.of(self._key(job)).batch_records
        output = job.description["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"]
        folder = below(output, job.arn.rpartition("/")[2])
        for uri, records in files.items():
            lines = []
            for record in records:
                if run.is_stopping or (in_time is not None and totals.processed >= in_time):
                    break
                lines.append(self._answer(job, run, record, totals))
                if totals.processed % _TOLD_EVERY == 0:
                    self._foundation.change(job, totals.counts(), silent=True)
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            upload_bytes(s3, text.encode(), below(folder, f"{PurePosixPath(uri).name}.out"))
        upload_bytes(s3, json.dumps(totals.manifest()).encode(), below(folder, "manifest.json.out"))
        self._foundation.change(job, totals.counts(), silent=True)
        raise_if_stopping(run)
        if totals.processed < totals.total:
            return {
                "status": "PartiallyCompleted",
                "message": f"The time was up after {totals.processed} of {totals.total} records.",
            }
        return {"status": "Completed"}

    def _input_files(self, job: Resource, s3: S3Client) -> list[str]:
        uri = job.description["inputDataConfig"]["s3InputDataConfig"]["s3Uri"]
        if uri.endswith(".jsonl"):
            return [uri]
        bucket, prefix = split_s3_uri(uri)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [entry["Key"] for one in pages for entry in one.get("Contents", [])]
        found = [f"s3://{bucket}/{key}" for key in keys if key.endswith(".jsonl")]
        if not found:
            raise JobFailedError(f"{uri} holds no object whose name ends with .jsonl")
        return found

    def _answer(self, job: Resource, run: JobRun, record: Document, totals: _Totals) -> Document:
        answered = {name: record[name] for name in ("modelInput", "recordId") if name in record}
        answered.setdefault("recordId", _record_id())
        totals.processed += 1
        try:
            output, delay_seconds = self._invoke(job, record["modelInput"])
        except ServiceError as error:
            totals.error += 1
            code = _STATUSES.get(error.code, _BAD_REQUEST)
            return answered | {"error": {"errorCode": code, "errorMessage": error.message}}
        run.pause(delay_seconds)
        totals.success += 1
        usage = output.get("usage", {"inputTokens": output.get("inputTextTokenCount", 0), "outputTokens": 0})
        totals.input_tokens += usage["inputTokens"]
        totals.output_tokens += usage["outputTokens"]
        return answered | {"modelOutput": output}

    def _invoke(self, job: Resource, body: Any) -> tuple[Document, float]:
        call = Call("InvokeModel", {}, job.account, job.region, job.partition, caller_arn=job.arn)
        model_id = job.description["modelId"]
        if not isinstance(body, dict):
            raise ServiceError("ValidationException", "modelInput is not a JSON object")
        if job.description["modelInvocationType"] == "InvokeModel":
            return self._runtime.invoke(model_id, body, call)
        outcome = self._foundation.inference.ask(model_id, read_conversation(body), call)
        return conversation_answer(outcome), outcome.delay_seconds

    def _key(self, job: Resource) -> str:
        call = Call("InvokeModel", {}, job.account, job.region, job.partition)
        return self._foundation.inference.catalogue.resolve(job.description["modelId"], call).key


def _records(s3: S3Client, uri: str) -> Iterator[Document]:
    for number, record in read_json_lines(s3, uri):
        if "modelInput" not in record:
            raise JobFailedError(f"line {number} of {uri} has no modelInput")
        yield record


def _record_id() -> str:
    alphabet = string.ascii_uppercase + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(_RECORD_ID_LENGTH))
