"""From MLflow's things to sections: functions of what MLflow keeps, so telling them again changes nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from hallmark.events.records import LineageFlow, LineageNode, LineageSection
from hallmark.lineage.connectors.mlflow.entities import (
    Alias,
    Dataset,
    DatasetInput,
    LoggedModel,
    ModelVersion,
    RegisteredModel,
    Run,
    as_map,
)
from hallmark.lineage.connectors.telling import add_maps, fitting, flow, from_milliseconds, resource_flows
from hallmark.lineage.credentials import without_login
from hallmark.lineage.intake.naming import Names
from hallmark.lineage.model import canonical_digest
from hallmark.lineage.references import code_ref, image_ref

TOOL = "mlflow"

# RunStatus of mlflow/protos/service.proto.
_STATUSES = {"RUNNING": "InProgress", "FINISHED": "Completed", "FAILED": "Failed", "KILLED": "Stopped"}
_NO_STAGE = {"", "None"}
_PROXIED = "mlflow-artifacts:"

FindModel = Callable[[str], LoggedModel | None]
"""A logged model by its id; None for one that is gone."""


@dataclass(frozen=True)
class Server:
    """One MLflow server.

    Args:
        name: As policy names it; part of the ids of its things.
        artifacts: Where the artifacts lie that the server hands out itself (``mlflow-artifacts:``), as an S3 URI.
        names: The one name of each place, with the policy's aliases.
    """

    name: str
    artifacts: str = ""
    names: Names = field(default_factory=Names)

    def run(self, run_id: str) -> LineageNode:
        """Return the node of a run."""
        return LineageNode(kind="run", id=f"{TOOL}:{self.name}/runs/{run_id}")

    def model(self, name: str, created: int | None = None) -> LineageNode:
        """Return the node of a registered model; without its creation time, of whichever had the name then."""
        return LineageNode(kind="registered-model", id=f"{TOOL}:{self.name}/models/{name}", born=_born(created))

    def version(self, name: str, version: str, created: int | None = None) -> LineageNode:
        """Return the node of a version."""
        return LineageNode(
            kind="model-version", id=f"{TOOL}:{self.name}/models/{name}/versions/{version}", born=_born(created)
        )

    def alias(self, name: str, alias: str) -> LineageNode:
        """Return the node of an alias: MLflow's own spelling is ``models:/<name>@<alias>``."""
        return LineageNode(kind="model-alias", id=f"{TOOL}:{self.name}/models/{name}@{alias}")

    def user(self, name: str) -> LineageNode:
        """Return the node of a person as MLflow knows them."""
        return LineageNode(kind="user", id=f"{TOOL}:{self.name}/users/{name}")

    def place(self, uri: str) -> str:
        """Return where an artifact lies: what the server hands out itself is named by the server, or lies in S3."""
        if not uri.startswith(_PROXIED):
            return self.names.of_uri(uri).uri
        path = urlsplit(uri).path.lstrip("/")
        return f"{self.artifacts.rstrip('/')}/{path}" if self.artifacts else f"mlflow-artifacts://{self.name}/{path}"


def _born(created: int | None) -> datetime | None:
    return None if created is None else from_milliseconds(created).replace(microsecond=0)


def run_sections(run: Run, server: Server, experiment: str, find_model: FindModel) -> list[LineageSection]:
    """Return what a run's beginning and its end say: what went in, and what came out.

    A run that MLflow has not ended has its beginning only.
    """
    tags, node = as_map(run.data.tags), server.run(run.info.run_id)
    status = _STATUSES.get(run.info.status)
    if not run.info.start_time:
        return []
    started = from_milliseconds(run.info.start_time)
    attributes: dict[str, Any] = {
        "name": run.info.run_name or tags.get("mlflow.runName") or run.info.run_id,
        "started_at": started.isoformat(),
        "experiment": {"id": run.info.experiment_id, **({"name": experiment} if experiment else {})},
        "entrypoint": tags.get("mlflow.source.name") or None,
        "code": _code(tags),
        "created_by": _user_of(run),
        "datasets": [_dataset_told(use) for use in run.inputs.dataset_inputs],
    }
    sections = [
        LineageSection(
            node=node,
            at=started,
            status="InProgress",
            attributes=_known(attributes),
            flows=[*_run_inputs(run, server, find_model), *resource_flows(tags.values())],
        )
    ]
    ended = from_milliseconds(run.info.end_time) if run.info.end_time else None
    if ended is not None and status not in {None, "InProgress"}:
        outputs = [find_model(use.model_id) for use in run.outputs.model_outputs]
        told: dict[str, Any] = {
            "ended_at": ended.isoformat(),
            "duration_seconds": (run.info.end_time - run.info.start_time) / 1000,
        }
        add_maps(
            told,
            hyperparameters=as_map(run.data.params),
            metrics={metric.key: metric.value for metric in run.data.metrics if _is_number(metric.value)},
            tags={name: value for name, value in tags.items() if not name.startswith("mlflow.")},
        )
        flows = [
            flow(LineageNode(kind="dataset", id=server.place(model.info.artifact_uri)), "out", "Produced", "model")
            for model in outputs
            if model is not None and model.info.artifact_uri
        ]
        sections.append(LineageSection(node=node, at=ended, status=status, attributes=told, flows=flows))
    return [fitting(section) for section in sections]


