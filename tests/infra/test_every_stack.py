"""What must hold of every resource of every stack, whichever capability it belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.infra.conftest import Resources
from tests.infra.test_lineage_stack import PHYSICAL_NAMES, as_list

# AWS offers no narrower resource for these (service authorization reference; Step Functions developer guide, cw-logs).
WITHOUT_RESOURCE = (
    "sagemaker:List",
    "bedrock:List",
    "dynamodb:ListStreams",
    "cloudwatch:",
    "states:SendTask",
    "sagemaker:SendPipelineExecutionStep",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
)


@pytest.fixture(scope="session")
def everything(stacks: Mapping[str, Resources]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return each resource by stack and logical name."""
    return [(f"{stack}/{name}", each) for stack, found in stacks.items() for name, each in found.items()]


@pytest.fixture
def of_type(everything: list[tuple[str, Mapping[str, Any]]]) -> Any:
    def find(*kinds: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        found = [(name, each["Properties"]) for name, each in everything if each["Type"] in kinds]
        assert found, f"there is no {kinds}"
        yield from found

    return find


def test_nothing_is_bound_to_one_partition_of_aws(everything: Any) -> None:
    bound = [name for name, resource in everything if "arn:aws:" in json.dumps(resource)]

    assert bound == []


def test_nothing_has_a_name_that_a_second_deployment_would_take(everything: Any) -> None:
    named = [name for name, each in everything if PHYSICAL_NAMES.get(each["Type"], "-") in each.get("Properties", {})]

    assert named == []


def test_a_wildcard_stands_only_where_there_is_nothing_narrower(of_type: Any) -> None:
    for name, policy in of_type("AWS::IAM::Policy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            assert "*" not in as_list(statement["Action"]), name
            if "*" in as_list(statement["Resource"]):
                wide = [each for each in as_list(statement["Action"]) if not each.startswith(WITHOUT_RESOURCE)]
                assert not wide or "Condition" in statement, (name, wide)


def test_every_statement_says_what_it_is_for(of_type: Any) -> None:
    for name, policy in of_type("AWS::IAM::Policy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement.get("Sid"), (name, statement)


def test_what_a_rule_or_a_schedule_cannot_deliver_is_kept(of_type: Any) -> None:
    for name, rule in of_type("AWS::Events::Rule"):
        for target in rule["Targets"]:
            assert "DeadLetter" in json.dumps(target.get("DeadLetterConfig")), name
    for name, schedule in of_type("AWS::Scheduler::Schedule"):
        assert "DeadLetter" in json.dumps(schedule["Target"].get("DeadLetterConfig")), name


def test_every_queue_has_dead_letters_or_keeps_them(of_type: Any) -> None:
    for name, queue in of_type("AWS::SQS::Queue"):
        assert "DeadLetters" in name or "DeadLetter" in json.dumps(queue.get("RedrivePolicy")), name


def test_everything_that_keeps_data_is_under_the_key(of_type: Any) -> None:
    settings = {
        "AWS::SQS::Queue": "KmsMasterKeyId",
        "AWS::DynamoDB::Table": "SSESpecification",
        "AWS::S3::Bucket": "BucketEncryption",
        "AWS::SNS::Topic": "KmsMasterKeyId",
    }
    for kind, setting in settings.items():
        for name, properties in of_type(kind):
            assert setting in properties, name


def test_a_bad_message_harms_no_other_of_its_batch(of_type: Any) -> None:
    for name, mapping in of_type("AWS::Lambda::EventSourceMapping"):
        tells = mapping.get("FunctionResponseTypes") == ["ReportBatchItemFailures"]
        # A stream whose batch is one transaction is halved until the bad record stands alone.
        assert tells or mapping.get("BisectBatchOnFunctionError") is True, name


def test_functions_run_alike_and_keep_their_logs_for_a_while(everything: Any, of_type: Any) -> None:
    for name, function in of_type("AWS::Lambda::Function"):
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"]), name
        assert "LogGroup" in function["LoggingConfig"], name
    for name, group in of_type("AWS::Logs::LogGroup"):
        assert group["RetentionInDays"] > 0, name
