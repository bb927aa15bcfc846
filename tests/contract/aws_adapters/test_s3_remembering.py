"""What was listed once is not listed again for a time before that; nothing is remembered that may have changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hallmark.aws import s3 as adapter
from hallmark.aws.s3 import S3Contents
from tests.contract.aws_adapters.injection import DENIED, Injection

LIST, HEAD = "s3.ListObjectVersions", "s3.HeadObject"
URI = "s3://wine-data/train"


class Clock:
    """A clock that is a minute ahead of moto's objects at first."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC) + timedelta(minutes=1)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["Enabled", "Suspended"])
def bucket(s3: Any, request: pytest.FixtureRequest) -> str:
    s3.create_bucket(Bucket="wine-data")
    if request.param == "Enabled":
        s3.put_bucket_versioning(Bucket="wine-data", VersioningConfiguration={"Status": "Enabled"})
    for key in ("train/a.csv", "train/b.csv"):
        s3.put_object(Bucket="wine-data", Key=key, Body=key.encode(), ChecksumAlgorithm="SHA256")
    return "wine-data"


@pytest.fixture
def contents(s3: Any, bucket: str, clock: Clock) -> S3Contents:
    return S3Contents(s3, clock=clock)


def ago(clock: Clock, seconds: int) -> datetime:
    return clock.now - timedelta(seconds=seconds)


def tell_checksums(s3: Any) -> None:
    def add(parsed: Mapping[str, Any], **_: Any) -> None:
        for version in parsed.get("Versions", []):
            version.update(ChecksumAlgorithm=["SHA256"], ChecksumType="FULL_OBJECT")

    s3.meta.events.register("after-call.s3.ListObjectVersions", add)


def test_two_jobs_that_read_the_same_data_cost_one_listing(
    contents: S3Contents, clock: Clock, injection: Injection
) -> None:
    injection.clear()
    first = contents.listing(URI, ago(clock, 20), 100)
    second = contents.listing(URI, ago(clock, 10), 100)

    assert injection.calls == [LIST]
    assert [item.key for item in second.objects] == ["a.csv", "b.csv"]
    assert second == first


def test_each_time_is_answered_for_itself(contents: S3Contents, clock: Clock) -> None:
    contents.listing(URI, ago(clock, 10), 100)
    before_all = contents.listing(URI, ago(clock, 3600), 100)

    assert all(item.modified_at > ago(clock, 3600) for item in before_all.objects)
    assert len(contents.listing(URI, ago(clock, 10), 1).objects) == 1


@pytest.mark.parametrize("seconds", [None, 0, 4])
def test_what_may_have_changed_since_is_listed_again(
    s3: Any, contents: S3Contents, clock: Clock, injection: Injection, seconds: int | None
) -> None:
    injection.clear()
    for _ in range(2):
        contents.listing(URI, None if seconds is None else ago(clock, seconds), 100)

    assert injection.calls == [LIST, LIST]


def test_a_time_after_the_listing_is_listed_again(
    s3: Any, contents: S3Contents, clock: Clock, injection: Injection
) -> None:
    contents.listing(URI, ago(clock, 10), 100)
    s3.put_object(Bucket="wine-data", Key="train/c.csv", Body=b"late")
    clock.now += timedelta(minutes=10)

    found = contents.listing(URI, ago(clock, 60), 100)

    assert [item.key for item in found.objects] == ["a.csv", "b.csv", "c.csv"]


def test_other_places_are_listed_for_themselves(s3: Any, contents: S3Contents, clock: Clock) -> None:
    s3.put_object(Bucket="wine-data", Key="test/d.csv", Body=b"d")
    contents.listing(URI, ago(clock, 10), 100)

    assert [item.key for item in contents.listing("s3://wine-data/test", ago(clock, 10), 100).objects] == ["d.csv"]


def test_a_refusal_is_not_remembered(contents: S3Contents, clock: Clock, injection: Injection) -> None:
    injection.fail(LIST, DENIED, times=1)

    assert contents.listing(URI, ago(clock, 10), 100).refused
    assert len(contents.listing(URI, ago(clock, 10), 100).objects) == 2


def test_a_listing_of_many_pages_is_not_remembered(
    s3: Any, contents: S3Contents, clock: Clock, injection: Injection
) -> None:
    s3.meta.events.register(
        "before-parameter-build.s3.ListObjectVersions", lambda params, **_: params.update(MaxKeys=1)
    )
    answers = [contents.listing(URI, ago(clock, 10), 100) for _ in range(2)]

    assert [[item.key for item in answer.objects] for answer in answers] == [["a.csv", "b.csv"]] * 2
    assert injection.calls.count(LIST) >= 4


def test_no_more_is_remembered_than_fits(
    contents: S3Contents, clock: Clock, injection: Injection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "_REMEMBERED_ENTRIES", 4)
    injection.clear()
    for uri in (URI, f"{URI}/a.csv", URI):
        contents.listing(uri, ago(clock, 10), 100)

    assert injection.calls == [LIST] * 3


def test_a_version_is_asked_for_its_checksum_once(
    s3: Any, contents: S3Contents, clock: Clock, injection: Injection
) -> None:
    tell_checksums(s3)
    injection.clear()
    first, second = (contents.listing(URI, None, 100) for _ in range(2))

    assert injection.calls.count(HEAD) == 2
    assert first == second
    assert {item.identity.partition(":")[0] for item in second.objects} == {"sha256"}


def test_an_object_that_was_overwritten_is_asked_again(
    s3: Any, contents: S3Contents, clock: Clock, injection: Injection
) -> None:
    tell_checksums(s3)
    first = contents.listing(URI, None, 100)
    s3.put_object(Bucket="wine-data", Key="train/a.csv", Body=b"other", ChecksumAlgorithm="SHA256")
    injection.clear()
    second = contents.listing(URI, None, 100)

    assert injection.calls.count(HEAD) == 1
    assert first.objects[0].identity != second.objects[0].identity
    assert first.objects[1] == second.objects[1]


def test_a_checksum_that_could_not_be_read_is_asked_for_again(
    s3: Any, contents: S3Contents, clock: Clock, injection: Injection
) -> None:
    tell_checksums(s3)
    injection.fail(HEAD, DENIED, times=2)
    refused, read = (contents.listing(URI, None, 100) for _ in range(2))

    assert {item.identity.partition(":")[0] for item in refused.objects} == {"etag"}
    assert {item.identity.partition(":")[0] for item in read.objects} == {"sha256"}
