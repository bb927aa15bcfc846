"""Lambda writes logs and failed events in the name of the function's role, as on AWS.

MiniStack writes both for nobody. Sources: "Adding a dead-letter queue" and "Capturing records of Lambda asynchronous
invocations" (the execution role needs the permission), "Sending Lambda function logs to CloudWatch Logs".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc, sqs

from local.patches.permissions import first_denied, key_arn
from local.patches.replacement import replace_function

_SENDING = {
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "lambda": "lambda:InvokeFunction",
    "events": "events:PutEvents",
}
_LOGGING = ("logs:CreateLogStream", "logs:PutLogEvents")


def apply() -> None:
    """Ask IAM before either is written.

    Raises:
        EmulatorChangedError: MiniStack's Lambda is no longer what it was.
    """
    replace_function(
        lambda_svc, "_route_async_failure", ("target_arn", "func_name", "event", "result"), _destination_of_event
    )
    replace_function(
        lambda_svc,
        "_send_ddb_stream_failure_record",
        ("esm", "func_rec", "batch", "stream_arn", "result", "condition"),
        _destination_of_batch,
    )
    replace_function(
        lambda_svc,
        "_emit_lambda_logs",
        ("func", "request_id", "log_text", "error", "duration_ms", "log_source"),
        _log_of_role,
    )


def _destination_of_event(original: Any) -> Any:
    def route(target_arn: str, func_name: str, event: Any, result: Mapping[str, Any]) -> None:
        function = lambda_svc._functions.get(func_name) or {"config": {}}
        if _may_send(function["config"], target_arn):
            original(target_arn, func_name, event, result)

    return route


def _destination_of_batch(original: Any) -> Any:
    def send(
        esm: Mapping[str, Any],
        func_rec: Mapping[str, Any],
        batch: list[Any],
        stream_arn: str,
        result: Mapping[str, Any],
        condition: str,
    ) -> None:
        destination = ((esm.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
        if destination and _may_send(func_rec["config"], destination):
            original(esm, func_rec, batch, stream_arn, result, condition)

    return send


def _log_of_role(original: Any) -> Any:
    def emit(
        func: Mapping[str, Any],
        request_id: str,
        log_text: str,
        error: bool,
        duration_ms: int,
        *,
        log_source: str | None = None,
    ) -> None:
        config = func.get("config") or func
        name = config.get("FunctionName", "")
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
        arn = f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{group}:log-stream:*"
        if first_denied(config.get("Role", ""), name, [(action, arn) for action in _LOGGING]) is None:
            original(func, request_id, log_text, error, duration_ms, log_source=log_source)

    return emit


def _may_send(config: Mapping[str, Any], destination: str) -> bool:
    service = parse_arn(destination).service
    permissions = [(_SENDING.get(service, f"{service}:*"), destination)]
    queue = sqs._queue_by_arn(destination) if service == "sqs" else None
    key = key_arn(queue["attributes"].get("KmsMasterKeyId")) if queue else None
    if key:
        permissions += [("kms:GenerateDataKey", key), ("kms:Decrypt", key)]
    denied = first_denied(config.get("Role", ""), config.get("FunctionName", ""), permissions)
    if denied:
        lambda_svc.logger.warning(
            "%s: its execution role may not %s on %s; the failed event is lost", config.get("FunctionName"), *denied
        )
    return denied is None
