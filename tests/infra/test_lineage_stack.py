"""What must hold of every resource that is deployed, whatever is added later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import botocore.session
import pytest

Resources = Mapping[str, Mapping[str, Any]]

# AWS offers no narrower resource for these (service authorization reference).
ACTIONS_WITHOUT_RESOURCE = ("sagemaker:List", "bedrock:List", "dynamodb:ListStreams")

PHYSICAL_NAMES = {
    "AWS::SQS::Queue": "QueueName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::IAM::Role": "RoleName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::Events::Rule": "Name",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::KMS::Alias": "AliasName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::Logs::LogGroup": "LogGroupName",
}

BOTOCORE_NAMES = {
    "bedrock": ["bedrock"],
    "dynamodb": ["dynamodb", "dynamodbstreams"],
    "ecr": ["ecr"],
    "events": ["events"],
    "kms": ["kms"],
    "lambda": ["lambda"],
    "logs": ["logs"],
    "s3": ["s3"],
    "sagemaker": ["sagemaker"],
    "sqs": ["sqs"],
}

# IAM actions that are not named like an operation (service authorization reference, Amazon S3).
ACTIONS_OF_OTHER_NAMES = {
    "s3:GetObjectVersion",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "lambda:InvokeFunction",
}


def of_type(resources: Resources, kind: str) -> dict[str, Mapping[str, Any]]:
    return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind}


def statements(resources: Resources) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, policy in of_type(resources, "AWS::IAM::Policy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            yield name, statement


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def dead_letter_queues(resources: Resources) -> set[str]:
    return {name for name in of_type(resources, "AWS::SQS::Queue") if "DeadLetters" in name}


def test_every_queue_has_a_dead_letter_queue_or_is_one(resources: Resources) -> None:
    dead = dead_letter_queues(resources)

    for name, queue in of_type(resources, "AWS::SQS::Queue").items():
        if name not in dead:
            assert queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0] in dead


def test_every_target_of_a_rule_has_a_dead_letter_queue(resources: Resources) -> None:
    rules = of_type(resources, "AWS::Events::Rule")

    assert rules
    for rule in rules.values():
        for target in rule["Targets"]:
            assert target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0] in dead_letter_queues(resources)


def test_every_schedule_has_a_dead_letter_queue(resources: Resources) -> None:
    schedules = of_type(resources, "AWS::Scheduler::Schedule")

    assert schedules
    for schedule in schedules.values():
        assert schedule["Target"]["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0] in dead_letter_queues(resources)


def test_every_batch_reports_its_failures_one_by_one(resources: Resources) -> None:
    for mapping in of_type(resources, "AWS::Lambda::EventSourceMapping").values():
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_every_stream_sends_what_it_gives_up_to_a_dead_letter_queue(resources: Resources) -> None:
    streams = [
        mapping
        for mapping in of_type(resources, "AWS::Lambda::EventSourceMapping").values()
        if "StartingPosition" in mapping
    ]

    assert streams
    for mapping in streams:
        assert mapping["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0] in dead_letter_queues(
            resources
        )


def test_every_dead_letter_queue_has_an_alarm_that_tells_someone(resources: Resources) -> None:
    watched = {
        alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
        for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values()
        if alarm["AlarmActions"] and alarm["Threshold"] == 1
    }

    assert watched == dead_letter_queues(resources)


def test_a_queue_hides_a_message_for_six_times_the_time_of_its_function(resources: Resources) -> None:
    functions = of_type(resources, "AWS::Lambda::Function")
    queues = of_type(resources, "AWS::SQS::Queue")
    pairs = 0
    for mapping in of_type(resources, "AWS::Lambda::EventSourceMapping").values():
        source = mapping["EventSourceArn"].get("Fn::GetAtt", [""])[0]
        if source in queues:
            function = functions[mapping["FunctionName"]["Ref"]]
            assert queues[source]["VisibilityTimeout"] >= 6 * function["Timeout"]
            pairs += 1

    assert pairs >= 3


@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        ("AWS::SQS::Queue", "KmsMasterKeyId"),
        ("AWS::DynamoDB::Table", "SSESpecification"),
        ("AWS::S3::Bucket", "BucketEncryption"),
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
    ],
)
def test_everything_that_keeps_data_is_encrypted(resources: Resources, kind: str, setting: str) -> None:
    kept = of_type(resources, kind)

    assert kept
    assert all(setting in properties for properties in kept.values())


@pytest.mark.parametrize(
    ("kind", "policy_kind", "field"),
    [
        ("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "Queues"),
        ("AWS::S3::Bucket", "AWS::S3::BucketPolicy", "Bucket"),
        ("AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "Topics"),
    ],
)
def test_nothing_is_reached_without_tls(resources: Resources, kind: str, policy_kind: str, field: str) -> None:
    refusing = {
        reference["Ref"]
        for policy in of_type(resources, policy_kind).values()
        for reference in as_list(policy[field])
        if any(
            statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            for statement in policy["PolicyDocument"]["Statement"]
        )
    }

    assert refusing == set(of_type(resources, kind))


def test_nothing_has_a_physical_name(resources: Resources) -> None:
    named = {
        name
        for name, resource in resources.items()
        if PHYSICAL_NAMES.get(resource["Type"], "-") in resource.get("Properties", {})
    }

    assert named == set()


def test_a_wildcard_stands_only_where_aws_has_nothing_narrower(resources: Resources) -> None:
    for name, statement in statements(resources):
        assert "*" not in as_list(statement["Action"]), name
        if "*" in as_list(statement["Resource"]):
            for action in as_list(statement["Action"]):
                assert action.startswith(ACTIONS_WITHOUT_RESOURCE), (name, action)


def test_every_allowed_action_exists(resources: Resources) -> None:
    session = botocore.session.get_session()
    operations = {
        prefix: {name.lower() for service in services for name in session.get_service_model(service).operation_names}
        for prefix, services in BOTOCORE_NAMES.items()
    }
    for name, statement in statements(resources):
        for action in as_list(statement["Action"]):
            prefix, _, operation = action.partition(":")
            assert action in ACTIONS_OF_OTHER_NAMES or operation.lower() in operations[prefix], (name, action)


def test_every_function_runs_on_the_same_runtime_and_keeps_its_log_for_a_while(resources: Resources) -> None:
    functions = of_type(resources, "AWS::Lambda::Function")
    logs = of_type(resources, "AWS::Logs::LogGroup")

    for function in functions.values():
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
        assert logs[function["LoggingConfig"]["LogGroup"]["Ref"]]["RetentionInDays"] > 0


def test_a_role_serves_one_function(resources: Resources) -> None:
    roles = [function["Role"]["Fn::GetAtt"][0] for function in of_type(resources, "AWS::Lambda::Function").values()]

    assert len(roles) == len(set(roles))


def test_the_record_outlives_the_stack(resources: Resources) -> None:
    for resource in resources.values():
        if resource["Type"] in {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key"}:
            assert resource["DeletionPolicy"] == "Retain"


def test_the_tables_can_be_restored_to_any_minute_and_who_was_forgotten_for_a_week_only(resources: Resources) -> None:
    tables = of_type(resources, "AWS::DynamoDB::Table")

    assert len(tables) == 2
    for name, table in tables.items():
        recovery = table["PointInTimeRecoverySpecification"]
        assert recovery["PointInTimeRecoveryEnabled"] is True
        assert recovery.get("RecoveryPeriodInDays") == (7 if "Persons" in name else None)
        assert table["DeletionProtectionEnabled"] is True


def test_nobody_but_who_answers_opens_who_people_are(resources: Resources) -> None:
    def roles_with(sid: str) -> set[str]:
        return {name for name, statement in statements(resources) if statement["Sid"] == sid}

    assert {name.partition("Permissions")[0] for name in roles_with("OpenPersons")} == {"QuestionsQueryLineage"}
    assert {name.partition("Permissions")[0] for name in roles_with("KeepPersons")} == {
        "RecordingRecordLineage",
        "ReconciliationReconcileLineage",
    }
    assert {name.partition("Permissions")[0] for name in roles_with("ForgetPersons")} == {"PersonsForgetPerson"}