def _run_inputs(run: Run, server: Server, find_model: FindModel) -> list[LineageFlow]:
    tags = as_map(run.data.tags)
    flows = [
        flow(
            data_node(use.dataset, server), "in", "ContributedTo", as_map(use.tags).get("mlflow.data.context", "input")
        )
        for use in run.inputs.dataset_inputs
    ]
    for use in run.inputs.model_inputs:
        model = find_model(use.model_id)
        if model is not None and model.info.artifact_uri:
            place = LineageNode(kind="dataset", id=server.place(model.info.artifact_uri))
            flows.append(flow(place, "in", "ContributedTo", "model"))
    if commit := tags.get("mlflow.source.git.commit"):
        code = code_ref(_repository(tags), commit)
        flows.append(flow(LineageNode(kind="code", id=code.id), "in", "ContributedTo", "code"))
    if image := tags.get("mlflow.docker.image.uri"):
        found = image_ref(image, _image_digest(tags.get("mlflow.docker.image.id", "")))
        flows.append(flow(LineageNode(kind="image", id=found.id), "in", "ContributedTo", "image"))
    if parent := tags.get("mlflow.parentRunId"):
        flows.append(flow(server.run(parent), "in", "AssociatedWith", "parent"))
    if user := _user_of(run):
        flows.append(flow(server.user(user), "in", "AssociatedWith", "created-by"))
    return flows


def _user_of(run: Run) -> str | None:
    # MLflow's client writes "unknown" where it does not know.
    user = as_map(run.data.tags).get("mlflow.user") or run.info.user_id
    return user if user and user != "unknown" else None


def _image_digest(identifier: str) -> str | None:
    # Docker's id of an image is the digest of its configuration; only a repository digest is that of its manifest.
    _, mark, digest = identifier.partition("@")
    return digest if mark else None


def _repository(tags: dict[str, str]) -> str | None:
    url = tags.get("mlflow.source.git.repoURL")
    return without_login(url) if url else None


