"""An HTTP API, a key that signs, and the secrets of channels, as the app's stacks use them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.channels.server import SLACK_SIGNING_SECRET
from local.cloud import LocalCloud

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
CODE = """
def handler(event, context):
    http = event["requestContext"]["http"]
    return {"statusCode": 200, "body": " ".join([http["method"], event["rawPath"], event.get("body") or "-"])}
"""
FUNCTION = {"Fn::GetAtt": ["Function", "Arn"]}


def route(method: str, path: str, authorization: str) -> dict[str, Any]:
    return {
        "Type": "AWS::ApiGatewayV2::Route",
        "Properties": {
            "ApiId": {"Ref": "Api"},
            "RouteKey": f"{method} {path}",
            "AuthorizationType": authorization,
            "Target": {"Fn::Join": ["", ["integrations/", {"Ref": "Integration"}]]},
        },
    }


TEMPLATE = {
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                }
            },
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Code": {"ZipFile": CODE},
                "Handler": "index.handler",
                "Runtime": "python3.13",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            },
        },
        "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "a", "ProtocolType": "HTTP"}},
        "Stage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "StageName": "$default",
                "AutoDeploy": True,
                "DefaultRouteSettings": {"ThrottlingBurstLimit": 40, "ThrottlingRateLimit": 20},
            },
        },
        "Integration": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": FUNCTION,
                "PayloadFormatVersion": "2.0",
            },
        },
        "Open": route("POST", "/open", "NONE"),
        "Signed": route("POST", "/signed", "AWS_IAM"),
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": FUNCTION,
                "Principal": "apigateway.amazonaws.com",
            },
        },
        "Mac": {
            "Type": "AWS::KMS::Key",
            "Properties": {
                "KeySpec": "HMAC_256",
                "KeyUsage": "GENERATE_VERIFY_MAC",
                "KeyPolicy": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}},
                            "Action": "kms:*",
                            "Resource": "*",
                        }
                    ],
                },
            },
        },
    },
    "Outputs": {"Url": {"Value": {"Fn::GetAtt": ["Api", "ApiEndpoint"]}}, "Mac": {"Value": {"Ref": "Mac"}}},
}


@pytest.fixture(scope="module")
def outputs(cloud: LocalCloud) -> dict[str, str]:
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(
        StackName="http-api", TemplateBody=json.dumps(TEMPLATE), Capabilities=["CAPABILITY_IAM"]
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName="http-api", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    (stack,) = cloudformation.describe_stacks(StackName="http-api")["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def post(cloud: LocalCloud, url: str, path: str) -> tuple[int, str]:
    headers = {"Host": urlsplit(url).netloc, "Content-Type": "text/plain"}
    request = urllib.request.Request(f"{cloud.endpoint}{path}", b"hello", headers)  # noqa: S310 - http://127.0.0.1
    try:
        with OPENER.open(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_an_open_route_reaches_its_function(cloud: LocalCloud, outputs: dict[str, str]) -> None:
    assert post(cloud, outputs["Url"], "/open") == (200, "POST /open hello")


def test_a_signed_route_is_closed_to_who_does_not_sign(cloud: LocalCloud, outputs: dict[str, str]) -> None:
    assert post(cloud, outputs["Url"], "/signed")[0] == 403
    assert post(cloud, outputs["Url"], "/elsewhere")[0] == 404


def test_a_key_of_kms_signs_and_verifies(cloud: LocalCloud, outputs: dict[str, str]) -> None:
    kms = cloud.client("kms")
    told = {"KeyId": outputs["Mac"], "MacAlgorithm": "HMAC_SHA_256", "Message": b"a link"}
    code = kms.generate_mac(**told)["Mac"]

    assert kms.verify_mac(**told, Mac=code)["MacValid"]
    with pytest.raises(kms.exceptions.KMSInvalidMacException):
        kms.verify_mac(**{**told, "Message": b"another"}, Mac=code)


def test_the_secrets_lead_to_the_channels_on_this_machine(cloud: LocalCloud) -> None:
    secrets = cloud.client("secretsmanager")
    read = {name: secrets.get_secret_value(SecretId=name)["SecretString"] for name in cloud.channels().secrets()}

    assert read["hallmark/slack-signing"] == SLACK_SIGNING_SECRET
    assert json.loads(read["hallmark/slack-webhook"])["webhook_url"].startswith(cloud.channels().url)
