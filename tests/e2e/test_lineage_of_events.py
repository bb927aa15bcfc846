"""From SageMaker's events to answers, through the deployed app with IAM enforced."""

from __future__ import annotations

import copy
import json
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from hallmark.events.subscriptions import RESOURCES

pytestmark = pytest.mark.e2e

PAYLOADS = Path(__file__).parents[1] / "payloads" / "aws"
EVENTS = {
    path.stem: raw
    for path in sorted(PAYLOADS.glob("*.json"))
    if (raw := json.loads(path.read_text())).get("detail-type")
    and str(raw["detail-type"]) in RESOURCES.get(str(raw.get("source")), {})
}


def training_event(name: str) -> dict[str, Any]:
    raw: dict[str, Any] = copy.deepcopy(EVENTS["sm-training-job-state-change"])
    raw["resources"] = [f"arn:aws:sagemaker:us-east-1:111122223333:training-job/{name}"]
    raw["detail"]["TrainingJobArn"] = raw["resources"][0]
    raw["detail"]["TrainingJobName"] = name
    return raw


def known(deployed: Any, node: str) -> dict[str, Any] | None:
    answer: dict[str, Any] = deployed.ask("show", node=node)
    return answer if answer["answer"] == "show" else None


def test_every_payload_of_the_documentation_is_recorded(deployed: Any) -> None:
    deployed.cloud.emit(EVENTS.values())

    def missing() -> list[str]:
        names = []
        for name, raw in EVENTS.items():
            local = raw["resources"][-1].split(":", 5)
            if local[4] == raw["account"]:  # one sample's envelope and ARN disagree; then the ARN is left as it is
                local[3], local[4] = deployed.cloud.region, deployed.cloud.account
            if known(deployed, ":".join(local).replace(":tuningJob/", ":hyper-parameter-tuning-job/")) is None:
                names.append(name)
        return names

    try:
        deployed.eventually(lambda: not missing() or None)
    except AssertionError as error:
        pytest.fail(f"not recorded: {missing()}: {error}")
    assert deployed.dead_letters() == []


def test_an_event_is_announced_on_the_hallmark_bus(deployed: Any) -> None:
    queue = deployed.client("sqs").create_queue(QueueName=f"listener-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    arn = deployed.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    allowed = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
            }
        ],
    }
    deployed.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(allowed)})
    events, bus = deployed.client("events"), deployed.outputs["EventBusName"]
    pattern = {"source": ["hallmark"], "detail-type": ["LineageRecorded"]}
    events.put_rule(Name="listener", EventBusName=bus, EventPattern=json.dumps(pattern))
    events.put_targets(Rule="listener", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])

    deployed.cloud.emit([training_event("announced")])

    def heard() -> dict[str, Any] | None:
        messages = deployed.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        details = [json.loads(message["Body"])["detail"] for message in messages]
        return next((detail for detail in details if detail["arn"].endswith("/announced")), None)

    detail = deployed.eventually(heard)
    assert (detail["kind"], detail["status"]) == ("training-job", "Completed")


def test_nobody_else_can_tell_a_verdict_on_the_bus(deployed: Any) -> None:
    iam, name = deployed.client("iam"), f"forger-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName=name, PolicyName="everything", PolicyDocument=json.dumps(everything))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    forger: Any = boto3.client(
        "events",
        endpoint_url=deployed.client("events").meta.endpoint_url,
        region_name=deployed.cloud.region,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    bus = deployed.outputs["EventBusName"]
    entry = {"EventBusName": bus, "Source": "hallmark", "DetailType": "QualityGatePassed", "Detail": "{}"}

    with pytest.raises(ClientError, match="explicit deny in a resource-based policy"):
        forger.put_events(Entries=[entry])


def test_a_repeated_event_adds_no_fact(deployed: Any) -> None:
    deployed.cloud.emit([training_event("repeated")] * 5)
    deployed.eventually(lambda: known(deployed, "training-job:repeated"))
    deployed.cloud.emit([training_event("repeated"), training_event("after-the-repeats")])
    deployed.eventually(lambda: known(deployed, "training-job:after-the-repeats"))

    facts = deployed.items(
        "LineageTableName",
        FilterExpression="sk = :fact AND contains(body, :name)",
        ExpressionAttributeValues={":fact": {"S": "FACT"}, ":name": {"S": "training-job/repeated"}},
    )
    assert len(facts) == 1


def test_bad_input_ends_in_the_dead_letters_with_the_reason_and_harms_nothing_else(deployed: Any) -> None:
    queue = deployed.queue_url("RecordingEvents")
    good = training_event("beside-the-bad")
    bad = {
        "not JSON": "{broken",
        "of another account": json.dumps({**training_event("foreign"), "account": "999999999999"}),
        "of a megabyte": json.dumps({**training_event("huge"), "padding": "x" * 1_000_000}),
        "without an ARN": json.dumps(
            {**training_event("nameless"), "resources": [], "detail": {"TrainingJobStatus": "Completed"}}
        ),
        "of another kind": json.dumps({**training_event("other"), "detail-type": "Something Else"}),
    }
    for body in [*bad.values(), json.dumps(good)]:
        deployed.client("sqs").send_message(QueueUrl=queue, MessageBody=body)

    deployed.eventually(lambda: known(deployed, "training-job:beside-the-bad"))
    letters: list[dict[str, Any]] = []

    def all_there() -> bool:
        letters.extend(deployed.dead_letters())
        return len(letters) >= len(bad)

    deployed.eventually(all_there)
    reasons = sorted(letter["MessageAttributes"]["ErrorMessage"]["StringValue"] for letter in letters)
    assert len(reasons) == len(bad)
    assert all(letter["MessageAttributes"]["ErrorType"]["StringValue"] == "InvalidInputError" for letter in letters)
    assert any("send JSON" in reason for reason in reasons)
    assert any("999999999999" in reason for reason in reasons)
    assert any("bytes at most" in reason for reason in reasons)
    assert any("TrainingJobArn" in reason for reason in reasons)


def test_a_question_that_cannot_be_understood_says_why(deployed: Any) -> None:
    answer = deployed.client("lambda").invoke(
        FunctionName=deployed.outputs["QueryLineageFunctionName"], Payload=b'{"ask": "trace", "depth": "deep"}'
    )

    error = json.loads(answer["Payload"].read())
    assert answer["FunctionError"] == "Unhandled"
    assert error["errorType"] == "InvalidInputError"
    assert "node" in error["errorMessage"]


def test_the_compact_graph_answers_what_the_facts_say(deployed: Any) -> None:
    deployed.cloud.emit([training_event("compacted")])
    deployed.eventually(lambda: known(deployed, "training-job:compacted"))
    pages = deployed.client("lambda").get_paginator("list_functions").paginate()
    names = [function["FunctionName"] for page in pages for function in page["Functions"]]
    compact = next(name for name in names if "CompactLineage" in name)

    answer = deployed.client("lambda").invoke(FunctionName=compact, Payload=b"{}")

    assert "FunctionError" not in answer, answer["Payload"].read()
    written = json.loads(answer["Payload"].read())
    assert written["bytes"] > 0
    assert deployed.client("s3").head_object(Bucket=deployed.outputs["LineageBucketName"], Key="graph/rows")
