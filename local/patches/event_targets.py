"""Targets of rules and schedules get events only where AWS would deliver them, and what is not delivered is kept.

MiniStack delivers without asking queue policies, key policies, function policies or roles, drops what it cannot deliver
although the target has a dead-letter queue, and calls functions once where AWS calls them asynchronously with two
retries. Sources: "Using dead-letter queues to process undelivered events in EventBridge" and "Using resource-based
policies for Amazon EventBridge", user guide; "Adding context attributes", EventBridge Scheduler user guide.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.concurrency import esm_wake
from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge, lambda_svc, scheduler, sns, sqs, stepfunctions

from local.patches.permissions import key_allows_service, policy_allows_service, role_allows
from local.patches.replacement import EmulatorChangedError, replace_function

_EVENTS = "events.amazonaws.com"
_SCHEDULER_SOURCE = "aws.scheduler"
_ROLE_ACTIONS = {
    "lambda": "lambda:InvokeFunction",
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "states": "states:StartExecution",
    "events": "events:PutEvents",
}
_ROLE_REQUIRED = frozenset({"states"})  # targets that a rule can reach only through a role
_KEY_USES = ("kms:GenerateDataKey", "kms:Decrypt")
_TICK_SECONDS = 1
_Document = Mapping[str, Any]


@dataclass(frozen=True)
class Refusal:
    """Why an event does not reach its target, in the words of the dead-letter queue's attributes."""

    code: str
    message: str


def apply() -> None:
    """Mend the delivery to targets.

    Raises:
        EmulatorChangedError: MiniStack's delivery is no longer what it was.
    """
    replace_function(eventbridge, "_invoke_target", ("target", "event", "rule", "view"), _with_permission)
    replace_function(eventbridge, "_dispatch_to_lambda", ("arn", "payload"), lambda _original: _invoke_asynchronously)
    for module, name in ((scheduler, "_SCHEDULE_TICK_INTERVAL"), (eventbridge, "_SCHEDULER_TICK_INTERVAL")):
        if not hasattr(module, name):
            raise EmulatorChangedError(f"{module.__name__} has no {name} any more")
        setattr(module, name, _TICK_SECONDS)


def _with_permission(original: Any) -> Any:
    def invoke_target(target: _Document, event: _Document, rule: _Document, view: Any = None) -> None:
        scheduled = event.get("Source") == _SCHEDULER_SOURCE
        if scheduled and target.get("Input"):
            target = {**target, "Input": _with_context(target["Input"], event)}
        refusal = _refusal(target, rule, scheduled=scheduled)
        if refusal is None:
            original(target, event, rule, view)
        else:
            eventbridge.logger.warning("EventBridge: %s not delivered to %s", refusal, target.get("Arn"))
            _keep_dead_letter(target, event, rule, view, refusal)

    return invoke_target


