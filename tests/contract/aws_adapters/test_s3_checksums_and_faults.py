"""What an object is told apart by, how many calls that takes, and what happens when S3 does not answer."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from hallmark.aws import s3 as adapter
from hallmark.aws.s3 import S3Contents, S3Manifests
from hallmark.errors import UnavailableError
from hallmark.lineage.ports import StoredObject
from tests.contract.aws_adapters.injection import ANSWER_LOST, FAULTS, Fault, Injection, refusal

LIST, HEAD, PUT = "s3.ListObjectVersions", "s3.HeadObject", "s3.PutObject"
NO_ANSWER = FAULTS[:4]


@pytest.fixture
def bucket(s3: Any) -> str:
    s3.create_bucket(Bucket="wine-data")
    for key in ("train/a.csv", "train/b.csv", "train/deep/c.csv", "train-2/d.csv", "single.csv"):
        s3.put_object(Bucket="wine-data", Key=key, Body=key.encode(), ChecksumAlgorithm="SHA256")
    return "wine-data"


def tell_checksums(s3: Any, algorithms: list[str], kind: str = "FULL_OBJECT") -> None:
    """Let listings tell of stored checksums, as S3's do and moto's do not."""

    def add(parsed: Mapping[str, Any], **_: Any) -> None:
        for version in parsed.get("Versions", []):
            version.update(ChecksumAlgorithm=algorithms, ChecksumType=kind)

    s3.meta.events.register("after-call.s3.ListObjectVersions", add)


def answer_head(s3: Any, **checksums: str) -> None:
    s3.meta.events.register("after-call.s3.HeadObject", lambda parsed, **_: parsed.update(checksums))


def identities(s3: Any, uri: str = "s3://wine-data/train", *, checksum_limit: int = 100) -> list[str]:
    listing = S3Contents(s3, checksum_limit=checksum_limit).listing(uri, None, 100)
    assert listing.refused is None
    return [item.identity.partition(":")[0] for item in listing.objects]


@pytest.mark.parametrize("uri", ["s3://wine-data/train", "s3://wine-data/single.csv", "s3://wine-data/sing"])
def test_one_call_tells_what_a_uri_means_and_what_lies_there(
    s3: Any, bucket: str, injection: Injection, uri: str
) -> None:
    injection.clear()

    assert S3Contents(s3).listing(uri, None, 100).objects

    assert injection.calls == [LIST]


def test_an_object_is_told_apart_by_its_checksum(s3: Any, bucket: str, injection: Injection) -> None:
    tell_checksums(s3, ["SHA256"])

    (found,) = S3Contents(s3).listing("s3://wine-data/single.csv", None, 100).objects

    # printf single.csv | openssl dgst -sha256 -binary | base64
    assert found.identity == "sha256:PKmJ6S69TgdTPuo5r7Rbr0dtAvAx+QYBXzM/yRM1Bng="
    assert injection.of(HEAD)[-1]["ChecksumMode"] == "ENABLED"


def test_the_same_bytes_in_two_places_are_the_same_content(s3: Any, bucket: str) -> None:
    for key in ("copy/a.csv", "copy/b.csv", "copy/deep/c.csv"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.replace("copy", "train").encode(), ChecksumAlgorithm="SHA256")
    tell_checksums(s3, ["SHA256"])

    found = [S3Contents(s3).listing(f"s3://{bucket}/{folder}", None, 100).objects for folder in ("train", "copy")]

    contents = [[(item.key, item.identity, item.size) for item in objects] for objects in found]
    assert contents[0] == contents[1]
    assert [key for key, _, _ in contents[0]] == ["a.csv", "b.csv", "deep/c.csv"]


def test_the_better_checksum_is_taken(s3: Any, bucket: str) -> None:
    tell_checksums(s3, ["CRC64NVME"])
    answer_head(s3, ChecksumCRC64NVME="AAAAAAAAAAA=")

    assert identities(s3) == ["sha256"] * 3


def test_a_checksum_that_s3_makes_itself_is_taken(s3: Any, bucket: str) -> None:
    tell_checksums(s3, ["CRC64NVME"])
    s3.meta.events.register("after-call.s3.HeadObject", lambda parsed, **_: parsed.pop("ChecksumSHA256", None))
    answer_head(s3, ChecksumCRC64NVME="AAAAAAAAAAA=")

    assert identities(s3) == ["crc64nvme"] * 3


@pytest.mark.parametrize(
    ("algorithms", "kind"), [(["CRC32"], "FULL_OBJECT"), (["SHA256"], "COMPOSITE"), ([], "FULL_OBJECT")]
)
def test_a_checksum_that_does_not_tell_contents_apart_is_not_asked_for(
    s3: Any, bucket: str, injection: Injection, algorithms: list[str], kind: str
) -> None:
    tell_checksums(s3, algorithms, kind)

    assert identities(s3) == ["etag"] * 3
    assert injection.of(HEAD) == []


def test_a_checksum_of_parts_is_not_taken_for_one_of_the_whole(s3: Any, bucket: str) -> None:
    tell_checksums(s3, ["SHA256"])
    answer_head(s3, ChecksumType="COMPOSITE")

    assert identities(s3) == ["etag"] * 3


@pytest.mark.parametrize(("limit", "kind"), [(2, "etag"), (3, "sha256")])
def test_no_more_checksums_are_asked_for_than_allowed(
    s3: Any, bucket: str, injection: Injection, limit: int, kind: str
) -> None:
    tell_checksums(s3, ["SHA256"])

    assert identities(s3, checksum_limit=limit) == [kind] * 3
    assert len(injection.of(HEAD)) == (3 if kind == "sha256" else 0)


def test_a_version_is_asked_for_its_own_checksum(s3: Any, bucket: str, injection: Injection) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="single.csv", Body=b"new", ChecksumAlgorithm="SHA256")["VersionId"]
    tell_checksums(s3, ["SHA256"])

    S3Contents(s3).listing(f"s3://{bucket}/single.csv", None, 100)

    assert [request["VersionId"] for request in injection.of(HEAD)] == [version]


def test_the_etag_stands_in_where_the_checksum_may_not_be_read(s3: Any, bucket: str, injection: Injection) -> None:
    tell_checksums(s3, ["SHA256"])
    injection.fail(HEAD, Fault("forbidden", before=lambda: refusal("403", 403)))

    assert identities(s3) == ["etag"] * 3


@pytest.mark.parametrize("fault", NO_ANSWER, ids=lambda fault: fault.name)
@pytest.mark.parametrize("operation", [LIST, HEAD])
def test_no_answer_is_not_taken_for_no_data(
    s3: Any, bucket: str, injection: Injection, operation: str, fault: Fault
) -> None:
    tell_checksums(s3, ["SHA256"])
    injection.fail(operation, fault)

    with pytest.raises(UnavailableError, match="wine-data"):
        S3Contents(s3).listing("s3://wine-data/train", None, 100)


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket", "AllAccessDisabled", "PermanentRedirect"])
def test_what_may_not_be_read_is_refused_with_the_reason(s3: Any, bucket: str, injection: Injection, code: str) -> None:
    injection.fail(LIST, Fault("refused", before=lambda: refusal(code, 403)))

    listing = S3Contents(s3).listing("s3://wine-data/train", None, 100)

    assert (listing.objects, listing.refused) == ((), f"{code}: {code} is what was ordered")


def test_a_bucket_of_very_many_versions_is_not_read_to_its_end(
    s3: Any, bucket: str, injection: Injection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "_PAGES", 3)
    s3.meta.events.register(
        "before-parameter-build.s3.ListObjectVersions", lambda params, **_: params.update(MaxKeys=1)
    )
    injection.clear()

    listing = S3Contents(s3).listing("s3://wine-data/train/", None, 100)

    assert len(injection.calls) <= 4
    assert not listing.complete


ROWS = [StoredObject("a.csv", "v1", "etag:1", 3, datetime(2026, 11, 1, tzinfo=UTC))]


@pytest.fixture
def manifests(s3: Any) -> S3Manifests:
    s3.create_bucket(Bucket="lineage")
    return S3Manifests("lineage", s3)


def kept(s3: Any, uri: str) -> Any:
    body = s3.get_object(Bucket="lineage", Key=uri.removeprefix("s3://lineage/"))["Body"].read()
    return json.loads(gzip.decompress(body))


def test_a_manifest_whose_answer_was_lost_is_there(s3: Any, manifests: S3Manifests, injection: Injection) -> None:
    injection.fail(PUT, ANSWER_LOST, times=1)

    with pytest.raises(UnavailableError):
        manifests.put("sha256:1", ROWS)

    assert kept(s3, manifests.put("sha256:1", ROWS)) == [["a.csv", "v1", "etag:1", 3]]


def test_a_manifest_that_another_is_just_writing_is_written_if_that_fails(
    s3: Any, manifests: S3Manifests, injection: Injection
) -> None:
    conflict = Fault("conflict", before=lambda: refusal("ConditionalRequestConflict", 409))
    injection.fail(PUT, conflict, times=2)

    assert kept(s3, manifests.put("sha256:1", ROWS)) == [["a.csv", "v1", "etag:1", 3]]

    injection.fail(PUT, conflict)
    with pytest.raises(UnavailableError):
        manifests.put("sha256:2", ROWS)
