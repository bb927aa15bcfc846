"""What a role must be allowed beyond the service's own action."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.component.local_cloud.conftest import TRUST_LAMBDA

CALLER = """
    import boto3

    def handler(event, context):
        client = boto3.client(event["service"])
        getattr(client, event["method"])(**event["parameters"])
"""


@pytest.fixture
def key(cloud: Any) -> str:
    return str(cloud.client("kms").create_key()["KeyMetadata"]["Arn"])


def call(workbench: Any, role: str, service: str, method: str, **parameters: Any) -> str | None:
    """Call in the name of a role; return the error's message, if there is one."""
    function = workbench.function(CALLER, role)
    answer, kind = workbench.invoke(function, {"service": service, "method": method, "parameters": parameters})
    return str(answer["errorMessage"]) if kind else None


def make_table(workbench: Any, key: str) -> tuple[str, str]:
    name = workbench.name("table")
    described = workbench.dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
    )
    return name, described["TableDescription"]["TableArn"]


def make_bucket(cloud: Any, workbench: Any, key: str) -> str:
    s3 = cloud.client("s3")
    name = str(workbench.name("bucket"))
    s3.create_bucket(Bucket=name)
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": default}]},
    )
    s3.put_object(Bucket=name, Key="x", Body=b"one")
    return name


def test_a_queue_under_a_key_is_written_by_who_may_use_the_key(workbench: Any, key: str) -> None:
    url, arn = workbench.queue(KmsMasterKeyId=key)
    message = {"QueueUrl": url, "MessageBody": "x"}

    without = call(workbench, workbench.role(("sqs:SendMessage", arn)), "sqs", "send_message", **message)
    both = workbench.role(("sqs:SendMessage", arn), (["kms:GenerateDataKey", "kms:Decrypt"], key))

    assert "kms:GenerateDataKey" in str(without)
    assert key in str(without)
    assert call(workbench, both, "sqs", "send_message", **message) is None


def test_a_table_under_a_key_is_read_by_who_may_decrypt(workbench: Any, key: str) -> None:
    name, arn = make_table(workbench, key)
    item = {"TableName": name, "Key": {"pk": {"S": "a"}}}

    without = call(workbench, workbench.role(("dynamodb:GetItem", arn)), "dynamodb", "get_item", **item)
    both = workbench.role(("dynamodb:GetItem", arn), ("kms:Decrypt", key))

    assert "kms:Decrypt" in str(without)
    assert call(workbench, both, "dynamodb", "get_item", **item) is None


def test_a_transaction_on_a_table_under_a_key_needs_the_key(workbench: Any, key: str) -> None:
    name, arn = make_table(workbench, key)
    put = {"TransactItems": [{"Put": {"TableName": name, "Item": {"pk": {"S": "a"}}}}]}

    without = call(workbench, workbench.role(("dynamodb:PutItem", arn)), "dynamodb", "transact_write_items", **put)

    assert "kms:Decrypt" in str(without)


def test_an_object_under_a_key_is_written_and_read_by_who_may_use_the_key(cloud: Any, workbench: Any, key: str) -> None:
    bucket = make_bucket(cloud, workbench, key)
    of_s3 = (["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bucket}/*")
    found = {"Bucket": bucket, "Key": "x"}

    read = call(workbench, workbench.role(of_s3), "s3", "get_object", **found)
    written = call(workbench, workbench.role(of_s3, ("kms:Decrypt", key)), "s3", "put_object", **found, Body="two")
    both = workbench.role(of_s3, (["kms:Decrypt", "kms:GenerateDataKey"], key))

    assert "kms:Decrypt" in str(read)
    assert "kms:GenerateDataKey" in str(written)
    assert call(workbench, both, "s3", "get_object", **found) is None


def test_that_an_object_is_missing_is_told_to_who_may_list_the_bucket(cloud: Any, workbench: Any, key: str) -> None:
    bucket = make_bucket(cloud, workbench, key)
    reading = ("s3:GetObject", f"arn:aws:s3:::{bucket}/*")
    missing = {"Bucket": bucket, "Key": "nothing"}

    denied = call(workbench, workbench.role(reading), "s3", "get_object", **missing)
    told = call(
        workbench, workbench.role(reading, ("s3:ListBucket", f"arn:aws:s3:::{bucket}")), "s3", "get_object", **missing
    )

    assert "AccessDenied" in str(denied)
    assert "NoSuchKey" in str(told)


def test_a_log_is_written_by_a_role_that_may(cloud: Any, workbench: Any) -> None:
    logs = cloud.client("logs")
    source = "def handler(event, context): print('seen')"
    silent, speaking = (
        workbench.function(source, workbench.role((action, "*")))
        for action in ("logs:CreateLogStream", ["logs:CreateLogStream", "logs:PutLogEvents"])
    )

    for function in (silent, speaking):
        workbench.invoke(function)

    found = logs.get_paginator("describe_log_groups").paginate().build_full_result()["logGroups"]
    names = {group["logGroupName"] for group in found}
    assert f"/aws/lambda/{speaking}" in names
    assert f"/aws/lambda/{silent}" not in names


def test_a_failed_event_reaches_the_destination_through_a_role_that_may_send(workbench: Any) -> None:
    url, arn = workbench.queue()
    source = "def handler(event, context): raise ValueError(event)"
    for role in (workbench.role(), workbench.role(("sqs:SendMessage", arn))):
        function = workbench.function(source, role, DeadLetterConfig={"TargetArn": arn})
        workbench.lambda_.put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0)
        workbench.lambda_.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(function))

    messages = workbench.receive(url, 2, 3)

    assert [function in message["Body"] for message in messages] == [True]


