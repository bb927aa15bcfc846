"""What reaches lineage of CloudTrail, and who is told where a reason lacks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from hallmark.events.calls import API_CALL_DETAIL_TYPE
from hallmark.policy.models import LineagePolicy, Policy
from infra.assets import Platform
from infra.stacks.lineage import LineageStack

Resources = Mapping[str, Mapping[str, Any]]
_PATTERN_CHARACTERS = 2048
"""EventBridge quotas, event pattern size."""


def of_type(resources: Resources, kind: str) -> list[Mapping[str, Any]]:
    return [resource["Properties"] for resource in resources.values() if resource["Type"] == kind]


def lineage(**policy: Any) -> Resources:
    stack = LineageStack(
        cdk.App(),
        "HallmarkLineage",
        policy=Policy(lineage=LineagePolicy.model_validate(policy)),
        platform=Platform.LOCAL,
    )
    found: Resources = Template.from_stack(stack).to_json()["Resources"]
    return found


def calls(resources: Resources) -> dict[str, Mapping[str, Any]]:
    rules = [rule["EventPattern"] for rule in of_type(resources, "AWS::Events::Rule")]
    return {rule["source"][0]: rule for rule in rules if rule["detail-type"] == [API_CALL_DETAIL_TYPE]}


def test_rules_take_calls_by_name_and_are_no_longer_than_a_rule_may_be(resources: Resources) -> None:
    found = calls(resources)

    assert set(found) == {"aws.sagemaker", "aws.bedrock", "aws.s3"}
    for pattern in found.values():
        assert len(pattern["detail"]["eventName"]) > 1
        assert len(json.dumps(pattern, separators=(",", ":"))) <= _PATTERN_CHARACTERS


def test_of_s3_only_buckets_of_the_policy_count() -> None:
    pattern = calls(lineage(data_buckets=["training-data", "ml-*"]))["aws.s3"]

    assert pattern["detail"]["requestParameters"] == {"bucketName": ["training-data", {"wildcard": "ml-*"}]}


@pytest.mark.parametrize(("reasons", "alarms"), [("required", 1), ("optional", 0)])
def test_only_a_required_reason_that_lacks_raises_an_alarm(reasons: str, alarms: int) -> None:
    found = [
        alarm
        for alarm in of_type(lineage(reasons=reasons), "AWS::CloudWatch::Alarm")
        if alarm.get("MetricName") == "ReasonsMissing"
    ]

    assert len(found) == alarms
    for alarm in found:
        assert (alarm["Namespace"], alarm["Dimensions"]) == (
            "Hallmark",
            [{"Name": "service", "Value": "record_lineage"}],
        )
        assert alarm["AlarmActions"]
