"""Facts in Hallmark's own words, for tools that speak no standard: ``fact.schema.json`` describes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from hallmark.errors import InvalidInputError
from hallmark.events.records import LineageNode, LineageSection
from hallmark.events.reports import LineageReported
from hallmark.lineage.credentials import without_secrets_within
from hallmark.lineage.intake.naming import Names
from hallmark.lineage.intake.openlineage import AHEAD, EARLIEST, Translation
from hallmark.lineage.translation.records import draft_report

FACT_BYTES = 200_000
"""A fact goes to the bus in one request (256 KB), with what is added to it."""


def is_fact(document: Mapping[str, Any]) -> bool:
    """Tell a fact from an OpenLineage event."""
    return "node" in document or ("tool" in document and "eventTime" not in document)


def read_fact(
    document: Mapping[str, Any], names: Names, *, now: datetime, reported_by: str | None = None, place: str = ""
) -> Translation:
    """Read a fact: ``{tool, node, at, since?, status?, attributes?, flows?}``.

    Args:
        document: The fact.
        names: The canonical names of datasets.
        now: The time.
        reported_by: ARN of whoever sent it.
        place: Where it stood, for messages.

    Raises:
        InvalidInputError: It breaks a rule of the schema; the message names the field.
    """
    prefix = f"{place}." if place else ""
    section = {name: value for name, value in document.items() if name != "tool"}
    try:
        report = LineageReported.model_validate(
            {"tool": document.get("tool"), "lineage": section, "reportedBy": reported_by}
        )
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(step) for step in fault["loc"] if step != "lineage") or "node.kind"
        raise InvalidInputError(
            f"{prefix}{field}", _shown(fault["input"]), f"{fault['msg']}; see docs/intake.md"
        ) from None
    size = len(report.model_dump_json(by_alias=True).encode())
    if size > FACT_BYTES:
        remedy = f"a fact has {FACT_BYTES:,} bytes at most: tell the node in parts, or keep large attributes elsewhere"
        raise InvalidInputError(place or "the fact", f"{size:,} bytes", remedy)
    told = report.lineage
    if told.at.tzinfo is not None and not EARLIEST <= told.at <= now + AHEAD:
        raise InvalidInputError(f"{prefix}at", told.at.isoformat(), "set the sender's clock, and send the fact again")
    named = LineageReported(tool=report.tool, reported_by=reported_by, lineage=_canonical(told, names))
    try:
        draft_report(named.model_dump(mode="json", by_alias=True, exclude_none=True))
    except InvalidInputError as error:
        field = error.field.removeprefix("detail.").removeprefix("lineage.")
        raise InvalidInputError(f"{prefix}{field}", error.value, error.remedy) from None
    inputs = [flow.node.id for flow in named.lineage.flows if flow.direction == "in" and flow.node.kind == "dataset"]
    ended = told.node.kind == "run" and told.status not in {None, "InProgress"}
    return Translation((named,), tuple(inputs) if ended else ())


def _canonical(told: LineageSection, names: Names) -> LineageSection:
    return told.model_copy(
        update={
            "node": _node(told.node, names),
            "attributes": without_secrets_within(told.attributes),
            "flows": [flow.model_copy(update={"node": _node(flow.node, names)}) for flow in told.flows],
        }
    )


def _node(node: LineageNode, names: Names) -> LineageNode:
    return node.model_copy(update={"id": names.of_uri(node.id).uri}) if node.kind == "dataset" else node


def _shown(value: object) -> object:
    return value if not isinstance(value, Mapping) else f"an object with {', '.join(map(str, value)) or 'nothing'}"
