"""Bedrock's batch inference: the records that it reads and writes, and the request that creates a job.

Source: Amazon Bedrock user guide, "Format and upload your batch inference data", "View the results of a batch inference
job"; Bedrock API reference, CreateModelInvocationJob.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from hallmark.evaluation.converse import converse_body, read_reply
from hallmark.evaluation.plans import Batch, call_cost_usd
from hallmark.evaluation.ports import Outcome
from hallmark.evaluation.results import Answer, Failure, FailureKind
from hallmark.evaluation.suites import ModelVariant

PRICE_SHARE = 0.5
"""Batch inference costs half of the price on demand (Amazon Bedrock pricing, read 2026-11)."""
_SHORTEST, _LONGEST = timedelta(hours=24), timedelta(hours=168)
"""Of timeoutDurationInHours."""
_BATCH_DIGITS, _PLACE_DIGITS = 6, 4
_PASSING_CODES = frozenset({408, 424, 429, 500, 503})
"""Errors after which the same question may be answered (Bedrock API reference, Converse, errors)."""


class BatchJobOrder(BaseModel):
    """Everything that a batch inference job is told."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    job_name: str
    """Its token too: whoever creates it again gets the same job."""
    model_id: str
    role_arn: str
    key_arn: str | None
    input_uri: str
    output_uri: str
    timeout: timedelta


class BatchOutput(NamedTuple):
    """What was found in an output."""

    outcomes: Mapping[tuple[int, int], Outcome]
    """By number of the batch and place of the case in it."""
    broken: int
    """Lines that cannot be read, or that tell of no case of ours."""


def record_id(batch: int, place: int) -> str:
    """Return the identifier of a record: eleven letters and digits, as Bedrock's own have."""
    return f"R{batch:0{_BATCH_DIGITS}d}{place:0{_PLACE_DIGITS}d}"


def write_records(batches: Iterable[Batch], variant: ModelVariant) -> Iterator[bytes]:
    """Yield the lines of a job's input: what Converse would be asked."""
    for batch in batches:
        for place, case in enumerate(batch.cases):
            body = converse_body(case.conversation, case.system or variant.system, variant.inference)
            record = {"recordId": record_id(batch.number, place), "modelInput": body}
            yield json.dumps(record, ensure_ascii=False).encode() + b"\n"


def batch_job_request(order: BatchJobOrder) -> dict[str, Any]:
    """Return the request."""
    hours = math.ceil(min(max(order.timeout, _SHORTEST), _LONGEST) / timedelta(hours=1))
    target: dict[str, Any] = {"s3Uri": order.output_uri}
    if order.key_arn is not None:
        target["s3EncryptionKeyId"] = order.key_arn
    return {
        "jobName": order.job_name,
        "clientRequestToken": order.job_name,
        "roleArn": order.role_arn,
        "modelId": order.model_id,
        "modelInvocationType": "Converse",
        "inputDataConfig": {"s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": order.input_uri}},
        "outputDataConfig": {"s3OutputDataConfig": target},
        "timeoutDurationInHours": hours,
    }


def read_records(lines: Iterable[bytes], variant: ModelVariant, answered_at: datetime) -> BatchOutput:
    """Read a job's output; its order says nothing, and what the job had no time for is not in it.

    Args:
        lines: Of all objects of the output.
        variant: Who answered.
        answered_at: When the job ended: it does not tell when it answered what.
    """
    outcomes: dict[tuple[int, int], Outcome] = {}
    broken = 0
    for line in filter(None, map(bytes.strip, lines)):
        try:
            record = json.loads(line)
            outcomes[_position(record["recordId"])] = _outcome(record, variant, answered_at)
        except (ValueError, KeyError, TypeError, AttributeError):
            broken += 1
    return BatchOutput(outcomes, broken)


def _position(identifier: str) -> tuple[int, int]:
    digits = identifier.removeprefix("R")
    if len(digits) != _BATCH_DIGITS + _PLACE_DIGITS:
        raise ValueError(f"{identifier} is no identifier of ours")
    return int(digits[:_BATCH_DIGITS]), int(digits[_BATCH_DIGITS:])


def _outcome(record: Mapping[str, Any], variant: ModelVariant, answered_at: datetime) -> Outcome:
    error = record.get("error")
    if error is not None:
        code = int(error.get("errorCode", 0))
        kind = FailureKind.UNAVAILABLE if code in _PASSING_CODES else FailureKind.REFUSED
        return Outcome(None, Failure(kind=kind, reason=f"{code}: {error.get('errorMessage', '')}"))
    return Outcome(_priced(read_reply(record["modelOutput"], answered_at=answered_at), variant), None)


def _priced(answer: Answer, variant: ModelVariant) -> Answer:
    # Nobody waited for it: how long the model took says nothing of how long a user would wait.
    update: dict[str, Any] = {"latency_ms": None}
    if answer.input_tokens is not None and answer.output_tokens is not None:
        cost = call_cost_usd(variant, answer.input_tokens, answer.output_tokens)
        update["cost_usd"] = None if cost is None else cost * PRICE_SHARE
    return answer.model_copy(update=update)
