"""The resources of the stand-in: what exists in which account and Region, and who hears of a change."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.sagemaker.contract import Call, Description, Listener, ResourceChanged

STATUS_MEMBERS = {
    "training-job": "TrainingJobStatus",
    "processing-job": "ProcessingJobStatus",
    "transform-job": "TransformJobStatus",
    "hyper-parameter-tuning-job": "HyperParameterTuningJobStatus",
    "job": "JobStatus",
    "model-package": "ModelPackageStatus",
    "model-package-group": "ModelPackageGroupStatus",
    "endpoint": "EndpointStatus",
    "feature-group": "FeatureGroupStatus",
    "pipeline": "PipelineStatus",
    "pipeline-execution": "PipelineExecutionStatus",
    "pipeline-step": "StepStatus",
    "model-card": "ModelCardStatus",
    # Bedrock's stand-in keeps its jobs in the same store.
    "evaluation-job": "status",
    "model-invocation-job": "status",
    "model-customization-job": "status",
}


Members = Mapping[str, Any]
Change = Members | Callable[[Description], Members | None]


def utc_now() -> datetime:
    """Return the time now, to the millisecond, which is what AWS's JSON carries."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


@dataclass(eq=False)
class Resource:
    """One resource; ``description`` is what its Describe operation answers."""

    kind: str
    name: str
    arn: str
    account: str
    region: str
    partition: str
    description: Description
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> str | None:
        """The state that Describe shows, or ``None`` for kinds without one."""
        member = STATUS_MEMBERS.get(self.kind)
        return self.description.get(member) if member else None

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Call:
        """Return a call that the service itself makes on behalf of this resource."""
        return Call(operation, parameters, self.account, self.region, self.partition, caller_arn=self.arn)


def tags_of(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of a request as a map."""
    return {tag["Key"]: tag["Value"] for tag in parameters.get("Tags", ())}


class ResourceStore:
    """All resources, by account, Region and kind; safe for threads; each change is told to the listeners."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.listeners: list[Listener] = []
        self._resources: dict[tuple[str, str, str], dict[str, Resource]] = {}

    def add(self, resource: Resource) -> bool:
        """Keep ``resource`` unless its name is taken; tell whether it was new, and the listeners if so."""
        with self.lock:
            named = self._named(resource.account, resource.region, resource.kind)
            if resource.name in named:
                return False
            named[resource.name] = resource
            change = self._change(resource, None)
        self.announce(change)
        return True

    def find(self, call: Call, kind: str, name: str) -> Resource | None:
        """Return the resource of the caller's account and Region with this name, if there is one."""
        with self.lock:
            return self._named(call.account, call.region, kind).get(name)

    def find_arn(self, arn: str) -> Resource | None:
        """Return the resource with this ARN, if there is one."""
        with self.lock:
            found = (r for named in self._resources.values() for r in named.values() if r.arn == arn)
            return next(found, None)

    def of_kind(self, call: Call, kind: str) -> list[Resource]:
        """Return the resources of one kind in the caller's account and Region, oldest first."""
        with self.lock:
            return list(self._named(call.account, call.region, kind).values())

    def update(self, resource: Resource, change: Change, *, silent: bool = False) -> bool:
        """Change members of the description and tell the listeners.

        Args:
            resource: What changes.
            change: The new values, ``None`` for a member to drop; or a function of the description, called under the
                lock, that gives them, or ``None`` where nothing is to change after all.
            silent: Tell nobody: the change is no change of state.

        Returns:
            Whether a change was made.
        """
        with self.lock:
            members = change(resource.description) if callable(change) else change
            if members is None:
                return False
            previous = resource.status
            resource.description.update(members)
            for name in [name for name, value in members.items() if value is None]:
                del resource.description[name]
            told = self._change(resource, previous)
        if not silent:
            self.announce(told)
        return True

    def remove(self, resource: Resource) -> None:
        """Forget ``resource`` and tell the listeners what it was."""
        with self.lock:
            self._named(resource.account, resource.region, resource.kind).pop(resource.name, None)
            change = self._change(resource, resource.status, deleted=True)
        self.announce(change)

    def describe(self, resource: Resource) -> Description:
        """Return a copy of the description that no later change reaches."""
        with self.lock:
            return copy.deepcopy(resource.description)

    def announce(self, change: ResourceChanged) -> None:
        """Tell the listeners of a change, outside the lock so that they may call the service."""
        for listener in self.listeners:
            listener(change)

    def clear(self) -> None:
        """Forget everything, without telling anybody."""
        with self.lock:
            self._resources.clear()

    def _named(self, account: str, region: str, kind: str) -> dict[str, Resource]:
        return self._resources.setdefault((account, region, kind), {})

    def _change(self, resource: Resource, previous: str | None, *, deleted: bool = False) -> ResourceChanged:
        return ResourceChanged(
            kind=resource.kind,
            arn=resource.arn,
            account=resource.account,
            region=resource.region,
            partition=resource.partition,
            description=copy.deepcopy(resource.description),
            tags=dict(resource.tags),
            previous_status=previous,
            deleted=deleted,
        )
