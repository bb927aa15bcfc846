"""What every part of the stand-in stands on: the model of the API, the resources, the way out to S3 and ECR."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.model import ServiceModel, StructureShape

from local.sagemaker.contract import Call, Description, ServiceError
from local.sagemaker.images import ImageRegistry
from local.sagemaker.jobs import JobPool
from local.sagemaker.resources import Resource, ResourceStore, tags_of
from local.sagemaker.settings import SageMakerSettings
from local.sagemaker.telemetry import SendTelemetry, send_nothing

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

S3Clients = Callable[[str, str], "S3Client"]  # (region, account) -> client
RoleEnvironment = Callable[[str, str, str], Mapping[str, str]]  # (role ARN, region, account) -> variables


def structure_of(model: ServiceModel, operation: str) -> StructureShape:
    """Return the shape of what ``operation`` answers."""
    shape = model.operation_model(operation).output_shape
    if shape is None:
        raise TypeError(f"{operation} answers nothing")
    return shape


@dataclass(frozen=True)
class Foundation:
    """Shared by all parts of one service.

    Attributes:
        model: botocore's model of SageMaker.
        store: The resources.
        pool: The running jobs.
        images: Digests of images.
        s3: S3 clients by Region and account.
        role_environment: The variables through which a container reaches AWS as its role.
        settings: Settings of the stand-in.
        send_telemetry: Where what running jobs say goes.
    """

    model: ServiceModel
    store: ResourceStore
    pool: JobPool
    images: ImageRegistry
    s3: S3Clients
    role_environment: RoleEnvironment
    settings: SageMakerSettings
    send_telemetry: SendTelemetry = send_nothing

    def described_members(self, operation: str, parameters: Mapping[str, Any]) -> Description:
        """Return those parameters of a Create request that the Describe ``operation`` echoes."""
        members = structure_of(self.model, operation).members
        return {name: parameters[name] for name in members if name in parameters and name != "Tags"}

    def summary(self, shape_name: str, known: Mapping[str, Any]) -> Description:
        """Return those members of ``known`` that a structure of the model has."""
        shape = self.model.shape_for(shape_name)
        if not isinstance(shape, StructureShape):
            raise TypeError(f"{shape_name} is not a structure")
        return {name: known[name] for name in shape.members if name in known}

    def new_resource(self, call: Call, kind: str, name: str, description: Description, *, arn: str = "") -> Resource:
        """Return a resource of the caller's account with the request's tags; it is not kept yet."""
        return Resource(
            kind=kind,
            name=name,
            arn=arn or call.arn(f"{kind}/{name}"),
            account=call.account,
            region=call.region,
            partition=call.partition,
            description=description,
            tags=tags_of(call.parameters),
        )

    def find(self, call: Call, kind: str, name: str, missing: ServiceError) -> Resource:
        """Return a resource of the caller's account.

        Raises:
            ServiceError: ``missing``, where there is none.
        """
        resource = self.store.find(call, kind, name)
        if resource is None:
            raise missing
        return resource

    def s3_for(self, resource: Resource) -> S3Client:
        """Return an S3 client for the account and Region of ``resource``."""
        return self.s3(resource.region, resource.account)


def not_found(message: str = "Requested resource not found.") -> ServiceError:
    """Return the error for operations whose model declares ``ResourceNotFound``."""
    return ServiceError("ResourceNotFound", message)


def invalid(message: str) -> ServiceError:
    """Return the error for operations whose model declares none for what is missing or wrong."""
    return ServiceError("ValidationException", message)


def caller_context(call: Call) -> Description:
    """Return the ``UserContext`` of the caller; who has no Studio profile is known by their ARN alone."""
    return {"IamIdentity": {"Arn": call.caller_arn}} if call.caller_arn else {}
