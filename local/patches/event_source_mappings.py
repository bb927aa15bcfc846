"""Event source mappings filter, check their role and take partial answers as on AWS.

MiniStack matches filters by rules of its own, polls in nobody's name, and deletes the whole batch when an answer names
a message that was not in it, which on AWS fails the whole batch ("Reporting batch item failures for Lambda functions",
developer guide). DynamoDB Streams have their own mend: ``stream_mappings``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ministack.core.responses import get_region
from ministack.services import eventbridge, lambda_svc, sqs

from local.patches.permissions import first_denied, key_arn
from local.patches.replacement import replace_function

_QUEUE_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
_PARTIAL_ANSWERS = "ReportBatchItemFailures"
_Document = dict[str, Any]


class WholeBatchFailedError(Exception):
    """The function's answer fails the whole batch: it names no message of the batch, or is not of the form."""


def apply() -> None:
    """Mend filters and queues.

    Raises:
        EmulatorChangedError: MiniStack's pollers are no longer what they were.
    """
    replace_function(lambda_svc, "_ensure_poller", (), _with_wake)
    replace_function(lambda_svc, "_match_esm_filter", ("record", "pattern"), lambda _original: matches_filter)
    replace_function(
        lambda_svc,
        "_run_sqs_batch",
        ("esm", "func_rec", "event", "batch", "queue_url", "queue_name"),
        _with_checked_answer,
    )
    replace_function(
        lambda_svc, "_sqs_esm_concurrency", ("esm", "func_rec", "config", "queue"), _with_permission_of_role
    )


def _with_wake(original: Any) -> Any:
    def ensure_poller() -> None:
        original()
        # Without a mapping the poller sleeps for 5 s; a new mapping is read at once.
        lambda_svc._esm_wake.set()

    return ensure_poller


def matches_filter(record: Mapping[str, Any], pattern: Mapping[str, Any]) -> bool:
    """Match by EventBridge's rules, which filters share ("Control which events Lambda sends to your function")."""
    try:
        alternatives = eventbridge._compile_pattern(pattern)
    except eventbridge._InvalidPattern:
        return False
    return any(eventbridge._matches_detail(record, alternative) for alternative in alternatives)


def failed_items(mapping: Mapping[str, Any], answer: object, identifiers: Collection[str]) -> set[str]:
    """Return which items of a batch the function's answer calls failed.

    Args:
        mapping: The event source mapping.
        answer: What the function returned.
        identifiers: The items of the batch.

    Raises:
        WholeBatchFailedError: The answer names an unknown or no item, or is not of the form.
    """
    if _PARTIAL_ANSWERS not in (mapping.get("FunctionResponseTypes") or []) or not answer:
        return set()
    document = _as_document(answer)
    failures = document.get("batchItemFailures") or []
    if not isinstance(failures, list):
        raise WholeBatchFailedError("'batchItemFailures' is not a list")
    failed = {failure.get("itemIdentifier") if isinstance(failure, dict) else None for failure in failures}
    unknown = failed - set(identifiers)
    if unknown:
        raise WholeBatchFailedError(f"'batchItemFailures' names {sorted(map(str, unknown))}, not in the batch")
    return {str(item) for item in failed}


def _as_document(answer: object) -> Mapping[str, Any]:
    if isinstance(answer, str):
        try:
            answer = json.loads(answer)
        except ValueError as error:
            raise WholeBatchFailedError(f"the answer is not JSON: {error}") from error
    if not isinstance(answer, dict):
        raise WholeBatchFailedError("the answer is not an object")
    return answer


def _with_checked_answer(_original: Any) -> Any:
    def run_batch(
        esm: _Document,
        func_rec: _Document,
        event: _Document,
        batch: Sequence[_Document],
        queue_url: str,
        queue_name: str,
    ) -> None:
        result = lambda_svc._execute_function(func_rec, event)
        sent = {record["messageId"] for record in event["Records"]}
        # What the filter left out is deleted like what succeeded.
        succeeded = [message for message in batch if message["id"] not in sent]
        try:
            if result.get("error") or result.get("throttle"):
                raise WholeBatchFailedError(json.dumps(result.get("body")))
            failed = failed_items(esm, result.get("body"), sent)
        except WholeBatchFailedError as error:
            esm["LastProcessingResult"] = "PROBLEM: Function call failed"
            lambda_svc._esm_backoff_until[esm["UUID"]] = time.time() + lambda_svc._ESM_BACKOFF_SECONDS
            lambda_svc.logger.warning("%s failed a batch of %s: %s", esm["FunctionName"], queue_name, error)
        else:
            succeeded = [message for message in batch if message["id"] not in failed]
            esm["LastProcessingResult"] = "OK" if not failed else f"OK, {len(failed)} partial failures"
            lambda_svc._esm_backoff_until.pop(esm["UUID"], None)
        handles = {message["receipt_handle"] for message in succeeded}
        sqs._delete_messages_for_esm(queue_url, handles)

    return run_batch


def _with_permission_of_role(original: Any) -> Any:
    def concurrency(esm: _Document, func_rec: _Document, config: _Document, queue: _Document | None = None) -> int:
        # Roles are asked for what they may do where there is something to do: pollers look at queues all the time.
        is_denied_now = queue is not None and bool(queue["messages"]) and _queue_denied(esm, config, queue)
        return 0 if is_denied_now else int(original(esm, func_rec, config, queue))

    return concurrency


def _queue_denied(mapping: _Document, config: Mapping[str, Any], queue: Mapping[str, Any]) -> bool:
    queue_arn = queue["attributes"]["QueueArn"]
    permissions = [(action, queue_arn) for action in _QUEUE_ACTIONS]
    key = key_arn(queue["attributes"].get("KmsMasterKeyId"))
    if key:
        permissions.append(("kms:Decrypt", key))
    return is_denied(mapping, config, permissions)


def is_denied(mapping: _Document, config: Mapping[str, Any], permissions: Sequence[tuple[str, str]]) -> bool:
    """Tell whether the function's role lacks one of ``permissions``; the mapping then says which."""
    denied = first_denied(config.get("Role", ""), config.get("FunctionName", ""), permissions)
    if denied is not None:
        action, resource = denied
        mapping["LastProcessingResult"] = (
            f"PROBLEM: the function's execution role does not have permission to call {action} on {resource} "
            f"in {get_region()}"
        )
    return denied is not None
