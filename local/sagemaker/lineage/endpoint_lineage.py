"""The lineage of models and endpoints: what each deployment brought to the endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from local.sagemaker.contract import Description
from local.sagemaker.lineage.maker import EntityMaker, Uses
from local.sagemaker.lineage.registry_lineage import container_uses


@dataclass(frozen=True)
class _Config:
    """An endpoint configuration; one that is made anew under an old name is another."""

    name: str
    made_at: datetime | None = None
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Deployment:
    """One deployment of a configuration to an endpoint."""

    number: int
    action: str
    config: _Config
    uses: Uses
    is_finished: bool = False


class EndpointLineage:
    """Makes the lineage of models and endpoints.

    An endpoint's description names neither models nor packages, and its configuration and models may be deleted while
    it serves: they are remembered from the changes that told of them.
    """

    def __init__(self) -> None:
        self._uses_of_model: dict[str, Uses] = {}
        self._configs: dict[str, _Config] = {}
        self._deployments: dict[str, _Deployment] = {}

    def forget(self) -> None:
        """Forget the models, configurations and deployments seen."""
        self._uses_of_model.clear()
        self._configs.clear()
        self._deployments.clear()

    def make_model(self, maker: EntityMaker) -> None:
        """Make the artifacts of a model's images, data and packages."""
        model = maker.change.description
        containers = [model.get("PrimaryContainer") or {}, *model.get("Containers", ())]
        uses: Uses = []
        for container in containers:
            uses += container_uses(container)
            package = container.get("ModelPackageName")
            if package:
                arn = package if package.startswith("arn:") else maker.resource_arn(f"model-package/{package}")
                uses.append(("Model", arn))
        maker.artifacts(uses)
        self._uses_of_model[maker.resource_arn(f"model/{model['ModelName']}")] = uses

    def note_config(self, maker: EntityMaker) -> None:
        """Remember the models of an endpoint configuration."""
        config = maker.change.description
        variants = [*config.get("ProductionVariants", ()), *config.get("ShadowProductionVariants", ())]
        models = tuple(maker.resource_arn(f"model/{each['ModelName']}") for each in variants if "ModelName" in each)
        name = config["EndpointConfigName"]
        self._configs[maker.resource_arn(f"endpoint-config/{name}")] = _Config(name, config["CreationTime"], models)

    def make_endpoint(self, maker: EntityMaker) -> None:
        """Artifacts contribute to an action for each deployment; the action belongs to the endpoint's context.

        Which configuration an update brings is known when the endpoint is in service with it.
        """
        endpoint = maker.change.description
        status, made_at = endpoint["EndpointStatus"], endpoint["CreationTime"]
        context = maker.context("Endpoint", made_at, "-aws-endpoint")
        name = endpoint["EndpointConfigName"]
        config = self._configs.get(maker.resource_arn(f"endpoint-config/{name}"), _Config(name))
        deployment = self._deployments.get(context.arn)
        if deployment is None:
            deployment = self._new_deployment(maker, 1, made_at, config)
        elif deployment.is_finished and (status != "InService" or deployment.config == config):
            return
        elif deployment.is_finished:
            deployment = self._new_deployment(maker, deployment.number + 1, endpoint["LastModifiedTime"], config)
        progress = {"InService": "Completed", "Failed": "Failed"}.get(status, "InProgress")
        self._deployments[context.arn] = replace(deployment, is_finished=progress != "InProgress")
        action = maker.action(deployment.action, "ModelDeployment", str(deployment.number), progress)
        for artifact in maker.artifacts([*deployment.uses, *_deployed_images(endpoint)]):
            maker.associate(artifact, action, "ContributedTo")
        maker.associate(action, context, "AssociatedWith")

    def _new_deployment(self, maker: EntityMaker, number: int, begun_at: datetime, config: _Config) -> _Deployment:
        endpoint = maker.change.description["EndpointName"]
        uses = [use for model in config.models for use in self._uses_of_model.get(model, ())]
        return _Deployment(number, f"{endpoint}-{number}-{int(begun_at.timestamp())}-aws-endpoint", config, uses)


def _deployed_images(endpoint: Description) -> Iterator[tuple[str, str]]:
    for variant in endpoint.get("ProductionVariants", ()):
        for image in variant.get("DeployedImages", ()):
            if "SpecifiedImage" in image:
                yield "Image", image["SpecifiedImage"]
