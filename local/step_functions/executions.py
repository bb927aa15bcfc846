"""Executions from their start to their end, and what the API says of them.

The records stay where MiniStack keeps them, so that its lists, histories and targets find them. Source: API reference
and "Redriving executions", developer guide.
"""

from __future__ import annotations

import contextvars
import copy
import json
import re
import threading
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import stepfunctions

from local import ministack_access
from local.step_functions.cancellation import Cancellation
from local.step_functions.checkpoints import Checkpoint
from local.step_functions.documents import PAYLOAD_BYTES, limited_text, timestamp
from local.step_functions.failures import RUNTIME, ExecutionEnded, StateFailure
from local.step_functions.history import MAXIMUM_EVENTS, History
from local.step_functions.interpreter import run_scope
from local.step_functions.running import Identity, Scope

Answer = tuple[int, dict[str, str], bytes]
_Record = dict[str, Any]

_RUNNING = "RUNNING"
_REDRIVABLE = frozenset({"FAILED", "TIMED_OUT", "ABORTED"})
_REDRIVE_DAYS = timedelta(days=14)
_EXPRESS_SECONDS = 300
_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")
_EVENT_PAYLOAD_BYTES = 248 * 1024  # "Automating Step Functions event delivery with EventBridge", developer guide
_lock = threading.Lock()


@dataclass
class Run:
    """What an execution needs beyond its record, kept for a redrive.

    Attributes:
        scope: Its states.
        checkpoint: Where it stands.
        time_out_seconds: ``TimeoutSeconds``, from each start or redrive.
        is_express: Whether the state machine is an express one.
        event: Id of the event that began it.
    """

    scope: Scope
    checkpoint: Checkpoint
    time_out_seconds: float | None
    is_express: bool
    event: int


def start_execution(data: dict[str, Any]) -> Answer:
    """Answer ``StartExecution``."""
    machine_arn = stepfunctions._resolve_state_machine_arn(data.get("stateMachineArn", ""))
    if machine_arn is None:
        arn = data.get("stateMachineArn", "")
        return _refuse("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
    machine = stepfunctions._state_machines[machine_arn]
    name = data.get("name") or str(uuid.uuid4())
    text = data.get("input") or "{}"
    refused = _refused_start(name, text)
    if refused is not None:
        return refused
    arn = f"arn:aws:states:{get_region()}:{get_account_id()}:execution:{machine['name']}:{name}"
    with _lock:
        known = stepfunctions._executions.get(arn)
        if known is not None:
            # Idempotent for standard workflows: the same name with the same input while it runs.
            if known["status"] == _RUNNING and known["input"] == text:
                return _answer({"executionArn": arn, "startDate": known["startDate"]})
            return _refuse("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
        record = _new_record(arn, machine, name, text)
        stepfunctions._executions[arn] = record
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run_execution, arn), name=f"execution-{name}", daemon=True).start()
    return _answer({"executionArn": arn, "startDate": record["startDate"]})


def run_execution(arn: str) -> None:
    """Run an execution whose record was made, to its end."""
    record = stepfunctions._executions.get(arn)
    if record is None:
        return
    machine = stepfunctions._state_machines.get(record["stateMachineArn"])
    if machine is None:
        _finish(record, None, "FAILED", error=RUNTIME, cause="The state machine no longer exists")
        return
    record["events"][0].setdefault("previousEventId", 0)
    run = _new_run(record, machine)
    with _lock:
        if record["status"] != _RUNNING:
            return
        record["_run"] = run
    _publish(record)
    _work(record, run)


def stop_execution(data: dict[str, Any]) -> Answer:
    """Answer ``StopExecution``."""
    record = stepfunctions._executions.get(data.get("executionArn"))
    if record is None:
        return _refuse("ExecutionDoesNotExist", f"Execution Does Not Exist: '{data.get('executionArn')}'")
    if record["status"] == _RUNNING:
        details = {"error": data.get("error"), "cause": data.get("cause")}
        _finish(record, record.get("_run"), "ABORTED", **details)
    elif record["status"] != "ABORTED":
        return _refuse("ValidationException", f"The execution is {record['status']}: it does not run any more")
    return _answer({"stopDate": record["stopDate"]})


