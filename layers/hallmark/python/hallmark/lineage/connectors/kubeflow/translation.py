"""From runs, tasks and artifacts of Kubeflow Pipelines to sections.

Field names are those of ``backend/api/v2beta1/run.proto`` and ``artifact.proto`` (kubeflow/pipelines).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hallmark.errors import InvalidInputError
from hallmark.events.records import LineageFlow, LineageNode, LineageSection
from hallmark.lineage.connectors.telling import add_maps, fitting, flow
from hallmark.lineage.intake.naming import Names

TOOL = "kubeflow"

_STATUSES = {
    "PENDING": "InProgress",
    "RUNNING": "InProgress",
    "CANCELING": "InProgress",
    "PAUSED": "InProgress",
    "SUCCEEDED": "Completed",
    "SKIPPED": "Completed",
    "CACHED": "Completed",
    "FAILED": "Failed",
    "CANCELED": "Stopped",
}
_UNENDED = {"InProgress", None}
_WRITTEN = frozenset({"OUTPUT", "ITERATOR_OUTPUT", "ONE_OF_OUTPUT"})
_VALUES = frozenset({"Metric"})
"""Types of artifacts that are a number, not data."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


def _not_the_epoch(time: datetime | None) -> datetime | None:
    # The API writes the beginning of 1970 where there is no time.
    return None if time is None or time.timestamp() <= 0 else time


_Time = Annotated[datetime | None, AfterValidator(_not_the_epoch)]


class Fault(_Answer):
    """Why something failed."""

    message: str = ""


class ArtifactIds(_Answer):
    """Artifacts under one name."""

    artifact_ids: Sequence[str] = ()


class Task(_Answer):
    """A task of a run."""

    task_id: str
    display_name: str = ""
    create_time: _Time = None
    start_time: _Time = None
    end_time: _Time = None
    state: str = ""
    error: Fault | None = None
    inputs: Mapping[str, ArtifactIds] = {}
    outputs: Mapping[str, ArtifactIds] = {}
    parent_task_id: str = ""
    pod_name: str = ""


class RunDetails(_Answer):
    """What ran."""

    task_details: Sequence[Task] = ()


class RuntimeConfig(_Answer):
    """With what it ran."""

    parameters: Mapping[str, Any] = {}
    pipeline_root: str = ""


class PipelineVersion(_Answer):
    """Of which pipeline it was a run."""

    pipeline_id: str = ""
    pipeline_version_id: str = ""


class PipelineRun(_Answer):
    """A run."""

    run_id: str
    experiment_id: str = ""
    display_name: str = ""
    storage_state: str = ""
    pipeline_version_reference: PipelineVersion | None = None
    runtime_config: RuntimeConfig | None = None
    service_account: str = ""
    created_at: datetime
    finished_at: _Time = None
    state: str = ""
    error: Fault | None = None
    run_details: RunDetails | None = None
    recurring_run_id: str = ""


class Artifact(_Answer):
    """An artifact (``/apis/v2beta1/artifacts``)."""

    artifact_id: str
    name: str = ""
    type: str = ""
    uri: str = ""
    metadata: Mapping[str, Any] = {}
    number_value: float | None = None
    created_at: _Time = None


class ArtifactTask(_Answer):
    """That a task read or wrote an artifact (``/apis/v2beta1/artifact_tasks``)."""

    artifact_id: str
    task_id: str = ""
    type: str = ""
    key: str = ""


class Material(_Answer):
    """A run with everything that belongs to it."""

    run: PipelineRun
    artifacts: Mapping[str, Artifact] = Field(default_factory=dict)
    uses: Sequence[ArtifactTask] = ()


def read_run(document: object) -> PipelineRun:
    """Read a run.

    Raises:
        InvalidInputError: It is none.
    """
    return _read(PipelineRun, document)


def read_artifact(document: object) -> Artifact:
    """Read an artifact; raises as ``read_run`` does."""
    return _read(Artifact, document)


def read_use(document: object) -> ArtifactTask:
    """Read a use; raises as ``read_run`` does."""
    return _read(ArtifactTask, document)


Thing = TypeVar("Thing", bound=_Answer)


def _read(kind: type[Thing], document: object) -> Thing:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join((kind.__name__, *map(str, fault["loc"])))
        raise InvalidInputError(place, fault["input"], f"{fault['msg']}; is the address that of the API?") from None


@dataclass(frozen=True)
class Installation:
    """One installation of Kubeflow Pipelines.

    Args:
        name: As policy names it; part of the ids of its things.
        names: The one name of each place, with the policy's aliases (``minio://…`` for an S3 bucket).
    """

    name: str
    names: Names = field(default_factory=Names)

    def run(self, run_id: str) -> LineageNode:
        """Return the node of a run."""
        return LineageNode(kind="run", id=f"{TOOL}:{self.name}/runs/{run_id}")

    def task(self, task_id: str) -> LineageNode:
        """Return the node of a task."""
        return LineageNode(kind="run", id=f"{TOOL}:{self.name}/tasks/{task_id}")

    def artifact(self, artifact_id: str, uri: str) -> LineageNode:
        """Return the node of an artifact: content of its own, even where another one had the same address."""
        if not uri or any(letter.isspace() for letter in uri):
            return LineageNode(kind="dataset", id=f"{TOOL}:{self.name}/artifacts/{artifact_id}")
        digest = sha256(f"{self.name}/artifacts/{artifact_id}".encode()).hexdigest()
        return LineageNode(kind="dataset", id=self.names.of_uri(uri).uri, digest=f"{TOOL}:{digest}")


