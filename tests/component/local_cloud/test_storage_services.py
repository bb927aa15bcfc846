from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def bucket(cloud: Any, workbench: Any) -> str:
    name = str(workbench.name("bucket"))
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture
def table(workbench: Any) -> str:
    name = str(workbench.name("table"))
    workbench.dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk", "target")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": "reverse",
                "KeySchema": [
                    {"AttributeName": "target", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return name


def item(**attributes: str) -> dict[str, Any]:
    return {name: {"S": value} for name, value in attributes.items()}


def test_listings_tell_versions_and_the_algorithm_of_their_checksums(cloud: Any, bucket: str) -> None:
    s3 = cloud.client("s3")
    key = "a b/ü+1"
    first = s3.put_object(Bucket=bucket, Key=key, Body=b"one", ChecksumAlgorithm="SHA256")
    second = s3.put_object(Bucket=bucket, Key=key, Body=b"two", ChecksumAlgorithm="CRC32")

    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]

    assert first["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"one").digest()).decode()
    assert [
        (found["Key"], found["VersionId"], found["IsLatest"], found["ChecksumAlgorithm"]) for found in versions
    ] == [
        (key, second["VersionId"], True, ["CRC32"]),
        (key, first["VersionId"], False, ["SHA256"]),
    ]
    assert [(found["Key"], found["ChecksumAlgorithm"], found["Size"]) for found in listed] == [(key, ["CRC32"], 3)]


def test_a_write_under_a_condition_that_does_not_hold_changes_nothing(cloud: Any, bucket: str) -> None:
    s3 = cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="once", Body=b"one", IfNoneMatch="*")

    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="once", Body=b"two", IfNoneMatch="*")

    assert s3.get_object(Bucket=bucket, Key="once")["Body"].read() == b"one"


def test_a_wrong_checksum_is_refused(cloud: Any, bucket: str) -> None:
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()

    with pytest.raises(ClientError, match="BadDigest"):
        cloud.client("s3").put_object(Bucket=bucket, Key="x", Body=b"one", ChecksumSHA256=wrong)


def test_policies_that_demand_tls_let_signed_requests_in(cloud: Any, bucket: str) -> None:
    s3 = cloud.client("s3")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    assert s3.put_object(Bucket=bucket, Key="x", Body=b"one")["ETag"]


def test_a_transaction_is_all_or_nothing_and_shows_what_stood_in_its_way(workbench: Any, table: str) -> None:
    dynamodb = workbench.dynamodb
    dynamodb.put_item(TableName=table, Item=item(pk="a", sk="1", target="z"))
    guarded = {
        "TableName": table,
        "Item": item(pk="a", sk="1", target="y"),
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }

    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as cancelled:
        dynamodb.transact_write_items(
            TransactItems=[{"Put": guarded}, {"Put": {"TableName": table, "Item": item(pk="b", sk="1")}}]
        )

    first, second = cancelled.value.response["CancellationReasons"]
    assert (first["Code"], first["Item"]) == ("ConditionalCheckFailed", item(pk="a", sk="1", target="z"))
    assert second["Code"] == "None"
    assert "Item" not in dynamodb.get_item(TableName=table, Key=item(pk="b", sk="1"))


def test_a_transaction_with_the_same_token_happens_once(workbench: Any, table: str) -> None:
    update = {
        "TableName": table,
        "Key": item(pk="n", sk="1"),
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    for _ in range(2):
        workbench.dynamodb.transact_write_items(ClientRequestToken="token", TransactItems=[{"Update": update}])

    assert workbench.dynamodb.get_item(TableName=table, Key=item(pk="n", sk="1"))["Item"]["n"] == {"N": "1"}


def test_an_index_is_queried_page_by_page(workbench: Any, table: str) -> None:
    for pk in "cab":
        workbench.dynamodb.put_item(TableName=table, Item=item(pk=pk, sk=f"EDGE#{pk}", target="z"))
    workbench.dynamodb.put_item(TableName=table, Item=item(pk="d", sk="EDGE#d"))

    pages = workbench.dynamodb.get_paginator("query").paginate(
        TableName=table,
        IndexName="reverse",
        KeyConditionExpression="target = :target AND begins_with(sk, :edge)",
        ExpressionAttributeValues={":target": {"S": "z"}, ":edge": {"S": "EDGE#"}},
        PaginationConfig={"PageSize": 2},
    )

    assert [found["pk"]["S"] for page in pages for found in page["Items"]] == ["a", "b", "c"]


def test_the_digest_of_an_image_is_found_by_its_tag(cloud: Any, workbench: Any) -> None:
    ecr = cloud.client("ecr")
    repository = workbench.name("repository")
    ecr.create_repository(repositoryName=repository)
    media_type = "application/vnd.oci.image.manifest.v1+json"
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:" + "0" * 64, "size": 2}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": []})
    ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag="v1")
    digest = "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()

    described = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["imageDetails"]
    got = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["images"]

    assert [(image["imageDigest"], image["imageTags"]) for image in described] == [(digest, ["v1"])]
    assert [(image["imageId"]["imageDigest"], image["imageManifest"]) for image in got] == [(digest, manifest)]
    with pytest.raises(ecr.exceptions.ImageNotFoundException, match="v2"):
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "v2"}])


def test_parameters_are_kept_by_path_and_version(cloud: Any, workbench: Any) -> None:
    ssm = cloud.client("ssm")
    path = f"/{workbench.name('hallmark')}"
    ssm.put_parameter(Name=f"{path}/table", Value="lineage", Type="String")
    ssm.put_parameter(Name=f"{path}/table", Value="lineage-2", Type="String", Overwrite=True)

    found = ssm.get_parameters_by_path(Path=path)["Parameters"]

    assert [(parameter["Value"], parameter["Version"]) for parameter in found] == [("lineage-2", 2)]


def test_a_write_with_a_key_of_aws_needs_no_name_of_it(cloud: Any, bucket: str) -> None:
    answer = cloud.client("s3").put_object(Bucket=bucket, Key="x", Body=b"one", ServerSideEncryption="aws:kms")

    assert answer["SSEKMSKeyId"].endswith("alias/aws/s3")
