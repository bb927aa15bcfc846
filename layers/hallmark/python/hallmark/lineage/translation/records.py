"""Events that carry a section ``lineage``: Hallmark's own (a verdict, an alert), and other tools' reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from hallmark.errors import InvalidInputError
from hallmark.events.records import LineageFlow, LineageNode, LineageSection
from hallmark.events.reports import LineageReported
from hallmark.lineage.model import EdgeType, NodeKind, NodeRef
from hallmark.lineage.references import (
    FOREIGN_KINDS,
    dataset_id,
    dataset_ref,
    image_ref,
    parse_arn,
    resource_ref,
    version_ref,
)
from hallmark.lineage.translation.draft import DataUse, FactDraft


def read_section(detail: Mapping[str, Any]) -> LineageSection:
    """Read the section ``lineage`` of an event's detail.

    Raises:
        InvalidInputError: It is missing, or says what no graph can hold.
    """
    try:
        return LineageSection.model_validate(detail.get("lineage"))
    except ValidationError as error:
        raise _refusal("detail.lineage", error) from None


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
    """Draft the fact that an event of Hallmark's own makes.

    Raises:
        InvalidInputError: The section is missing or wrong.
    """
    return _draft(read_section(detail))


def draft_report(detail: Mapping[str, Any]) -> FactDraft:
    """Draft the fact that another tool's report makes: what its section says, and which tool said it.

    Raises:
        InvalidInputError: The report is wrong, or tells of what is not the tool's to tell.
    """
    try:
        report = LineageReported.model_validate(detail)
    except ValidationError as error:
        raise _refusal("detail", error) from None
    node = report.lineage.node
    if NodeKind(node.kind) in FOREIGN_KINDS and (":" not in node.id or parse_arn(node.id) is not None):
        raise InvalidInputError("detail.lineage.node.id", node.id, f"name it {report.tool}:<the tool's own name>")
    draft = _draft(report.lineage)
    # Who sent it is for the door to say, and not for what came through it.
    draft.attributes.pop("reported_by", None)
    draft.note(tool=report.tool, reported_by=report.reported_by)
    return draft


def _draft(section: LineageSection) -> FactDraft:
    for field in ("at", "since"):
        time = getattr(section, field)
        if time is not None and time.tzinfo is None:
            raise InvalidInputError(f"detail.lineage.{field}", time.isoformat(), "send a time with its zone")
    since = min(section.since or section.at, section.at)
    draft = FactDraft(subject=_reference(section.node), at=section.at, status=section.status, since=since)
    draft.note(**section.attributes)
    if draft.subject.kind is NodeKind.DATASET_VERSION:
        place, _, digest = draft.subject.id.rpartition("#")
        draft.note(uri=place, digest=digest)
        draft.belongs(dataset_ref(place), draft.subject)
    elif section.node.digest:
        draft.note(digest=section.node.digest)
    for flow in section.flows:
        _add_flow(draft, flow)
    return draft


_DATA_FLOWS = frozenset({EdgeType.CONTRIBUTED_TO, EdgeType.PRODUCED})


def _add_flow(draft: FactDraft, flow: LineageFlow) -> None:
    reference, kind = _reference(flow.node), EdgeType(flow.type)
    place, _, digest = reference.id.rpartition("#") if reference.kind is NodeKind.DATASET_VERSION else ("", "", "")
    if kind in _DATA_FLOWS and digest:
        draft.data.append(_use(draft, place, flow, digest))
    elif kind in _DATA_FLOWS and reference.kind is NodeKind.DATASET and reference.id.startswith("s3://"):
        draft.data.append(_use(draft, reference.id, flow, None))
    else:
        if digest:
            draft.belongs(dataset_ref(place), reference)
        # What is the same as another thing is reached from both.
        if flow.direction == "in" or kind is EdgeType.SAME_AS:
            draft.flows_in(reference, kind, flow.role, exclusive=flow.exclusive)
        if flow.direction == "out" or kind is EdgeType.SAME_AS:
            draft.flows_out(reference, kind, flow.role, exclusive=flow.exclusive)


def _use(draft: FactDraft, place: str, flow: LineageFlow, digest: str | None) -> DataUse:
    produced = flow.direction == "out"
    return DataUse(
        uri=place,
        role=flow.role,
        produced=produced,
        as_of=draft.at if produced else draft.since,
        listed="outputs" if produced else "inputs",
        digest=digest,
        announced=produced and draft.subject.kind is NodeKind.RUN and draft.status in _UNENDED,
    )


_UNENDED = frozenset({"InProgress", "Starting", "Pending"})


def _reference(node: LineageNode) -> NodeRef:
    kind = kind_of_node(node)
    if kind is NodeKind.DATASET:
        return version_ref(node.id, node.digest) if node.digest else dataset_ref(node.id)
    if kind is NodeKind.DATASET_VERSION:
        place, mark, digest = node.id.rpartition("#")
        if not mark or not place or not digest:
            raise InvalidInputError("detail.lineage.node.id", node.id, "name content <uri>#sha256:<digest>")
        return NodeRef(kind=kind, id=f"{dataset_id(place)}#{digest}")
    if kind is NodeKind.IMAGE:
        return image_ref(node.id, node.digest)
    return resource_ref(node.id, kind, node.born)


def _refusal(place: str, error: ValidationError) -> InvalidInputError:
    fault = error.errors()[0]
    field = ".".join((place, *map(str, fault["loc"])))
    return InvalidInputError(field, fault["input"], f"{fault['msg']}; see docs/events.md")
