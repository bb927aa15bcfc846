from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import WaiterError

TEMPLATE: dict[str, Any] = {
    "Resources": {
        "Key": {
            "Type": "AWS::KMS::Key",
            "Properties": {
                "EnableKeyRotation": True,
                "KeyPolicy": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}},
                            "Action": "kms:*",
                            "Resource": "*",
                        }
                    ],
                },
            },
        },
        "Dead": {"Type": "AWS::SQS::Queue", "Properties": {"KmsMasterKeyId": {"Fn::GetAtt": ["Key", "Arn"]}}},
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
                "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
                "SSESpecification": {
                    "SSEEnabled": True,
                    "SSEType": "KMS",
                    "KMSMasterKeyId": {"Fn::GetAtt": ["Key", "Arn"]},
                },
            },
        },
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
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": "def handler(event, context): return event"},
            },
        },
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "EventSourceArn": {"Fn::GetAtt": ["Table", "StreamArn"]},
                "StartingPosition": "TRIM_HORIZON",
                "BatchSize": 50,
                "BisectBatchOnFunctionError": True,
                "MaximumRetryAttempts": 10,
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "FilterCriteria": {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]},
                "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Dead", "Arn"]}}},
            },
        },
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "Namespace": "AWS/SQS",
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["Dead", "QueueName"]}}],
                "Statistic": "Maximum",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 1,
                "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                "TreatMissingData": "notBreaching",
            },
        },
        "Parameter": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Type": "String", "Value": {"Ref": "Table"}},
        },
    },
    "Outputs": {"TableName": {"Value": {"Ref": "Table"}, "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-table"}}}},
}


def test_the_resources_of_a_stack_are_as_the_template_says(cloud: Any, workbench: Any) -> None:
    cloudformation = cloud.client("cloudformation")
    stack = workbench.name("stack")

    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(TEMPLATE), Capabilities=["CAPABILITY_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})

    described = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    ids = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in described}
    mapping = workbench.lambda_.get_event_source_mapping(UUID=ids["Mapping"])
    assert mapping["FilterCriteria"] == {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]}
    assert (mapping["BatchSize"], mapping["MaximumRetryAttempts"]) == (50, 10)
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    table = workbench.dynamodb.describe_table(TableName=ids["Table"])["Table"]
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert table["SSEDescription"]["KMSMasterKeyArn"].endswith(ids["Key"])
    exports = cloudformation.get_paginator("list_exports").paginate().build_full_result()["Exports"]
    assert {export["Name"]: export["Value"] for export in exports}[f"{stack}-table"] == ids["Table"]
    alarms = cloud.client("cloudwatch").describe_alarms(AlarmNames=[ids["Alarm"]])["MetricAlarms"]
    assert [alarm["Threshold"] for alarm in alarms] == [1.0]
    assert cloud.client("ssm").get_parameter(Name=ids["Parameter"])["Parameter"]["Value"] == ids["Table"]
    cloudformation.delete_stack(StackName=stack)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})


def test_a_stack_with_a_resource_that_cannot_be_is_rolled_back_with_the_reason(cloud: Any, workbench: Any) -> None:
    cloudformation = cloud.client("cloudformation")
    stack = workbench.name("stack")
    template = {
        "Resources": {
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "Role": "arn:aws:iam::111122223333:role/nobody",
                    "Code": {"S3Bucket": "no-such-bucket-here", "S3Key": "code.zip"},
                },
            }
        }
    }

    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template))
    with pytest.raises(WaiterError):
        cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1})

    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events if event["LogicalResourceId"] == "Function"]
    assert any("no-such-bucket-here" in reason for reason in reasons)
