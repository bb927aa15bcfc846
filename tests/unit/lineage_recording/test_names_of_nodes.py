"""How things are named: one spelling for one thing."""

from __future__ import annotations

import pytest

from hallmark.lineage.model import NodeKind
from hallmark.lineage.references import dataset_id, image_ref, kind_of, resource_ref

DIGEST = f"sha256:{'c' * 64}"
REGISTRY = "111122223333.dkr.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("s3://bucket//a///b", "s3://bucket/a/b"),
        ("s3://bucket", "s3://bucket"),
        (" s3://bucket/a ", "s3://bucket/a"),
        ("https://bucket.s3.us-west-2.amazonaws.com/a/model.tar.gz", "s3://bucket/a/model.tar.gz"),
        ("https://bucket.s3.amazonaws.com/a/model.tar.gz", "s3://bucket/a/model.tar.gz"),
        ("https://my.dotted.bucket.s3-eu-west-1.amazonaws.com/a", "s3://my.dotted.bucket/a"),
        ("https://s3.us-west-2.amazonaws.com/bucket/a/model.tar.gz", "s3://bucket/a/model.tar.gz"),
        ("https://s3-us-west-2.amazonaws.com/bucket/a", "s3://bucket/a"),
        ("https://bucket.s3.cn-north-1.amazonaws.com.cn/a", "s3://bucket/a"),
        ("https://example.com/s3/a", "https://example.com/s3/a"),
        ("https://s3.example.com/bucket/a", "https://s3.example.com/bucket/a"),
        ("efs://fs-1/data/", "efs://fs-1/data"),
    ],
)
def test_a_place_has_one_spelling(written: str, expected: str) -> None:
    assert dataset_id(written) == expected
    assert dataset_id(expected) == expected


@pytest.mark.parametrize(
    ("uri", "digest", "expected"),
    [
        (f"{REGISTRY}/team/trainer:1", DIGEST, f"{REGISTRY}/team/trainer@{DIGEST}"),
        (f"{REGISTRY}/trainer:1@{DIGEST}", None, f"{REGISTRY}/trainer@{DIGEST}"),
        (f"{REGISTRY}/trainer@{DIGEST}", None, f"{REGISTRY}/trainer@{DIGEST}"),
        ("localhost:5000/trainer:1", DIGEST, f"localhost:5000/trainer@{DIGEST}"),
        ("trainer:1", DIGEST, f"trainer@{DIGEST}"),
        (f"{REGISTRY}/trainer:1", None, f"{REGISTRY}/trainer:1"),
    ],
)
def test_an_image_is_named_by_its_digest_without_the_tag(uri: str, digest: str | None, expected: str) -> None:
    assert image_ref(uri, digest).id == expected


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        ("training-job/x", NodeKind.TRAINING_JOB),
        ("tuningJob/x", NodeKind.TUNING_JOB),
        ("pipeline/x", NodeKind.PIPELINE),
        ("pipeline/x/execution/y", NodeKind.PIPELINE_EXECUTION),
        ("model-package/group/3", NodeKind.MODEL_PACKAGE),
        ("image/studio-image", None),
        ("dataset/x", None),
    ],
)
def test_an_arn_tells_the_kind_in_every_partition(partition: str, resource: str, kind: NodeKind | None) -> None:
    assert kind_of(f"arn:{partition}:sagemaker:us-east-1:111122223333:{resource}") is kind


def test_a_name_has_one_spelling_whatever_the_case_of_the_event() -> None:
    one, other = (f"arn:aws:sagemaker:us-east-1:111122223333:endpoint/{name}" for name in ("MyEndpoint", "myendpoint"))

    assert resource_ref(one, NodeKind.ENDPOINT) == resource_ref(other, NodeKind.ENDPOINT)
