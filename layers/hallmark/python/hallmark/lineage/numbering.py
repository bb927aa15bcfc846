"""The semantic versions of a group of models, or of a place's data: what the rules of ``versions`` make of the graph.

The versions of a group are in the order of their numbers, those of a place in the order in which each was first seen.
So the order in which facts were learned does not matter; a version that becomes known later may renumber those after.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from hallmark.lineage.model import CODE_ROLES, EdgeType, NodeKind
from hallmark.lineage.questions import Direction, NodeSummary, VersionStep
from hallmark.lineage.versions import FIRST, Contents, ModelMakeup, Step, data_step, model_step, numbers
from hallmark.lineage.view import Link, Moment

MODEL_KINDS = (NodeKind.MODEL_PACKAGE, NodeKind.MODEL_VERSION)
GROUP_KINDS = (NodeKind.MODEL_PACKAGE_GROUP, NodeKind.REGISTERED_MODEL)
TRAINING_KINDS = (NodeKind.TRAINING_JOB, NodeKind.CUSTOMIZATION_JOB, NodeKind.AUTOML_JOB, NodeKind.RUN)
DATA_KINDS = (NodeKind.DATASET_VERSION, NodeKind.DATASET, NodeKind.FEATURE_GROUP)
MAXIMUM_VERSIONS = 1_000
"""Versions of one group or place that are numbered: each is read."""

VERSIONS_SHOWN = 20
_SECONDS = 15.0
_LISTING_SECONDS = 2.0
_LISTING_READS = 400
_WAY_TO_TRAINING = 4
"""Package <- artifact <- part of an output <- training job is the longest way that the registry makes."""


def versioned_by(moment: Moment, row: int) -> int | None:
    """Return the group of a model's version, the place of data, or the node itself where it is one; None for others."""
    kind = moment.graph.kind(row)
    if kind in GROUP_KINDS or kind is NodeKind.DATASET:
        return row
    if kind in MODEL_KINDS:
        groups = moment.out_of(row, *GROUP_KINDS)
        return groups[0].row if groups else None
    if kind is NodeKind.DATASET_VERSION:
        return moment.graph.find(moment.graph.key(row).rpartition("#")[0])
    return None


def version_steps(moment: Moment, holder: int, deadline: float | None = None) -> list[VersionStep] | None:
    """Return the semantic versions of a group or a place, the first one first; None where that would take too long.

    All of them are read to number one of them. ``deadline`` is on ``time.monotonic``'s clock.
    """
    if holder not in moment.numbered:
        last = time.monotonic() + _SECONDS if deadline is None else deadline
        moment.numbered[holder] = _work_out(moment, holder, last)
    return moment.numbered[holder]


def _work_out(moment: Moment, holder: int, deadline: float) -> list[VersionStep] | None:
    of_data = moment.graph.kind(holder) is NodeKind.DATASET
    rows = moment.graph.versions_of(holder, moment.held) if of_data else members(moment, holder)
    if len(rows) > MAXIMUM_VERSIONS:
        return None
    steps: list[Step] = []
    before: Any = None
    for row in rows:
        if time.monotonic() > deadline:
            return None
        after: Any = contents(moment, row) if of_data else makeup(moment, row)
        rule: Any = data_step if of_data else model_step
        steps.append(FIRST if before is None else rule(before, after))
        before = after
    labels = [summary.label for summary in moment.summaries(rows)]
    return [
        VersionStep(
            node=moment.graph.key(row),
            label=label,
            version=version,
            change=step.change,
            reason=step.reason,
            certain=step.certain,
        )
        for row, label, version, step in zip(rows, labels, numbers(steps), steps, strict=True)
    ]


def version_of(moment: Moment, row: int) -> VersionStep | None:
    """Return the semantic version of a model's version or of data; None for all else."""
    holder = versioned_by(moment, row)
    if holder is None or holder == row:
        return None
    key = moment.graph.key(row)
    return next((step for step in version_steps(moment, holder) or () if step.node == key), None)


def shown_versions(moment: Moment, row: int) -> tuple[VersionStep, ...]:
    """Return what is shown of a node: its own version, or those of a group or place, the last ones."""
    holder = versioned_by(moment, row)
    if holder == row:
        return tuple((version_steps(moment, row) or [])[-VERSIONS_SHOWN:])
    own = version_of(moment, row)
    return (own,) if own is not None else ()


def steps_between(moment: Moment, one: int, other: int) -> list[VersionStep]:
    """Return the versions from the earlier to the later one of two, both among them; none of two different things."""
    holders = {versioned_by(moment, row) for row in (one, other)}
    holder = holders.pop()
    if holders or holder is None or holder in {one, other}:
        return []
    steps = version_steps(moment, holder) or []
    places = sorted(
        place for place, step in enumerate(steps) if step.node in {moment.graph.key(row) for row in (one, other)}
    )
    return steps[places[0] : places[-1] + 1] if places else []