def sections_of(material: Material, installation: Installation) -> list[LineageSection]:
    """Return what a run, its tasks and its artifacts say."""
    run = material.run
    tasks = run.run_details.task_details if run.run_details else ()
    told = [_run_section(run, installation)]
    told += [_task_section(task, material, installation) for task in tasks]
    told += [
        _artifact_section(artifact, installation, run.created_at)
        for _, artifact in sorted(material.artifacts.items())
        if artifact.type not in _VALUES
    ]
    return [fitting(section) for section in told]


def _run_section(run: PipelineRun, installation: Installation) -> LineageSection:
    status = _STATUSES.get(run.state)
    version = run.pipeline_version_reference or PipelineVersion()
    attributes: dict[str, Any] = {
        "name": run.display_name or run.run_id,
        "started_at": run.created_at.isoformat(),
        "ended_at": run.finished_at.isoformat() if run.finished_at else None,
        "experiment": {"id": run.experiment_id} if run.experiment_id else None,
        "pipeline": version.pipeline_id,
        "pipeline_version": version.pipeline_version_id,
        "recurring_run": run.recurring_run_id,
        "role": run.service_account,
        "failure_reason": run.error.message if run.error else None,
        "lifecycle": "archived" if run.storage_state == "ARCHIVED" else None,
    }
    config = run.runtime_config or RuntimeConfig()
    add_maps(attributes, hyperparameters=config.parameters)
    return LineageSection(
        node=installation.run(run.run_id),
        at=_ended(run.finished_at, run.created_at, status),
        since=run.created_at,
        status=status,
        attributes=_known(attributes),
    )


def _task_section(task: Task, material: Material, installation: Installation) -> LineageSection:
    run = material.run
    began = task.start_time or task.create_time or run.created_at
    status = _STATUSES.get(task.state)
    attributes: dict[str, Any] = {
        "name": task.display_name or task.task_id,
        "started_at": began.isoformat(),
        "ended_at": task.end_time.isoformat() if task.end_time else None,
        "pod": task.pod_name,
        "failure_reason": task.error.message if task.error else None,
        "secondary_status": task.state if task.state in {"SKIPPED", "CACHED"} else None,
    }
    metrics = {
        material.artifacts[use.artifact_id].name or use.key: material.artifacts[use.artifact_id].number_value
        for use in material.uses
        if use.task_id == task.task_id
        and use.type in _WRITTEN
        and use.artifact_id in material.artifacts
        and _is_number(material.artifacts[use.artifact_id].number_value)
    }
    add_maps(attributes, metrics=metrics)
    above = installation.task(task.parent_task_id) if task.parent_task_id else installation.run(run.run_id)
    return LineageSection(
        node=installation.task(task.task_id),
        at=max(_ended(task.end_time, began, status), began),
        since=began,
        status=status,
        attributes=_known(attributes),
        flows=[
            flow(above, "in", "AssociatedWith", task.display_name or "parent"),
            *_uses(task, material, installation),
        ],
    )


def _uses(task: Task, material: Material, installation: Installation) -> list[LineageFlow]:
    """Return what a task read and wrote: as the run tells (by ids), and as the newer API tells (with types)."""
    told = [
        (artifact, name, wrote)
        for names, wrote in ((task.inputs, False), (task.outputs, True))
        for name, listed in names.items()
        for artifact in listed.artifact_ids
    ]
    told += [(use.artifact_id, use.key, use.type in _WRITTEN) for use in material.uses if use.task_id == task.task_id]
    flows: dict[tuple[str, str, bool], LineageFlow] = {}
    for artifact_id, name, wrote in told:
        artifact = material.artifacts.get(artifact_id)
        if artifact is not None and artifact.type in _VALUES:
            continue
        node = installation.artifact(artifact_id, artifact.uri if artifact else "")
        kind = "Produced" if wrote else "ContributedTo"
        flows.setdefault((artifact_id, name, wrote), flow(node, "out" if wrote else "in", kind, name))
    return [flows[key] for key in sorted(flows)]


def _artifact_section(artifact: Artifact, installation: Installation, otherwise: datetime) -> LineageSection:
    attributes: dict[str, Any] = {"name": artifact.name, "type": artifact.type}
    add_maps(attributes, properties=artifact.metadata)
    return LineageSection(
        node=installation.artifact(artifact.artifact_id, artifact.uri),
        at=artifact.created_at or otherwise,
        attributes=_known(attributes),
    )


def _ended(ended: datetime | None, began: datetime, status: str | None) -> datetime:
    return ended if ended is not None and ended > began and status not in _UNENDED else began


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value not in (None, "", {}, [])}
