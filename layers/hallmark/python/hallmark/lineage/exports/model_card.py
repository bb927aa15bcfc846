"""A SageMaker model card: the content that ``CreateModelCard`` takes, as far as lineage can write it.

Shape and limits are those of the model card's JSON schema (SageMaker developer guide, "Model card JSON schema"; the
same as CloudFormation's ``AWS::SageMaker::ModelCard Content``, in snake_case). Purpose, uses and risk are for people to
say: a card that exists keeps theirs, when only these sections are replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hallmark.errors import NotFoundError
from hallmark.lineage.exports.holes import holes
from hallmark.lineage.exports.material import Material
from hallmark.lineage.exports.wording import listed, moment, plain, status_of
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import NodeSummary

_SHORT, _TEXT, _LONG, _LINE = 63, 255, 1024, 2048
_MOST_IMAGES = _MOST_ARTIFACTS = _MOST_TRAINING_DATA = 15
_MOST_EVALUATION_DATA = 10
_MOST_METRICS, _MOST_HYPERPARAMETERS = 50, 100
_APPROVALS = frozenset({"Approved", "Rejected", "PendingManualApproval"})
_REGISTERED = (NodeKind.MODEL_PACKAGE, NodeKind.MODEL, NodeKind.CUSTOM_MODEL)


def model_card(material: Material) -> dict[str, Any]:
    """Return the card of the model that is nearest to a material's start.

    Raises:
        NotFoundError: No model is known among the material.
    """
    models = material.of_kind(*_REGISTERED)
    if not models:
        raise NotFoundError(f"no model is known that {material.start.label} came from: name a model or an endpoint")
    package = next((node for node in models if node.kind is NodeKind.MODEL_PACKAGE), models[0])
    card = {
        "model_overview": _overview(material, package),
        "training_details": _training(material),
        "evaluation_details": [*_evaluations(material), *_verdicts(material)],
        "additional_information": _more(material),
    }
    if package.kind is NodeKind.MODEL_PACKAGE:
        card["model_package_details"] = _package(material, package)
    return {name: value for name, value in card.items() if value}


def _overview(material: Material, model: NodeSummary) -> dict[str, Any]:
    attributes = material.attributes(model.key)
    containers = [container for container in attributes.get("containers") or () if isinstance(container, Mapping)]
    version = attributes.get("version")
    artifacts = [str(container["model_data_url"]) for container in containers if container.get("model_data_url")]
    images = [str(container["image"]) for container in containers if container.get("image")]
    return _told(
        model_id=model.key.partition("@")[0][:_LONG],
        model_name=str(attributes.get("group") or model.label)[:_LONG],
        model_description=plain(attributes.get("description"))[:_LONG],
        model_version=version if isinstance(version, int) and version >= 1 else None,
        model_creator=plain(attributes.get("created_by"))[:_LONG],
        model_artifact=artifacts[:_MOST_ARTIFACTS],
        inference_environment={"container_image": images[:_MOST_IMAGES]} if images else None,
    )


def _package(material: Material, package: NodeSummary) -> dict[str, Any]:
    attributes = material.attributes(package.key)
    approval = attributes.get("approval_status")
    version = attributes.get("version")
    return _told(
        model_package_arn=package.key[:_LINE],
        model_package_group_name=plain(attributes.get("group"))[:_SHORT],
        model_package_version=version if isinstance(version, int) and version >= 1 else None,
        model_approval_status=approval if approval in _APPROVALS else None,
        approval_description=plain(attributes.get("approval_description"))[:_LONG],
    )


def _training(material: Material) -> dict[str, Any]:
    jobs = material.of_kind(NodeKind.TRAINING_JOB)
    if not jobs:
        return {}
    job = jobs[0]
    attributes = material.attributes(job.key)
    sources = [material.by_key[edge.source] for edge in material.into(job.key) if edge.source in material.by_key]
    data = [node.key for node in material.read_by(job.key) if node.kind is not NodeKind.FEATURE_GROUP]
    images = [node.key for node in sources if node.kind is NodeKind.IMAGE]
    commits = [node.key for node in sources if node.kind is NodeKind.CODE]
    values = attributes.get("hyperparameters")
    details = _told(
        training_arn=job.key.partition("@")[0][:_LONG],
        training_datasets=[key[:_LONG] for key in data[:_MOST_TRAINING_DATA]],
        training_environment={"container_image": [key[:_LONG] for key in images[:_MOST_IMAGES]]} if images else None,
        training_metrics=[
            {"name": str(name)[:_TEXT], "value": value} for name, value in _numbers(attributes.get("metrics"))
        ][:_MOST_METRICS],
        hyper_parameters=[
            {"name": str(name)[:_TEXT], "value": plain(value)[:_TEXT] or "none"}
            for name, value in sorted((values if isinstance(values, Mapping) else {}).items())
        ][:_MOST_HYPERPARAMETERS],
    )
    observations = f"Code: {listed(commits)}" if commits else "No commit is known."
    return {"training_observations": observations[:_LONG], "training_job_details": details}


def _numbers(metrics: Any) -> Iterator[tuple[str, float]]:
    for name, value in sorted((metrics if isinstance(metrics, Mapping) else {}).items()):
        estimate = value
        if isinstance(value, Mapping):
            estimate = next((value[word] for word in ("estimate", "value", "mean") if word in value), None)
        if isinstance(estimate, int | float) and not isinstance(estimate, bool):
            yield str(name), float(estimate)


def _evaluations(material: Material) -> Iterator[dict[str, Any]]:
    for node in material.of_kind(NodeKind.EVALUATION):
        attributes = material.attributes(node.key)
        data = [
            edge.source
            for edge in material.into(node.key)
            if edge.source in material.by_key
            and material.by_key[edge.source].kind in {NodeKind.DATASET, NodeKind.DATASET_VERSION}
        ]
        groups = [
            {"name": str(name)[:_SHORT], "metric_data": [_metric(*found) for found in _numbers(model.get("metrics"))]}
            for name, model in sorted((attributes.get("models") or {}).items())
        ]
        yield _told(
            name=node.label[:_SHORT],
            evaluation_observation=f"{status_of(node)} {moment(node.at)} UTC".strip(),
            datasets=[key[:_LONG] for key in data[:_MOST_EVALUATION_DATA]],
            metadata=_told(hallmark_node=node.key[:_LONG], report=plain(attributes.get("report"))[:_LONG]),
            metric_groups=groups,
        )


def _verdicts(material: Material) -> Iterator[dict[str, Any]]:
    for node in material.of_kind(NodeKind.VERDICT):
        criteria = material.attributes(node.key).get("criteria") or {}
        data = []
        for name, criterion in sorted(criteria.items()):
            if isinstance(criterion, Mapping) and isinstance(criterion.get("value"), int | float):
                notes = f"{plain(criterion.get('outcome'))}; threshold {plain(criterion.get('threshold'))}"
                data.append(_metric(str(name), float(criterion["value"])) | {"notes": notes[:_LONG]})
        yield _told(
            name=f"Gate {node.label}"[:_SHORT],
            evaluation_observation=f"{status_of(node)} {moment(node.at)} UTC".strip(),
            metadata={"hallmark_node": node.key[:_LONG]},
            metric_groups=[{"name": "criteria", "metric_data": data}] if data else None,
        )


def _metric(name: str, value: float) -> dict[str, Any]:
    return {"name": name[:_TEXT], "type": "number", "value": value}


def _more(material: Material) -> dict[str, Any]:
    missing = [hole.what for hole in holes(material)]
    caveats = " ".join(("Not known:", *missing)) if missing else ""
    return _told(
        caveats_and_recommendations=caveats if len(caveats) <= _LINE else f"{caveats[: _LINE - 1]}…",
        custom_details=_told(hallmark_node=material.start.key[:_LONG]),
    )


def _told(**values: Any) -> dict[str, Any]:
    """Return what is known of some values."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}
