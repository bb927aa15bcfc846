"""Which job of AWS an event tells of.

Bedrock's evaluation jobs emit no event: the object that they write does (AWS's list of Bedrock events). Batch inference
and SageMaker Processing jobs emit their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hallmark.evaluation.plans import JOB_PREFIX

OUTPUT_SUFFIX = "_output.jsonl"
"""End of the names of an evaluation job's output; what it tries its permissions with ends otherwise."""
_KEY = re.compile(rf"runs/[^/]+/[^/]+/jobs/({JOB_PREFIX}[0-9a-f]{{20}}-\d+)/output/.+")
_NAME = re.compile(rf"{JOB_PREFIX}[0-9a-f]{{20}}-\d+")


def job_of(event: Mapping[str, Any]) -> str | None:
    """Return the name of our job that an event tells of; None where it tells of something else.

    Args:
        event: As EventBridge delivers it: "Object Created" of S3, "Batch Inference Job State Change" of Bedrock,
            "SageMaker Processing Job State Change".
    """
    detail = event.get("detail")
    if not isinstance(detail, Mapping):
        return None
    stored = detail.get("object")
    if isinstance(stored, Mapping):
        key = str(stored.get("key", ""))
        found = _KEY.fullmatch(key) if key.endswith(OUTPUT_SUFFIX) else None
        return found[1] if found else None
    for name in ("batchJobName", "ProcessingJobName", "jobName"):
        told = detail.get(name)
        if isinstance(told, str) and _NAME.fullmatch(told):
            return told
    return None
