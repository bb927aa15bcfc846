"""The function that answers, over a table of DynamoDB's: people's calls in, whose word it was out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.lineage.recording import record_event
from tests.contract.aws_adapters.lineage_table import create_lineage_table
from tests.fakes.api_calls import ACCOUNT, REGION, arn, call, sso, user
from tests.fakes.lambda_functions import Context, load_function
from tests.fakes.memory_store import surroundings
from tests.fakes.person_account import create_persons, person_table

PACKAGE = arn("model-package", "wine/3")
START = datetime(2026, 11, 1, 12, tzinfo=UTC)
APPROVAL = {
    "modelPackageArn": PACKAGE,
    "modelApprovalStatus": "Approved",
    "approvalDescription": "better on every group",
}
STATE: dict[str, Any] = {
    "id": "1",
    "source": "aws.sagemaker",
    "detail-type": "SageMaker Model Package State Change",
    "account": ACCOUNT,
    "region": REGION,
    "time": "2026-11-01T12:30:00Z",
    "resources": [PACKAGE],
    "detail": {
        "ModelPackageArn": PACKAGE,
        "ModelPackageGroupName": "wine",
        "ModelPackageVersion": 3,
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": "Approved",
        "CreationTime": "2026-11-01T12:00:00Z",
        "LastModifiedTime": "2026-11-01T12:30:00Z",
    },
}


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "LINEAGE_TABLE_NAME": "lineage",
        "LINEAGE_BUCKET_NAME": "lineage-bucket",
        "MACHINES": "ci-*,robot",
        "AUTHORS_MAY_APPROVE": "",
        "REASONS_REQUIRED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        create_lineage_table(dynamodb, "lineage")
        boto3.client("s3").create_bucket(
            Bucket="lineage-bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
        )
        variables = create_persons(REGION)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        known = replace(
            surroundings(account=ACCOUNT, people=person_table(variables, REGION), machines=("ci-*", "robot")),
            store=DynamoLineageTable("lineage", dynamodb),
        )
        for event in (
            call("UpdateModelPackage", sso("anna@example.com"), START + timedelta(minutes=30), APPROVAL),
            STATE,
            call("CreateModelPackage", user("ben"), START, {}, {"modelPackageArn": PACKAGE}),
            call("AddTags", user("ci-deploy"), START + timedelta(minutes=40), {"resourceArn": PACKAGE, "tags": []}),
        ):
            record_event(event, known)
        function = load_function("query_lineage")

        def answer(**question: Any) -> dict[str, Any]:
            found: dict[str, Any] = function.handler(question, Context())
            return found

        yield answer


def test_people_are_told_from_machines_and_an_approval_from_its_author(ask: Any) -> None:
    acts = ask(ask="who", node=PACKAGE)["acts"]
    assert [(act["what"], act["name"], act["actor"]) for act in acts] == [
        ("AddTags", "ci-deploy", "machine"),
        ("UpdateModelPackage", "anna@example.com", "person"),
        ("CreateModelPackage", "ben", "person"),
    ]

    (approved,) = ask(ask="approvals")["approved"]
    assert (approved["finding"], approved["name"], approved["accepted"]) == ("person", "anna@example.com", True)
    assert approved["authors"] == [f"arn:aws:iam::{ACCOUNT}:user/ben"]

    reasons = ask(ask="reasons")
    assert (reasons["required"], reasons["calls"], reasons["by_people"]) == (True, 3, 2)
    assert [act["name"] for act in reasons["missing"]] == ["ben"]
