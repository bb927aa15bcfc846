"""What measures coverage, what alarms by it, and which events reach the function that judges second runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hallmark.events.published import LINEAGE_RECORDED
from hallmark.lineage.model import FINAL_STATUSES
from hallmark.lineage.reproduction.requests import OPERATIONS
from hallmark.policy.models import LineagePolicy

Resources = Mapping[str, Mapping[str, Any]]


def of_type(resources: Resources, kind: str) -> list[Mapping[str, Any]]:
    return [resource["Properties"] for resource in resources.values() if resource["Type"] == kind]


def test_low_coverage_and_unmatched_inputs_alarm_by_the_policy(resources: Resources) -> None:
    alarms = {
        alarm["MetricName"]: alarm
        for alarm in of_type(resources, "AWS::CloudWatch::Alarm")
        if {"Name": "service", "Value": "measure_coverage"} in alarm["Dimensions"]
    }

    policy = LineagePolicy().coverage
    low, unmatched = alarms["CoveragePercent"], alarms["InputsUnmatched"]
    assert (low["ComparisonOperator"], low["Threshold"]) == ("LessThanThreshold", policy.alarm_below_percent)
    assert (unmatched["ComparisonOperator"], unmatched["Threshold"]) == ("GreaterThanThreshold", 0)
    assert all(alarm["AlarmActions"] and alarm["TreatMissingData"] == "notBreaching" for alarm in alarms.values())


def test_the_schedule_keeps_what_it_measures(resources: Resources) -> None:
    inputs = [schedule["Target"].get("Input") for schedule in of_type(resources, "AWS::Scheduler::Schedule")]

    assert '{"ask":"measure","keep":true}' in inputs


def test_ended_jobs_of_all_kinds_that_can_be_run_again_are_judged_and_nothing_else(resources: Resources) -> None:
    (pattern,) = [
        rule["EventPattern"]
        for rule in of_type(resources, "AWS::Events::Rule")
        if rule["EventPattern"].get("detail-type") == [LINEAGE_RECORDED]
        and "detail" in rule["EventPattern"]
        and "training-job" in rule["EventPattern"]["detail"].get("kind", ())
    ]

    assert set(pattern["detail"]["kind"]) == {kind.value for kind in OPERATIONS}
    assert set(pattern["detail"]["status"]) < FINAL_STATUSES