def test_sagemaker_asks_for_the_operation_on_the_resource(cloud: Any, workbench: Any) -> None:
    arn = f"arn:aws:sagemaker:{cloud.region}:{cloud.account}:training-job/"
    asked = {"TrainingJobName": "mine"}

    denied = call(
        workbench,
        workbench.role(("sagemaker:DescribeTrainingJob", f"{arn}other*")),
        "sagemaker",
        "describe_training_job",
        **asked,
    )
    allowed = call(
        workbench,
        workbench.role(("sagemaker:DescribeTrainingJob", f"{arn}m*")),
        "sagemaker",
        "describe_training_job",
        **asked,
    )

    assert f"is not authorized to perform: sagemaker:DescribeTrainingJob on resource: {arn}mine" in str(denied)
    assert "AccessDenied" not in str(allowed)
    assert "not found" in str(allowed)


def test_an_association_needs_the_right_on_both_its_ends(cloud: Any, workbench: Any) -> None:
    own = f"arn:aws:sagemaker:{cloud.region}:{cloud.account}:"
    ends = {"SourceArn": f"{own}artifact/a", "DestinationArn": f"{own}action/b"}

    one = call(
        workbench,
        workbench.role(("sagemaker:AddAssociation", f"{own}artifact/*")),
        "sagemaker",
        "add_association",
        **ends,
    )

    assert f"{own}action/b" in str(one)
    assert "AccessDenied" in str(one)


def test_the_root_may_do_everything(cloud: Any) -> None:
    with pytest.raises(ClientError) as refused:
        cloud.client("sagemaker").describe_training_job(TrainingJobName=f"none-{time.time_ns()}")

    assert refused.value.response["Error"]["Code"] != "AccessDeniedException"


def test_the_policy_of_a_bus_and_what_an_event_is_decide_who_may_put_it(cloud: Any, workbench: Any) -> None:
    bus, path = workbench.name("bus"), "/own/"
    bus_arn = workbench.events.create_event_bus(Name=bus)["EventBusArn"]
    roles = f"arn:aws:iam::{cloud.account}:role{path}*"
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "events:PutEvents",
        "Resource": bus_arn,
        "Condition": {"ArnNotLike": {"aws:PrincipalArn": roles}},
    }
    policy = {"EventBusName": bus, "StatementId": "Own", "Statement": statement}
    template = {"Resources": {"Policy": {"Type": "AWS::Events::EventBusPolicy", "Properties": policy}}}
    cloudformation, stack = cloud.client("cloudformation"), workbench.name("stack")
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})
    (kept,) = json.loads(workbench.events.describe_event_bus(Name=bus)["Policy"])["Statement"]
    own = cloud.client("iam").create_role(
        RoleName=workbench.name("role"), Path=path, AssumeRolePolicyDocument=json.dumps(TRUST_LAMBDA)
    )["Role"]
    allowed = {
        "Effect": "Allow",
        "Action": "events:PutEvents",
        "Resource": bus_arn,
        "Condition": {
            "ForAllValues:StringEquals": {"events:source": "hallmark", "events:detail-type": ["Mine", "Ours"]}
        },
    }
    cloud.client("iam").put_role_policy(
        RoleName=own["RoleName"],
        PolicyName="permissions",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    )

    def put(role: str, *kinds: str) -> str | None:
        entries = [{"Source": "hallmark", "DetailType": kind, "Detail": "{}", "EventBusName": bus} for kind in kinds]
        return call(workbench, role, "events", "put_events", Entries=entries)

    assert kept == {**statement, "Sid": "Own"}
    assert put(own["Arn"], "Mine", "Ours") is None
    assert "AccessDenied" in str(put(own["Arn"], "Mine", "Theirs"))
    stranger = workbench.role(("events:PutEvents", bus_arn))
    assert "explicit deny in a resource-based policy" in str(put(stranger, "Mine"))
    cloudformation.delete_stack(StackName=stack)
    workbench.wait_for(lambda: "Policy" not in workbench.events.describe_event_bus(Name=bus))
    assert put(stranger, "Mine") is None
