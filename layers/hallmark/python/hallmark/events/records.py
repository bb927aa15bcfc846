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
    """ARN, S3 URI, ``hallmark:<kind>/<name>`` for what only Hallmark knows, ``<tool>:<name>`` for another tool's."""
    digest: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9-]{0,31}:[A-Za-z0-9+/=_-]{8,128}$")
    """Of a dataset: its content, ``<algorithm>:<digest>``. The node is that content then, and equal digests of whatever
    tool are the same content; one that is cut short (MLflow's eight digits) goes into the attributes instead."""

    born: datetime | None = None
    """When it was made, of a thing whose name can be used again after a deletion (a registered model, a version of it):
    tells it from the one that had the name before. Without it, whichever lived at the time is meant."""


class LineageFlow(Published):
    """Something flowed between the event's node and another one. Edges point from cause to effect."""

    node: LineageNode
    """The other one."""
    direction: Literal["in", "out"] = "in"
    """``in``: from the other one into the event's own node; ``out``: the other way."""
    type: FlowType = "ContributedTo"
    role: str = Field(default="", max_length=256)
    exclusive: bool = False
    """Only one thing at a time has this role (an alias points to one version): a later one ends the earlier one's. From
    the event's own node to itself it says that nothing has the role any more."""


class LineageSection(Published):
    """What an event adds to the graph. The same section makes the same fact, however often it is told."""

    node: LineageNode
    at: datetime
    """When it was so: part of the fact, so take it from what happened, not from the clock of a retry."""
    since: datetime | None = None
    """Since when its flows have held, where that is earlier: a run's start, in each event that tells of the run."""
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
