"""SageMaker's lineage API whole, and the lineage that SageMaker makes by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from local.sagemaker.contract import Call, Description, Listener, Operation
from local.sagemaker.lineage.association_operations import AssociationOperations
from local.sagemaker.lineage.automatic import AutomaticLineage
from local.sagemaker.lineage.entities import LineageStore
from local.sagemaker.lineage.entity_operations import entity_operations
from local.sagemaker.lineage.group_operations import GroupOperations
from local.sagemaker.lineage.limits import LineageLimits, LineageSettings
from local.sagemaker.lineage.query import LineageQuery
from local.sagemaker.lineage.tag_operations import TagOperations
from local.sagemaker.lineage.trial_component_operations import TrialComponentOperations

__all__ = ["AutomaticLineage", "LineageLimits", "LineageSettings", "register"]


class Host(Protocol):
    """What lineage needs of the service that it joins."""

    operations: dict[str, Operation]
    listeners: list[Listener]
    reset_hooks: list[Callable[[], None]]


def register(service: Host, settings: LineageSettings | None = None) -> AutomaticLineage:
    """Add the lineage operations to ``service`` and let lineage hear of its changes and resets.

    AddTags, DeleteTags and ListTags that the service has already are called for ARNs that are not lineage's.

    Args:
        service: The service; called last by its constructor.
        settings: Limits and delay.

    Returns:
        The listener, which tells when the lineage of all changes is made.
    """
    settings = settings or LineageSettings()
    store = LineageStore()
    automatic = AutomaticLineage(store, settings.delay_seconds)
    operations: dict[str, Operation] = {
        **entity_operations(store, settings.limits),
        **AssociationOperations(store, settings.limits).operations(),
        **GroupOperations(store).operations(),
        **TrialComponentOperations(store).operations(),
        "QueryLineage": LineageQuery(store),
    }
    service.operations |= {name: _alone(store, operation) for name, operation in operations.items()}
    service.operations |= TagOperations(store, service.operations).operations()
    service.listeners.append(automatic)

    def reset() -> None:
        automatic.forget()
        store.clear()

    service.reset_hooks.append(reset)
    return automatic


def _alone(store: LineageStore, operation: Operation) -> Operation:
    def answer(call: Call) -> Description:
        with store.lock:
            return operation(call)

    return answer
