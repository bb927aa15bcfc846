"""A model's bill of materials: CycloneDX 1.7 with machine learning components and their model cards.

Every model, model package and foundation model among the material is a component of its own with a model card; data,
container images and commits are components that these depend on. What ran in between is told on the model card.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping
from typing import Any

from hallmark import VERSION
from hallmark.lineage.exports.material import DATA_KINDS, EVIDENCE_KINDS, Material, instant_text, stable_uuid
from hallmark.lineage.model import EdgeType, NodeKind
from hallmark.lineage.questions import NodeSummary

SPEC_VERSION = "1.7"

_MODELS = frozenset({NodeKind.MODEL, NodeKind.MODEL_PACKAGE, NodeKind.CUSTOM_MODEL, NodeKind.FOUNDATION_MODEL})
_SERVED = frozenset({NodeKind.ENDPOINT, NodeKind.ENDPOINT_CONFIG})
_COMPONENTS = _MODELS | DATA_KINDS | _SERVED | {NodeKind.IMAGE, NodeKind.CODE}
_TRAINING = frozenset({NodeKind.TRAINING_JOB, NodeKind.AUTOML_JOB, NodeKind.TUNING_JOB, NodeKind.CUSTOMIZATION_JOB})
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})$")


def cyclonedx(material: Material) -> dict[str, Any]:
    """Return the bill of materials of a material, as a CycloneDX 1.7 JSON document."""
    nodes = sorted((node for node in material.nodes if node.kind in _COMPONENTS), key=lambda node: node.key)
    whole = _places_without_content(material, nodes)
    components = [_component(material, node) for node in whole if node.key != material.start.key]
    refs = {node.key for node in whole} | {material.start.key}
    body: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "version": 1,
        "metadata": _metadata(material),
        "components": components,
        "dependencies": [{"ref": key, "dependsOn": sorted(_nearest(material, key, refs))} for key in sorted(refs)],
        "compositions": [
            {
                "aggregate": "complete" if material.complete else "incomplete",
                "assemblies": [material.start.key],
                "dependencies": [material.start.key],
            }
        ],
    }
    # The serial number names the content: the same bill always has the same one.
    return body | {"serialNumber": f"urn:uuid:{stable_uuid('cyclonedx', json.dumps(body, sort_keys=True))}"}


def _metadata(material: Material) -> dict[str, Any]:
    found: dict[str, Any] = {
        "tools": {"components": [{"type": "application", "name": "hallmark", "version": VERSION}]},
        "component": _component(material, material.start),
        "properties": _properties(
            {
                "hallmark:complete": material.complete,
                "hallmark:missing": "; ".join(material.cut) or None,
                "hallmark:as-of": instant_text(material.as_of) if material.as_of else None,
                "hallmark:known-at": instant_text(material.known_at) if material.known_at else None,
            }
        ),
    }
    if material.newest is not None:
        found["timestamp"] = instant_text(material.newest)
    return found


def _places_without_content(material: Material, nodes: list[NodeSummary]) -> list[NodeSummary]:
    """Leave out a place whose content is a component already, but not what was asked about."""
    contents = {node.key.rpartition("#")[0] for node in nodes if node.kind is NodeKind.DATASET_VERSION}
    return [
        node
        for node in nodes
        if not (node.kind is NodeKind.DATASET and node.key in contents and node.key != material.start.key)
    ]


def _nearest(material: Material, key: str, refs: set[str]) -> set[str]:
    """Return the nearest components that a node came from, with whatever ran in between left out."""
    found, met, waiting = set[str](), {key}, deque([key])
    while waiting:
        for edge in material.into(waiting.popleft()):
            source = material.by_key.get(edge.source)
            if source is None or source.key in met or source.kind in EVIDENCE_KINDS:
                continue
            met.add(source.key)
            if source.key in refs:
                found.add(source.key)
            else:
                waiting.append(source.key)
    return found


# --- components ---


def _component(material: Material, node: NodeSummary) -> dict[str, Any]:
    attributes = material.attributes(node.key)
    base: dict[str, Any] = {
        "bom-ref": node.key,
        "name": node.label,
        "properties": _properties(
            {
                "hallmark:key": node.key,
                "hallmark:kind": node.kind.value,
                "hallmark:status": node.status,
                "hallmark:deleted": True if node.deleted else None,
                "hallmark:event-only": attributes.get("event_only"),
            }
        ),
    }
    if node.kind in _MODELS:
        return _model(material, node, base)
    if node.kind in DATA_KINDS:
        return _data(node, attributes, base)
    if node.kind is NodeKind.IMAGE:
        return _image(node, base)
    if node.kind is NodeKind.CODE:
        return _code(node, base)
    return {**base, "type": "application"}


def _model(material: Material, node: NodeSummary, base: dict[str, Any]) -> dict[str, Any]:
    attributes = material.attributes(node.key)
    base["type"] = "machine-learning-model"
    if attributes.get("version") is not None:
        base["version"] = str(attributes["version"])
    if attributes.get("group"):
        base["group"] = str(attributes["group"])
    base["properties"] += _properties(
        {
            "hallmark:approval-status": attributes.get("approval_status"),
            "hallmark:approval-description": attributes.get("approval_description"),
            "hallmark:stage": attributes.get("stage"),
        }
    )
    artifacts = [
        edge.source for edge in material.into(node.key) if edge.role == "model-data" and edge.source in material.by_key
    ]
    runs = _trained_by(material, node.key)
    card: dict[str, Any] = {"bom-ref": f"{node.key}#model-card"}
    datasets = sorted({node.key for run in runs for node in material.read_by(run.key)})
    if datasets:
        card["modelParameters"] = {"datasets": [{"ref": key} for key in datasets]}
    metrics = [*_metrics_of_runs(material, runs), *_metrics_of_evaluations(material, node.key)]
    if metrics:
        card["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    told = {f"hallmark:model-data:{number}": key for number, key in enumerate(sorted(artifacts), 1)}
    told |= {f"hallmark:training-run:{number}": run.key for number, run in enumerate(runs, 1)}
    for run in runs:
        chosen = material.attributes(run.key).get("hyperparameters") or {}
        told |= {f"hallmark:hyperparameter:{name}": value for name, value in sorted(chosen.items())}
    card["properties"] = _properties(told)
    return {**base, "modelCard": {name: value for name, value in card.items() if value}}


def _trained_by(material: Material, key: str) -> list[NodeSummary]:
    """Return the runs that trained a model: the makers of its artifact, of its package's, or of itself."""
    found, met, waiting = dict[str, NodeSummary](), {key}, deque([key])
    while waiting:
        for edge in material.into(waiting.popleft()):
            source = material.by_key.get(edge.source)
            if source is None or source.key in met:
                continue
            if source.kind in _TRAINING and edge.type is EdgeType.PRODUCED:
                found[source.key] = source
            elif edge.role in _MADE_OF or edge.type in {EdgeType.DERIVED_FROM, EdgeType.SAME_AS}:
                met.add(source.key)
                waiting.append(source.key)
    return [found[key] for key in sorted(found)]


