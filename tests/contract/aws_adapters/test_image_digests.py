"""Which image a tag means, in the registries of all partitions."""

from __future__ import annotations

import json
import time
from typing import Any

import botocore.session
import pytest
from botocore.stub import ANY, Stubber

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
        uri(host="dkr.ecr.eu-west-1.amazonaws.com"),
        uri(account="763104351884", host="dkr.ecr.eu-west-1.amazonaws.com"),
        "python:3.13",
        "docker.io/library/python:3.13",
        "",
        "TrainingImage",
    ],
)
def test_other_regions_and_other_kinds_of_registries_are_not_asked(
    ecr: Any, pushed: str, injection: Injection, image: str
) -> None:
    injection.clear()

    assert EcrImages(ecr, ACCOUNT).digest(image) is None
    assert injection.calls == []


AWS_CONTAINER = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
ASKED = {
    "registryId": "683313688378",
    "repositoryName": "sagemaker-xgboost",
    "imageIds": [{"imageTag": "1.7-1"}],
    "acceptedMediaTypes": ANY,
}


def elsewhere() -> Any:
    session = botocore.session.get_session()
    session.set_credentials("AKIAIOSFODNN7EXAMPLE", "secret")
    return session.create_client("ecr", "us-east-1")


def test_another_accounts_registry_is_asked_what_a_pull_asks() -> None:
    client = elsewhere()
    image = {"registryId": "683313688378", "imageId": {"imageDigest": DIGEST, "imageTag": "1.7-1"}}
    with Stubber(client) as stubber:
        stubber.add_response("batch_get_image", {"images": [image], "failures": []}, ASKED)

        assert EcrImages(client, ACCOUNT).digest(AWS_CONTAINER) == DIGEST


def test_an_image_that_is_gone_or_that_its_owner_lets_nobody_pull_has_no_digest() -> None:
    client = elsewhere()
    gone = {"imageId": {"imageTag": "1.7-1"}, "failureCode": "ImageNotFound", "failureReason": "not found"}
    with Stubber(client) as stubber:
        stubber.add_response("batch_get_image", {"images": [], "failures": [gone]}, ASKED)
        stubber.add_client_error("batch_get_image", "AccessDeniedException", http_status_code=400)

        assert [EcrImages(client, ACCOUNT).digest(AWS_CONTAINER) for _ in range(2)] == [None, None]
        stubber.assert_no_pending_responses()


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
