"""The lineage that SageMaker makes by itself for jobs, models, model packages and endpoints.

What is made is told by "Amazon SageMaker AI-Created Tracking Entities" (developer guide); of what type, by what names,
and which way the associations point, by answers of the service that were published: the lineage notebooks of
amazon-sagemaker-examples with their outputs, the integration tests of the SDK for Python, the stubs of DataHub's
SageMaker source.
"""

from __future__ import annotations

from collections.abc import Callable

from local.sagemaker.contract import ResourceChanged
from local.sagemaker.lineage.delayed import DelayedWork
from local.sagemaker.lineage.endpoint_lineage import EndpointLineage
from local.sagemaker.lineage.entities import LineageStore
from local.sagemaker.lineage.job_lineage import make_processing_lineage, make_training_lineage, make_transform_lineage
from local.sagemaker.lineage.maker import EntityMaker
from local.sagemaker.lineage.registry_lineage import RegistryLineage


class AutomaticLineage:
    """Listens to changes of resources, and makes their lineage some time later; nothing of it is ever taken back.

    Args:
        store: Where the entities go.
        delay_seconds: How much later.
    """

    def __init__(self, store: LineageStore, delay_seconds: float) -> None:
        self._store = store
        self._registry = RegistryLineage()
        self._endpoints = EndpointLineage()
        self._later = DelayedWork(self._make, delay_seconds)
        self._makes: dict[str, Callable[[EntityMaker], None]] = {
            "training-job": make_training_lineage,
            "processing-job": make_processing_lineage,
            "transform-job": make_transform_lineage,
            "model-package-group": self._registry.make_group,
            "model-package": self._registry.make_package,
            "model": self._endpoints.make_model,
            "endpoint-config": self._endpoints.note_config,
            "endpoint": self._endpoints.make_endpoint,
        }

    def __call__(self, change: ResourceChanged) -> None:
        """Hear of a change."""
        if change.kind in self._makes and not change.deleted:
            self._later.put(change)

    def flush(self, timeout_seconds: float = 10.0) -> bool:
        """Wait until the lineage of all changes so far is made; tell whether that came within the time."""
        return self._later.flush(timeout_seconds)

    def forget(self) -> None:
        """Forget the changes whose lineage is not made yet, and what was remembered of those before."""
        self._later.discard()
        self._registry.forget()
        self._endpoints.forget()

    def _make(self, change: ResourceChanged) -> None:
        with self._store.lock:
            account = self._store.of(change.partition, change.region, change.account)
            self._makes[change.kind](EntityMaker(account, change))
