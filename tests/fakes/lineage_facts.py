"""Facts made for tests of the graph: small, with times in minutes since one moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hallmark.lineage.model import (
    Edge,
    EdgeType,
    Fact,
    Instant,
    NodeKind,
    NodeRef,
    NodeState,
    Origin,
    RecordedFact,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
PREFIX = "arn:aws:sagemaker:us-east-1:111122223333"


def minute(number: float) -> Instant:
    return START + timedelta(minutes=number)


def node(kind: NodeKind, name: str, born: float | None = None) -> NodeRef:
    return NodeRef(kind=kind, id=f"{PREFIX}:{kind.value}/{name}", born=None if born is None else minute(born))


def version(place: str, digest: str) -> NodeRef:
    return NodeRef(kind=NodeKind.DATASET_VERSION, id=f"{place}#sha256:{digest}")


def place(uri: str) -> NodeRef:
    return NodeRef(kind=NodeKind.DATASET, id=uri)


def edge(
    source: NodeRef,
    target: NodeRef,
    kind: EdgeType = EdgeType.CONTRIBUTED_TO,
    role: str = "",
    at: float = 0,
    *,
    exclusive: bool = False,
) -> Edge:
    return Edge(source=source, target=target, type=kind, role=role, valid_from=minute(at), exclusive=exclusive)


def fact(
    subject: NodeRef,
    *edges: Edge,
    status: str | None = "Completed",
    at: float = 0,
    recorded: float = 0,
    others: tuple[NodeState, ...] = (),
    **attributes: Any,
) -> RecordedFact:
    state = NodeState(node=subject, at=minute(at), status=status, attributes=attributes)
    made = Fact(subject=subject, origin=Origin.EVENT, states=(state, *others), edges=edges)
    return RecordedFact(fact=made, recorded_at=minute(recorded))