def with_versions(moment: Moment, rows: Sequence[int], steps: Iterable[VersionStep]) -> list[NodeSummary]:
    """Return nodes, a line each, with those of the versions that are theirs."""
    by_key = {step.node: step.version for step in steps}
    return [summary.model_copy(update={"version": by_key.get(summary.key)}) for summary in moment.summaries(rows)]


def numbered(moment: Moment, rows: Sequence[int]) -> list[NodeSummary]:
    """Return nodes, a line each, with the versions of models and data, as far as a budget of time and reads allows."""
    deadline = time.monotonic() + _LISTING_SECONDS
    steps: list[VersionStep] = []
    done = set()
    for row in rows:
        if moment.graph.kind(row) not in {*MODEL_KINDS, NodeKind.DATASET_VERSION}:
            continue
        if moment.reads > _LISTING_READS or time.monotonic() > deadline:
            break
        holder = versioned_by(moment, row)
        if holder is not None and holder not in done:
            done.add(holder)
            steps += version_steps(moment, holder, deadline) or []
    return with_versions(moment, rows, steps)


def members(moment: Moment, group: int) -> list[int]:
    """Return the versions of a group of models, the first one first."""
    links = moment.into(group, *MODEL_KINDS) + moment.out_of(group, *MODEL_KINDS)
    rows = list(dict.fromkeys(link.row for link in links))
    first = {row: int(moment.graph.first_seen[row]) for row in rows}
    return sorted(rows, key=lambda row: (_number(moment.graph.identifier(row)), first[row], moment.graph.key(row)))


def _number(identifier: str) -> int:
    match = re.search(r"[/:.](\d{1,15})$", identifier)
    return int(match[1]) if match else 0


# --- what a model was made of ---


def trainer_of(moment: Moment, row: int) -> int | None:
    """Return the run that trained a model: what generated the package, else the nearest training upstream."""
    generated = [link.row for link in moment.into(row, *TRAINING_KINDS) if link.type is EdgeType.PRODUCED]
    if generated:
        return generated[0]
    walk = moment.graph.walk(np.array([row]), Direction.UP, depth=_WAY_TO_TRAINING, as_of=moment.held)
    return next((found for found in walk.nodes.tolist() if moment.graph.kind(found) in TRAINING_KINDS), None)


def data_of(moment: Moment, run: int) -> list[Link]:
    """Return the data that a run read; code is none."""
    links = moment.into(run, *DATA_KINDS)
    return [link for link in links if link.type is EdgeType.CONTRIBUTED_TO and link.role not in CODE_ROLES]


def makeup(moment: Moment, row: int) -> ModelMakeup:
    """Return what the rule for models looks at."""
    run = trainer_of(moment, row)
    interface = interface_of(moment.attributes(row))
    if run is None:
        return ModelMakeup(interface, None, {})
    links = data_of(moment, run)
    data = frozenset(
        (link.role, moment.graph.key(link.row).rpartition("#")[2])
        for link in links
        if link.kind is NodeKind.DATASET_VERSION
    )
    known = {role for role, _ in data}
    features = {
        moment.summary(link.row).label: moment.attributes(link.row).get("features")
        for link in links
        if link.kind is NodeKind.FEATURE_GROUP
    }
    if any(features.values()):
        interface["features"] = features
    untold = any(link.kind is NodeKind.DATASET and link.role not in known for link in links)
    sources = moment.into(run, NodeKind.CODE, NodeKind.IMAGE, NodeKind.DATASET_VERSION)
    others = {
        "code": frozenset(
            moment.graph.key(link.row).rpartition("#")[2]
            for link in sources
            if link.kind is NodeKind.CODE or (link.kind is NodeKind.DATASET_VERSION and link.role in CODE_ROLES)
        ),
        "image": frozenset(moment.graph.key(link.row) for link in sources if link.kind is NodeKind.IMAGE),
    }
    return ModelMakeup(interface, data if data and not untold else None, others)


def interface_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what callers of a model see, by name, as far as its registry tells."""
    # Of packages that were recorded before these fields were read, they are among those that no rule had read.
    unread = (attributes.get("unrecognised") or {}).get("InferenceSpecification") or {}
    containers = attributes.get("containers") or ()
    inputs = [container.get("data_input") for container in containers if isinstance(container, Mapping)]
    found = {
        "content types": _sorted(attributes.get("content_types") or unread.get("SupportedContentTypes")),
        "response types": _sorted(attributes.get("response_types") or unread.get("SupportedResponseMIMETypes")),
        "input configuration": inputs if any(inputs) else None,
        "signature": attributes.get("signature") or (attributes.get("customer_metadata") or {}).get("signature"),
    }
    return {name: value for name, value in found.items() if value}


def _sorted(value: object) -> list[str] | None:
    return sorted(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else None


def contents(moment: Moment, row: int) -> Contents:
    """Return what the rule for data looks at."""
    attributes = moment.attributes(row)
    listed = moment.listing(row)
    whole = attributes.get("complete", True)
    objects = [(str(row[0]), str(row[2]), int(row[3])) for row in listed] if listed and whole else None
    return Contents(objects, attributes.get("objects") if whole else None, attributes.get("bytes") if whole else None)
