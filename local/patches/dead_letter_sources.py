"""SQS says which queues send their dead letters to a queue.

MiniStack has no ``ListDeadLetterSourceQueues``. Source: Amazon SQS API reference; the answer's member is ``queueUrls``,
in lower case unlike that of ``ListQueues``.
"""

from __future__ import annotations

import json
from typing import Any

from ministack.services import sqs

from local.patches.replacement import EmulatorChangedError

_OPERATION = "ListDeadLetterSourceQueues"
_MOST = 1000


def apply() -> None:
    """Add the operation.

    Raises:
        EmulatorChangedError: MiniStack's table of operations is not where it was, or has the operation now.
    """
    if not isinstance(getattr(sqs, "_HANDLERS", None), dict):
        raise EmulatorChangedError("MiniStack's SQS no longer keeps its operations in _HANDLERS")
    if sqs._HANDLERS.setdefault(_OPERATION, _list_sources) is not _list_sources:
        raise EmulatorChangedError(f"MiniStack has {_OPERATION} now: this mend can go")


def _list_sources(data: dict[str, Any], queue_url: str) -> dict[str, Any]:
    queue = sqs._get_q(data.get("QueueUrl", queue_url), f"sqs:{_OPERATION}")
    arn = queue["attributes"]["QueueArn"]
    sources = [url for url, other in sqs._queues.items() if _target_of(other) == arn]
    start = int(data.get("NextToken") or 0)
    most = int(data.get("MaxResults") or _MOST)
    answer: dict[str, Any] = {"queueUrls": sources[start : start + most]}
    if "MaxResults" in data and start + most < len(sources):
        answer["NextToken"] = str(start + most)
    return answer


def _target_of(queue: dict[str, Any]) -> str | None:
    policy = queue["attributes"].get("RedrivePolicy")
    if not policy:
        return None
    target: str | None = (json.loads(policy) if isinstance(policy, str) else policy).get("deadLetterTargetArn")
    return target
