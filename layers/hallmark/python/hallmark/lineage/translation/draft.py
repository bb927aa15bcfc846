"""What one observation says, before its data and images have been looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from hallmark.events.resources import Section
from hallmark.lineage.model import FINAL_STATUSES, Edge, EdgeType, NodeKind, NodeRef, NodeState
from hallmark.lineage.references import resource_ref
from hallmark.lineage.translation.reading import take_text


class DataUse(NamedTuple):
    """The subject read or wrote what lies under a URI.

    ``role`` is the channel or the output's name; ``as_of`` the time at which the content counts; ``listed`` names the
    attribute in which the use is described (``inputs``, ``outputs``), or is None where it is an edge only.
    """

    uri: str
    role: str
    produced: bool
    as_of: datetime | None
    listed: str | None = None
    content_type: str | None = None
    digest: str | None = None
    """Of the content, where whoever tells of the use knows it."""
    announced: bool = False
    """The subject is going to write there: what lies there now is not of its making."""


class ImageUse(NamedTuple):
    """The subject ran in a container image, or contains one."""

    uri: str
    digest: str | None = None


@dataclass
class FactDraft:
    """A fact in the making: everything that the event and the description say."""

    subject: NodeRef
    at: datetime
    status: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    since: datetime | None = None
    """Since when the subject's edges have held; ``at``, where it is not known."""
    earlier: list[NodeState] = field(default_factory=list)
    others: list[NodeState] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    data: list[DataUse] = field(default_factory=list)
    images: list[ImageUse] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Tell whether the subject's status is one that ends a run."""
        return self.status in FINAL_STATUSES

    def note(self, **attributes: Any) -> None:
        """Add the attributes that have a value."""
        self.attributes.update({name: value for name, value in attributes.items() if value not in (None, "", {}, [])})

    def flows_in(self, source: NodeRef, kind: EdgeType, role: str = "", **details: Any) -> None:
        """Add an edge that reaches the subject."""
        self._add(source, self.subject, kind, role, details)

    def flows_out(self, target: NodeRef, kind: EdgeType, role: str = "", **details: Any) -> None:
        """Add an edge that leaves the subject."""
        self._add(self.subject, target, kind, role, details)

    def belongs(self, place: NodeRef, version: NodeRef) -> None:
        """Add the edge from a place to a content that has lain there."""
        self._add(place, version, EdgeType.ASSOCIATED_WITH, "version", {})

    def made_by(self, who: Section | None) -> None:
        """Add the person behind the subject: ``CreatedBy`` or ``LastModifiedBy`` of SageMaker's answers."""
        person = person_ref(who)
        if person is not None:
            self.note(created_by=person.id)
            self.flows_in(person, EdgeType.ASSOCIATED_WITH, "created-by")

    def _add(self, source: NodeRef, target: NodeRef, kind: EdgeType, role: str, details: Mapping[str, Any]) -> None:
        valid_from = details.get("valid_from") or self.since or self.at
        self.edges.append(
            Edge(
                source=source,
                target=target,
                type=kind,
                role=role[:ROLE_LENGTH],
                valid_from=valid_from,
                exclusive=bool(details.get("exclusive")),
            )
        )


ROLE_LENGTH = 256
"""Of ``Edge.role``."""


def person_ref(who: Section | None) -> NodeRef | None:
    """Return the node of a person: a Studio user profile, else the IAM principal."""
    principal = take_text(who, "UserProfileArn") or take_text(who, "IamIdentity", "Arn")
    return resource_ref(principal, NodeKind.USER) if principal else None
