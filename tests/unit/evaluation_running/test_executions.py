"""What Step Functions tells of executions, in the shape that AWS documents."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from hallmark.errors import InvalidInputError
from hallmark.evaluation.executions import change_of
from hallmark.evaluation.runs import RunStatus, Trigger

EXECUTION = "arn:aws:states:us-east-2:123456789012:execution:state-machine-name:execution-name"
DETAIL: dict[str, Any] = {
    "executionArn": EXECUTION,
    "stateMachineArn": "arn:aws:states:us-east-2:123456789012:stateMachine:state-machine",
    "name": "execution-name",
    "status": "FAILED",
    "startDate": 1551225146847,
    "stopDate": 1551225151881,
    "input": json.dumps({"suite": "answers", "trigger": {"kind": "schedule"}}),
    "inputDetails": {"included": True},
    "output": None,
    "outputDetails": None,
    "stateMachineVersionArn": None,
    "stateMachineAliasArn": None,
    "redriveCount": 0,
    "redriveDate": None,
    "redriveStatus": "REDRIVABLE",
    "redriveStatusReason": "Execution is FAILED and is redrivable",
    "error": None,
    "cause": None,
}
"""Of the sample in the developer guide, "Automating Step Functions event delivery with EventBridge"."""


def event(**changes: Any) -> dict[str, Any]:
    return {"detail-type": "Step Functions Execution Status Change", "detail": {**DETAIL, **changes}}


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"status": "ABORTED"}, RunStatus.STOPPED, "stopped in Step Functions: nobody said why (CloudTrail's event"),
        (
            {"status": "ABORTED", "error": "TooDear", "cause": "not this week"},
            RunStatus.STOPPED,
            "stopped in Step Functions: TooDear: not this week",
        ),
        ({"status": "TIMED_OUT"}, RunStatus.STOPPED, "the workflow's time was over"),
        ({"error": "States.Runtime", "cause": "no role"}, RunStatus.FAILED, "States.Runtime: no role"),
    ],
)
def test_an_end_from_outside_has_its_time_and_its_reason(
    changes: dict[str, Any], status: RunStatus, reason: str
) -> None:
    change = change_of(event(**changes))

    assert change is not None
    assert (change.run, change.suite, change.trigger) == ("execution-name", "answers", Trigger(kind="schedule"))
    assert change.status is status
    assert change.reason.startswith(reason)
    assert change.at == datetime(2019, 2, 26, 23, 52, 31, 881000, tzinfo=UTC)


def test_a_redrive_has_its_time_and_a_start_is_nothing_new() -> None:
    redriven = change_of(event(status="RUNNING", stopDate=None, redriveCount=1, redriveDate=1551225200000))

    assert redriven is not None
    assert redriven.status is RunStatus.RUNNING
    assert redriven.at == datetime(2019, 2, 26, 23, 53, 20, tzinfo=UTC)
    assert change_of(event(status="RUNNING", stopDate=None)) is None


@pytest.mark.parametrize("given", [None, "{", "[]", '{"trigger": {"kind": "whim"}}'])
def test_input_that_says_nothing_hides_no_end(given: str | None) -> None:
    change = change_of(event(status="ABORTED", input=given))

    assert change is not None
    assert (change.suite, change.trigger.kind) == ("", "manual")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"status": "SUCCEEDED"}, "detail.status"),
        ({"name": ""}, "detail.name"),
        ({"status": "ABORTED", "stopDate": None}, "detail.stopDate"),
    ],
)
def test_what_no_rule_lets_through_is_refused_with_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        change_of(event(**changes))

    assert caught.value.field == field


def test_an_event_without_detail_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="detail"):
        change_of({})
