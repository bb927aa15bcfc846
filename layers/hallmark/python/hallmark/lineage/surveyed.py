"""The questions whose answers look over much of the graph: a way, what is affected, what differs, lists.

They are apart from ``questions`` because most functions that ask lineage ask for a trace or one node.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import Answer, Listing, NodeSummary, Question, TracedEdge, TracedNode, VersionStep


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class PathQuestion(Question):
    """A shortest way from one node down to another (either may be the upper one)."""

    ask: Literal["path"] = "path"
    source: str
    target: str


class ImpactQuestion(Question):
    """What is affected if a dataset (or any node) is bad: descendants, the most important first."""

    ask: Literal["impact"] = "impact"
    node: str
    history: bool = False
    node_budget: int = Field(default=200_000, ge=1, le=1_000_000)
    time_budget_seconds: float = Field(default=20.0, gt=0)
    resume: str | None = None


class DiffQuestion(Question):
    """What differs between two model packages (models, endpoints, training jobs) and what they were made from."""

    ask: Literal["diff"] = "diff"
    left: str
    right: str


class ListQuestion(Question):
    """Nodes of a kind, newest first, whose name or id contains a text."""

    ask: Literal["list"] = "list"
    versions: bool = False
    """Also semantic versions, as far as there is time."""
    kind: NodeKind | None = None
    contains: str = ""
    limit: int = Field(default=50, ge=1, le=1000)
    resume: str | None = None


class PathAnswer(Answer):
    """The nodes of a shortest way and the edges between them; none of either where there is no way."""

    answer: Literal["path"] = "path"
    nodes: tuple[NodeSummary, ...]
    edges: tuple[TracedEdge, ...]


class AffectedKind(_Frozen):
    """How many nodes of one kind are affected, and a page of them (live endpoints before deleted ones)."""

    kind: NodeKind
    count: int
    nodes: tuple[TracedNode, ...]


class ImpactAnswer(Listing):
    """What depends on a node: endpoints first, then packages, models, jobs, datasets.

    A page has the next fifty of each kind. ``complete`` tells whether the counts are those of all that depends on it;
    ``resume`` goes on wherever a node was not listed yet.
    """

    answer: Literal["impact"] = "impact"
    start: NodeSummary
    affected: tuple[AffectedKind, ...]


Section = Literal[
    "data", "interface", "code", "environment", "hyperparameters", "people", "metrics", "gates", "registry"
]


class Difference(_Frozen):
    """One thing that differs, in one of the sections."""

    section: Section
    field: str
    left: Any = None
    right: Any = None


class DiffAnswer(Answer):
    """What differs and how many fields are equal, per section.

    ``complete`` is False where a side has more runs behind it than were compared: the nearest were.
    """

    answer: Literal["diff"] = "diff"
    left: NodeSummary
    right: NodeSummary
    differences: tuple[Difference, ...]
    equal: dict[str, int]
    versions: tuple[VersionStep, ...] = ()
    """Where both are versions of one thing: the steps from the one to the other."""
    complete: bool = True


class ListAnswer(Listing):
    """Nodes of a kind."""

    answer: Literal["list"] = "list"
    nodes: tuple[NodeSummary, ...]


QUESTIONS: Mapping[str, type[Question]] = {
    "path": PathQuestion,
    "impact": ImpactQuestion,
    "diff": DiffQuestion,
    "list": ListQuestion,
}
ANSWERS: Mapping[str, type[Answer]] = {
    "path": PathAnswer,
    "impact": ImpactAnswer,
    "diff": DiffAnswer,
    "list": ListAnswer,
}
