"""Models: containers with their data, to be served or to transform with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local.sagemaker.contract import Call, Description, Operation
from local.sagemaker.foundation import Foundation, invalid
from local.sagemaker.listing import Listing, list_operation
from local.sagemaker.packages import ModelRegistry
from local.sagemaker.resources import Resource, utc_now

KIND = "model"


class Models:
    """Create, describe, list and delete of models."""

    def __init__(self, foundation: Foundation, registry: ModelRegistry) -> None:
        self._foundation = foundation
        self._store = foundation.store
        self._registry = registry

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {
            "CreateModel": self.create,
            "DescribeModel": lambda call: self._store.describe(self.find(call, call.parameters["ModelName"])),
            "ListModels": list_operation(
                self._foundation.model, self._store, "ListModels", Listing(KIND, "ModelName", descending=True)
            ),
            "DeleteModel": self._delete,
        }

    def create(self, call: Call) -> Description:
        """Create a model.

        Raises:
            ServiceError: The name is taken, there is no container, or a model package that does not exist is named.
        """
        parameters = call.parameters
        if bool(parameters.get("PrimaryContainer")) == bool(parameters.get("Containers")):
            raise invalid("Give either PrimaryContainer or Containers")
        for container in _given_containers(parameters):
            if "ModelPackageName" in container:
                self._registry.find_package(call, container["ModelPackageName"])
            elif "Image" not in container:
                raise invalid("Give each container an Image or a ModelPackageName")
        description = self._foundation.described_members("DescribeModel", parameters)
        description |= {
            "ModelArn": call.arn(f"{KIND}/{parameters['ModelName']}"),
            "CreationTime": utc_now(),
            "EnableNetworkIsolation": parameters.get("EnableNetworkIsolation", False),
        }
        model = self._foundation.new_resource(call, KIND, parameters["ModelName"], description)
        if not self._store.add(model):
            raise invalid(f'Cannot create already existing model "{model.arn}".')
        return {"ModelArn": model.arn}

    def find(self, call: Call, name: str) -> Resource:
        """Return a model.

        Raises:
            ServiceError: There is none of this name.
        """
        missing = invalid(f'Could not find model "{call.arn(f"{KIND}/{name}")}".')
        return self._foundation.find(call, KIND, name, missing)

    def containers(self, call: Call, name: str) -> list[dict[str, Any]]:
        """Return the containers of a model, those of a model package in the place of the package.

        Raises:
            ServiceError: The model or its package does not exist, or the package is not approved.
        """
        found: list[dict[str, Any]] = []
        for container in _given_containers(self.find(call, name).description):
            if "ModelPackageName" not in container:
                found.append(container)
                continue
            package = self._registry.find_package(call, container["ModelPackageName"]).description
            if package.get("ModelApprovalStatus", "Approved") != "Approved":
                raise invalid(
                    f"Model package {package['ModelPackageArn']} is {package['ModelApprovalStatus']}: "
                    "approve it before it is deployed"
                )
            shared = {key: value for key, value in container.items() if key != "ModelPackageName"}
            inner = package.get("InferenceSpecification", {}).get("Containers", [])
            found += [
                {**each, **shared, "Environment": {**each.get("Environment", {}), **shared.get("Environment", {})}}
                for each in inner
            ]
        return found

    def _delete(self, call: Call) -> Description:
        self._store.remove(self.find(call, call.parameters["ModelName"]))
        return {}


def _given_containers(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    primary = model.get("PrimaryContainer")
    return [*([primary] if primary else []), *model.get("Containers", [])]


def model_data_uri(container: dict[str, Any]) -> str | None:
    """Return where a container's model data lies, or ``None`` for a container without."""
    source: dict[str, Any] = container.get("ModelDataSource", {}).get("S3DataSource", {})
    uri: str | None = container.get("ModelDataUrl") or source.get("S3Uri")
    return uri
