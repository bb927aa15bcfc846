"""The ``/opt/ml`` folder of a job: where it lies on the host, what goes in, what comes out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.sagemaker.foundation import Foundation
from local.sagemaker.mount_namespace import in_namespace, is_available
from local.sagemaker.resources import Resource
from local.sagemaker.runner import ContainerCommand, map_paths

MAX_REASON = 1024  # API reference, FailureReason and ExitMessage


@dataclass(frozen=True)
class ContainerFolder:
    """The scratch folder of one job.

    Attributes:
        root: What stands for the container's ``/``.
        is_mounted: Whether the container's process sees ``/opt/ml`` there, so that nothing needs to be replaced.
    """

    root: Path
    is_mounted: bool = False

    @classmethod
    def of(cls, foundation: Foundation, resource: Resource) -> ContainerFolder:
        """Make the folder of a job, which must be a new one."""
        place = foundation.settings.scratch / resource.account / resource.region / resource.kind
        place.mkdir(parents=True, exist_ok=True)
        # The name of a deleted job may be used again: its folder keeps the logs of the first one.
        earlier = len(list(place.glob(f"{resource.name}*")))
        root = place / (resource.name if not earlier else f"{resource.name}.{earlier}")
        (root / "opt" / "ml").mkdir(parents=True)
        settings = foundation.settings
        return cls(root, settings.mount_folder and is_available(settings.scratch))

    def path(self, container_path: str) -> Path:
        """Return the host's path for an absolute path in the container."""
        return self.root / container_path.lstrip("/")

    def write_json(self, container_path: str, document: object) -> None:
        """Write a JSON file into the container's folder."""
        path = self.path(container_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document), encoding="utf-8")

    def read_text(self, container_path: str) -> str:
        """Return what the container wrote to a file, empty where it wrote none."""
        path = self.path(container_path)
        return path.read_text(encoding="utf-8", errors="replace").strip() if path.is_file() else ""

    @property
    def log(self) -> Path:
        """The file that holds what the container wrote to its standard output and error."""
        return self.root / "container.log"

    def command(
        self, arguments: list[str], environment: Mapping[str, str], working_directory: str = "/opt/ml"
    ) -> ContainerCommand:
        """Return what runs on the host, with ``/opt/ml`` mounted, or replaced in arguments and environment."""
        folder = self.path(working_directory)
        folder.mkdir(parents=True, exist_ok=True)
        if self.is_mounted:
            mounted = in_namespace(arguments, self.root, working_directory)
            return ContainerCommand(mounted, environment, folder, self.log)
        return ContainerCommand(
            arguments=[map_paths(argument, self.root) for argument in arguments],
            environment={name: map_paths(value, self.root) for name, value in environment.items()},
            working_directory=folder,
            log=self.log,
        )


def base_environment(foundation: Foundation, resource: Resource, role_arn: str) -> dict[str, str]:
    """Return the variables that every container of a job starts with."""
    as_role = foundation.role_environment(role_arn, resource.region, resource.account) if role_arn else {}
    return {**foundation.settings.container_environment, **as_role}


def resource_config(instance_type: str, instance_group: str = "homogeneousCluster") -> dict[str, Any]:
    """Return ``resourceconfig.json``; one host does the work whatever the instance count."""
    return {
        "current_host": "algo-1",
        "current_instance_type": instance_type,
        "current_group_name": instance_group,
        "hosts": ["algo-1"],
        "instance_groups": [
            {"instance_group_name": instance_group, "instance_type": instance_type, "hosts": ["algo-1"]}
        ],
        "network_interface_name": "eth0",
    }


def processor_count() -> int:
    """Return the processors that a container sees."""
    return os.cpu_count() or 1


def shorten(reason: str) -> str:
    """Return ``reason`` cut to what the API can hold."""
    return reason[:MAX_REASON]