_MADE_OF = frozenset({"model-data", "package"})
"""Roles in which a model holds what a run has trained; what was merely measured on it plays others."""


def _metrics_of_runs(material: Material, runs: list[NodeSummary]) -> list[dict[str, Any]]:
    return [
        {"type": name, "value": _number(value), "slice": f"training run {run.label}"}
        for run in runs
        for name, value in sorted((material.attributes(run.key).get("metrics") or {}).items())
    ]


def _metrics_of_evaluations(material: Material, key: str) -> list[dict[str, Any]]:
    """Return what evaluations and gates have measured of a model, with intervals where these are told."""
    found = []
    for edge in sorted(material.out_of(key), key=lambda edge: edge.target):
        told = material.by_key.get(edge.target)
        if told is None:
            continue
        attributes = material.attributes(told.key)
        if told.kind is NodeKind.EVALUATION:
            measured = ((attributes.get("models") or {}).get(edge.role) or {}).get("metrics") or {}
            found += [_measured(name, value, f"evaluation {told.label}") for name, value in sorted(measured.items())]
        if told.kind is NodeKind.VERDICT:
            criteria = attributes.get("criteria") or {}
            found += [_measured(name, value, f"gate {told.label}") for name, value in sorted(criteria.items())]
    return [metric for metric in found if "value" in metric]


def _measured(name: str, value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {"type": name, "value": _number(value), "slice": where} if _is_number(value) else {}
    estimate = next((value[word] for word in ("estimate", "value", "mean") if _is_number(value.get(word))), None)
    if estimate is None:
        return {}
    found: dict[str, Any] = {"type": name, "value": _number(estimate), "slice": where}
    bounds = {"lowerBound": value.get("low"), "upperBound": value.get("high")}
    told = {bound: _number(number) for bound, number in bounds.items() if _is_number(number)}
    return found | ({"confidenceInterval": told} if told else {})


def _data(node: NodeSummary, attributes: Mapping[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    place, _, digest = node.key.rpartition("#") if node.kind is NodeKind.DATASET_VERSION else (node.key, "", "")
    base["type"] = "data"
    match = _SHA256.match(digest)
    if match:
        base["hashes"] = [{"alg": "SHA-256", "content": match[1]}]
    if digest:
        base["version"] = digest
        base["properties"] += _properties(
            {
                "hallmark:digest": digest,
                "hallmark:digest-of": "canonical JSON of [[relative key, identity, size], …] by key",
                "hallmark:objects": attributes.get("objects"),
                "hallmark:bytes": attributes.get("bytes"),
                "hallmark:listed-whole": attributes.get("complete"),
            }
        )
    return {**base, "data": [{"type": "dataset", "name": node.label, "contents": {"url": place}}]}


def _image(node: NodeSummary, base: dict[str, Any]) -> dict[str, Any]:
    base["type"] = "container"
    match = _SHA256.search(node.key)
    if match:
        base["hashes"] = [{"alg": "SHA-256", "content": match[1]}]
    _, separator, digest = node.key.partition("@")
    return {**base, "version": digest} if separator else base


def _code(node: NodeSummary, base: dict[str, Any]) -> dict[str, Any]:
    repository, _, commit = node.key.removeprefix("git:").rpartition("@")
    base["type"] = "application"
    if commit:
        base["version"] = commit
        told = {"uid": commit, **({"url": repository} if "://" in repository else {})}
        base["pedigree"] = {"commits": [told]}
    if "://" in repository:
        base["externalReferences"] = [{"type": "vcs", "url": repository}]
    return base


def _properties(values: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"name": name, "value": _text(value)} for name, value in values.items() if value is not None]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> str:
    return _text(value)
