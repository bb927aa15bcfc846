"""Endpoint configurations and endpoints: created, updated, deleted; what is served changes only at the end."""

from __future__ import annotations

from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.foundation import Foundation, invalid
from local.sagemaker.jobs import JobRun
from local.sagemaker.listing import Listing, list_operation
from local.sagemaker.models import Models
from local.sagemaker.packages import PACKAGE
from local.sagemaker.resources import Resource, utc_now

CONFIG = "endpoint-config"
ENDPOINT = "endpoint"


class Endpoints:
    """Create, describe, list, update and delete of configurations and endpoints."""

    def __init__(self, foundation: Foundation, models: Models) -> None:
        self._foundation = foundation
        self._store = foundation.store
        self._models = models

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        model = self._foundation.model
        configs = Listing(CONFIG, "EndpointConfigName", descending=True)
        endpoints = Listing(ENDPOINT, "EndpointName", descending=True)
        return {
            "CreateEndpointConfig": self._create_config,
            "DescribeEndpointConfig": lambda call: self._store.describe(self._config(call)),
            "ListEndpointConfigs": list_operation(model, self._store, "ListEndpointConfigs", configs),
            "DeleteEndpointConfig": self._delete_config,
            "CreateEndpoint": self._create,
            "DescribeEndpoint": lambda call: self._store.describe(self._endpoint(call)),
            "ListEndpoints": list_operation(model, self._store, "ListEndpoints", endpoints),
            "UpdateEndpoint": self._update,
            "DeleteEndpoint": self._delete,
        }

    def _create_config(self, call: Call) -> Description:
        parameters = call.parameters
        for variant in parameters["ProductionVariants"]:
            if variant.get("ModelName"):
                self._models.find(call, variant["ModelName"])
        description = self._foundation.described_members("DescribeEndpointConfig", parameters)
        description |= {
            "EndpointConfigArn": call.arn(f"{CONFIG}/{parameters['EndpointConfigName']}"),
            "CreationTime": utc_now(),
        }
        config = self._foundation.new_resource(call, CONFIG, parameters["EndpointConfigName"], description)
        if not self._store.add(config):
            raise invalid(f'Cannot create already existing endpoint configuration "{config.arn}".')
        return {"EndpointConfigArn": config.arn}

    def _create(self, call: Call) -> Description:
        parameters, now = call.parameters, utc_now()
        config = self._config(call)
        description = {
            "EndpointName": parameters["EndpointName"],
            "EndpointArn": call.arn(f"{ENDPOINT}/{parameters['EndpointName']}"),
            "EndpointConfigName": config.name,
            "EndpointStatus": "Creating",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        endpoint = self._foundation.new_resource(call, ENDPOINT, parameters["EndpointName"], description)
        if not self._store.add(endpoint):
            raise invalid(f'Cannot create already existing endpoint "{endpoint.arn}".')
        self._foundation.pool.start(endpoint.arn, partial(self._serve, endpoint, config), has_container=False)
        return {"EndpointArn": endpoint.arn}

    def _update(self, call: Call) -> Description:
        endpoint, config = self._endpoint(call), self._config(call)
        pending = {"EndpointConfigName": config.name, "StartTime": utc_now(), "ProductionVariants": _planned(config)}

        def begin(before: Description) -> Description:
            if before["EndpointStatus"] != "InService":
                raise invalid(f"Cannot update in-progress endpoint {endpoint.arn}: it is {before['EndpointStatus']}")
            return {
                "EndpointStatus": "Updating",
                "LastModifiedTime": utc_now(),
                "PendingDeploymentSummary": pending,
            }

        self._store.update(endpoint, begin)
        self._foundation.pool.start(endpoint.arn, partial(self._serve, endpoint, config), has_container=False)
        return {"EndpointArn": endpoint.arn}

    def _delete(self, call: Call) -> Description:
        endpoint = self._endpoint(call)
        if not self._store.update(endpoint, _deleting):
            raise invalid(f"Cannot update in-progress endpoint {endpoint.arn}")
        self._foundation.pool.start(endpoint.arn, partial(self._remove, endpoint), has_container=False)
        return {}

    def _remove(self, endpoint: Resource, run: JobRun) -> None:
        run.pause(self._foundation.settings.state_seconds)
        self._store.remove(endpoint)

    def _serve(self, endpoint: Resource, config: Resource, run: JobRun) -> None:
        """Bring the config into service; what is served until then stays where that fails."""
        run.pause(self._foundation.settings.state_seconds)
        was_serving = "ProductionVariants" in endpoint.description
        try:
            variants = [self._deployed(endpoint, variant) for variant in config.description["ProductionVariants"]]
        except ServiceError as error:
            status = "InService" if was_serving else "Failed"
            members: Description = {"FailureReason": error.message, "PendingDeploymentSummary": None}
            self._store.update(endpoint, members | {"EndpointStatus": status, "LastModifiedTime": utc_now()})
            return
        self._store.update(
            endpoint,
            {
                "EndpointStatus": "InService",
                "EndpointConfigName": config.name,
                "ProductionVariants": variants,
                "PendingDeploymentSummary": None,
                "FailureReason": None,
                "LastModifiedTime": utc_now(),
            },
        )

    def _deployed(self, endpoint: Resource, variant: dict[str, Any]) -> Description:
        model = self._models.find(endpoint.call("DescribeModel", {}), variant["ModelName"])
        containers = [
            *([model.description["PrimaryContainer"]] if model.description.get("PrimaryContainer") else []),
            *model.description.get("Containers", []),
        ]
        images = []
        for container in (inner for outer in containers for inner in self._inner(endpoint, outer)):
            self._check_data(endpoint, container)
            images.append(
                {
                    "SpecifiedImage": container["Image"],
                    "ResolvedImage": self._foundation.images.resolve(container["Image"], endpoint.account),
                    "ResolutionTime": utc_now(),
                }
            )
        count = int(variant.get("InitialInstanceCount", 1))
        weight = float(variant.get("InitialVariantWeight", 1.0))
        return {
            "VariantName": variant["VariantName"],
            "DeployedImages": images,
            "CurrentWeight": weight,
            "DesiredWeight": weight,
            "CurrentInstanceCount": count,
            "DesiredInstanceCount": count,
        }

    def _inner(self, endpoint: Resource, container: dict[str, Any]) -> list[dict[str, Any]]:
        """Return a container, or those of the package that it names."""
        given = container.get("ModelPackageName")
        if not given:
            return [container]
        call = endpoint.call("DescribeModelPackage", {})
        name = given.partition(f":{PACKAGE}/")[2] or given
        package = self._foundation.find(call, PACKAGE, name, invalid(f"ModelPackage {given} does not exist"))
        if package.description.get("ModelApprovalStatus", "Approved") != "Approved":
            raise invalid(f"Model package {given} is not approved: approve it before it is deployed")
        found: list[dict[str, Any]] = package.description["InferenceSpecification"]["Containers"]
        return found

    def _check_data(self, endpoint: Resource, container: dict[str, Any]) -> None:
        bucket, _, key = str(container.get("ModelDataUrl", "")).removeprefix("s3://").partition("/")
        if not key:
            return
        try:
            self._foundation.s3_for(endpoint).head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            raise invalid(f"Could not find model data at {container['ModelDataUrl']}.") from error

    def _config(self, call: Call) -> Resource:
        name = call.parameters["EndpointConfigName"]
        missing = invalid(f'Could not find endpoint configuration "{call.arn(f"{CONFIG}/{name}")}".')
        return self._foundation.find(call, CONFIG, name, missing)

    def _endpoint(self, call: Call) -> Resource:
        name = call.parameters["EndpointName"]
        return self._foundation.find(
            call, ENDPOINT, name, invalid(f'Could not find endpoint "{call.arn(f"{ENDPOINT}/{name}")}".')
        )

    def _delete_config(self, call: Call) -> Description:
        self._store.remove(self._config(call))
        return {}


def _planned(config: Resource) -> list[Description]:
    return [
        {
            "VariantName": variant["VariantName"],
            "CurrentWeight": 0.0,
            "DesiredWeight": float(variant.get("InitialVariantWeight", 1.0)),
            "CurrentInstanceCount": 0,
            "DesiredInstanceCount": int(variant.get("InitialInstanceCount", 1)),
            "VariantStatus": [{"Status": "Creating", "StartTime": utc_now()}],
        }
        for variant in config.description["ProductionVariants"]
    ]


def _deleting(before: Description) -> Description | None:
    if before["EndpointStatus"] in {"Creating", "Updating", "Deleting"}:
        return None
    return {"EndpointStatus": "Deleting", "LastModifiedTime": utc_now()}
