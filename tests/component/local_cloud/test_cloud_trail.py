"""The local cloud tells of its SageMaker and Bedrock calls as CloudTrail does; lineage reads both alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from hallmark.events.calls import API_CALL_DETAIL_TYPE, read_call
from hallmark.lineage.recording import record_event
from hallmark.people import Actor, caller_of
from tests.fakes.memory_store import surroundings

SAMPLE = json.loads(
    (Path(__file__).parents[2] / "payloads" / "aws" / "cloudtrail-sagemaker-create-model.json").read_text()
)


def told(workbench: Any, *names: str) -> tuple[str, Any]:
    url, arn = workbench.queue()
    workbench.let_events_send(url, arn)
    rule = workbench.name("calls")
    pattern = {"detail-type": [API_CALL_DETAIL_TYPE], "detail": {"eventName": list(names)}}
    workbench.events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    workbench.events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])
    return url, rule


def person(cloud: Any, name: str) -> Any:
    iam = cloud.client("iam")
    iam.create_user(UserName=name)
    allowed = {"Effect": "Allow", "Action": ["sagemaker:*", "bedrock:*"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return boto3.session.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=cloud.region)


def test_a_persons_call_is_told_in_the_shape_of_cloudtrail(cloud: Any, workbench: Any) -> None:
    url, _ = told(workbench, "CreateModelPackageGroup", "DescribeModelPackageGroup")
    name, group = workbench.name("anna"), workbench.name("group")
    sagemaker = person(cloud, name).client("sagemaker", endpoint_url=cloud.endpoint)

    arn = sagemaker.create_model_package_group(
        ModelPackageGroupName=group, Tags=[{"Key": "hallmark:reason", "Value": "a new product"}]
    )["ModelPackageGroupArn"]
    sagemaker.describe_model_package_group(ModelPackageGroupName=group)

    events = [event for event in workbench.bodies(url, 1, 1) if group in json.dumps(event)]
    assert [event["detail"]["eventName"] for event in events] == ["CreateModelPackageGroup"]
    (event,) = events
    assert event["source"] == "aws.sagemaker"
    assert SAMPLE.keys() <= event["detail"].keys()
    assert event["detail"]["responseElements"] == {"modelPackageGroupArn": arn}
    call = read_call(event["detail"])
    assert (caller_of(call.identity, call.user_agent, call.source_ip).name, call.error) == (name, "")
    state = record_event(event, surroundings(account=cloud.account)).fact.states[0]
    assert (state.status, state.attributes["reason"], state.attributes["by_name"]) == ("Done", "a new product", name)


def test_a_call_that_fails_is_told_with_its_error(cloud: Any, workbench: Any) -> None:
    url, _ = told(workbench, "DeleteEndpoint")
    name = workbench.name("missing")
    with pytest.raises(ClientError) as refused:
        cloud.client("sagemaker").delete_endpoint(EndpointName=name)

    (event,) = [event for event in workbench.bodies(url, 1, 1) if name in json.dumps(event)]
    assert event["detail"]["errorCode"] == refused.value.response["Error"]["Code"]
    assert event["detail"]["responseElements"] is None
    call = read_call(event["detail"])
    assert caller_of(call.identity).actor is Actor.ROOT
    assert record_event(event, surroundings(account=cloud.account)).fact.states[0].status == "Attempted"


def test_bedrocks_calls_are_told_with_what_their_path_names(cloud: Any, workbench: Any) -> None:
    url, _ = told(workbench, "StopModelInvocationJob")
    job = f"arn:aws:bedrock:{cloud.region}:{cloud.account}:model-invocation-job/abcdefghijkl"
    with pytest.raises(ClientError):
        cloud.client("bedrock").stop_model_invocation_job(jobIdentifier=job)

    (event,) = workbench.bodies(url, 1, 1)
    assert (event["source"], event["detail"]["eventSource"]) == ("aws.bedrock", "bedrock.amazonaws.com")
    assert event["detail"]["requestParameters"] == {"jobIdentifier": job}
