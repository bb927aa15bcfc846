"""What SageMaker's answers mean; stubs check requests and answers against botocore's model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from hallmark.aws.lineage_mirror import SageMakerLineage
from hallmark.errors import InvalidInputError, NotFoundError, UnavailableError
from hallmark.lineage.mirroring import LimitReachedError, NewArtifact, NotMadeError
from hallmark.lineage.model import EdgeType

PREFIX = "arn:aws:sagemaker:eu-west-1:123456789012"
ARTIFACT = f"{PREFIX}:artifact/{'a' * 32}"
COMPONENT = f"{PREFIX}:experiment-trial-component/fit-aws-training-job"
URI = f"s3://data/train#sha256={'d' * 64}"
NEW = NewArtifact(URI, "DataSet", "train-dddddddddddd", {"objects": "2"}, {"CommitId": "0123abc"})
FOUND: dict[str, Any] = {"ArtifactSummaries": [{"ArtifactArn": ARTIFACT, "Source": {"SourceUri": URI}}]}
NOTHING: dict[str, Any] = {"ArtifactSummaries": []}
ENDS = {"SourceArn": ARTIFACT, "DestinationArn": COMPONENT}
LINKED: dict[str, Any] = {"AssociationSummaries": [ENDS]}
UNLINKED: dict[str, Any] = {"AssociationSummaries": []}


@pytest.fixture
def stubber() -> Iterator[Stubber]:
    client = boto3.client("sagemaker", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubs:
        yield stubs
        stubs.assert_no_pending_responses()


@pytest.fixture
def lineage(stubber: Stubber) -> SageMakerLineage:
    return SageMakerLineage(stubber.client)


def refuse(stubber: Stubber, operation: str, code: str, status: int = 400, attempts: int = 1) -> None:
    stubber.add_client_error(
        operation, code, "as the test wants it", status, response_meta={"RetryAttempts": attempts - 1}
    )


def test_an_artifact_is_found_by_its_source_uri(stubber: Stubber, lineage: SageMakerLineage) -> None:
    stubber.add_response("list_artifacts", FOUND, {"SourceUri": URI, "MaxResults": 1})
    stubber.add_response("list_artifacts", NOTHING, {"SourceUri": "s3://other", "MaxResults": 1})

    assert (lineage.find_artifact(URI), lineage.find_artifact("s3://other")) == (ARTIFACT, None)


def test_an_artifact_is_made_with_everything_that_identifies_it(stubber: Stubber, lineage: SageMakerLineage) -> None:
    request = {
        "ArtifactName": "train-dddddddddddd",
        "ArtifactType": "DataSet",
        "Source": {"SourceUri": URI},
        "Properties": {"objects": "2"},
        "MetadataProperties": {"CommitId": "0123abc"},
    }
    stubber.add_response("create_artifact", {"ArtifactArn": ARTIFACT}, request)

    assert lineage.create_artifact(NEW) == (ARTIFACT, True)


@pytest.mark.parametrize(("attempts", "new"), [(1, False), (2, True)])
def test_a_duplicate_is_found_and_counts_as_ours_where_the_request_was_repeated(
    stubber: Stubber, lineage: SageMakerLineage, attempts: int, new: bool
) -> None:
    refuse(stubber, "create_artifact", "ValidationException", attempts=attempts)
    stubber.add_response("list_artifacts", FOUND)

    assert lineage.create_artifact(NEW) == (ARTIFACT, new)


def test_what_sagemaker_does_not_understand_is_no_duplicate(stubber: Stubber, lineage: SageMakerLineage) -> None:
    refuse(stubber, "create_artifact", "ValidationException")
    stubber.add_response("list_artifacts", NOTHING)

    with pytest.raises(InvalidInputError, match="as the test wants it"):
        lineage.create_artifact(NEW)


def test_the_limit_of_the_account_is_told_from_other_failures(stubber: Stubber, lineage: SageMakerLineage) -> None:
    refuse(stubber, "create_artifact", "ResourceLimitExceeded")
    with pytest.raises(LimitReachedError):
        lineage.create_artifact(NEW)

    refuse(stubber, "add_association", "ResourceLimitExceeded")
    with pytest.raises(LimitReachedError):
        lineage.associate(ARTIFACT, COMPONENT, EdgeType.CONTRIBUTED_TO)


def test_a_throttled_request_made_nothing(stubber: Stubber, lineage: SageMakerLineage) -> None:
    refuse(stubber, "create_artifact", "ThrottlingException")
    stubber.add_response("list_artifacts", NOTHING)
    with pytest.raises(NotMadeError):
        lineage.create_artifact(NEW)

    refuse(stubber, "add_association", "ThrottlingException")
    stubber.add_response("list_associations", UNLINKED, {**ENDS, "MaxResults": 1})
    with pytest.raises(NotMadeError):
        lineage.associate(ARTIFACT, COMPONENT, EdgeType.CONTRIBUTED_TO)


def test_what_was_made_by_an_attempt_before_the_throttled_one_counts(
    stubber: Stubber, lineage: SageMakerLineage
) -> None:
    refuse(stubber, "create_artifact", "ThrottlingException", attempts=4)
    stubber.add_response("list_artifacts", FOUND)
    assert lineage.create_artifact(NEW) == (ARTIFACT, True)

    refuse(stubber, "add_association", "ThrottlingException", attempts=4)
    stubber.add_response("list_associations", LINKED)
    assert lineage.associate(ARTIFACT, COMPONENT, EdgeType.CONTRIBUTED_TO)


def test_after_a_fault_of_the_service_nobody_knows(stubber: Stubber, lineage: SageMakerLineage) -> None:
    for operation, call in (
        ("create_artifact", lambda: lineage.create_artifact(NEW)),
        ("add_association", lambda: lineage.associate(ARTIFACT, COMPONENT, EdgeType.CONTRIBUTED_TO)),
    ):
        refuse(stubber, operation, "InternalFailure", 500)
        with pytest.raises(UnavailableError) as failure:
            call()
        assert not isinstance(failure.value, NotMadeError)


def test_entities_are_associated_once(stubber: Stubber, lineage: SageMakerLineage) -> None:
    stubber.add_response("add_association", ENDS, {**ENDS, "AssociationType": "ContributedTo"})
    assert lineage.associate(ARTIFACT, COMPONENT, EdgeType.CONTRIBUTED_TO)

    for attempts, new in ((1, False), (2, True)):
        refuse(stubber, "add_association", "ValidationException", attempts=attempts)
        stubber.add_response("list_associations", LINKED)
        assert lineage.associate(ARTIFACT, COMPONENT, EdgeType.CONTRIBUTED_TO) is new


def test_an_association_that_sagemaker_does_not_understand_is_no_repeat(
    stubber: Stubber, lineage: SageMakerLineage
) -> None:
    refuse(stubber, "add_association", "ValidationException")
    stubber.add_response("list_associations", UNLINKED)

    with pytest.raises(InvalidInputError):
        lineage.associate(ARTIFACT, COMPONENT, EdgeType.CONTRIBUTED_TO)


@pytest.mark.parametrize("code", ["ResourceNotFound", "ResourceNotFoundException"])
def test_an_end_that_does_not_exist_is_named(stubber: Stubber, lineage: SageMakerLineage, code: str) -> None:
    refuse(stubber, "add_association", code)

    with pytest.raises(NotFoundError, match="fit-aws-training-job"):
        lineage.associate(ARTIFACT, COMPONENT, EdgeType.CONTRIBUTED_TO)


def test_properties_are_added_to_those_that_are_there(stubber: Stubber, lineage: SageMakerLineage) -> None:
    stubber.add_response("describe_artifact", {"Properties": {"team": "a", "commit": "old"}}, {"ArtifactArn": ARTIFACT})
    wanted = {"ArtifactArn": ARTIFACT, "Properties": {"team": "a", "commit": "new", "digest": "d"}}
    stubber.add_response("update_artifact", {"ArtifactArn": ARTIFACT}, wanted)

    assert lineage.describe(ARTIFACT, {"commit": "new", "digest": "d"})


def test_properties_that_are_there_already_are_not_written_again(stubber: Stubber, lineage: SageMakerLineage) -> None:
    stubber.add_response("describe_artifact", {"Properties": {"team": "a", "commit": "new"}})

    assert not lineage.describe(ARTIFACT, {"commit": "new"})


def test_no_more_properties_are_added_than_there_may_be(stubber: Stubber, lineage: SageMakerLineage) -> None:
    full = {f"name-{number}": "x" for number in range(29)}
    stubber.add_response("describe_artifact", {"Properties": full})
    stubber.add_response(
        "update_artifact",
        {"ArtifactArn": ARTIFACT},
        {"ArtifactArn": ARTIFACT, "Properties": {**full, "commit": "new"}},
    )

    assert lineage.describe(ARTIFACT, {"commit": "new", "digest": "d"})


def test_an_artifact_that_somebody_else_changes_now_is_described_later(
    stubber: Stubber, lineage: SageMakerLineage
) -> None:
    stubber.add_response("describe_artifact", {})
    refuse(stubber, "update_artifact", "ConflictException")

    with pytest.raises(UnavailableError):
        lineage.describe(ARTIFACT, {"commit": "new"})
