"""What Step Functions tells of a run's execution that its workflow cannot tell: that it was stopped, or goes on.

Source: "Automating Step Functions event delivery with EventBridge", developer guide. Events are delivered at least
once, late, and in any order: what is done with them depends on the times in them alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hallmark.errors import InvalidInputError
from hallmark.evaluation.runs import RunStatus, Trigger

_NOBODY_SAID = "nobody said why (CloudTrail's event StopExecution says who)"


class ExecutionStatus(StrEnum):
    """Statuses of which the workflow itself says nothing, or may have died before it could."""

    RUNNING = "RUNNING"
    ABORTED = "ABORTED"
    TIMED_OUT = "TIMED_OUT"
    FAILED = "FAILED"


class _Detail(BaseModel):
    """Detail of ``Step Functions Execution Status Change``; times in milliseconds since 1970."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    execution: str = Field(alias="executionArn", min_length=1)
    name: str = Field(min_length=1)
    status: ExecutionStatus
    started: int = Field(alias="startDate")
    stopped: int | None = Field(default=None, alias="stopDate")
    redriven: int | None = Field(default=None, alias="redriveDate")
    redrives: int = Field(default=0, alias="redriveCount")
    input: str | None = None
    error: str | None = None
    cause: str | None = None


class ExecutionChange(NamedTuple):
    """A run that ended from outside of its workflow, or goes on."""

    run: str
    suite: str
    trigger: Trigger
    execution: str
    started_at: datetime
    status: RunStatus
    at: datetime
    """When it ended, or when it was redriven."""
    reason: str = ""
    """Why it ended; empty where it goes on."""


def change_of(event: Mapping[str, Any]) -> ExecutionChange | None:
    """Return what an event of EventBridge says of a run; None for one that starts, of which the workflow tells.

    Raises:
        InvalidInputError: The event is not one of those that the rules let through.
    """
    try:
        detail = _Detail.model_validate(event.get("detail"))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, ("detail", *fault["loc"])))
        raise InvalidInputError(
            where, fault["input"], f"send the event as Step Functions does: {fault['msg']}"
        ) from None
    if detail.status is ExecutionStatus.RUNNING:
        if detail.redrives == 0 or detail.redriven is None:
            return None
        return _change(detail, RunStatus.RUNNING, detail.redriven)
    if detail.stopped is None:
        raise InvalidInputError("detail.stopDate", None, "an execution that has ended says when")
    status = RunStatus.FAILED if detail.status is ExecutionStatus.FAILED else RunStatus.STOPPED
    return _change(detail, status, detail.stopped, _reason(detail))


def _change(detail: _Detail, status: RunStatus, at: int, reason: str = "") -> ExecutionChange:
    suite, trigger = _asked_for(detail.input)
    return ExecutionChange(
        detail.name, suite, trigger, detail.execution, _time(detail.started), status, _time(at), reason
    )


def _reason(detail: _Detail) -> str:
    told = ": ".join(part for part in (detail.error, detail.cause) if part)
    match detail.status:
        case ExecutionStatus.ABORTED:
            return f"stopped in Step Functions: {told or _NOBODY_SAID}"
        case ExecutionStatus.TIMED_OUT:
            return f"the workflow's time was over: {told or 'it took longer than its TimeoutSeconds'}"
    return told or "the workflow failed and gave no reason"


def _asked_for(text: str | None) -> tuple[str, Trigger]:
    """Return the suite and what started the run; input that is left out, or no input of ours, says neither."""
    unknown = Trigger(kind="manual")
    try:
        given = json.loads(text or "{}")
    except ValueError:
        return "", unknown
    if not isinstance(given, dict):
        return "", unknown
    try:
        trigger = Trigger.model_validate(given.get("trigger"))
    except ValidationError:
        trigger = unknown
    return str(given.get("suite", "")), trigger


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
