"""Bedrock's events on EventBridge's default bus, in the shapes that AWS publishes.

Source: Bedrock user guide, "Monitor Amazon Bedrock job state changes using Amazon EventBridge"; the samples are kept in
``tests/payloads/aws``. Evaluation jobs publish none.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError

from local.bedrock.batch_jobs import KIND as BATCH_JOB
from local.bedrock.clients import Publish
from local.bedrock.customization import JOB as CUSTOMIZATION_JOB
from local.sagemaker.contract import ResourceChanged
from local.sagemaker.resources import utc_now

_LOGGER = logging.getLogger(__name__)


class EventPublisher:
    """A listener that publishes each change of a job's state, in order, in a thread of its own: no job waits for it."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="bedrock-events")

    def __call__(self, change: ResourceChanged) -> None:
        """Publish the event of ``change``, if it has one; what changes nothing of a job's state is not announced."""
        entry = None if change.deleted else entry_of(change)
        if entry is not None:
            self._executor.submit(self._send, entry, change)

    def flush(self) -> None:
        """Wait until everything told so far is published."""
        self._executor.submit(lambda: None).result()

    def close(self) -> None:
        """Publish what was told and end the thread."""
        self._executor.shutdown()

    def _send(self, entry: dict[str, Any], change: ResourceChanged) -> None:
        try:
            self._publish(entry, change.account, change.region)
        except (BotoCoreError, OSError, RuntimeError) as error:
            # Best effort (user guide, monitoring-eventbridge): one is lost.
            _LOGGER.warning("event %s of %s was lost: %s", entry["DetailType"], change.arn, error)


def entry_of(change: ResourceChanged) -> dict[str, Any] | None:
    """Return the event of a change as ``PutEvents`` takes it, or ``None`` where there is none."""
    if change.kind == BATCH_JOB:
        return _entry("Batch Inference Job State Change", change, _batch_detail(change))
    if change.kind == CUSTOMIZATION_JOB:
        return _entry("Model Customization Job State Change", change, _customization_detail(change))
    return None


def _entry(detail_type: str, change: ResourceChanged, detail: dict[str, Any]) -> dict[str, Any]:
    return {
        "Source": "aws.bedrock",
        "DetailType": detail_type,
        "Detail": {"version": "0.0", **detail},
        "Resources": [change.arn],
        "Time": utc_now(),
    }


def _batch_detail(change: ResourceChanged) -> dict[str, Any]:
    job = change.description
    return {
        "accountId": change.account,
        "batchJobName": job["jobName"],
        "batchJobArn": job["jobArn"],
        "batchModelId": job["modelId"],
        "status": job["status"],
        "failureMessage": job.get("message", ""),
        "creationTime": spoken_time(job["submitTime"]),
    }


def _customization_detail(change: ResourceChanged) -> dict[str, Any]:
    job = change.description
    validators = job["validationDataConfig"]["validators"]
    told = {
        "jobName": job["jobName"],
        "jobArn": job["jobArn"],
        "outputModelName": job["outputModelName"],
        "outputModelArn": job.get("outputModelArn"),
        "roleArn": job["roleArn"],
        "jobStatus": job["status"],
        "failureMessage": job.get("failureMessage"),
        "creationTime": _iso(job["creationTime"]),
        "lastModifiedTime": _iso(job["lastModifiedTime"]),
        "endTime": _iso(job["endTime"]) if "endTime" in job else None,
        "baseModelArn": job["baseModelArn"],
        "hyperParameters": job["hyperParameters"],
        "trainingDataConfig": job["trainingDataConfig"],
        "validationDataConfig": {"s3Uri": validators[0]["s3Uri"]} if validators else None,
        "outputDataConfig": job["outputDataConfig"],
    }
    return {name: value for name, value in told.items() if value is not None}


def spoken_time(time: datetime) -> str:
    """Return a time as batch inference events write it, ``Aug 28, 2024, 10:47:53 PM`` in UTC."""
    utc = time.astimezone(UTC)
    hour = utc.hour % 12 or 12
    month = utc.strftime("%b")
    return f"{month} {utc.day}, {utc.year}, {hour}:{utc:%M:%S} {'PM' if utc.hour >= _NOON else 'AM'}"


_NOON = 12


def _iso(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
