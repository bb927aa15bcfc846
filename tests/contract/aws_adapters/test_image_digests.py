"""Which image a tag means, in the registries of all partitions."""

from __future__ import annotations

import json
import time
from typing import Any

import botocore.session
import pytest

from hallmark.aws.ecr import EcrImages
from hallmark.errors import UnavailableError
from tests.contract.aws_adapters.injection import DENIED, FAULTS, Injection

ACCOUNT = "123456789012"
DIGEST = f"sha256:{'a' * 64}"
LISTED = botocore.session.get_session().get_component("data_loader").load_data("endpoints")["partitions"]
SUFFIXES = sorted({partition["dnsSuffix"] for partition in LISTED})


@pytest.fixture
def ecr(aws: botocore.session.Session) -> Any:
    return aws.create_client("ecr")


@pytest.fixture
def pushed(ecr: Any) -> str:
    """Push an image with the tags ``1`` and ``latest``; return its digest."""
    ecr.create_repository(repositoryName="team/trainer")
    return push(ecr, "1", "latest")


def push(ecr: Any, *tags: str, digest: str = f"sha256:{'b' * 64}") -> str:
    for tag in tags:
        ecr.put_image(
            repositoryName="team/trainer",
            imageManifest=json.dumps({"schemaVersion": 2, "layers": [], "note": digest}),
            imageManifestMediaType="application/vnd.docker.distribution.manifest.v2+json",
            imageTag=tag,
            imageDigest=digest,
        )
    return digest


def uri(rest: str = "team/trainer:1", *, account: str = ACCOUNT, host: str = "dkr.ecr.us-east-1.amazonaws.com") -> str:
    return f"{account}.{host}/{rest}"


@pytest.mark.parametrize("rest", ["team/trainer:1", "team/trainer", "team/trainer:latest"])
@pytest.mark.parametrize(
    "host", ["dkr.ecr.us-east-1.amazonaws.com", "dkr.ecr-fips.us-east-1.amazonaws.com", "dkr-ecr.us-east-1.on.aws"]
)
def test_a_tag_of_the_own_registry_has_a_digest(ecr: Any, pushed: str, rest: str, host: str) -> None:
    assert EcrImages(ecr, ACCOUNT).digest(uri(rest, host=host)) == pushed


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_registries_of_every_partition_are_understood(ecr: Any, pushed: str, suffix: str) -> None:
    assert EcrImages(ecr, ACCOUNT).digest(uri(host=f"dkr.ecr.us-east-1.{suffix}")) == pushed


@pytest.mark.parametrize(
    "image", [uri(f"team/trainer@{DIGEST}"), uri(f"x:1@{DIGEST}", account="9" * 12), f"public.ecr.aws/x/y@{DIGEST}"]
)
def test_a_uri_with_a_digest_answers_itself(ecr: Any, injection: Injection, image: str) -> None:
    assert EcrImages(ecr, ACCOUNT).digest(image) == DIGEST
    assert injection.calls == []


@pytest.mark.parametrize(
    "image",
    [
        uri(account="763104351884"),
        uri(host="dkr.ecr.eu-west-1.amazonaws.com"),
        "python:3.13",
        "docker.io/library/python:3.13",
        "",
        "TrainingImage",
    ],
)
def test_other_registries_are_not_asked(ecr: Any, pushed: str, injection: Injection, image: str) -> None:
    injection.clear()

    assert EcrImages(ecr, ACCOUNT).digest(image) is None
    assert injection.calls == []


@pytest.mark.parametrize("rest", ["team/trainer:2", "another:1", "UPPER:1"])
def test_what_is_not_there_has_no_digest(ecr: Any, pushed: str, rest: str) -> None:
    assert EcrImages(ecr, ACCOUNT).digest(uri(rest)) is None


def test_what_may_not_be_read_has_no_digest(ecr: Any, pushed: str, injection: Injection) -> None:
    injection.fail("ecr.DescribeImages", DENIED)

    assert EcrImages(ecr, ACCOUNT).digest(uri()) is None


@pytest.mark.parametrize("fault", FAULTS[:3], ids=lambda fault: fault.name)
def test_a_registry_that_does_not_answer_is_unavailable(
    ecr: Any, pushed: str, injection: Injection, fault: Any
) -> None:
    injection.fail("ecr.DescribeImages", fault, times=1)
    images = EcrImages(ecr, ACCOUNT)

    with pytest.raises(UnavailableError):
        images.digest(uri())
    assert images.digest(uri()) == pushed


def test_a_tag_is_looked_up_once_until_it_may_have_moved(
    ecr: Any, pushed: str, injection: Injection, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    images = EcrImages(ecr, ACCOUNT)
    injection.clear()
    assert [images.digest(uri()) for _ in range(3)] == [pushed] * 3
    assert injection.calls == ["ecr.DescribeImages"]

    ecr.batch_delete_image(repositoryName="team/trainer", imageIds=[{"imageTag": "1"}])
    moved = push(ecr, "1", digest=DIGEST)
    assert images.digest(uri()) == pushed
    now += 301

    assert images.digest(uri()) == moved != pushed
