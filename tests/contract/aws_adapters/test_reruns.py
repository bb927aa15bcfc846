"""Versions are copied inside S3, as moto answers it; SageMaker's refusals are said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.session
import pytest

from hallmark.aws.reproducing import AccountWorld
from hallmark.aws.rerunning import RerunError, Reruns
from hallmark.errors import NotFoundError
from hallmark.lineage.model import NodeKind
from hallmark.lineage.reproduction.manifest import Manifest, PinnedData, Row, RunIdentity
from hallmark.lineage.reproduction.staging import Copy, plan_copies

STAGED = "s3://staging/again/data/0123/train"


@pytest.fixture
def clients(aws: botocore.session.Session) -> Callable[[str], Any]:
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            made[service] = aws.create_client(service)
        return made[service]

    s3 = client("s3")
    for bucket in ("data", "staging"):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return client


def put(clients: Callable[[str], Any], key: str, body: bytes) -> Row:
    answer = clients("s3").put_object(Bucket="data", Key=key, Body=body, Tagging="a=b")
    return (key.rpartition("/")[2], answer["VersionId"], f"etag:{answer['ETag'].strip(chr(34))}", len(body))


def manifest(uri: str, *rows: Row, staged: str = STAGED) -> Manifest:
    data = PinnedData(role="train", uri=uri, digest="sha256:01234567", complete=True, versions=rows, staged_uri=staged)
    run = RunIdentity(key="arn:x", arn="arn:x", kind=NodeKind.TRAINING_JOB, name="x")
    return Manifest(run=run, operation="CreateTrainingJob", request=None, data=(data,))


def copied(clients: Callable[[str], Any], found: Manifest) -> list[Copy]:
    return list(Reruns(clients).copy(list(plan_copies(found, AccountWorld(clients)))))


def bodies(clients: Callable[[str], Any]) -> dict[str, bytes]:
    s3 = clients("s3")
    listed = s3.list_objects_v2(Bucket="staging").get("Contents", [])
    return {each["Key"]: s3.get_object(Bucket="staging", Key=each["Key"])["Body"].read() for each in listed}


def test_the_versions_that_were_read_are_copied_whatever_lies_over_them(clients: Callable[[str], Any]) -> None:
    rows = [put(clients, "train/a.csv", b"one"), put(clients, "train/b.csv", b"two")]
    put(clients, "train/a.csv", b"changed")
    clients("s3").delete_object(Bucket="data", Key="train/b.csv")
    put(clients, "train/c.csv", b"added later")

    copied(clients, manifest("s3://data/train", *rows))

    assert bodies(clients) == {"again/data/0123/train/a.csv": b"one", "again/data/0123/train/b.csv": b"two"}


@pytest.mark.parametrize(
    ("uri", "key", "relative", "staged", "target"),
    [
        ("s3://data/model.tar.gz", "model.tar.gz", "", "s3://staging/d/1/model.tar.gz", "d/1/model.tar.gz"),
        ("s3://data/part-", "part-1.csv", "1.csv", "s3://staging/d/1/part-", "d/1/part-1.csv"),
        ("s3://data", "a.csv", "a.csv", "s3://staging/d/1/all", "d/1/all/a.csv"),
    ],
)
def test_an_object_a_prefix_and_a_bucket_keep_the_form_that_they_had(
    clients: Callable[[str], Any], uri: str, key: str, relative: str, staged: str, target: str
) -> None:
    row = put(clients, key, b"one")

    copied(clients, manifest(uri, (relative, *row[1:]), staged=staged))

    assert bodies(clients) == {target: b"one"}


def test_a_second_reproduction_copies_nothing(clients: Callable[[str], Any]) -> None:
    found = manifest("s3://data/train", put(clients, "train/a.csv", b"one"))

    first, again = copied(clients, found), copied(clients, found)

    versions = clients("s3").list_object_versions(Bucket="staging")["Versions"]
    assert (len(first), len(again), len(versions)) == (1, 1, 1)


def test_nothing_is_copied_where_a_version_is_gone(clients: Callable[[str], Any]) -> None:
    rows = [put(clients, "train/a.csv", b"one"), put(clients, "train/b.csv", b"two")]
    clients("s3").delete_object(Bucket="data", Key="train/b.csv", VersionId=rows[1][1])

    with pytest.raises(NotFoundError, match=r"b\.csv is gone: see --check"):
        copied(clients, manifest("s3://data/train", *rows))
    assert bodies(clients) == {}


def test_nothing_is_copied_where_a_bucket_without_versions_holds_another_content(clients: Callable[[str], Any]) -> None:
    clients("s3").create_bucket(Bucket="plain")
    answer = clients("s3").put_object(Bucket="plain", Key="train/a.csv", Body=b"one")
    row = ("a.csv", "", f"etag:{answer['ETag'].strip(chr(34))}", 3)
    clients("s3").put_object(Bucket="plain", Key="train/a.csv", Body=b"two")

    with pytest.raises(NotFoundError, match="not known to be the same"):
        copied(clients, manifest("s3://plain/train", row))


def test_a_place_that_cannot_be_written_is_said(clients: Callable[[str], Any]) -> None:
    row = put(clients, "train/a.csv", b"one")

    with pytest.raises(RerunError, match="NoSuchBucket"):
        copied(clients, manifest("s3://data/train", row, staged="s3://nowhere/data/1/train"))


def test_a_manifest_without_a_request_starts_nothing(clients: Callable[[str], Any]) -> None:
    with pytest.raises(RerunError, match="holes"):
        Reruns(clients).start(manifest("s3://data/train"))


def test_a_job_is_started_followed_and_its_refusal_is_said(clients: Callable[[str], Any]) -> None:
    request = {
        "TrainingJobName": "again",
        "RoleArn": "arn:aws:iam::123456789012:role/train",
        "AlgorithmSpecification": {"TrainingImage": "x", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://staging/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    found = manifest("s3://data/train").model_copy(update={"request": request})
    reruns = Reruns(clients)

    started = reruns.start(found)

    assert started.arn.endswith(":training-job/again")
    assert started.made_at.tzinfo is not None
    assert reruns.standing(found).status == "Completed"
    del request["RoleArn"]
    with pytest.raises(RerunError, match=r"(?s)CreateTrainingJob: .*RoleArn"):
        reruns.start(found.model_copy(update={"request": request}))
