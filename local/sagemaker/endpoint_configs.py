"""Endpoint configurations: which models an endpoint is to serve, and on how many instances."""

from __future__ import annotations

from local.sagemaker.contract import Call, Description, Operation
from local.sagemaker.foundation import Foundation, invalid
from local.sagemaker.listing import Listing, list_operation
from local.sagemaker.models import Models
from local.sagemaker.resources import Resource, utc_now

KIND = "endpoint-config"


class EndpointConfigs:
    """Create, describe, list and delete of endpoint configurations."""

    def __init__(self, foundation: Foundation, models: Models) -> None:
        self._foundation = foundation
        self._store = foundation.store
        self._models = models

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        listing = Listing(KIND, "EndpointConfigName", descending=True)
        return {
            "CreateEndpointConfig": self._create,
            "DescribeEndpointConfig": lambda call: self._store.describe(self.find(call)),
            "ListEndpointConfigs": list_operation(self._foundation.model, self._store, "ListEndpointConfigs", listing),
            "DeleteEndpointConfig": self._delete,
        }

    def find(self, call: Call) -> Resource:
        """Return the configuration that a request names.

        Raises:
            ServiceError: There is none of this name.
        """
        name = call.parameters["EndpointConfigName"]
        missing = invalid(f'Could not find endpoint configuration "{call.arn(f"{KIND}/{name}")}".')
        return self._foundation.find(call, KIND, name, missing)

    def _create(self, call: Call) -> Description:
        parameters = call.parameters
        variants = [*parameters["ProductionVariants"], *parameters.get("ShadowProductionVariants", [])]
        names = [variant["VariantName"] for variant in variants]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise invalid(f"More than one variant is named {', '.join(repeated)}: name each once")
        for variant in variants:
            if "ModelName" in variant:
                self._models.find(call, variant["ModelName"])
        description = self._foundation.described_members("DescribeEndpointConfig", parameters)
        description |= {
            "EndpointConfigArn": call.arn(f"{KIND}/{parameters['EndpointConfigName']}"),
            "CreationTime": utc_now(),
            "EnableNetworkIsolation": parameters.get("EnableNetworkIsolation", False),
        }
        config = self._foundation.new_resource(call, KIND, parameters["EndpointConfigName"], description)
        if not self._store.add(config):
            raise invalid(f'Cannot create already existing endpoint configuration "{config.arn}".')
        return {"EndpointConfigArn": config.arn}

    def _delete(self, call: Call) -> Description:
        self._store.remove(self.find(call))
        return {}
