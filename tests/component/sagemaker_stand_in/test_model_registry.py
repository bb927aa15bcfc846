from __future__ import annotations

import hashlib
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def register(cloud: Any) -> Any:
    """Register a version in the group ``rings``, which it makes."""
    cloud.client.create_model_package_group(ModelPackageGroupName="rings", ModelPackageGroupDescription="counts rings")
    data = cloud.put("model.tar.gz", b"weights")

    def go(**more: Any) -> str:
        arn = cloud.client.create_model_package(
            **{
                "ModelPackageGroupName": "rings",
                "InferenceSpecification": {
                    "Containers": [{"Image": cloud.image, "ModelDataUrl": data}],
                    "SupportedContentTypes": ["text/csv"],
                    "SupportedResponseMIMETypes": ["text/csv"],
                },
                **more,
            }
        )["ModelPackageArn"]
        cloud.wait(lambda: describe(cloud, arn), "ModelPackageStatus", "Completed")
        return str(arn)

    return go


def describe(cloud: Any, arn: str) -> dict[str, Any]:
    found: dict[str, Any] = cloud.client.describe_model_package(ModelPackageName=arn)
    return found


def test_a_group_numbers_its_packages_and_never_gives_a_number_twice(cloud: Any, register: Any) -> None:
    first, second = register(), register()
    cloud.client.delete_model_package(ModelPackageName=second)

    third = register()

    prefix = f"arn:aws:sagemaker:{cloud.region}:{cloud.account}:model-package/rings"
    assert [first, second, third] == [f"{prefix}/1", f"{prefix}/2", f"{prefix}/3"]
    assert describe(cloud, third)["ModelPackageVersion"] == 3


def test_a_package_goes_through_its_states_and_waits_for_approval(cloud: Any, register: Any) -> None:
    arn = register()

    told = [c.description["ModelPackageStatus"] for c in cloud.changes if c.kind == "model-package"]
    assert told == ["Pending", "InProgress", "Completed"]
    assert describe(cloud, arn)["ModelApprovalStatus"] == "PendingManualApproval"


def test_the_digest_of_an_image_is_that_of_the_registry_or_made_from_its_name(cloud: Any, register: Any) -> None:
    unknown = describe(cloud, register())["InferenceSpecification"]["Containers"][0]
    assert unknown["ImageDigest"] == f"sha256:{hashlib.sha256(cloud.image.encode()).hexdigest()}"
    ecr = boto3.client("ecr", region_name=cloud.region)
    ecr.create_repository(repositoryName="training")
    manifest = '{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}'
    pushed = ecr.put_image(repositoryName="training", imageTag="1", imageManifest=manifest)

    known = describe(cloud, register())["InferenceSpecification"]["Containers"][0]

    assert known["ImageDigest"] == pushed["image"]["imageId"]["imageDigest"] != unknown["ImageDigest"]
    assert known["ModelDataETag"] == hashlib.md5(b"weights", usedforsecurity=False).hexdigest()


def test_describe_echoes_what_was_registered(cloud: Any, register: Any) -> None:
    request = {
        "ModelPackageDescription": "the first",
        "MetadataProperties": {"CommitId": "abc", "GeneratedBy": "me"},
        "CustomerMetadataProperties": {"owner": "ann"},
        "ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://data/q"}}},
        "ModelLifeCycle": {"Stage": "Development", "StageStatus": "InProgress"},
        "ModelApprovalStatus": "Rejected",
    }

    package = describe(cloud, register(**request))

    assert {name: package[name] for name in request} == request
    assert package["CreatedBy"]["IamIdentity"]["Arn"].endswith("user/ann")


def test_an_approval_is_kept_with_who_and_when(cloud: Any, register: Any) -> None:
    arn = register(CustomerMetadataProperties={"a": "1", "b": "2"})
    before = describe(cloud, arn)

    cloud.client.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="good",
        CustomerMetadataProperties={"b": "3"},
        CustomerMetadataPropertiesToRemove=["a"],
        ModelLifeCycle={"Stage": "Production", "StageStatus": "Approved"},
    )

    after = describe(cloud, arn)
    assert (after["ModelApprovalStatus"], after["ApprovalDescription"]) == ("Approved", "good")
    assert after["CustomerMetadataProperties"] == {"b": "3"}
    assert after["ModelLifeCycle"]["Stage"] == "Production"
    assert after["LastModifiedTime"] >= before["LastModifiedTime"]
    assert after["LastModifiedBy"]["IamIdentity"]["Arn"].endswith("user/ann")


def test_packages_are_listed_by_group_approval_and_type(cloud: Any, register: Any) -> None:
    first, second = register(), register(ModelApprovalStatus="Approved")
    cloud.client.create_model_package(ModelPackageName="alone", ModelPackageDescription="no group")

    def arns(**filters: Any) -> list[str]:
        pages = cloud.client.get_paginator("list_model_packages").paginate(PaginationConfig={"PageSize": 1}, **filters)
        return [each["ModelPackageArn"] for answer in pages for each in answer["ModelPackageSummaryList"]]

    assert arns(ModelPackageGroupName="rings") == [first, second]
    assert arns(ModelPackageGroupName="rings", ModelApprovalStatus="Approved") == [second]
    assert [arn.rpartition("/")[2] for arn in arns()] == ["alone"]
    assert len(arns(ModelPackageType="Both")) == 3


def test_packages_are_described_in_a_batch_and_missing_ones_are_named(cloud: Any, register: Any) -> None:
    arn, missing = register(), f"arn:aws:sagemaker:{cloud.region}:{cloud.account}:model-package/rings/9"

    answer = cloud.client.batch_describe_model_package(ModelPackageArnList=[arn, missing])

    assert answer["ModelPackageSummaries"][arn]["ModelPackageVersion"] == 1
    assert answer["BatchDescribeModelPackageErrorMap"][missing]["ErrorCode"] == "ValidationException"


def test_a_group_with_packages_is_not_deleted(cloud: Any, register: Any) -> None:
    arn = register()
    with pytest.raises(cloud.client.exceptions.ConflictException):
        cloud.client.delete_model_package_group(ModelPackageGroupName="rings")
    cloud.client.delete_model_package(ModelPackageName=arn)

    cloud.client.delete_model_package_group(ModelPackageGroupName="rings")

    with pytest.raises(ClientError, match="does not exist"):
        cloud.client.describe_model_package_group(ModelPackageGroupName="rings")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ModelPackageGroupName": "other"}, "model-package-group/other does not exist"),
        ({"ModelPackageName": "both"}, "either ModelPackageName or ModelPackageGroupName"),
        (
            {
                "InferenceSpecification": {
                    "Containers": [{"Image": "i", "ModelDataUrl": "s3://data/none"}],
                    "SupportedContentTypes": ["text/csv"],
                    "SupportedResponseMIMETypes": ["text/csv"],
                }
            },
            "s3://data/none",
        ),
    ],
)
def test_a_package_that_makes_no_sense_is_refused(
    cloud: Any, register: Any, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClientError, match="ValidationException") as refusal:
        register(**change)

    assert words in refusal.value.response["Error"]["Message"]
    assert cloud.client.list_model_packages(ModelPackageType="Both")["ModelPackageSummaryList"] == []
