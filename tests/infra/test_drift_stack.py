from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

Resources = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def drift(stacks: Mapping[str, Resources]) -> Resources:
    return stacks["HallmarkDrift"]


def of_kind(resources: Resources, kind: str) -> Iterator[Mapping[str, Any]]:
    return (each["Properties"] for each in resources.values() if each["Type"] == kind)


def statements(resources: Resources) -> Iterator[Mapping[str, Any]]:
    for policy in of_kind(resources, "AWS::IAM::Policy"):
        yield from policy["PolicyDocument"]["Statement"]


def test_each_monitor_has_a_schedule_that_tells_the_time_it_was_scheduled_for(drift: Resources) -> None:
    schedules = list(of_kind(drift, "AWS::Scheduler::Schedule"))

    assert sorted(each["ScheduleExpression"] for each in schedules) == [
        "rate(1440 minutes)",
        "rate(60 minutes)",
        "rate(60 minutes)",
    ]
    for each in schedules:
        assert json.loads(each["Target"]["Input"])["at"] == "<aws.scheduler.scheduled-time>"
        assert "DeadLetterConfig" in each["Target"]


def test_only_the_pipelines_and_endpoints_of_the_policy_may_be_touched(drift: Resources) -> None:
    found = {statement["Sid"]: json.dumps(statement["Resource"]) for statement in statements(drift)}

    assert ":pipeline/wine-cultivars-retrain" in found["StartPipelines"]
    assert ":endpoint/wine-cultivars-live" in found["DescribeEndpoints"]
    assert "*" not in found["StartPipelines"] + found["DescribeEndpoints"]


def test_no_statement_allows_everything_but_where_aws_has_no_resources(drift: Resources) -> None:
    wide = {statement["Sid"] for statement in statements(drift) if statement["Resource"] == "*"}

    assert wide == {"DeliverLogs"}


def test_sources_that_no_monitor_has_may_not_be_asked(drift: Resources) -> None:
    sids = {statement["Sid"] for statement in statements(drift)}

    # hallmark.yaml watches captures, logs and scores.
    assert "ReadSources" in sids
    assert not {"ReadMetrics", "AskEvaluations"} & sids
    assert list(of_kind(drift, "AWS::Lambda::EventSourceMapping"))


def test_table_and_bucket_are_encrypted_and_kept(drift: Resources) -> None:
    kept = [each for each in drift.values() if each["Type"] in {"AWS::DynamoDB::Table", "AWS::S3::Bucket"}]

    assert [each["DeletionPolicy"] for each in kept] == ["Retain", "Retain"]
    (table,) = of_kind(drift, "AWS::DynamoDB::Table")
    (bucket,) = of_kind(drift, "AWS::S3::Bucket")
    assert table["SSESpecification"]["SSEEnabled"] is True
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]["BucketKeyEnabled"] is True


@pytest.mark.parametrize(("stack", "folder"), [("HallmarkDrift", "reports"), ("HallmarkEvaluation", "runs")])
def test_what_hallmark_gives_to_jobs_may_be_listed_by_what_records_them(
    stacks: Mapping[str, Resources], stack: str, folder: str
) -> None:
    (policy,) = (
        each
        for each in of_kind(stacks[stack], "AWS::IAM::Policy")
        if any(statement["Sid"] == "ListOwnData" for statement in each["PolicyDocument"]["Statement"])
    )
    listing, reading = policy["PolicyDocument"]["Statement"]

    assert all("Fn::ImportValue" in role and "LineageRole" in str(role) for role in policy["Roles"])
    assert len(policy["Roles"]) == 2
    assert listing["Condition"] == {"StringLike": {"s3:prefix": f"{folder}/*"}}
    assert f"/{folder}/*" in json.dumps(reading["Resource"])
