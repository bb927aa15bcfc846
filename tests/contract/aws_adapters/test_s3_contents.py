"""What lies under an S3 URI, as S3 lists it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from hallmark.aws.kept_manifests import KeptManifests
from hallmark.aws.s3 import S3Contents, S3Manifests
from hallmark.lineage.ports import Listing, StoredObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MONDAY = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TUESDAY, WEDNESDAY, THURSDAY = (MONDAY + timedelta(days=days) for days in (1, 2, 3))
MANY = 1000


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Client]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield boto3.client("s3")


@pytest.fixture(params=["unversioned", "versioned"])
def bucket(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def unversioned(s3: S3Client) -> str:
    s3.create_bucket(Bucket="unversioned")
    return "unversioned"


@pytest.fixture
def versioned(s3: S3Client) -> str:
    s3.create_bucket(Bucket="versioned")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    return "versioned"


def put(s3: S3Client, bucket: str, *keys: str, content: str = "content") -> None:
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=content.encode())


def put_in_time(s3: S3Client, bucket: str, key: str, story: Sequence[tuple[datetime, str | None]]) -> None:
    """Put a content, or delete (None), at each of these times."""
    for _, content in story:
        if content is None:
            s3.delete_object(Bucket=bucket, Key=key)
        else:
            put(s3, bucket, key, content=content)
    kept = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].get_bucket(bucket).keys.getlist(key)
    for entry, (when, _) in zip(reversed(kept), reversed(story), strict=False):
        entry.last_modified = when.replace(tzinfo=None)


def listed(s3: S3Client, uri: str, as_of: datetime | None = None, limit: int = MANY) -> Listing:
    return S3Contents(s3).listing(uri, as_of, limit)


def keys(listing: Listing) -> list[str]:
    assert (listing.complete, listing.refused) == (True, None)
    return [found.key for found in listing.objects]


def test_a_folder_lists_its_objects_by_key_relative_to_it(s3: S3Client, bucket: str) -> None:
    put(s3, bucket, "train/b.csv", "train/a/1.csv", "train2/c.csv", "other.csv")

    assert keys(listed(s3, f"s3://{bucket}/train")) == ["a/1.csv", "b.csv"]
    assert keys(listed(s3, f"s3://{bucket}/train/")) == ["a/1.csv", "b.csv"]


def test_an_object_of_that_very_key_is_meant_before_a_folder(s3: S3Client, bucket: str) -> None:
    put(s3, bucket, "train", "train/a.csv", "train.csv")

    assert keys(listed(s3, f"s3://{bucket}/train")) == [""]


def test_a_prefix_is_meant_where_there_is_neither_object_nor_folder(s3: S3Client, bucket: str) -> None:
    put(s3, bucket, "data/part-1.csv", "data/part-2.csv", "data/rest.csv")

    assert keys(listed(s3, f"s3://{bucket}/data/part-")) == ["1.csv", "2.csv"]


def test_the_whole_bucket_is_meant_without_a_key(s3: S3Client, bucket: str) -> None:
    put(s3, bucket, "a.csv", "b/c.csv")

    assert keys(listed(s3, f"s3://{bucket}")) == keys(listed(s3, f"s3://{bucket}/")) == ["a.csv", "b/c.csv"]


def test_markers_of_folders_are_no_objects(s3: S3Client, bucket: str) -> None:
    put(s3, bucket, "train/", content="")
    put(s3, bucket, "train/a.csv")

    assert keys(listed(s3, f"s3://{bucket}/train")) == ["a.csv"]


def test_nothing_lies_under_an_unknown_key(s3: S3Client, bucket: str) -> None:
    put(s3, bucket, "train/a.csv")

    assert keys(listed(s3, f"s3://{bucket}/test")) == []


def test_keys_with_spaces_and_letters_of_all_alphabets_are_listed_as_they_are(s3: S3Client, bucket: str) -> None:
    names = ["a b+c%20.csv", "größe=1/x&y.csv", "数据/データ.csv", "🙂.csv"]
    put(s3, bucket, *(f"My Data/{name}" for name in names))

    assert keys(listed(s3, f"s3://{bucket}/My Data")) == sorted(names)


def test_size_and_identity_are_those_of_the_content(s3: S3Client, bucket: str) -> None:
    put(s3, bucket, "a.csv", content="12345")
    (found,) = listed(s3, f"s3://{bucket}/a.csv").objects
    put(s3, bucket, "copy.csv", content="12345")
    put(s3, bucket, "b.csv", content="54321")
    (copy,) = listed(s3, f"s3://{bucket}/copy.csv").objects
    (other,) = listed(s3, f"s3://{bucket}/b.csv").objects

    assert found.size == 5
    assert found.identity == copy.identity != other.identity


def test_a_version_id_is_told_where_versions_are_kept(s3: S3Client, versioned: str, unversioned: str) -> None:
    answer = s3.put_object(Bucket=versioned, Key="a.csv", Body=b"1")
    put(s3, unversioned, "a.csv")

    assert [found.version_id for found in listed(s3, f"s3://{versioned}/a.csv").objects] == [answer["VersionId"]]
    assert [found.version_id for found in listed(s3, f"s3://{unversioned}/a.csv").objects] == [""]


@pytest.mark.parametrize(
    ("as_of", "size"), [(MONDAY, 1), (TUESDAY - timedelta(hours=1), 1), (TUESDAY, 2), (WEDNESDAY, 3), (None, 3)]
)
def test_a_versioned_object_is_listed_as_it_was_then(
    s3: S3Client, versioned: str, as_of: datetime | None, size: int
) -> None:
    put_in_time(s3, versioned, "train/a.csv", [(MONDAY, "1"), (TUESDAY, "22"), (WEDNESDAY, "333")])

    assert [found.size for found in listed(s3, f"s3://{versioned}/train", as_of).objects] == [size]


def test_an_object_that_came_later_was_not_there(s3: S3Client, versioned: str) -> None:
    put_in_time(s3, versioned, "train/a.csv", [(MONDAY, "1")])
    put_in_time(s3, versioned, "train/b.csv", [(WEDNESDAY, "1")])

    assert keys(listed(s3, f"s3://{versioned}/train", TUESDAY)) == ["a.csv"]


def test_a_deleted_object_is_listed_for_the_time_before_and_after_its_return(s3: S3Client, versioned: str) -> None:
    put_in_time(s3, versioned, "train/a.csv", [(MONDAY, "1"), (TUESDAY, None), (THURSDAY, "22")])
    uri = f"s3://{versioned}/train"

    found = {when: [item.size for item in listed(s3, uri, when).objects] for when in (MONDAY, WEDNESDAY, THURSDAY)}

    assert found == {MONDAY: [1], WEDNESDAY: [], THURSDAY: [2]}


def test_a_deleted_object_does_not_stand_for_its_folder(s3: S3Client, versioned: str) -> None:
    put_in_time(s3, versioned, "train", [(MONDAY, "1"), (TUESDAY, None)])
    put_in_time(s3, versioned, "train/a.csv", [(MONDAY, "1")])

    assert keys(listed(s3, f"s3://{versioned}/train", MONDAY)) == [""]
    assert keys(listed(s3, f"s3://{versioned}/train", WEDNESDAY)) == ["a.csv"]


def test_an_overwritten_object_without_versions_is_listed_with_the_later_time(s3: S3Client, unversioned: str) -> None:
    put_in_time(s3, unversioned, "train/a.csv", [(WEDNESDAY, "333")])

    (found,) = listed(s3, f"s3://{unversioned}/train", TUESDAY).objects

    assert (found.size, found.modified_at) == (3, WEDNESDAY)


def test_a_time_within_the_second_of_the_upload_counts_as_after_it(s3: S3Client, versioned: str) -> None:
    put_in_time(s3, versioned, "model.tar.gz", [(MONDAY, "1")])

    assert keys(listed(s3, f"s3://{versioned}/model.tar.gz", MONDAY - timedelta(seconds=1))) == [""]
    assert keys(listed(s3, f"s3://{versioned}/model.tar.gz", MONDAY - timedelta(seconds=3))) == []


@pytest.mark.parametrize(("limit", "complete"), [(1, False), (2, False), (3, True), (4, True)])
def test_a_listing_ends_at_its_limit_and_says_so(s3: S3Client, bucket: str, limit: int, complete: bool) -> None:
    put(s3, bucket, "train/a.csv", "train/b.csv", "train/c.csv")

    found = listed(s3, f"s3://{bucket}/train", limit=limit)

    assert [item.key for item in found.objects] == ["a.csv", "b.csv", "c.csv"][:limit]
    assert found.complete is complete


def test_a_missing_bucket_is_refused_with_the_reason(s3: S3Client) -> None:
    found = listed(s3, "s3://nowhere/train")

    assert list(found.objects) == []
    assert found.refused is not None
    assert "NoSuchBucket" in found.refused


def test_a_name_that_no_bucket_can_have_is_refused_with_the_reason(s3: S3Client) -> None:
    found = listed(s3, "s3://no bucket!/train")

    assert found.refused is not None
    assert "Invalid bucket name" in found.refused


@pytest.mark.parametrize("page", ["1", "2", "3", "7"])
def test_pages_of_any_size_give_the_same_listing(
    s3: S3Client, versioned: str, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        story = [(MONDAY, "1"), (WEDNESDAY, None if number == 3 else "22")]
        put_in_time(s3, versioned, f"train/{number}.csv", story)
    put_in_time(s3, versioned, "train-notes.txt", [(MONDAY, "1")])
    uri = f"s3://{versioned}/train"
    whole = {when: listed(s3, uri, when) for when in (MONDAY, TUESDAY, WEDNESDAY, None)}

    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", page)

    assert {when: listed(s3, uri, when) for when in whole} == whole
    assert keys(whole[MONDAY]) == [f"{number}.csv" for number in range(6)]
    assert keys(whole[WEDNESDAY]) == ["0.csv", "1.csv", "2.csv", "4.csv", "5.csv"]


@pytest.mark.parametrize(("uri", "expected"), [("b", [""]), ("b/", ["1.csv", "2.csv"]), ("d/part-", ["1", "2", "3"])])
def test_pages_do_not_change_what_a_key_means(
    s3: S3Client, bucket: str, uri: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3, bucket, "b", "b-1", "b-2", "b/1.csv", "b/2.csv", "d/part-1", "d/part-2", "d/part-3")

    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")

    assert keys(listed(s3, f"s3://{bucket}/{uri}")) == expected


def test_a_manifest_is_written_once(s3: S3Client, versioned: str) -> None:
    manifests = S3Manifests(versioned, s3)
    listing = [StoredObject(key="größe.csv", version_id="v", identity="etag:1", size=3, modified_at=MONDAY)]

    uris = [manifests.put("sha256:abc", listing) for _ in range(2)]

    key = "manifests/abc.json.gz"
    assert uris == [f"s3://{versioned}/{key}"] * 2
    assert len(s3.list_object_versions(Bucket=versioned)["Versions"]) == 1
    kept = gzip.decompress(s3.get_object(Bucket=versioned, Key=key)["Body"].read())
    assert json.loads(kept) == [["größe.csv", "v", "etag:1", 3]]


def test_a_manifest_is_read_as_it_was_written_and_one_that_is_not_there_is_not_known(
    s3: S3Client, versioned: str
) -> None:
    listing = [StoredObject(key="größe.csv", version_id="v", identity="etag:1", size=3, modified_at=MONDAY)]
    uri = S3Manifests(versioned, s3).put("sha256:abc", listing)
    kept = KeptManifests(versioned, s3)

    assert kept.listing(uri) == [["größe.csv", "v", "etag:1", 3]]
    assert kept.listing(f"s3://{versioned}/manifests/other.json.gz") is None
    assert kept.listing("s3://elsewhere/manifests/abc.json.gz") is None
