"""Lineage as OpenLineage run events (version 2-0-2), with facets of our own for machine learning.

OpenLineage knows jobs, their runs, and datasets; a run reads datasets and writes datasets. What runs here is a run;
everything else is a dataset: data with its content digest as version, and models, packages and endpoints too. A thing
that no run made (an endpoint, a registered package) is the output of a run that stands for the step which made it.
Images, commits and people are facets of the run. Our facets are described by ``openlineage_facets.json``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from hallmark import VERSION
from hallmark.lineage.exports.material import Material, instant_text, stable_uuid
from hallmark.lineage.model import FINAL_STATUSES, RUN_KINDS, NodeKind
from hallmark.lineage.questions import NodeSummary, TracedEdge
from hallmark.lineage.references import parse_arn

SCHEMA_URL = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS_URN = "urn:hallmark:openlineage-facets:1-0-0"
"""Names the schema of our own facets, ``openlineage_facets.json``."""
PRODUCER = f"urn:hallmark:{VERSION}"

_STANDARD_FACETS = {
    "version": "1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet",
    "datasetType": "1-0-1/DatasetTypeDatasetFacet.json#/$defs/DatasetTypeDatasetFacet",
    "sourceCodeLocation": "1-1-0/SourceCodeLocationJobFacet.json#/$defs/SourceCodeLocationJobFacet",
    "jobType": "2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
    "parent": "1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet",
}
_FACETS_OF_RUNS = frozenset({NodeKind.IMAGE, NodeKind.CODE, NodeKind.USER})
"""Kinds that are told within a run: OpenLineage has no datasets of their like."""
_TYPES = {
    NodeKind.DATASET: "FILE",
    NodeKind.DATASET_VERSION: "FILE",
    NodeKind.FEATURE_GROUP: "TABLE",
    NodeKind.MODEL: "MODEL",
    NodeKind.MODEL_PACKAGE: "MODEL",
    NodeKind.CUSTOM_MODEL: "MODEL",
    NodeKind.FOUNDATION_MODEL: "MODEL",
}
_ENDED_WELL = frozenset(
    {"Completed", "Succeeded", "CompletedWithViolations", "CompletedWithFailures", "PartiallyCompleted"}
)
_STEP_WORDS = {
    NodeKind.MODEL_PACKAGE: "register",
    NodeKind.MODEL: "create",
    NodeKind.ENDPOINT_CONFIG: "configure",
    NodeKind.ENDPOINT: "deploy",
    NodeKind.VERDICT: "judge",
    NodeKind.APPROVAL: "approve",
    NodeKind.OVERRIDE: "override",
    NodeKind.DATASET_VERSION: "derive",
}
_MADE_BY_ALL = frozenset({"version", "member"})
"""Roles of edges that say where a thing belongs, not what it was made from."""


class Name(NamedTuple):
    """What OpenLineage calls a dataset or a job; ``version`` where the name can be used again."""

    namespace: str
    name: str
    version: str | None = None


def openlineage(material: Material) -> list[dict[str, Any]]:
    """Return the run events of a material, ordered by time: of each run its start, where known, and how it stands."""
    events = [
        event
        for node in material.nodes
        if node.kind not in _FACETS_OF_RUNS
        for event in (_run_events(material, node) if node.kind in RUN_KINDS else _step_events(material, node))
    ]
    return sorted(
        events, key=lambda event: (_read(event["eventTime"]), _ORDER[event["eventType"]], event["run"]["runId"])
    )


_ORDER = {"START": 0, "RUNNING": 1, "OTHER": 2, "COMPLETE": 3, "FAIL": 4, "ABORT": 5}


def run_id(key: str) -> str:
    """Return the UUID of the run that a node is, or of the step that made it."""
    return stable_uuid("openlineage-run", key)


def name_of(node: NodeSummary) -> Name:
    """Return what OpenLineage calls a node (naming conventions of its specification: ``s3://bucket`` and the key)."""
    born = _BORN.search(node.key)
    identifier = node.key[: born.start()] if born else node.key
    digest = None
    if node.kind is NodeKind.DATASET_VERSION:
        identifier, _, digest = identifier.rpartition("#")
    found_version = digest or (born[1] if born else None)
    scheme, separator, rest = identifier.partition("://")
    if separator:
        host, _, path = rest.partition("/")
        return Name(f"{scheme}://{host}", path or "/", found_version)
    arn = parse_arn(identifier)
    if arn is not None:
        return Name(f"arn:{arn.partition}:{arn.service}:{arn.region}:{arn.account}", arn.resource, found_version)
    scheme, separator, rest = identifier.partition(":")
    return Name(scheme, rest, found_version) if separator else Name("hallmark", identifier, found_version)


_BORN = re.compile(r"@(\d{8}T\d{6}Z)$")


# --- events ---


def _run_events(material: Material, node: NodeSummary) -> list[dict[str, Any]]:
    attributes = material.attributes(node.key)
    kind = _event_type(node)
    started = attributes.get("started_at") or attributes.get("created_at")
    ended = attributes.get("ended_at") if kind in {"COMPLETE", "FAIL", "ABORT"} else None
    time = ended or _time_of(material, node)
    name = name_of(node)
    base = _event(material, node, Name(name.namespace, name.name), node.kind.value.upper().replace("-", "_"))
    base["run"]["facets"] |= _training(attributes)
    base["inputs"] = _datasets(material, (edge.source for edge in material.into(node.key)))
    base["outputs"] = _datasets(material, (edge.target for edge in material.out_of(node.key)))
    found = [{**base, "eventType": kind, "eventTime": time}]
    if started and _read(started) <= _read(time) and kind != "RUNNING":
        found.insert(0, {**base, "eventType": "START", "eventTime": started, "outputs": []})
    return found


def _step_events(material: Material, node: NodeSummary) -> list[dict[str, Any]]:
    """Return the event of the step that made something which no run made; none where nothing is known to lead to it."""
    sources = [
        edge
        for edge in material.into(node.key)
        if edge.role not in _MADE_BY_ALL
        and edge.source in material.by_key
        and material.by_key[edge.source].kind not in RUN_KINDS | _FACETS_OF_RUNS
    ]
    if not sources:
        return []
    name = name_of(node)
    job = Name(name.namespace, f"{_STEP_WORDS.get(node.kind, 'make')}/{name.name}")
    event = _event(material, node, job, "STEP")
    event["inputs"] = _datasets(material, (edge.source for edge in sources))
    event["outputs"] = [_dataset(material, node)]
    return [{**event, "eventType": "COMPLETE", "eventTime": _time_of(material, node, sources)}]


def _event(material: Material, node: NodeSummary, job: Name, job_type: str) -> dict[str, Any]:
    attributes = material.attributes(node.key)
    facets: dict[str, Any] = {"hallmark_run": _run_facet(node, attributes)}
    facets["hallmark_export"] = _own(
        "ExportRunFacet",
        start=material.start.key,
        complete=material.complete,
        missing=list(material.cut),
        asOf=instant_text(material.as_of) if material.as_of else None,
        knownAt=instant_text(material.known_at) if material.known_at else None,
    )
    images = _sources(material, node, NodeKind.IMAGE)
    if images:
        facets["hallmark_images"] = _own("ImagesRunFacet", images=images)
    parent = _parent(material, node)
    if parent is not None:
        facets["parent"] = parent
    about: dict[str, Any] = {
        "jobType": _standard("jobType", processingType="BATCH", integration="HALLMARK", jobType=job_type)
    }
    code = _code(_sources(material, node, NodeKind.CODE), attributes)
    if code is not None:
        about["sourceCodeLocation"] = code
    return {
        "producer": PRODUCER,
        "schemaURL": SCHEMA_URL,
        "run": {"runId": run_id(node.key), "facets": facets},
        "job": {"namespace": job.namespace, "name": job.name, "facets": about},
    }


def _event_type(node: NodeSummary) -> str:
    if node.status in _ENDED_WELL:
        return "COMPLETE"
    if node.status in {"Stopped", "Expired", "Deleted"}:
        return "ABORT"
    if node.status in FINAL_STATUSES:
        return "FAIL"
    return "RUNNING" if node.status in {"InProgress", "Executing", "Running", "Stopping"} else "OTHER"


def _time_of(material: Material, node: NodeSummary, edges: Iterable[TracedEdge] | None = None) -> str:
    """Return when a node was so; where it never changes, since when what is known of it has held."""
    if node.at is not None and edges is None:
        return instant_text(node.at)
    near = edges if edges is not None else (*material.into(node.key), *material.out_of(node.key))
    times: list[datetime] = [edge.valid_from for edge in near]
    if times:
        return instant_text(max(times))
    return instant_text(node.at or material.newest or _EPOCH)


def _read(time: str) -> datetime:
    return datetime.fromisoformat(time)


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


# --- datasets ---


def _datasets(material: Material, keys: Iterable[str]) -> list[dict[str, Any]]:
    """Return the datasets among some nodes, once each; a place whose content is there too is told by its content."""
    nodes = [
        node
        for key in sorted(set(keys))
        if (node := material.by_key.get(key)) is not None and node.kind not in RUN_KINDS | _FACETS_OF_RUNS
    ]
    versions = {name_of(node)[:2] for node in nodes if node.kind is NodeKind.DATASET_VERSION}
    return [
        _dataset(material, node)
        for node in nodes
        if not (node.kind is NodeKind.DATASET and name_of(node)[:2] in versions)
    ]


def _dataset(material: Material, node: NodeSummary) -> dict[str, Any]:
    name, attributes = name_of(node), material.attributes(node.key)
    facets: dict[str, Any] = {
        "datasetType": _standard(
            "datasetType", datasetType=_TYPES.get(node.kind, "JOB_OUTPUT"), subType=node.kind.value.upper()
        ),
        "hallmark_node": _own(
            "NodeDatasetFacet",
            key=node.key,
            kind=node.kind.value,
            label=node.label,
            status=node.status,
            deleted=node.deleted,
        ),
    }
    if name.version is not None:
        facets["version"] = _standard("version", datasetVersion=name.version)
    if node.kind is NodeKind.DATASET_VERSION:
        facets["hallmark_content"] = _own(
            "ContentDatasetFacet",
            digest=name.version,
            objects=attributes.get("objects"),
            bytes=attributes.get("bytes"),
            listedWhole=attributes.get("complete"),
            identity=attributes.get("identity"),
        )
    if node.kind is NodeKind.MODEL_PACKAGE:
        facets["hallmark_model"] = _own(
            "ModelDatasetFacet",
            group=attributes.get("group"),
            version=attributes.get("version"),
            approvalStatus=attributes.get("approval_status"),
            approvalDescription=attributes.get("approval_description"),
            commit=attributes.get("commit"),
        )
    if node.kind is NodeKind.VERDICT:
        facets["hallmark_verdict"] = _own(
            "VerdictDatasetFacet",
            gate=attributes.get("gate"),
            outcome=node.status,
            summary=attributes.get("summary"),
            criteria=attributes.get("criteria"),
        )
    if node.kind in {NodeKind.APPROVAL, NodeKind.OVERRIDE}:
        facets["hallmark_decision"] = _own(
            "DecisionDatasetFacet", by=attributes.get("by"), decision=node.status, reason=attributes.get("reason")
        )
    return {"namespace": name.namespace, "name": name.name, "facets": facets}


# --- facets ---


def _own(name: str, **fields: Any) -> dict[str, Any]:
    told = {field: value for field, value in fields.items() if value is not None}
    return {"_producer": PRODUCER, "_schemaURL": f"{FACETS_URN}#/$defs/{name}", **told}


def _standard(facet: str, **fields: Any) -> dict[str, Any]:
    url = f"https://openlineage.io/spec/facets/{_STANDARD_FACETS[facet]}"
    return {"_producer": PRODUCER, "_schemaURL": url, **fields}


def _run_facet(node: NodeSummary, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return _own(
        "RunRunFacet",
        key=node.key,
        kind=node.kind.value,
        label=node.label,
        status=node.status,
        failureReason=attributes.get("failure_reason"),
        roleArn=attributes.get("role_arn"),
        createdBy=attributes.get("created_by"),
        describedByEventOnly=attributes.get("event_only"),
    )


def _training(attributes: Mapping[str, Any]) -> dict[str, Any]:
    names = {
        "hyperparameters": "hyperparameters",
        "metrics": "metrics",
        "resources": "resources",
        "environment": "environment",
        "billable_seconds": "billableSeconds",
        "objective": "objective",
        "best_training_job": "bestTrainingJob",
    }
    told = {theirs: attributes[ours] for ours, theirs in names.items() if attributes.get(ours) is not None}
    return {"hallmark_training": _own("TrainingRunFacet", **told)} if told else {}


def _sources(material: Material, node: NodeSummary, kind: NodeKind) -> list[str]:
    return sorted(
        {
            edge.source
            for edge in material.into(node.key)
            if edge.source in material.by_key and material.by_key[edge.source].kind is kind
        }
    )


def _parent(material: Material, node: NodeSummary) -> dict[str, Any] | None:
    for edge in material.into(node.key):
        parent = material.by_key.get(edge.source)
        if parent is not None and parent.kind in RUN_KINDS and node.kind in RUN_KINDS:
            name = name_of(parent)
            return _standard(
                "parent",
                run={"runId": run_id(parent.key)},
                job={"namespace": name.namespace, "name": name.name},
            )
    return None


def _code(commits: list[str], attributes: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return where the code lies; None where no commit, or no repository that can be addressed, is known."""
    told = [commit.removeprefix("git:").rpartition("@") for commit in commits if commit.startswith("git:")]
    for repository, _, commit in told:
        if "://" in repository:
            branch = (attributes.get("code") or {}).get("branch")
            path = (attributes.get("code") or {}).get("entry_point")
            more = {name: value for name, value in (("branch", branch), ("path", path)) if value}
            return _standard(
                "sourceCodeLocation", type="git", url=repository, repoUrl=repository, version=commit, **more
            )
    return None
