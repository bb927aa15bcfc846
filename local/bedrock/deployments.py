"""Deployments of custom models for calls on demand: CreateCustomModelDeployment and the operations around it.

Sources: Bedrock API reference; user guide, "Deploy a custom model for on-demand inference". A custom model is called by
the ARN of its deployment; its own ARN is refused.
"""

from __future__ import annotations

from local.bedrock.contract import Call, Document, Operation, ServiceError
from local.bedrock.customization import MODEL
from local.bedrock.foundation import Foundation, listed, new_identifier
from local.sagemaker.jobs import JobRun
from local.sagemaker.resources import Resource, utc_now

KIND = "custom-model-deployment"
_PAGE, _MAX_PAGE = 100, 1000
_OF_ALL_JOBS = {"creationTime", "lastModifiedTime"}
"""Kept of every resource; a deployment's own are ``createdAt`` and ``lastUpdatedAt``."""
_SUMMARISED = {
    "customModelDeploymentArn": "customModelDeploymentArn",
    "modelDeploymentName": "customModelDeploymentName",
    "modelArn": "modelArn",
    "createdAt": "createdAt",
    "status": "status",
    "lastUpdatedAt": "lastUpdatedAt",
    "failureMessage": "failureMessage",
}
"""Members of a description, and their names in a list."""


class Deployments:
    """Deploys custom models."""

    def __init__(self, foundation: Foundation) -> None:
        self._foundation = foundation

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {
            "CreateCustomModelDeployment": self._create,
            "GetCustomModelDeployment": self._get,
            "ListCustomModelDeployments": self._list,
            "DeleteCustomModelDeployment": self._delete,
        }

    def _create(self, call: Call) -> Document:
        wanted = call.parameters
        model = self._foundation.find(call, MODEL, wanted["modelArn"])

        def make() -> Resource:
            now = utc_now()
            arn = call.arn(f"{KIND}/{new_identifier()}")
            description = {
                "customModelDeploymentArn": arn,
                "modelDeploymentName": wanted["modelDeploymentName"],
                "modelArn": model.arn,
                "createdAt": now,
                "creationTime": now,
                "status": "Creating",
            }
            if "description" in wanted:
                description["description"] = wanted["description"]
            return Resource(
                kind=KIND,
                name=wanted["modelDeploymentName"],
                arn=arn,
                account=call.account,
                region=call.region,
                partition=call.partition,
                description=description,
                tags={tag["key"]: tag["value"] for tag in wanted.get("tags", ())},
            )

        def start(deployment: Resource) -> None:
            self._foundation.run(
                deployment,
                lambda run: self._deploy(deployment, run),
                lambda reason: {"status": "Failed", "failureMessage": reason},
            )

        return {"customModelDeploymentArn": self._foundation.create_once(call, KIND, make, start)}

    def _deploy(self, deployment: Resource, run: JobRun) -> Document:
        run.pause(self._foundation.settings.state_seconds)
        self._foundation.inference.catalogue.deploy_custom(deployment.arn, deployment.description["modelArn"])
        return {"status": "Active", "lastUpdatedAt": utc_now()}

    def _get(self, call: Call) -> Document:
        described = self._foundation.store.describe(self._find(call))
        return {name: value for name, value in described.items() if name not in _OF_ALL_JOBS}

    def _list(self, call: Call) -> Document:
        wanted = call.parameters
        kept = [
            deployment
            for deployment in self._foundation.store.of_kind(call, KIND)
            if wanted.get("modelArnEquals") in {None, deployment.description["modelArn"]}
        ]
        deployments, token = listed(call, kept, _PAGE, _MAX_PAGE)
        return {"modelDeploymentSummaries": [_summary(deployment) for deployment in deployments]} | token

    def _delete(self, call: Call) -> Document:
        deployment = self._find(call)
        if deployment.status == "Creating":
            raise ServiceError("ConflictException", f"{deployment.arn} is being created: delete it when it is Active.")
        self._foundation.inference.catalogue.remove_deployment(deployment.arn)
        self._foundation.forget(deployment)
        return {}

    def _find(self, call: Call) -> Resource:
        return self._foundation.find(call, KIND, call.parameters["customModelDeploymentIdentifier"])


def _summary(deployment: Resource) -> Document:
    known = deployment.description
    return {name: known[member] for member, name in _SUMMARISED.items() if member in known}
