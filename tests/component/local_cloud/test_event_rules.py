from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.patience import PATIENCE_SECONDS

PAYLOADS = Path(__file__).parents[2] / "payloads" / "aws"

FORWARD = """
    import json, os
    import boto3

    def handler(event, context):
        boto3.client("sqs").send_message(QueueUrl=os.environ["REPORTS"], MessageBody=json.dumps(event))
        if os.environ.get("FAIL"):
            raise ValueError("told to")
"""


@pytest.fixture
def rule(workbench: Any) -> Iterator[Any]:
    made = []

    def make(pattern: dict[str, Any], *targets: dict[str, Any], bus: str = "default") -> str:
        name = workbench.name("rule")
        made.append((name, bus, [target["Id"] for target in targets]))
        arn = workbench.events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))["RuleArn"]
        answer = workbench.events.put_targets(Rule=name, EventBusName=bus, Targets=list(targets))
        assert answer["FailedEntryCount"] == 0
        return str(arn)

    yield make
    for name, bus, targets in made:
        workbench.events.remove_targets(Rule=name, EventBusName=bus, Ids=targets)
        workbench.events.delete_rule(Name=name, EventBusName=bus)


def event(source: str, **detail: Any) -> dict[str, Any]:
    return {"source": source, "detail-type": "Something Happened", "detail": detail}


def open_queue(workbench: Any, **attributes: str) -> tuple[str, str]:
    url, arn = workbench.queue(**attributes)
    workbench.let_events_send(url, arn)
    return str(url), str(arn)


def test_patterns_choose_by_prefix_anything_but_and_exists(workbench: Any, rule: Any) -> None:
    url, arn = open_queue(workbench)
    source = workbench.name("aws.test")
    pattern = {
        "source": [source],
        "detail": {
            "name": [{"prefix": "train"}],
            "status": [{"anything-but": ["Failed", "Stopped"]}],
            "reason": [{"exists": False}],
        },
    }
    rule(pattern, {"Id": "queue", "Arn": arn})

    workbench.cloud.emit(
        [
            event(source, name="training", status="Completed"),
            event(source, name="processing", status="Completed"),
            event(source, name="training", status="Failed"),
            event(source, name="training", status="Completed", reason="x"),
        ]
    )

    received = workbench.bodies(url, 2, 1)
    assert [body["detail"] for body in received] == [{"name": "training", "status": "Completed"}]


def test_an_event_arrives_as_it_was_published(workbench: Any, rule: Any) -> None:
    url, arn = open_queue(workbench)
    text = (PAYLOADS / "sm-training-job-state-change.json").read_text(encoding="utf-8")
    payload = json.loads(text)
    there = payload["region"], payload["account"]
    payload = json.loads(text.replace(there[0], "eu-west-1").replace(there[1], "444455556666"))
    rule({"source": ["aws.sagemaker"], "detail-type": [payload["detail-type"]]}, {"Id": "queue", "Arn": arn})

    workbench.cloud.emit([payload], as_is=True)
    workbench.cloud.emit([payload])

    as_is, localised = workbench.bodies(url, 2)
    assert as_is == payload
    assert (localised["id"], localised["time"]) == (payload["id"], payload["time"])
    assert localised["account"] == workbench.cloud.account
    assert [arn.split(":")[3:5] for arn in localised["resources"]] == [
        [workbench.cloud.region, workbench.cloud.account]
    ]


def test_put_events_is_refused_for_sources_of_aws(workbench: Any) -> None:
    entry = {"Source": "aws.sagemaker", "DetailType": "x", "Detail": "{}"}

    answer = workbench.events.put_events(Entries=[entry])

    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"


def test_a_function_is_invoked_and_retried_and_its_event_ends_in_its_dead_letters(workbench: Any, rule: Any) -> None:
    reports, reports_arn = workbench.queue()
    dead_url, dead_arn = workbench.queue()
    function = workbench.function(
        FORWARD,
        workbench.role(("sqs:SendMessage", [reports_arn, dead_arn])),
        Environment={"Variables": {"REPORTS": reports, "FAIL": "1"}},
        DeadLetterConfig={"TargetArn": dead_arn},
    )
    workbench.lambda_.put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=1)
    source = workbench.name("aws.test")
    arn = rule({"source": [source]}, {"Id": "function", "Arn": workbench.function_arn(function)})
    workbench.lambda_.add_permission(
        FunctionName=function,
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=arn,
    )

    workbench.cloud.emit([event(source, number=1)])

    assert [body["detail"] for body in workbench.bodies(reports, 2)] == [{"number": 1}] * 2
    assert len(workbench.receive(dead_url)) == 1


