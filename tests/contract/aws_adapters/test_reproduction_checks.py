"""What AWS, as moto answers it, says of the things that a manifest names."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber

from hallmark.aws.reproducing import AccountWorld
from hallmark.lineage.model import NodeKind
from hallmark.lineage.reproduction.checking import Finding, Known, check_manifest
from hallmark.lineage.reproduction.manifest import Manifest, PinnedData, PinnedImage, Row, RunIdentity

ACCOUNT = "123456789012"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
REPOSITORY = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/train"


@pytest.fixture
def clients(aws: botocore.session.Session) -> Callable[[str], Any]:
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            made[service] = aws.create_client(service)
            if service == "service-quotas":  # moto does not list them; the shape is held against botocore's
                stubber = Stubber(made[service])
                quota = {"QuotaName": "ml.m5.large for training job usage", "Value": 4.0}
                stubber.add_response("list_service_quotas", {"Quotas": [quota]}, {"ServiceCode": "sagemaker"})
                stubber.activate()
        return made[service]

    return client


@pytest.fixture
def world(clients: Callable[[str], Any]) -> AccountWorld:
    return AccountWorld(clients)


@pytest.fixture
def bucket(clients: Callable[[str], Any]) -> str:
    s3 = clients("s3")
    s3.create_bucket(Bucket="data")
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    return "data"


def put(clients: Callable[[str], Any], key: str, body: bytes, **more: Any) -> Row:
    answer = clients("s3").put_object(Bucket="data", Key=key, Body=body, **more)
    return ("", answer.get("VersionId", ""), f"etag:{answer['ETag'].strip(chr(34))}", len(body))


def manifest(*data: PinnedData, image: PinnedImage | None = None, request: dict[str, Any] | None = None) -> Manifest:
    run = RunIdentity(key="arn:x", arn="arn:x", kind=NodeKind.TRAINING_JOB, name="x")
    return Manifest(run=run, operation="CreateTrainingJob", request=request, data=data, image=image)


def pinned(uri: str, *rows: Row, role: str = "train") -> PinnedData:
    return PinnedData(
        role=role, uri=uri, digest="sha256:" + "0" * 64, complete=True, versions=rows, staged_uri="s3://x/y"
    )


def check(world: AccountWorld, found: Manifest) -> list[Finding]:
    return list(check_manifest(found, world, lambda repository, commit: Known(True, commit)))


def test_a_version_is_there_though_newer_ones_lie_over_it(
    world: AccountWorld, bucket: str, clients: Callable[[str], Any]
) -> None:
    first = put(clients, "train/a.csv", b"one")
    put(clients, "train/a.csv", b"two")
    clients("s3").delete_object(Bucket=bucket, Key="train/a.csv")

    (finding,) = check(world, manifest(pinned("s3://data/train", ("a.csv", *first[1:]))))

    assert (finding.standing, finding.warnings) == ("same", ())
    assert "1 as older versions" in finding.text


def test_a_version_that_was_deleted_is_gone_and_named(
    world: AccountWorld, bucket: str, clients: Callable[[str], Any]
) -> None:
    kept, lost = put(clients, "train/a.csv", b"one"), put(clients, "train/b.csv", b"two")
    clients("s3").delete_object(Bucket=bucket, Key="train/b.csv", VersionId=lost[1])

    (finding,) = check(world, manifest(pinned("s3://data/train", ("a.csv", *kept[1:]), ("b.csv", *lost[1:]))))

    assert (finding.standing, "b.csv" in finding.text, "a.csv" in finding.text) == ("gone", True, False)


def test_an_object_itself_a_folder_and_a_prefix_are_found(
    world: AccountWorld, bucket: str, clients: Callable[[str], Any]
) -> None:
    row = put(clients, "part-1.csv", b"one")

    for uri, relative in (("s3://data/part-1.csv", ""), ("s3://data/part-", "1.csv"), ("s3://data", "part-1.csv")):
        (finding,) = check(world, manifest(pinned(uri, (relative, *row[1:]))))
        assert finding.standing == "same", uri


@pytest.mark.parametrize("algorithm", ["etag", "sha256"])
def test_without_versions_the_content_is_compared_and_the_risk_told(
    world: AccountWorld, clients: Callable[[str], Any], algorithm: str
) -> None:
    clients("s3").create_bucket(Bucket="data")
    row = put(clients, "train/a.csv", b"one", ChecksumAlgorithm="SHA256")
    if algorithm == "sha256":
        row = ("", "", f"sha256:{base64.b64encode(hashlib.sha256(b'one').digest()).decode()}", 3)
    found = manifest(pinned("s3://data/train", ("a.csv", *row[1:])))

    (before,) = check(world, found)
    put(clients, "train/a.csv", b"two", ChecksumAlgorithm="SHA256")
    (after,) = check(world, found)

    assert (before.standing, after.standing) == ("same", "changed")
    assert "keeps no versions" in before.warnings[0].text


def test_a_rule_that_will_delete_older_versions_is_told_with_its_day(
    world: AccountWorld, bucket: str, clients: Callable[[str], Any]
) -> None:
    clients("s3").put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "tidy",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "train/"},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                }
            ]
        },
    )
    row = put(clients, "train/a.csv", b"one")
    put(clients, "train/a.csv", b"two")

    (finding,) = check(world, manifest(pinned("s3://data/train", ("a.csv", *row[1:]))))

    (warning,) = finding.warnings
    assert warning.at is not None
    assert f"{warning.at:%Y-%m-%d}" in warning.text
    assert "tidy" in warning.text


def test_a_bucket_that_is_gone_or_closed_is_said_to_be_so(world: AccountWorld) -> None:
    (finding,) = check(world, manifest(pinned("s3://nowhere/train", ("a.csv", "v1", "etag:x", 1))))

    assert finding.standing == "gone"
    assert "NoSuchBucket" in finding.text


def test_a_large_listing_is_read_where_it_is_kept(
    world: AccountWorld, bucket: str, clients: Callable[[str], Any]
) -> None:
    row = put(clients, "train/a.csv", b"one")
    body = gzip.compress(json.dumps([["a.csv", *row[1:]]]).encode())
    clients("s3").put_object(Bucket=bucket, Key="manifests/x.json.gz", Body=body)
    large = PinnedData(
        role="train", uri="s3://data/train", digest="sha256:00000000", versions_uri="s3://data/manifests/x.json.gz"
    )
    missing = large.model_copy(update={"versions_uri": "s3://data/manifests/none.json.gz"})

    findings = check(world, manifest(large, missing))

    assert [finding.standing for finding in findings] == ["same", "unknown"]


def test_an_image_is_there_by_digest_and_one_without_a_tag_is_at_risk(
    world: AccountWorld, clients: Callable[[str], Any]
) -> None:
    ecr = clients("ecr")
    ecr.create_repository(repositoryName="train")
    digests = []
    for text in ("one", "two"):
        body = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": {}, "layers": [{"digest": text}]})
        named = {"imageTag": "latest"} if text == "two" else {}
        answer = ecr.put_image(repositoryName="train", imageManifest=body, **named)
        digests.append(answer["image"]["imageId"]["imageDigest"])
    rules = {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {
                    "tagStatus": "untagged",
                    "countType": "sinceImagePushed",
                    "countUnit": "days",
                    "countNumber": 14,
                },
                "action": {"type": "expire"},
            }
        ]
    }
    ecr.put_lifecycle_policy(repositoryName="train", lifecyclePolicyText=json.dumps(rules))

    def look(digest: str) -> Finding:
        image = PinnedImage(uri=f"{REPOSITORY}:latest", digest=digest, pinned=f"{REPOSITORY}@{digest}")
        (finding,) = check(world, manifest(image=image))
        return finding

    old, new, none = look(digests[0]), look(digests[1]), look("sha256:" + "1" * 64)

    assert (old.standing, new.standing, none.standing) == ("same", "same", "gone")
    assert [warning.at is not None for warning in old.warnings] == [False, True]
    assert new.warnings == ()


def test_an_image_of_another_registry_cannot_be_told(world: AccountWorld) -> None:
    for uri in (
        "docker.io/library/python@sha256:" + "0" * 64,
        REPOSITORY.replace("us-east-1", "eu-west-1") + "@sha256:00",
    ):
        (finding,) = check(world, manifest(image=PinnedImage(uri=uri, pinned=uri)))
        assert finding.standing == "unknown"


def test_role_and_machines_are_asked_for(world: AccountWorld, clients: Callable[[str], Any]) -> None:
    role = clients("iam").create_role(RoleName="train", AssumeRolePolicyDocument="{}", Path="/service-role/")["Role"][
        "Arn"
    ]
    request = {"RoleArn": role, "ResourceConfig": {"InstanceType": "ml.m5.large"}}
    other = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/none", "ResourceConfig": {"InstanceType": "ml.never.large"}}

    there = check(world, manifest(request=request))
    gone = check(world, manifest(request=other))

    assert [(finding.subject, finding.standing) for finding in there] == [
        ("role train", "same"),
        ("instance type ml.m5.large", "same"),
    ]
    assert "may use 4" in there[1].text
    assert [finding.standing for finding in gone] == ["gone", "gone"]


def test_a_model_is_asked_for(world: AccountWorld, clients: Callable[[str], Any]) -> None:
    clients("sagemaker").create_model(
        ModelName="wine", ExecutionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/x", PrimaryContainer={"Image": "x"}
    )

    findings = [check(world, manifest(request={"ModelName": name}))[0] for name in ("wine", "none")]

    assert [finding.standing for finding in findings] == ["same", "gone"]


def test_a_key_that_is_going_to_be_deleted_is_told_with_its_day(
    world: AccountWorld, bucket: str, clients: Callable[[str], Any]
) -> None:
    key = clients("kms").create_key()["KeyMetadata"]["Arn"]
    row = put(clients, "train/a.csv", b"one", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    found = manifest(pinned("s3://data/train", ("a.csv", *row[1:])))

    (before,) = check(world, found)
    clients("kms").schedule_key_deletion(KeyId=key.rpartition("/")[2], PendingWindowInDays=7)
    (after,) = check(world, found)

    assert (before.standing, before.warnings) == ("same", ())
    assert (after.standing, "nobody can read it" in after.text) == ("gone", True)
    assert after.warnings[0].at is not None


def test_what_object_lock_holds_is_said_and_no_rule_deletes_it_before(
    world: AccountWorld, clients: Callable[[str], Any]
) -> None:
    s3, until = clients("s3"), datetime(2040, 1, 2, tzinfo=UTC)
    s3.create_bucket(Bucket="data", ObjectLockEnabledForBucket=True)
    rule = {"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""}}
    days = {"Expiration": {"Days": 1}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket="data", LifecycleConfiguration={"Rules": [{**rule, **days}]})
    row = put(clients, "train/a.csv", b"one", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)

    (finding,) = check(world, manifest(pinned("s3://data/train", ("a.csv", *row[1:]))))

    assert "held by Object Lock until 2040-01-02" in finding.text
    assert [warning.at for warning in finding.warnings] == [until]
