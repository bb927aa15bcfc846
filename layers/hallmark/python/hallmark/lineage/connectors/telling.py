"""How connectors write sections: names, times, flows, and maps that must not grow without end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from hallmark.events.records import LineageFlow, LineageNode, LineageSection
from hallmark.lineage.credentials import without_secrets_within
from hallmark.lineage.model import NodeKind, canonical_json
from hallmark.lineage.references import kind_of, parse_arn

ENTRIES = 200
"""Entries of a map (parameters, metrics, tags) that are told; the count of the others is told in ``left_out``."""
TEXT = 500
"""Characters of a text that are told."""
SECTION_BYTES = 200_000
"""An entry of PutEvents has 256 KB at most, its envelope included (EventBridge quotas)."""

_ARN = re.compile(r"^arn:aws[a-z-]*:(?:sagemaker|bedrock):[a-z0-9-]*:\d{0,12}:[^\s]+$")
_TOLD_OF = frozenset(
    {NodeKind.TRAINING_JOB, NodeKind.PROCESSING_JOB, NodeKind.PIPELINE_EXECUTION, NodeKind.MODEL_PACKAGE}
)


def from_milliseconds(value: int) -> datetime:
    """Return the time of milliseconds since the epoch."""
    return datetime.fromtimestamp(value / 1000, UTC)


def flow(node: LineageNode, direction: str, kind: str, role: str) -> LineageFlow:
    """Return a flow between the section's node and another one."""
    return LineageFlow.model_validate({"node": node, "direction": direction, "type": kind, "role": role[:256]})


def bounded(values: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Return the first entries by name, texts shortened, credentials concealed; and how many entries are left out."""
    kept = dict(sorted(values.items())[:ENTRIES])
    shortened = {
        name: value[:TEXT] + "…" if isinstance(value, str) and len(value) > TEXT else value
        for name, value in kept.items()
    }
    return dict(without_secrets_within(shortened)), len(values) - len(kept)


def add_maps(attributes: dict[str, Any], **maps: Mapping[str, Any]) -> None:
    """Add maps to the attributes, each within bounds."""
    for name, values in maps.items():
        kept, left = bounded(values)
        if kept:
            attributes[name] = kept
        if left:
            attributes.setdefault("left_out", {})[name] = left


def fitting(section: LineageSection) -> LineageSection:
    """Return a section that fits an event: where it is too large, without its largest attributes, which it names."""
    attributes = dict(section.attributes)
    left: dict[str, Any] = dict(attributes.pop("left_out", {}))
    while attributes and len(section.model_dump_json()) > SECTION_BYTES:
        largest = max(attributes, key=lambda name: (len(canonical_json(attributes[name])), name))
        value = attributes.pop(largest)
        left[largest] = len(value) if isinstance(value, dict | list) else 1
        section = section.model_copy(update={"attributes": {**attributes, "left_out": left}})
    return section


def resource_flows(values: Iterable[str]) -> list[LineageFlow]:
    """Return flows to the resources of AWS that texts name by ARN: what another tool tags with one stands for it."""
    found = {}
    for value in values:
        kind = kind_of(value) if _ARN.match(value) and parse_arn(value) is not None else None
        if kind in _TOLD_OF:
            found[value] = flow(LineageNode(kind=kind.value, id=value), "in", "SameAs", "tagged")
    return [found[value] for value in sorted(found)]