def redrive_execution(data: dict[str, Any]) -> Answer:
    """Answer ``RedriveExecution``: the execution goes on from the state at which it ended."""
    record = stepfunctions._executions.get(data.get("executionArn"))
    if record is None:
        return _refuse("ExecutionDoesNotExist", f"Execution Does Not Exist: '{data.get('executionArn')}'")
    with _lock:
        status, reason = _redrive_status(record)
        if status != "REDRIVABLE":
            return _refuse("ExecutionNotRedrivable", f"{reason}: '{record['executionArn']}'")
        old: Run = record["_run"]
        count = record.get("redriveCount", 0) + 1
        record.update(status=_RUNNING, stopDate=None, output=None, redriveCount=count, redriveDate=timestamp())
        record.pop("error", None)
        record.pop("cause", None)
        run = _again(record, old, count)
        record["_run"] = run
    _publish(record)
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_work, record, run), name="redriven-execution", daemon=True).start()
    return _answer({"redriveDate": record["redriveDate"]})


def describe_execution(data: dict[str, Any]) -> Answer:
    """Answer ``DescribeExecution``."""
    record = stepfunctions._executions.get(data.get("executionArn"))
    if record is None:
        return _refuse("ExecutionDoesNotExist", f"Execution Does Not Exist: '{data.get('executionArn')}'")
    status, reason = _redrive_status(record)
    described = {
        **{
            name: record.get(name)
            for name in (
                "executionArn",
                "stateMachineArn",
                "name",
                "status",
                "startDate",
                "stopDate",
                "input",
                "inputDetails",
                "output",
                "error",
                "cause",
                "mapRunArn",
                "redriveDate",
            )
        },
        "outputDetails": {"included": True} if record.get("output") is not None else None,
        "redriveCount": record.get("redriveCount", 0),
        "redriveStatus": status,
        "redriveStatusReason": reason,
    }
    return _answer({name: value for name, value in described.items() if value is not None})


def end_all() -> None:
    """End what runs, when all state goes."""
    for record in list(stepfunctions._executions.all_values()):
        run = record.get("_run")
        if run is not None and record["status"] == _RUNNING:
            record["status"] = "ABORTED"
            run.scope.cancellation.cancel()


def _answer(document: dict[str, Any]) -> Answer:
    answer: Answer = json_response(document)
    return answer


def _refuse(code: str, message: str) -> Answer:
    answer: Answer = error_response_json(code, message, 400)
    return answer


def _refused_start(name: str, text: str) -> Answer | None:
    if not _NAME.fullmatch(name):
        return _refuse("InvalidName", f"Invalid Name: '{name}'")
    if len(text.encode()) > PAYLOAD_BYTES:
        return _refuse(
            "ValidationException",
            "1 validation error detected: Value at 'input' failed to satisfy constraint: Member must have length less "
            f"than or equal to {PAYLOAD_BYTES}",
        )
    try:
        json.loads(text)
    except ValueError as error:
        return _refuse("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'")
    return None


def _new_record(arn: str, machine: _Record, name: str, text: str) -> _Record:
    started = timestamp()
    return {
        "executionArn": arn,
        "stateMachineArn": machine["stateMachineArn"],
        "name": name,
        "status": _RUNNING,
        "startDate": started,
        "stopDate": None,
        "input": text,
        "inputDetails": {"included": True},
        "output": None,
        "outputDetails": {"included": True},
        "testCase": "",
        "mockAttempts": {},
        "encryptionConfiguration": copy.deepcopy(machine.get("encryptionConfiguration")),
        "events": [
            {
                "id": 1,
                "previousEventId": 0,
                "type": "ExecutionStarted",
                "timestamp": started,
                "executionStartedEventDetails": {
                    "input": text,
                    "inputDetails": {"truncated": False},
                    "roleArn": machine["roleArn"],
                },
            }
        ],
    }


def _new_run(record: _Record, machine: _Record) -> Run:
    definition = json.loads(machine["definition"])
    identity = Identity(
        arn=record["executionArn"],
        name=record["name"],
        role_arn=machine["roleArn"],
        input=json.loads(record["input"]),
        start_time=record["startDate"],
        state_machine_arn=machine["stateMachineArn"],
        state_machine_name=machine["name"],
    )
    scope = Scope(
        identity=identity,
        history=History(record["events"]),
        states=definition["States"],
        start_at=definition["StartAt"],
        language=definition.get("QueryLanguage", "JSONPath"),
        cancellation=Cancellation(),
    )
    is_express = machine["type"] == "EXPRESS" or bool(record.get("sync"))
    time_out = definition.get("TimeoutSeconds")
    limit = min(time_out or _EXPRESS_SECONDS, _EXPRESS_SECONDS) if is_express else time_out
    return Run(scope, Checkpoint(), limit, is_express, event=1)


def _again(record: _Record, old: Run, count: int) -> Run:
    """Return the run that goes on where ``old`` ended; its threads that still end work on the old one."""
    history = History(record["events"])
    event = history.add("ExecutionRedriven", len(record["events"]), {"redriveCount": count})
    scope = replace(
        old.scope,
        identity=replace(old.scope.identity, redrive_count=count),
        history=history,
        cancellation=Cancellation(),
    )
    return replace(old, scope=scope, checkpoint=copy.deepcopy(old.checkpoint), event=event)


