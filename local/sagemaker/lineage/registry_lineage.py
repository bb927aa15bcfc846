"""The lineage of the model registry: groups, packages, their approvals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from local.sagemaker.contract import Description
from local.sagemaker.lineage.maker import EntityMaker

_PIPELINE_EXECUTION_TAG = "sagemaker:pipeline-execution-arn"


class RegistryLineage:
    """Makes the lineage of model package groups and model packages."""

    def __init__(self) -> None:
        # By ARN and time of making: a group that is made anew begins with version 1 again.
        self._approvals: dict[tuple[str, datetime], str] = {}

    def forget(self) -> None:
        """Forget the approvals seen."""
        self._approvals.clear()

    def make_group(self, maker: EntityMaker) -> None:
        """Make the context of a group; ``PipelineExecutionArn`` is a property of it, as the SDK for Python expects."""
        execution = maker.change.tags.get(_PIPELINE_EXECUTION_TAG)
        maker.context(
            "ModelGroup",
            maker.change.description["CreationTime"],
            "-aws-model-group",
            {"PipelineExecutionArn": execution} if execution else {},
        )

    def make_package(self, maker: EntityMaker) -> None:
        """Images, models and algorithms contribute to the package's artifact; it belongs to its group's context.

        "An action for the creation of a model package version": in the service's answers that is an action of type
        ``Approval`` that names the approval status, and each further status has an action of its own.
        """
        package = maker.change.description
        metadata = package.get("MetadataProperties")
        artifact = maker.artifact(
            maker.change.arn, "Model", {"MetadataProperties": metadata} if metadata is not None else None
        )
        for used in maker.artifacts(_package_uses(package)):
            maker.associate(used, artifact, "ContributedTo")
        group = package.get("ModelPackageGroupName")
        if group is None:
            return
        name = group.rpartition("/")[2]
        context = maker.latest_context(maker.resource_arn(f"model-package-group/{name}"))
        if context is not None:
            maker.associate(artifact, context, "AssociatedWith")
        made_at: datetime = package["CreationTime"]
        status = package.get("ModelApprovalStatus")
        before = self._approvals.get((maker.change.arn, made_at))
        if status in {None, before}:
            return
        self._approvals[maker.change.arn, made_at] = status
        changed_at: datetime = package.get("LastModifiedTime", made_at) if before else made_at
        version = package.get("ModelPackageVersion", 1)
        action = maker.action(
            f"{name}-{version}-{status}-{int(changed_at.timestamp())}-aws-model-package",
            "Approval",
            str(version),
            "Completed",
        )
        maker.associate(action, artifact, "ContributedTo")


def container_uses(container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield image and model of a container, each where it is given."""
    data = container.get("ModelDataUrl")
    data = data or container.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri")
    if container.get("Image"):
        yield "Image", container["Image"]
    if data:
        yield "Model", data


def _package_uses(package: Description) -> Iterator[tuple[str, str]]:
    specifications = [
        package.get("InferenceSpecification", {}),
        *package.get("AdditionalInferenceSpecifications", ()),
    ]
    for specification in specifications:
        for container in specification.get("Containers", ()):
            yield from container_uses(container)
    for algorithm in package.get("SourceAlgorithmSpecification", {}).get("SourceAlgorithms", ()):
        yield "Algorithm", algorithm["AlgorithmName"]
        yield from container_uses(algorithm)
