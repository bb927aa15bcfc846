"""The registry, as botocore's model and SageMaker's errors have it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber

from hallmark.aws.model_registry import ModelRegistry
from hallmark.errors import UnavailableError
from hallmark.gates.promoting import Order
from hallmark.people import Person
from tests.fakes.told_verdicts import NOON, PACKAGE

EXECUTION = "arn:aws:sagemaker:eu-central-1:111122223333:pipeline/churn/execution/abcdefghijkl"
DESCRIBED: dict[str, Any] = {
    "ModelPackageName": "churn",
    "ModelPackageArn": PACKAGE,
    "CreationTime": datetime(2026, 11, 1, tzinfo=UTC),
    "ModelPackageStatus": "Completed",
    "ModelPackageStatusDetails": {"ValidationStatuses": []},
    "ModelApprovalStatus": "PendingManualApproval",
    "InferenceSpecification": {"Containers": [{"Image": "image:1", "ImageDigest": "sha256:a"}]},
    "CreatedBy": {"IamIdentity": {"Arn": "arn:aws:iam::111122223333:user/kim", "PrincipalId": "AIDAKIM"}},
}
ORDER = Order(
    id="promote-1",
    move="promote",
    verdict="v",
    cause="v",
    gate="full",
    stage="production",
    model=PACKAGE,
    model_name="churn v3",
    to_stage="Production",
    to_status="Approved",
    approves=True,
    by="gate full",
    reason="fine",
    decided_at=NOON,
)


@pytest.fixture
def stubbed() -> Iterator[tuple[ModelRegistry, Stubber]]:
    client = botocore.session.get_session().create_client(
        "sagemaker", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stubber:
        yield ModelRegistry(client), stubber
        stubber.assert_no_pending_responses()


Stubbed = tuple[ModelRegistry, Stubber]


def test_a_promotion_to_the_last_stage_is_one_call(stubbed: Stubbed) -> None:
    registry, stubber = stubbed
    stubber.add_response(
        "update_model_package",
        {"ModelPackageArn": PACKAGE},
        {
            "ModelPackageArn": PACKAGE,
            "ModelLifeCycle": {"Stage": "Production", "StageStatus": "Approved", "StageDescription": "because"},
            "ModelApprovalStatus": "Approved",
            "ApprovalDescription": "because",
        },
    )

    registry.move(ORDER, "because")


def test_a_move_to_the_next_gate_approves_nothing(stubbed: Stubbed) -> None:
    registry, stubber = stubbed
    life_cycle = {"Stage": "Production", "StageStatus": "PendingApproval", "StageDescription": "because"}
    stubber.add_response(
        "update_model_package",
        {"ModelPackageArn": PACKAGE},
        {"ModelPackageArn": PACKAGE, "ModelLifeCycle": life_cycle},
    )

    registry.move(ORDER.model_copy(update={"to_status": "PendingApproval", "approves": False}), "because")


def test_a_rejection_leaves_the_stage_alone(stubbed: Stubbed) -> None:
    registry, stubber = stubbed
    stubber.add_response(
        "update_model_package",
        {"ModelPackageArn": PACKAGE},
        {"ModelPackageArn": PACKAGE, "ModelApprovalStatus": "Rejected", "ApprovalDescription": "x" * 1024},
    )

    registry.move(ORDER.to_rejection(), "x" * 2000)


def test_a_package_with_other_containers_has_another_fingerprint(stubbed: Stubbed) -> None:
    registry, stubber = stubbed
    other = {"InferenceSpecification": {"Containers": [{"Image": "image:1", "ImageDigest": "sha256:b"}]}}
    for described in (DESCRIBED, {**DESCRIBED, "ModelApprovalStatus": "Approved"}, {**DESCRIBED, **other}):
        stubber.add_response("describe_model_package", described)

    prints = [found.fingerprint for found in (registry.find(PACKAGE) for _ in range(3)) if found is not None]

    assert prints[0] == prints[1] != prints[2]


def test_what_does_not_exist_is_not_found_and_what_is_refused_is_tried_again(stubbed: Stubbed) -> None:
    registry, stubber = stubbed
    stubber.add_client_error("describe_model_package", "ValidationException", "does not exist")
    stubber.add_client_error("describe_model_package", "AccessDeniedException", "no")
    stubber.add_client_error("update_model_package", "AccessDeniedException", "no")

    assert registry.find(PACKAGE) is None
    with pytest.raises(UnavailableError, match="AccessDeniedException"):
        registry.find(PACKAGE)
    with pytest.raises(UnavailableError, match="AccessDeniedException"):
        registry.move(ORDER, "because")


def test_whoever_started_the_pipeline_that_registered_a_model_is_its_author_too(stubbed: Stubbed) -> None:
    registry, stubber = stubbed
    role = "arn:aws:sts::111122223333:assumed-role/Pipeline/run"
    stubber.add_response(
        "describe_model_package",
        {
            **DESCRIBED,
            "MetadataProperties": {"GeneratedBy": EXECUTION},
            "CreatedBy": {"IamIdentity": {"Arn": role, "PrincipalId": "AROA:run"}},
        },
    )
    stubber.add_response(
        "describe_pipeline_execution",
        {"PipelineExecutionArn": EXECUTION, "CreatedBy": DESCRIBED["CreatedBy"]},
        {"PipelineExecutionArn": EXECUTION},
    )

    assert registry.authors(PACKAGE) == (
        Person(arn=role, principal="AROA:run"),
        Person(arn="arn:aws:iam::111122223333:user/kim", principal="AIDAKIM"),
    )


def test_an_author_that_nobody_tells_is_none(stubbed: Stubbed) -> None:
    registry, stubber = stubbed
    stubber.add_response("describe_model_package", {**DESCRIBED, "CreatedBy": {}})

    assert registry.authors(PACKAGE) == ()
