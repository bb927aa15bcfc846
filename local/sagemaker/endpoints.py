"""Endpoints: created, updated, deleted; what is served changes only when the new configuration is in service."""

from __future__ import annotations

from functools import partial
from typing import Any

from local.sagemaker.contract import Call, Description, Operation, ServiceError
from local.sagemaker.endpoint_configs import EndpointConfigs
from local.sagemaker.foundation import Foundation, invalid
from local.sagemaker.jobs import JobRun
from local.sagemaker.listing import Listing, list_operation
from local.sagemaker.models import Models, model_data_uri
from local.sagemaker.resources import Resource, utc_now
from local.sagemaker.s3_files import StagingError, object_exists

KIND = "endpoint"
_CONFIG_MEMBERS = ("AsyncInferenceConfig", "ExplainerConfig", "MetricsConfig")
_BUSY = {"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}
_RETAINED = {  # API reference, VariantProperty
    "DesiredInstanceCount": ("CurrentInstanceCount", "DesiredInstanceCount"),
    "DesiredWeight": ("CurrentWeight", "DesiredWeight"),
}


class Endpoints:
    """Create, describe, list, update and delete of endpoints."""

    def __init__(self, foundation: Foundation, models: Models, configs: EndpointConfigs) -> None:
        self._foundation = foundation
        self._store = foundation.store
        self._models = models
        self._configs = configs

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        listing = Listing(KIND, "EndpointName", descending=True)
        return {
            "CreateEndpoint": self._create,
            "DescribeEndpoint": lambda call: self._store.describe(self._find(call)),
            "ListEndpoints": list_operation(self._foundation.model, self._store, "ListEndpoints", listing),
            "UpdateEndpoint": self._update,
            "UpdateEndpointWeightsAndCapacities": self._update_weights,
            "DeleteEndpoint": self._delete,
        }

    def _create(self, call: Call) -> Description:
        parameters, now = call.parameters, utc_now()
        config = self._configs.find(call)
        description = {
            "EndpointName": parameters["EndpointName"],
            "EndpointArn": call.arn(f"{KIND}/{parameters['EndpointName']}"),
            "EndpointConfigName": config.name,
            "EndpointStatus": "Creating",
            "CreationTime": now,
            "LastModifiedTime": now,
            **({"LastDeploymentConfig": parameters["DeploymentConfig"]} if "DeploymentConfig" in parameters else {}),
        }
        endpoint = self._foundation.new_resource(call, KIND, parameters["EndpointName"], description)
        if not self._store.add(endpoint):
            raise invalid(f'Cannot create already existing endpoint "{endpoint.arn}".')
        self._foundation.pool.start(endpoint.arn, partial(self._bring_up, endpoint, config), has_container=False)
        return {"EndpointArn": endpoint.arn}

    def _update(self, call: Call) -> Description:
        endpoint, config = self._find(call), self._configs.find(call)
        retained = _retained_properties(call)
        pending = {"EndpointConfigName": config.name, "StartTime": utc_now(), "ProductionVariants": _planned(config)}

        def begin(before: Description) -> Description:
            _check_is_ready(before)
            deployment = call.parameters.get("DeploymentConfig")
            return {
                "EndpointStatus": "Updating",
                "LastModifiedTime": utc_now(),
                "PendingDeploymentSummary": pending,
                "FailureReason": None,
                **({"LastDeploymentConfig": deployment} if deployment else {}),
            }

        self._store.update(endpoint, begin)
        work = partial(self._replace, endpoint, config, retained)
        self._foundation.pool.start(endpoint.arn, work, has_container=False)
        return {"EndpointArn": endpoint.arn}

    def _update_weights(self, call: Call) -> Description:
        endpoint = self._find(call)
        wanted = {entry["VariantName"]: entry for entry in call.parameters["DesiredWeightsAndCapacities"]}

        def begin(before: Description) -> Description:
            _check_is_ready(before)
            variants = before["ProductionVariants"]
            unknown = sorted(set(wanted) - {variant["VariantName"] for variant in variants})
            if unknown:
                raise invalid(f'Could not find variant "{unknown[0]}" of endpoint "{endpoint.arn}".')
            return {
                "EndpointStatus": "Updating",
                "LastModifiedTime": utc_now(),
                "ProductionVariants": [_desiring(each, wanted.get(each["VariantName"], {})) for each in variants],
            }

        self._store.update(endpoint, begin)
        self._foundation.pool.start(endpoint.arn, partial(self._settle, endpoint), has_container=False)
        return {"EndpointArn": endpoint.arn}

    def _delete(self, call: Call) -> Description:
        endpoint = self._find(call)

        def begin(before: Description) -> Description:
            if before["EndpointStatus"] in _BUSY:
                raise invalid(f'Cannot update in-progress endpoint "{endpoint.arn}".')
            return {"EndpointStatus": "Deleting", "LastModifiedTime": utc_now()}

        self._store.update(endpoint, begin)
        self._foundation.pool.start(endpoint.arn, partial(self._remove, endpoint), has_container=False)
        return {}

    def _find(self, call: Call) -> Resource:
        name = call.parameters["EndpointName"]
        missing = invalid(f'Could not find endpoint "{call.arn(f"{KIND}/{name}")}".')
        return self._foundation.find(call, KIND, name, missing)

    def _remove(self, endpoint: Resource, run: JobRun) -> None:
        run.pause(self._foundation.settings.state_seconds)
        self._store.remove(endpoint)

    def _bring_up(self, endpoint: Resource, config: Resource, run: JobRun) -> None:
        run.pause(self._foundation.settings.state_seconds)
        try:
            members = self._serving(endpoint, config)
        except (ServiceError, StagingError) as error:
            failed = {"EndpointStatus": "Failed", "FailureReason": str(error), "LastModifiedTime": utc_now()}
            self._store.update(endpoint, failed)
            return
        self._store.update(endpoint, members)

    def _replace(self, endpoint: Resource, config: Resource, retained: set[str], run: JobRun) -> None:
        """Bring ``config`` into service in the states of a blue/green deployment; go back where that fails."""
        run.pause(self._foundation.settings.state_seconds)
        try:
            members = self._serving(endpoint, config)
        except (ServiceError, StagingError) as error:
            rolling_back = {"EndpointStatus": "RollingBack", "PendingDeploymentSummary": None}
            self._store.update(endpoint, rolling_back | {"LastModifiedTime": utc_now()})
            run.pause(self._foundation.settings.state_seconds)
            as_before = {"EndpointStatus": "InService", "FailureReason": str(error)}
            self._store.update(endpoint, as_before | {"LastModifiedTime": utc_now()})
            return
        serving = {variant["VariantName"]: variant for variant in endpoint.description.get("ProductionVariants", [])}
        for variant in members["ProductionVariants"]:
            earlier = serving.get(variant["VariantName"], {})
            variant |= {name: earlier[name] for name in retained if name in earlier}
        for phase in ("ActivatingTraffic", "Baking"):
            self._store.update(endpoint, partial(_in_phase, phase))
            run.pause(self._foundation.settings.state_seconds)
        self._store.update(endpoint, members)

    def _settle(self, endpoint: Resource, run: JobRun) -> None:
        run.pause(self._foundation.settings.state_seconds)

        def change(before: Description) -> Description:
            variants = [
                {**each, "CurrentWeight": each["DesiredWeight"], "CurrentInstanceCount": each["DesiredInstanceCount"]}
                for each in before["ProductionVariants"]
            ]
            return {"EndpointStatus": "InService", "ProductionVariants": variants, "LastModifiedTime": utc_now()}

        self._store.update(endpoint, change)

    def _serving(self, endpoint: Resource, config: Resource) -> Description:
        """Return the members of an endpoint that serves ``config``.

        Raises:
            ServiceError: A model or its data is not there.
        """
        description = config.description
        members: Description = {
            "EndpointStatus": "InService",
            "EndpointConfigName": config.name,
            "PendingDeploymentSummary": None,
            "LastModifiedTime": utc_now(),
            "DataCaptureConfig": _capture_summary(description.get("DataCaptureConfig")),
            **{name: description.get(name) for name in _CONFIG_MEMBERS},
        }
        for kind in ("ProductionVariants", "ShadowProductionVariants"):
            variants = description.get(kind)
            members[kind] = [self._deployed(endpoint, each) for each in variants] if variants else None
        return members

    def _deployed(self, endpoint: Resource, variant: dict[str, Any]) -> Description:
        images = []
        call = endpoint.call("DescribeModel", {})
        containers = self._models.containers(call, variant["ModelName"]) if "ModelName" in variant else []
        for number, container in enumerate(containers, start=1):
            uri = model_data_uri(container)
            if uri and not object_exists(self._foundation.s3_for(endpoint), uri):
                name = container.get("ContainerHostname", f"container_{number}")
                raise invalid(
                    f'Failed to download model data for container "{name}" from URL: "{uri}". Please ensure that there '
                    "is an object located at the URL and that the role passed to CreateModel has permissions to "
                    "download the object."
                )
            images.append(
                {
                    "SpecifiedImage": container["Image"],
                    "ResolvedImage": self._foundation.images.resolve(container["Image"], endpoint.account),
                    "ResolutionTime": utc_now(),
                }
            )
        return {"VariantName": variant["VariantName"], "DeployedImages": images, **_capacity(variant)}


def _capacity(variant: dict[str, Any]) -> Description:
    weight = float(variant.get("InitialVariantWeight", 1.0))
    serverless = variant.get("ServerlessConfig")
    count = 0 if serverless else int(variant.get("InitialInstanceCount", 1))
    return {
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
        **({"CurrentServerlessConfig": serverless, "DesiredServerlessConfig": serverless} if serverless else {}),
    }


def _planned(config: Resource) -> list[Description]:
    now = utc_now()
    return [
        {
            "VariantName": variant["VariantName"],
            **_capacity(variant),
            "CurrentWeight": 0.0,
            "CurrentInstanceCount": 0,
            "VariantStatus": [{"Status": "Creating", "StartTime": now}],
        }
        for variant in config.description["ProductionVariants"]
    ]


def _in_phase(phase: str, before: Description) -> Description:
    """Return the pending deployment in its next phase (API reference, ProductionVariantStatus)."""
    pending, now = before["PendingDeploymentSummary"], utc_now()
    variants = [
        {
            **variant,
            "CurrentWeight": variant["DesiredWeight"],
            "CurrentInstanceCount": variant["DesiredInstanceCount"],
            "VariantStatus": [{"Status": phase, "StartTime": now}],
        }
        for variant in pending["ProductionVariants"]
    ]
    return {"PendingDeploymentSummary": {**pending, "ProductionVariants": variants}}


def _desiring(variant: Description, wanted: dict[str, Any]) -> Description:
    return variant | {name: wanted[name] for name in ("DesiredWeight", "DesiredInstanceCount") if name in wanted}


def _retained_properties(call: Call) -> set[str]:
    if not call.parameters.get("RetainAllVariantProperties"):
        return set()
    excluded = {entry["VariantPropertyType"] for entry in call.parameters.get("ExcludeRetainedVariantProperties", [])}
    return {name for kind, names in _RETAINED.items() if kind not in excluded for name in names}


def _capture_summary(config: Description | None) -> Description | None:
    if config is None:
        return None
    enabled = config.get("EnableCapture", False)
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId", ""),
    }


def _check_is_ready(endpoint: Description) -> None:
    if endpoint["EndpointStatus"] != "InService":
        raise invalid(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')