def _code(tags: dict[str, str]) -> dict[str, Any]:
    found = {
        "repository": _repository(tags),
        "commit": tags.get("mlflow.source.git.commit"),
        "branch": tags.get("mlflow.source.git.branch"),
        "dirty": tags["mlflow.source.git.dirty"] == "true" if "mlflow.source.git.dirty" in tags else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def data_node(dataset: Dataset, server: Server) -> LineageNode:
    """Return the node of a dataset's content.

    MLflow's digest has eight hexadecimal digits: on its own it makes strangers the same. With the name, the schema and
    the profile (rows, elements) it tells content as well as MLflow does, on whatever server, under whatever address.
    """
    told = [dataset.name, dataset.digest, _parsed(dataset.schema_), _parsed(dataset.profile)]
    digest = f"mlflow:{canonical_digest(told)}" if dataset.digest else None
    return LineageNode(kind="dataset", id=_data_uri(dataset, server), digest=digest)


def _data_uri(dataset: Dataset, server: Server) -> str:
    source = _parsed(dataset.source)
    found = source if isinstance(source, dict) else {}
    # dict forms of mlflow/data/*_dataset_source.py: "uri" of S3, GCS, DBFS and local files, "url" of HTTP, "path" of
    # Hugging Face, Delta and Unity Catalog.
    for name in ("uri", "url", "path", "delta_table_name", "table_name"):
        value = found.get(name)
        if isinstance(value, str) and value:
            return server.names.of_uri(_with_scheme(value, dataset.source_type)).uri
    return f"{TOOL}:{server.name}/datasets/{dataset.name or dataset.digest}"


def _with_scheme(value: str, source_type: str) -> str:
    value = without_login(value)
    if "://" in value:
        return value.partition("?")[0] if value.startswith("http") else value
    if value.startswith("/"):
        return f"file://{value}"
    return f"{'hf' if source_type == 'hf' else source_type or 'file'}://{value}"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return text


def _dataset_told(use: DatasetInput) -> dict[str, Any]:
    found = {
        "name": use.dataset.name,
        "digest": use.dataset.digest,
        "source_type": use.dataset.source_type,
        "role": as_map(use.tags).get("mlflow.data.context"),
    }
    return {name: value for name, value in found.items() if value}


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _known(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value not in (None, "", {}, [])}


def lifecycle_section(node: LineageNode, lifecycle: str, seen_at: datetime) -> LineageSection:
    """Return what says that a run was put into MLflow's bin (``deleted``) or taken out of it (``active``).

    MLflow's users delete runs in two steps; only what is gone for good is ``Deleted`` here.
    """
    return LineageSection(node=node, at=seen_at, attributes={"lifecycle": lifecycle})


def model_sections(model: RegisteredModel, server: Server, at: datetime) -> list[LineageSection]:
    """Return what a registered model says; ``at`` is when it said so."""
    node = server.model(model.name, model.creation_timestamp)
    created = from_milliseconds(model.creation_timestamp)
    made = LineageSection(
        node=node,
        at=created,
        attributes={"name": model.name, "created_at": created.isoformat()},
        flows=_maker(model, server),
    )
    told: dict[str, Any] = {"description": model.description} if model.description else {}
    add_maps(told, tags=as_map(model.tags))
    return [made, fitting(LineageSection(node=node, at=max(at, created), attributes=told))] if told else [made]


def version_sections(version: ModelVersion, server: Server, artifact: str | None, at: datetime) -> list[LineageSection]:
    """Return what a version says.

    Args:
        version: As MLflow keeps it.
        server: Where.
        artifact: Where the model lies; None where nobody knows.
        at: When what can change (stage, status, tags) was so.
    """
    node = server.version(version.name, version.version, version.creation_timestamp)
    created, tags = from_milliseconds(version.creation_timestamp), as_map(version.tags)
    flows = [flow(server.model(version.name), "out", "AssociatedWith", "member"), *_maker(version, server)]
    if version.run_id:
        flows.append(flow(server.run(version.run_id), "in", "Produced", "generated-by"))
    if artifact:
        flows.append(flow(LineageNode(kind="dataset", id=server.place(artifact)), "in", "ContributedTo", "model-data"))
    flows += resource_flows([version.source])
    attributes = {
        "name": f"{version.name}:{version.version}",
        "group": version.name,
        "version": version.version,
        "source": version.source or None,
        "created_at": created.isoformat(),
        "generated_by": server.run(version.run_id).id if version.run_id else None,
    }
    told: dict[str, Any] = {"description": version.description} if version.description else {}
    told["stage"] = "None" if version.current_stage in _NO_STAGE else version.current_stage
    add_maps(told, tags=tags)
    changed = LineageSection(
        node=node,
        at=max(at, created),
        status=version.status or None,
        attributes=told,
        flows=resource_flows(tags.values()),
    )
    made = [LineageSection(node=node, at=created, attributes=_known(attributes), flows=flows)]
    if version.run_id and artifact:
        # What was registered from a run, the run had made: so whoever deploys the artifact leads back to it.
        place = LineageNode(kind="dataset", id=server.place(artifact))
        produced = flow(place, "out", "Produced", "model")
        made.append(LineageSection(node=server.run(version.run_id), at=created, flows=[produced]))
    return [*made, fitting(changed)]


def _maker(thing: RegisteredModel | ModelVersion, server: Server) -> list[LineageFlow]:
    return [flow(server.user(thing.user_id), "in", "AssociatedWith", "created-by")] if thing.user_id else []


def alias_section(name: str, alias: Alias, server: Server, at: datetime, former: str | None = None) -> LineageSection:
    """Return what says that an alias points to a version since a time.

    The version before it, where it is known, is told besides; the graph ends the edge that the alias had in any case.
    """
    version = server.version(name, alias.version)
    return LineageSection(
        node=server.alias(name, alias.alias),
        at=at,
        status="Assigned",
        attributes=_known({"name": f"{name}@{alias.alias}", "points_to": version.id, "former": former}),
        flows=[
            _exclusive(version),
            flow(server.model(name), "out", "AssociatedWith", "alias"),
        ],
    )


def alias_removed_section(
    name: str, alias: str, server: Server, at: datetime, former: str | None = None
) -> LineageSection:
    """Return what says that an alias points to nothing since a time (an exclusive edge to itself ends the last one)."""
    return LineageSection(
        node=server.alias(name, alias),
        at=at,
        status="Removed",
        attributes=_known({"name": f"{name}@{alias}", "points_to": "nothing", "former": former}),
        flows=[_exclusive(server.alias(name, alias))],
    )


def _exclusive(node: LineageNode) -> LineageFlow:
    return LineageFlow(node=node, direction="in", type="ContributedTo", role="version", exclusive=True)


def deleted_section(node: LineageNode, at: datetime) -> LineageSection:
    """Return what says that a thing is no more; what was told of it stays."""
    return LineageSection(node=node, at=at, status="Deleted")


def former_of(name: str, version: str | None, server: Server) -> str | None:
    """Return the id of the version to which an alias pointed before."""
    return server.version(name, version).id if version else None