def test_what_a_rule_may_not_deliver_is_kept_with_the_reason(workbench: Any, rule: Any) -> None:
    dead_url, dead_arn = open_queue(workbench)
    closed_url, closed_arn = workbench.queue()
    function = workbench.function("def handler(event, context): pass")
    source = workbench.name("aws.test")
    dead_letters = {"DeadLetterConfig": {"Arn": dead_arn}}
    gone = closed_arn + "-gone"
    arn = rule(
        {"source": [source]},
        {"Id": "closed", "Arn": closed_arn, **dead_letters},
        {"Id": "function", "Arn": workbench.function_arn(function), **dead_letters},
        {"Id": "gone", "Arn": gone, **dead_letters},
    )

    workbench.cloud.emit([event(source, number=1)])

    messages = workbench.receive(dead_url, 3)
    attributes = [
        {name: value["StringValue"] for name, value in message["MessageAttributes"].items()} for message in messages
    ]
    assert {(kept["TARGET_ARN"], kept["ERROR_CODE"]) for kept in attributes} == {
        (closed_arn, "NO_PERMISSIONS"),
        (workbench.function_arn(function), "NO_PERMISSIONS"),
        (gone, "RESOURCE_NOT_FOUND"),
    }
    assert {kept["RULE_ARN"] for kept in attributes} == {arn}
    assert json.loads(messages[0]["Body"])["detail"] == {"number": 1}
    assert workbench.receive(closed_url, timeout_seconds=0.5) == []


@pytest.mark.parametrize("is_allowed", [True, False])
def test_a_queue_under_a_key_needs_the_key_to_let_eventbridge_in(workbench: Any, rule: Any, is_allowed: bool) -> None:
    root = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{workbench.cloud.account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    service = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": workbench.cloud.account}},
    }
    policy = {"Version": "2012-10-17", "Statement": [root, service] if is_allowed else [root]}
    key = workbench.cloud.client("kms").create_key(Policy=json.dumps(policy))["KeyMetadata"]["KeyId"]
    url, arn = open_queue(workbench, KmsMasterKeyId=key)
    source = workbench.name("aws.test")
    rule({"source": [source]}, {"Id": "queue", "Arn": arn})

    workbench.cloud.emit([event(source)])

    assert len(workbench.receive(url, timeout_seconds=PATIENCE_SECONDS if is_allowed else 0.5)) == int(is_allowed)


def test_a_bus_of_ones_own_takes_events_from_a_role_that_may_put_them(workbench: Any, rule: Any) -> None:
    bus = workbench.name("bus")
    bus_arn = workbench.events.create_event_bus(Name=bus)["EventBusArn"]
    url, arn = open_queue(workbench)
    rule({"source": ["hallmark"]}, {"Id": "queue", "Arn": arn}, bus=bus)
    source = """
        import boto3

        def handler(event, context):
            entry = {"Source": "hallmark", "DetailType": "x", "Detail": "{}", "EventBusName": event}
            return boto3.client("events").put_events(Entries=[entry])["FailedEntryCount"]
    """
    allowed = workbench.function(source, workbench.role(("events:PutEvents", bus_arn)))
    denied = workbench.function(source, workbench.role(("events:PutEvents", bus_arn + "-other")))

    assert workbench.invoke(allowed, bus) == (0, None)
    error, kind = workbench.invoke(denied, bus)

    assert kind == "Unhandled"
    assert "AccessDenied" in error["errorMessage"]
    assert len(workbench.receive(url)) == 1


def test_a_schedule_invokes_its_function_through_its_role(workbench: Any) -> None:
    scheduler = workbench.cloud.client("scheduler")
    reports, reports_arn = workbench.queue()
    function = workbench.function(
        FORWARD, workbench.role(("sqs:SendMessage", reports_arn)), Environment={"Variables": {"REPORTS": reports}}
    )
    target = {
        "Arn": workbench.function_arn(function),
        "Input": json.dumps({"at": "<aws.scheduler.scheduled-time>"}),
    }
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)
    for role in (workbench.role(), workbench.role(("lambda:InvokeFunction", target["Arn"]))):
        scheduler.create_schedule(
            Name=workbench.name("schedule"),
            ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={**target, "RoleArn": role},
        )

    bodies = workbench.bodies(reports, 2, 3)

    assert len(bodies) == 1
    assert datetime.fromisoformat(bodies[0]["at"]) >= at


def test_a_function_may_not_be_invoked_by_a_role_without_the_right(workbench: Any) -> None:
    function = workbench.function("def handler(event, context): pass")
    role = workbench.role(("lambda:InvokeFunction", workbench.function_arn("another")))
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": workbench.cloud.account}, "Action": "sts:AssumeRole"}],
    }
    workbench.cloud.client("iam").update_assume_role_policy(
        RoleName=role.rsplit("/", 1)[1], PolicyDocument=json.dumps(document)
    )
    session = workbench.cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    client = boto3.client(
        "lambda",
        endpoint_url=workbench.cloud.endpoint,
        region_name=workbench.cloud.region,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )

    with pytest.raises(ClientError, match="lambda:InvokeFunction"):
        client.invoke(FunctionName=function)
