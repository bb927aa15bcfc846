"""The questions of accountability: who did what, whose word an approval was, and what was done without a reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hallmark.lineage.model import Instant
from hallmark.lineage.questions import Answer, NodeSummary, Question


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class WhoQuestion(Question):
    """Who did what to a node, the newest first; of a user: what they did."""

    ask: Literal["who"] = "who"
    node: str
    limit: int = Field(default=50, ge=1, le=500)


class ApprovalsQuestion(Question):
    """Who approved the newest approved version of each model package group, and whether that was another person."""

    ask: Literal["approvals"] = "approvals"
    group: str = ""
    """One group or package; empty for all groups."""
    everything: bool = False
    """Every approved version, not the newest one of each group only."""
    limit: int = Field(default=200, ge=1, le=1000)
    """Groups looked at."""


class ReasonsQuestion(Question):
    """Which actions of people say why they were done, and which do not."""

    ask: Literal["reasons"] = "reasons"
    since: Instant | None = None
    limit: int = Field(default=500, ge=1, le=5000)
    """Calls looked at, the newest first."""


class Act(_Frozen):
    """Something that somebody did, or tried to do."""

    key: str
    """The node that tells of it: an action, an approval, an override; of ``created-by`` the resource itself."""
    at: Instant
    what: str
    """The call (``UpdateModelPackage``), or what a person decided (``approved for production``)."""
    outcome: Literal["done", "attempted"] = "done"
    details: dict[str, str] = {}
    """What the request changed: ``approval_status``, ``stage``, ``config`` …"""
    target: str = ""
    """Key or name of what it was done to."""
    actor: str = "unknown"
    """``person``, ``machine``, ``session`` (a role's: its name proves nobody), ``root``, ``account`` or ``unknown``."""
    by: str = ""
    name: str = ""
    """The person's own name, where AWS proves it."""
    principal: str = ""
    session: str = ""
    claimed: str = ""
    """The source identity of the session, which is told and not proven."""
    via: str = ""
    source_ip: str = ""
    user_agent: str = ""
    region: str = ""
    why: str = ""
    why_from: str = ""
    error: str = ""
    told_by: Literal["CloudTrail", "Hallmark", "SageMaker"] = "CloudTrail"


class WhoAnswer(Answer):
    """Acts, the newest first. ``complete`` is False where there are more than were asked for."""

    answer: Literal["who"] = "who"
    node: NodeSummary
    acts: tuple[Act, ...]
    complete: bool = True


Finding = Literal["person", "author", "author unknown", "machine", "unproven", "unknown"]
"""Who approved: a person who is not the author; the author; a person, but nobody knows the author; a machine without a
person's word; somebody who is not proven to be one person; nobody knows."""
FINDING_WORDS: Mapping[Finding, str] = {
    "person": "a person who is not the author",
    "author": "the author",
    "author unknown": "a person; nobody knows the author",
    "machine": "a machine, without a person's word",
    "unproven": "a session: its name proves nobody",
    "unknown": "nobody knows who",
}
"""The findings, for people."""


class Approved(_Frozen):
    """One approved version of a model, and whose word that was."""

    package: NodeSummary
    group: str
    finding: Finding
    accepted: bool
    """Whether that is what policy asks for: a person's word, and not the author's, unless policy allows it."""
    at: Instant | None = None
    by: str = ""
    name: str = ""
    actor: str = "unknown"
    authors: tuple[str, ...] = ()
    author_may_approve: bool = False
    why: str = ""
    evidence: tuple[str, ...] = ()
    """Keys of the nodes that tell so."""


class ApprovalsAnswer(Answer):
    """Approved versions, those that lack a person's word first; groups that have no approved version are counted."""

    answer: Literal["approvals"] = "approvals"
    approved: tuple[Approved, ...]
    groups: int
    without: int
    """Groups without any approved version."""
    complete: bool = True


class ReasonsAnswer(Answer):
    """How many calls people made, and those that do not say why."""

    answer: Literal["reasons"] = "reasons"
    required: bool
    """Whether policy asks for a reason."""
    calls: int
    """Calls looked at, machines' among them."""
    by_people: int
    missing: tuple[Act, ...]
    complete: bool = True
