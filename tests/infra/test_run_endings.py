"""Which status changes of executions reach the function that follows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

Resources = Mapping[str, Mapping[str, Any]]


@pytest.fixture
def rules(stacks: Mapping[str, Resources]) -> list[Mapping[str, Any]]:
    return [
        resource["Properties"]
        for resource in stacks["HallmarkEvaluation"].values()
        if resource["Type"] == "AWS::Events::Rule"
        and resource["Properties"]["EventPattern"].get("source") == ["aws.states"]
    ]


def test_ends_and_redrives_of_our_workflow_alone_are_followed(
    rules: list[Mapping[str, Any]], stacks: Mapping[str, Resources]
) -> None:
    resources = stacks["HallmarkEvaluation"]
    machines = [name for name, each in resources.items() if each["Type"] == "AWS::StepFunctions::StateMachine"]

    patterns = [rule["EventPattern"] for rule in rules]

    assert [pattern["detail-type"] for pattern in patterns] == [["Step Functions Execution Status Change"]] * 2
    assert [pattern["detail"]["stateMachineArn"] for pattern in patterns] == [[{"Ref": name}] for name in machines * 2]
    assert sorted(status for pattern in patterns for status in pattern["detail"]["status"]) == [
        *("ABORTED", "FAILED", "RUNNING", "TIMED_OUT"),
    ]
    (redriven,) = (pattern for pattern in patterns if "RUNNING" in pattern["detail"]["status"])
    assert redriven["detail"]["redriveCount"] == [{"numeric": [">", 0]}]


def test_what_cannot_be_followed_is_kept(rules: list[Mapping[str, Any]], stacks: Mapping[str, Resources]) -> None:
    resources = stacks["HallmarkEvaluation"]

    for rule in rules:
        (target,) = rule["Targets"]
        assert "DeadLetterConfig" in target
        queue = resources[target["Arn"]["Fn::GetAtt"][0]]["Properties"]
        assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
