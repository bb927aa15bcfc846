"""SageMaker's model registry: what a package is like, who made it, and the one way to move it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.aws.package_digests import package_digest
from hallmark.errors import UnavailableError
from hallmark.events.gates import REGISTRY_APPROVED, REGISTRY_REJECTED
from hallmark.gates.promoting import DESCRIPTION_CHARACTERS, Order, PackageState
from hallmark.people import Person

_MISSING_CODES = frozenset({"ResourceNotFound", "ResourceNotFoundException", "ValidationException"})
"""SageMaker says ValidationException for a missing package (``hallmark/aws/sagemaker.py``)."""


class ModelRegistry:
    """The registry of this account and Region."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def find(self, arn: str) -> PackageState | None:
        """Return a package as it is now; None where it does not exist.

        Raises:
            UnavailableError: SageMaker did not answer, or refuses.
        """
        described = self._describe("describe_model_package", ModelPackageName=arn)
        return None if described is None else _state_of(described)

    def authors(self, arn: str) -> tuple[Person, ...]:
        """Return who made a package: who registered it, and who started the pipeline that did.

        Raises:
            UnavailableError: SageMaker did not answer, or refuses.
        """
        described = self._describe("describe_model_package", ModelPackageName=arn)
        if described is None:
            return ()
        found = [_person_of(described.get("CreatedBy"))]
        generated_by = str((described.get("MetadataProperties") or {}).get("GeneratedBy", ""))
        if ":pipeline/" in generated_by and "/execution/" in generated_by:
            execution = self._describe("describe_pipeline_execution", PipelineExecutionArn=generated_by)
            found.append(_person_of((execution or {}).get("CreatedBy")))
        return tuple(dict.fromkeys(person for person in found if person is not None))

    def move(self, order: Order, description: str) -> None:
        """Write what an order wants into the registry, in one call.

        A rejection leaves the life cycle alone: a change of the stage would ask its gate again.

        Args:
            order: What to do.
            description: Who and why.

        Raises:
            UnavailableError: SageMaker did not answer, or refuses.
        """
        request: dict[str, Any] = {"ModelPackageArn": order.model}
        if order.move == "reject":
            request |= {
                "ModelApprovalStatus": REGISTRY_REJECTED,
                "ApprovalDescription": description[:DESCRIPTION_CHARACTERS],
            }
        else:
            if order.to_stage:
                request["ModelLifeCycle"] = {
                    "Stage": order.to_stage,
                    "StageStatus": order.to_status,
                    "StageDescription": description[:DESCRIPTION_CHARACTERS],
                }
            if order.approves:
                request |= {
                    "ModelApprovalStatus": REGISTRY_APPROVED,
                    "ApprovalDescription": description[:DESCRIPTION_CHARACTERS],
                }
        try:
            with calling(f"updating {order.model}"):
                self._client.update_model_package(**request)
        except ClientError as error:
            raise UnavailableError(f"updating {order.model}: {describe_error(error)}") from error

    def _describe(self, operation: str, **request: str) -> Mapping[str, Any] | None:
        named = next(iter(request.values()))
        try:
            with calling(f"describing {named}"):
                answer: Mapping[str, Any] = getattr(self._client, operation)(**request)
        except ClientError as error:
            if error_code(error) in _MISSING_CODES:
                return None
            raise UnavailableError(f"describing {named}: {describe_error(error)}") from error
        return answer


def _state_of(described: Mapping[str, Any]) -> PackageState:
    life_cycle = described.get("ModelLifeCycle") or {}
    return PackageState(
        status=described["ModelPackageStatus"],
        approval=described.get("ModelApprovalStatus", ""),
        stage=life_cycle.get("Stage", ""),
        stage_status=life_cycle.get("StageStatus", ""),
        fingerprint=package_digest(described),
    )


def _person_of(context: Mapping[str, Any] | None) -> Person | None:
    identity = (context or {}).get("IamIdentity") or {}
    arn = identity.get("Arn")
    return Person(arn=arn, principal=identity.get("PrincipalId", "")) if arn else None