def _with_context(text: str, event: _Document) -> str:
    """Fill in the context attributes of a schedule's input."""
    values = {
        "schedule-arn": (event.get("Resources") or [""])[0],
        "scheduled-time": datetime.fromtimestamp(event["Time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "execution-id": event["EventId"],
        "attempt-number": "1",
    }
    for name, value in values.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _refusal(target: _Document, rule: _Document, *, scheduled: bool) -> Refusal | None:
    arn = target.get("Arn", "")
    try:
        spec = parse_arn(arn)
    except ArnParseError:
        return Refusal("INVALID_TARGET", f"{arn} is no ARN")
    if not _exists(spec.service, arn):
        return Refusal("RESOURCE_NOT_FOUND", f"{arn} does not exist")
    role = target.get("RoleArn")
    action = _ROLE_ACTIONS.get(spec.service)
    if action is None:
        return None
    if role or scheduled or spec.service in _ROLE_REQUIRED:
        allowed = bool(role) and role_allows(str(role), "events", action, arn)
    else:
        allowed = _resource_allows(spec.service, arn, rule.get("Arn", ""))
    return (
        None if allowed else Refusal("NO_PERMISSIONS", f"{rule.get('Arn', '')} has no permission to {action} on {arn}")
    )


def _exists(service: str, arn: str) -> bool:
    if service == "sqs":
        return sqs._queue_by_arn(arn) is not None
    if service == "lambda":
        return lambda_svc._get_func_record_for_ref(arn)[0] is not None
    if service == "sns":
        return sns._topic_by_arn_any_scope(arn) is not None
    if service == "states":
        return stepfunctions._resolve_state_machine_arn(arn) is not None
    return True


def _resource_allows(service: str, arn: str, source_arn: str) -> bool:
    if service == "sqs":
        attributes = sqs._queue_by_arn(arn)["attributes"]
        return policy_allows_service(
            attributes.get("Policy"), _EVENTS, "sqs:SendMessage", arn, source_arn=source_arn
        ) and key_allows_service(attributes.get("KmsMasterKeyId", ""), _EVENTS, _KEY_USES, source_arn=source_arn)
    if service == "lambda":
        found = lambda_svc.function_policy_for_arn(arn)
        policy = found[0] if found else None
        return policy_allows_service(policy, _EVENTS, "lambda:InvokeFunction", arn, source_arn=source_arn)
    if service == "sns":
        attributes = sns._topic_by_arn_any_scope(arn)["attributes"]
        return policy_allows_service(
            attributes.get("Policy"), _EVENTS, "sns:Publish", arn, source_arn=source_arn
        ) and key_allows_service(attributes.get("KmsMasterKeyId", ""), _EVENTS, _KEY_USES, source_arn=source_arn)
    return True


def _keep_dead_letter(target: _Document, event: _Document, rule: _Document, view: Any, refusal: Refusal) -> None:
    """Put the event into the target's dead-letter queue, if it has one that lets EventBridge in."""
    queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue_arn or sqs._queue_by_arn(queue_arn) is None:
        return
    if event.get("Source") == _SCHEDULER_SOURCE:
        allowed = role_allows(str(target.get("RoleArn")), "scheduler", "sqs:SendMessage", queue_arn)
    else:
        allowed = _resource_allows("sqs", queue_arn, rule.get("Arn", ""))
    if not allowed:
        eventbridge.logger.warning("EventBridge: the dead-letter queue %s does not let it in", queue_arn)
        return
    view = view or eventbridge._pattern_event_view(event)
    whole = json.dumps(view.event_with_detail())
    if event.get("Source") == _SCHEDULER_SOURCE:
        _put_message(queue_arn, target.get("Input") or whole, _attributes_of_schedule(target, event, refusal))
        return
    attributes = {
        "RULE_ARN": rule.get("Arn", ""),
        "TARGET_ARN": target.get("Arn", ""),
        "ERROR_CODE": refusal.code,
        "ERROR_MESSAGE": refusal.message,
        "EXHAUSTED_RETRY_CONDITION": "NoRetryAttempts",
        "RETRY_ATTEMPTS": "0",
    }
    _put_message(queue_arn, whole, attributes)


def _attributes_of_schedule(target: _Document, event: _Document, refusal: Refusal) -> dict[str, str]:
    """Return what a schedule's dead letter says ("Configuring a dead-letter queue", Scheduler user guide)."""
    return {
        "ERROR_CODE": refusal.code,
        "ERROR_MESSAGE": refusal.message,
        "EXECUTION_ID": event["EventId"],
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": "0",
        "SCHEDULED_TIME": datetime.fromtimestamp(event["Time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "SCHEDULE_ARN": (event.get("Resources") or [""])[0],
        "TARGET_ARN": target.get("Arn", ""),
    }


def _put_message(queue_arn: str, body: str, attributes: Mapping[str, str]) -> None:
    queue = sqs._queue_by_arn(queue_arn)
    now = time.time()
    message = {
        "id": str(uuid.uuid4()),
        "body": body,
        "md5_body": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "receipt_handle": None,
        "sent_at": now,
        "visible_at": now + sqs.queue_delay(queue),
        "receive_count": 0,
        "attributes": {},
        "message_attributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value
        },
        "sys": {"SenderId": get_account_id(), "SentTimestamp": str(int(now * 1000))},
    }
    sqs._ensure_msg_fields(message)
    queue["messages"].append(message)
    esm_wake.set()


def _invoke_asynchronously(arn: str, payload: str) -> None:
    function, config, name = lambda_svc._get_func_record_for_ref(arn)
    if not function or not config:
        eventbridge.logger.warning("EventBridge: function %s not found in %s", name, get_region())
        return
    try:
        event = json.loads(payload)
    except ValueError:
        event = payload
    lambda_svc.invoke_async_with_retry({**function, **lambda_svc._execution_record_for_config(function, config)}, event)
