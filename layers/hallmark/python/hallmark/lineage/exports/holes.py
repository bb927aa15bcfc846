"""What is not known of a node's origin, said plainly, and what would make it known next time."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from hallmark.lineage.exports.material import Material
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import NodeSummary

_JOBS = (NodeKind.TRAINING_JOB, NodeKind.PROCESSING_JOB, NodeKind.TRANSFORM_JOB)
_OWN_MODELS = frozenset({NodeKind.MODEL_PACKAGE, NodeKind.CUSTOM_MODEL})


class Topic(StrEnum):
    """What a hole is about."""

    DOCUMENT = "document"
    MAKING = "making"
    DATA = "data"
    TESTS = "tests"
    APPROVAL = "approval"
    PEOPLE = "people"


class Hole(NamedTuple):
    """Something that is not known, and a remedy."""

    what: str
    remedy: str
    topic: Topic


def holes(material: Material) -> list[Hole]:
    """Return what is not known of the origin of a node, each once, in the order of the nodes."""
    found: dict[Hole, None] = {}
    for missing in material.cut:
        found[
            Hole(f"This document is not whole: {missing}.", "Export again with a larger --nodes.", Topic.DOCUMENT)
        ] = None
    for node in material.nodes:
        for hole in _of_node(material, node):
            found[hole] = None
    for hole in _of_the_whole(material):
        found[hole] = None
    return list(found)


def _of_node(material: Material, node: NodeSummary) -> Iterator[Hole]:
    attributes = material.attributes(node.key)
    if attributes.get("event_only"):
        yield Hole(
            f"{node.label} was gone before it could be described: only its event tells of it.",
            "Keep resources until Hallmark has described them, which takes seconds.",
            Topic.MAKING,
        )
    if node.kind in _JOBS:
        yield from _of_job(material, node)
    if node.kind is NodeKind.IMAGE and "@sha256:" not in node.key:
        yield Hole(
            f"The image {node.label} is known by its tag only, which can be moved.",
            "Start jobs with the image's digest.",
            Topic.MAKING,
        )
    if node.kind is NodeKind.DATASET_VERSION:
        yield from _of_content(material, node)


def _of_job(material: Material, node: NodeSummary) -> Iterator[Hole]:
    attributes = material.attributes(node.key)
    sources = [material.by_key[edge.source] for edge in material.into(node.key) if edge.source in material.by_key]
    told = (attributes.get("code") or {}).get("commit")
    if not told and not any(source.kind is NodeKind.CODE for source in sources):
        yield Hole(
            f"No commit is known of {node.label}.",
            "Tag the job, or set a variable or hyperparameter: git_commit.",
            Topic.MAKING,
        )
    if not any(source.kind is NodeKind.IMAGE for source in sources):
        yield Hole(f"No image is known of {node.label}.", "Describe it again: hallmark backfill.", Topic.MAKING)
    if not material.read_by(node.key):
        yield Hole(
            f"No data is known that {node.label} read.", "Give the job its data as channels or inputs.", Topic.DATA
        )
    reasons = {use.get("uri"): use["refused"] for use in attributes.get("inputs") or () if use.get("refused")}
    for source in sources:
        if source.kind is NodeKind.DATASET and f"{source.key}" not in _contents(sources):
            reason = reasons.get(source.key)
            yield Hole(
                f"The content of {source.label} that {node.label} read is not known{f': {reason}' if reason else ''}.",
                "Name the bucket under lineage in the policy, so that it can be listed.",
                Topic.DATA,
            )


def _contents(sources: list[NodeSummary]) -> set[str]:
    return {source.key.rpartition("#")[0] for source in sources if source.kind is NodeKind.DATASET_VERSION}


def _of_content(material: Material, node: NodeSummary) -> Iterator[Hole]:
    attributes = material.attributes(node.key)
    if attributes.get("complete") is False:
        yield Hole(
            f"Only the first objects of {node.label} were listed.",
            "Raise the limit of listings in the policy.",
            Topic.DATA,
        )
    if attributes.get("changed_after"):
        yield Hole(
            f"{attributes['changed_after']} objects of {node.label} changed after the run that read it had begun.",
            "Switch versioning on for the bucket.",
            Topic.DATA,
        )
    makers = [edge for edge in material.into(node.key) if edge.role != "version"]
    if not makers and material.complete:
        yield Hole(
            f"No run is known that made {node.label}: what is recorded begins here.",
            "Make it by a job, or note where it is from: hallmark review note.",
            Topic.DATA,
        )


def _of_the_whole(material: Material) -> Iterator[Hole]:
    models = [node for node in material.nodes if node.kind in _OWN_MODELS]
    read = "" if material.complete else " among what was read"
    if not models:
        yield Hole(
            f"No registered model is known{read} that {material.start.label} came from.",
            "Register models in the model registry.",
            Topic.MAKING,
        )
    for kind, words, remedy, topic in (
        (NodeKind.TRAINING_JOB, "training job", "Train by jobs, so that events tell of it.", Topic.MAKING),
        (NodeKind.EVALUATION, "evaluation", "Run a suite: hallmark evaluate.", Topic.TESTS),
        (NodeKind.VERDICT, "verdict of a quality gate", "Name the model's group in a gate of the policy.", Topic.TESTS),
        (NodeKind.APPROVAL, "approval by a person", "Let the gate ask for one.", Topic.APPROVAL),
    ):
        if not material.of_kind(kind):
            yield Hole(f"No {words} is known{read}.", remedy, topic)
    if not material.of_kind(NodeKind.USER) and not any(
        material.attributes(node.key).get(name) for node in material.nodes for name in ("by", "created_by")
    ):
        yield Hole(
            f"No person is known{read} who made or approved any of it.",
            "Start jobs as people, or tag them.",
            Topic.PEOPLE,
        )
