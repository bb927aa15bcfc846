"""What an event of Hallmark's own tells lineage: one node, how it stands, and what flowed into it and out of it.

Every event that lineage is made of carries a section ``lineage``; whoever publishes such an event says in it what the
graph is to hold, and nobody else needs to know the event's other fields.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from hallmark.events.published import Published

FlowType = Literal["ContributedTo", "Produced", "DerivedFrom", "AssociatedWith", "SameAs"]
"""SageMaker Lineage's association types (API reference, AddAssociation)."""


class LineageNode(Published):
    """A node of the graph (docs/graph.md)."""

    kind: str = Field(min_length=1)
    """``model-package``, ``endpoint``, ``verdict`` …: a value of ``NodeKind``."""
    id: str = Field(min_length=1, max_length=2000)
    """ARN, S3 URI, or ``hallmark:<kind>/<name>`` for what only Hallmark knows."""


class LineageFlow(Published):
    """Something flowed between the event's node and another one. Edges point from cause to effect."""

    node: LineageNode
    """The other one."""
    direction: Literal["in", "out"] = "in"
    """``in``: from the other one into the event's own node; ``out``: the other way."""
    type: FlowType = "ContributedTo"
    role: str = Field(default="", max_length=256)


class LineageSection(Published):
    """What an event adds to the graph. The same section makes the same fact, however often it is told."""

    node: LineageNode
    at: datetime
    """When it was so: part of the fact, so take it from what happened, not from the clock of a retry."""
    status: str | None = None
    attributes: dict[str, Any] = {}
    """snake_case names; JSON values; ``name`` is what people call it."""
    flows: list[LineageFlow] = []


class RecordedEvent(Published):
    """Base of events that lineage is made of."""

    lineage: LineageSection


def own_id(kind: str, name: str) -> str:
    """Return the id of a node that only Hallmark knows: ``hallmark:<kind>/<name>``."""
    return f"hallmark:{kind}/{name}"
