"""From people's calls to who did what, and whose word an approval was, through the deployed app with IAM enforced."""

from __future__ import annotations

import json
import uuid
from typing import Any

import boto3
import pytest

pytestmark = pytest.mark.e2e


def person(deployed: Any, name: str) -> Any:
    """Return SageMaker as a new user of IAM sees it."""
    iam = deployed.client("iam")
    iam.create_user(UserName=name)
    allowed = {"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName=name, PolicyName="registry", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session = boto3.session.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=deployed.cloud.region)
    return session.client("sagemaker", endpoint_url=deployed.cloud.endpoint)


def test_an_approval_by_hand_is_somebodys_word_and_the_authors_own_is_found_out(deployed: Any) -> None:
    mark = uuid.uuid4().hex[:8]
    anna, ben = person(deployed, f"anna-{mark}"), person(deployed, f"ben-{mark}")
    group = f"words-{mark}"
    anna.create_model_package_group(ModelPackageGroupName=group)
    packages = [
        anna.create_model_package(
            ModelPackageGroupName=group,
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification={
                "Containers": [{"Image": f"{deployed.cloud.account}.dkr.ecr.us-east-1.amazonaws.com/serve:1"}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )["ModelPackageArn"]
        for _ in range(2)
    ]
    for who, package in ((ben, packages[0]), (anna, packages[1])):
        who.update_model_package(
            ModelPackageArn=package, ModelApprovalStatus="Approved", ApprovalDescription="better on every group"
        )
    with pytest.raises(ben.exceptions.ClientError):
        ben.delete_model_package_group(ModelPackageGroupName=group)

    def found() -> dict[str, Any] | None:
        answer: dict[str, Any] = deployed.ask("approvals", group=f"model-package-group:{group}", everything=True)
        told = {each["package"]["key"]: each["finding"] for each in answer.get("approved", ())}
        return answer if told == {packages[0]: "person", packages[1]: "author"} else None

    answer = deployed.eventually(found)
    assert [each["accepted"] for each in answer["approved"]] == [False, True]
    assert {each["why"] for each in answer["approved"]} == {"better on every group"}

    acts = deployed.ask("who", node=packages[0])["acts"]
    assert [(act["what"], act["name"], act["actor"]) for act in acts] == [
        ("UpdateModelPackage", f"ben-{mark}", "person"),
        ("CreateModelPackage", f"anna-{mark}", "person"),
    ]

    def attempted() -> list[dict[str, Any]]:
        told = deployed.ask("who", node=f"model-package-group:{group}").get("acts", [])
        return [act for act in told if act["what"] == "DeleteModelPackageGroup"]

    (attempt,) = deployed.eventually(attempted)
    assert (attempt["outcome"], attempt["name"]) == ("attempted", f"ben-{mark}")
    missing = deployed.ask("reasons")["missing"]
    assert {(act["what"], act["name"]) for act in missing if act["name"].endswith(mark)} == {
        ("CreateModelPackageGroup", f"anna-{mark}"),
        ("CreateModelPackage", f"anna-{mark}"),
        ("DeleteModelPackageGroup", f"ben-{mark}"),
    }
