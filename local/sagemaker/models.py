"""Models: containers with their data, to be served or to transform with."""

from __future__ import annotations

from local.sagemaker.contract import Call, Description, Operation
from local.sagemaker.foundation import Foundation, invalid
from local.sagemaker.listing import Listing, list_operation
from local.sagemaker.resources import Resource, utc_now

KIND = "model"


class Models:
    """Create, describe, list and delete of models."""

    def __init__(self, foundation: Foundation) -> None:
        self._foundation = foundation
        self._store = foundation.store

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
            ServiceError: The name is taken, or there is no container.
        """
        parameters = call.parameters
        if not parameters.get("PrimaryContainer") and not parameters.get("Containers"):
            raise invalid("Give PrimaryContainer or Containers: a model needs one")
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

    def _delete(self, call: Call) -> Description:
        self._store.remove(self.find(call, call.parameters["ModelName"]))
        return {}