def _work(record: _Record, run: Run) -> None:
    timer = None
    if run.time_out_seconds is not None:
        context = contextvars.copy_context()
        timer = threading.Timer(run.time_out_seconds, context.run, (_finish, record, run, "TIMED_OUT"))
        timer.daemon = True
        timer.start()
    try:
        result = run_scope(run.scope, run.scope.identity.input, run.checkpoint, run.event)
        output = limited_text(result, "The output of the execution")
    except StateFailure as failure:
        _finish(record, run, "FAILED", error=failure.error, cause=failure.cause)
    except ExecutionEnded:
        return
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, OSError) as error:
        # Fields of other types than they should be, which the checks let through, or a server that goes.
        stepfunctions.logger.exception("execution %s", record["executionArn"])
        _finish(record, run, "FAILED", error=RUNTIME, cause=f"{type(error).__name__}: {error}")
    else:
        _finish(record, run, "SUCCEEDED", output=output)
    finally:
        if timer is not None:
            timer.cancel()


_ENDINGS = {
    "ABORTED": "ExecutionAborted",
    "FAILED": "ExecutionFailed",
    "SUCCEEDED": "ExecutionSucceeded",
    "TIMED_OUT": "ExecutionTimedOut",
}


def _finish(record: _Record, run: Run | None, status: str, **details: str | None) -> None:
    """End an execution; who comes second, or belongs to a run before a redrive, changes nothing."""
    with _lock:
        if record["status"] != _RUNNING or record.get("_run") is not run:
            return
        given = {name: value for name, value in details.items() if value is not None}
        record.update(status=status, stopDate=timestamp(), **given)
        history = History(record["events"])
        history.add(_ENDINGS[status], len(record["events"]), given)
    if run is not None:
        run.scope.cancellation.cancel()
    _publish(record)


def _redrive_status(record: _Record) -> tuple[str, str | None]:
    if record.get("mapRunArn"):
        redrivable = record["status"] in _REDRIVABLE
        return ("REDRIVABLE_BY_MAP_RUN", None) if redrivable else ("NOT_REDRIVABLE", _because(record["status"]))
    run: Run | None = record.get("_run")
    if record["status"] not in _REDRIVABLE or run is None:
        return "NOT_REDRIVABLE", _because(record["status"])
    if run.is_express:
        return "NOT_REDRIVABLE", "Express workflow executions cannot be redriven"
    if datetime.now(UTC) - datetime.fromisoformat(record["startDate"]) > _REDRIVE_DAYS:
        return "NOT_REDRIVABLE", "Execution was started more than 14 days ago and cannot be redriven"
    if len(record["events"]) >= MAXIMUM_EVENTS - 1:
        return "NOT_REDRIVABLE", "Execution event history limit exceeded"
    return "REDRIVABLE", None


def _because(status: str) -> str:
    return f"Execution is {status} and cannot be redriven"


def _publish(record: _Record) -> None:
    """Tell the default bus that a standard workflow's execution changed its status."""
    run: Run | None = record.get("_run")
    if run is None or run.is_express:
        return
    status, reason = _redrive_status(record)
    detail = {
        "executionArn": record["executionArn"],
        "stateMachineArn": record["stateMachineArn"],
        "name": record["name"],
        "status": record["status"],
        "startDate": _milliseconds(record["startDate"]),
        "stopDate": _milliseconds(record["stopDate"]),
        **_payload("input", record["input"]),
        **_payload("output", record["output"]),
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": record.get("redriveCount", 0),
        "redriveDate": _milliseconds(record.get("redriveDate")),
        "redriveStatus": status,
        "redriveStatusReason": reason,
        "error": record.get("error"),
        "cause": record.get("cause"),
    }
    entry = {
        "Source": "aws.states",
        "DetailType": "Step Functions Execution Status Change",
        "Detail": json.dumps(detail),
        "Resources": [record["executionArn"]],
    }
    _, _, _, region, account, *_ = record["executionArn"].split(":")
    try:
        ministack_access.publish_service_event(entry, account, region)
    except RuntimeError:
        stepfunctions.logger.warning("%s: its status was published nowhere", record["executionArn"])


def _payload(name: str, text: str | None) -> dict[str, Any]:
    if text is None:
        return {name: None, f"{name}Details": None}
    included = len(text.encode()) <= _EVENT_PAYLOAD_BYTES
    return {name: text if included else None, f"{name}Details": {"included": included}}


def _milliseconds(text: str | None) -> int | None:
    return None if text is None else int(datetime.fromisoformat(text).timestamp() * 1000)
