"""When rules of buckets and repositories delete what a manifest names (S3 and ECR user guides)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hallmark.lineage.reproduction.lifecycles import StoredVersion, image_expiry, object_expiry

MADE = datetime(2026, 11, 1, 10, 30, tzinfo=UTC)
REPLACED = datetime(2026, 11, 10, 8, 0, tzinfo=UTC)


def version(**more: Any) -> StoredVersion:
    return StoredVersion(
        **{"key": "raw/a.csv", "version_id": "v1", "identity": "etag:x", "size": 10, "modified_at": MADE, **more}
    )


def rule(**more: Any) -> dict[str, Any]:
    return {"ID": "tidy", "Status": "Enabled", "Filter": {}, **more}


def test_without_versions_an_object_ends_at_the_midnight_after_its_days() -> None:
    expiry = object_expiry([rule(Expiration={"Days": 30})], version(), versioned=False)

    assert expiry is not None
    assert (expiry.at, expiry.rule, expiry.certain) == (datetime(2026, 12, 2, tzinfo=UTC), "tidy", True)


def test_with_versions_expiration_alone_loses_nothing() -> None:
    assert object_expiry([rule(Expiration={"Days": 30})], version(), versioned=True) is None


def test_with_versions_what_is_hidden_is_lost_when_the_noncurrent_are_deleted() -> None:
    rules = [rule(Expiration={"Days": 30}), rule(NoncurrentVersionExpiration={"NoncurrentDays": 7})]

    expiry = object_expiry(rules, version(), versioned=True)

    assert expiry is not None
    assert expiry.at == datetime(2026, 12, 9, tzinfo=UTC)


def test_an_older_version_ends_some_days_after_the_next_took_its_place() -> None:
    rules = [rule(NoncurrentVersionExpiration={"NoncurrentDays": 30})]

    expiry = object_expiry(rules, version(is_latest=False, noncurrent_since=REPLACED), versioned=True)

    assert expiry is not None
    assert expiry.at == datetime(2026, 12, 11, tzinfo=UTC)


@pytest.mark.parametrize(("newer", "dated"), [(0, False), (2, False), (3, True)])
def test_the_newest_noncurrent_versions_may_be_kept_besides(newer: int, dated: bool) -> None:
    rules = [rule(NoncurrentVersionExpiration={"NoncurrentDays": 30, "NewerNoncurrentVersions": 3})]
    old = version(is_latest=False, noncurrent_since=REPLACED, newer_noncurrent=newer)

    expiry = object_expiry(rules, old, versioned=True)

    assert expiry is not None
    assert (expiry.at is not None) is dated


@pytest.mark.parametrize(
    ("selection", "fits"),
    [
        ({"Prefix": "raw/"}, True),
        ({"Prefix": "other/"}, False),
        ({"And": {"Prefix": "raw/", "ObjectSizeGreaterThan": 9}}, True),
        ({"And": {"Prefix": "raw/", "ObjectSizeGreaterThan": 10}}, False),
        ({"ObjectSizeLessThan": 10}, False),
    ],
)
def test_a_rule_takes_what_its_filter_names(selection: dict[str, Any], fits: bool) -> None:
    found = object_expiry([rule(Filter=selection, Expiration={"Days": 1})], version(), versioned=False)

    assert (found is not None) is fits


def test_a_rule_that_asks_for_tags_is_not_certain_and_one_that_is_off_does_nothing() -> None:
    tagged = rule(Filter={"Tag": {"Key": "tmp", "Value": "yes"}}, Expiration={"Days": 1})

    expiry = object_expiry([tagged], version(), versioned=False)

    assert expiry is not None
    assert not expiry.certain
    assert object_expiry([rule(Status="Disabled", Expiration={"Days": 1})], version(), versioned=False) is None


def policy(**selection: Any) -> str:
    return json.dumps({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})


def test_an_image_without_a_tag_ends_after_its_days() -> None:
    text = policy(tagStatus="untagged", countType="sinceImagePushed", countUnit="days", countNumber=14)

    found = image_expiry(text, [], MADE)

    assert found is not None
    assert found.at == MADE + timedelta(days=14)
    assert image_expiry(text, ["v1"], MADE) is None


def test_a_count_of_images_names_no_day() -> None:
    found = image_expiry(policy(tagStatus="any", countType="imageCountMoreThan", countNumber=10), ["v1"], MADE)

    assert found is not None
    assert found.at is None


@pytest.mark.parametrize(("tags", "taken"), [(["dev-1"], True), (["dev-1", "prod"], True), (["prod"], False)])
def test_an_image_is_taken_by_the_prefix_of_one_of_its_tags(tags: list[str], taken: bool) -> None:
    text = policy(
        tagStatus="tagged", tagPrefixList=["dev"], countType="sinceImagePushed", countUnit="days", countNumber=1
    )

    assert (image_expiry(text, tags, MADE) is not None) is taken
