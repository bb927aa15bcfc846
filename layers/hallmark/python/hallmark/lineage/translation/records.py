"""Events of Hallmark's own that carry a section ``lineage``: a verdict, an approval, a drift report, an alert."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from hallmark.errors import InvalidInputError
from hallmark.events.records import LineageNode, LineageSection
from hallmark.lineage.model import EdgeType, NodeKind, NodeRef
from hallmark.lineage.references import dataset_ref, resource_ref
from hallmark.lineage.translation.draft import DataUse, FactDraft


def read_section(detail: Mapping[str, Any]) -> LineageSection:
    """Read the section ``lineage`` of an event's detail.

    Raises:
        InvalidInputError: It is missing, or says what no graph can hold.
    """
    try:
        return LineageSection.model_validate(detail.get("lineage"))
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(("detail.lineage", *map(str, fault["loc"])))
        raise InvalidInputError(field, fault["input"], f"{fault['msg']}; see docs/events.md") from None


def kind_of_node(node: LineageNode) -> NodeKind:
    """Return a node's kind.

    Raises:
        InvalidInputError: There is no such kind.
    """
    try:
        return NodeKind(node.kind)
    except ValueError:
        kinds = ", ".join(NodeKind)
        raise InvalidInputError("detail.lineage.node.kind", node.kind, f"take one of {kinds}") from None


def draft_record(detail: Mapping[str, Any]) -> FactDraft:
    """Draft the fact that such an event makes.

    Raises:
        InvalidInputError: The section is missing or wrong.
    """
    section = read_section(detail)
    if section.at.tzinfo is None:
        raise InvalidInputError("detail.lineage.at", section.at.isoformat(), "send a time with its zone")
    draft = FactDraft(subject=_reference(section.node), at=section.at, status=section.status, since=section.at)
    draft.note(**section.attributes)
    for flow in section.flows:
        reference = _reference(flow.node)
        if reference.kind is NodeKind.DATASET and reference.id.startswith("s3://"):
            draft.data.append(_use(reference, flow.role, section.at, produced=flow.direction == "out"))
        elif flow.direction == "in":
            draft.flows_in(reference, EdgeType(flow.type), flow.role)
        else:
            draft.flows_out(reference, EdgeType(flow.type), flow.role)
    return draft


def _use(place: NodeRef, role: str, at: datetime, *, produced: bool) -> DataUse:
    return DataUse(uri=place.id, role=role, produced=produced, as_of=at, listed="outputs" if produced else "inputs")


def _reference(node: LineageNode) -> NodeRef:
    kind = kind_of_node(node)
    return dataset_ref(node.id) if kind is NodeKind.DATASET else resource_ref(node.id, kind)
