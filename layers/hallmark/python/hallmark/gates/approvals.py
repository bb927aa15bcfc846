"""A person's word between a gate's verdict and what follows: who may give it, how it may be given, until when."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hallmark.errors import InvalidInputError
from hallmark.events.gates import QualityGateDecided
from hallmark.people import Person

Decision = Literal["approved", "rejected"]
State = Literal["pending", "approved", "rejected", "expired"]
MAXIMUM_REASON_CHARACTERS = 600
"""So that it fits into the registry's description (1,024 characters) with what is said around it."""


class Rules(BaseModel):
    """Who may decide on a model."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    approvers: tuple[str, ...] = ()
    author_may_not_approve: bool = True
    authors: tuple[Person, ...] = ()


class Approval(BaseModel):
    """A question to a person."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    id: str
    gate: str
    stage: str
    model: str
    model_name: str
    verdict: str
    rules: Rules
    asked_at: datetime
    expires_at: datetime
    owners: tuple[str, ...] = ()
    summary: str = ""
    state: State = "pending"
    by: str = ""
    reason: str = ""
    decided_at: datetime | None = None

    def to_answer(self) -> dict[str, str]:
        """Return what the workflow that waits is told."""
        return {"approval": self.id, "state": self.state, "by": self.by, "reason": self.reason}


def approval_id(verdict: str, cause: str) -> str:
    """Return the id of the question that a verdict, or an override of it, leads to; short, since people type it."""
    return "ap-" + sha256(f"{verdict}\n{cause}".encode()).hexdigest()[:12]


def approval_gap(approval: Approval, *, verdict: str, model: str, wanted: Decision) -> str | None:
    """Return why a person's word, as it is kept, does not bear what is to be done; None where it does.

    Args:
        approval: What is kept.
        verdict: The verdict that it must be about.
        model: The model that it must be about.
        wanted: What the person must have said.
    """
    if (approval.verdict, approval.model) != (verdict, model):
        return f"the approval {approval.id} is about another verdict or model"
    if approval.state != wanted:
        return f"the approval {approval.id} is {approval.state}, and not {wanted}"
    return None


def check_person(person: Person, rules: Rules) -> None:
    """Check that a person may decide.

    Raises:
        InvalidInputError: They may not, or it cannot be told.
    """
    if rules.approvers and not person.is_among(rules.approvers):
        raise InvalidInputError("the caller", person.arn, f"only these may decide: {', '.join(rules.approvers)}")
    if not rules.author_may_not_approve:
        return
    if not rules.authors:
        raise InvalidInputError(
            "the author",
            None,
            "the registry does not tell who made this model, and the policy lets no author approve: register it by a "
            "person or a pipeline, or set approval.author_may_not_approve: false",
        )
    if any(person.is_same_as(author) for author in rules.authors):
        raise InvalidInputError("the caller", person.arn, "whoever made a model may not approve it: ask somebody else")


def check_reason(reason: str) -> str:
    """Return a reason without the spaces around it.

    Raises:
        InvalidInputError: There is none, or it is too long.
    """
    text = " ".join(reason.split())
    if not text:
        raise InvalidInputError("reason", reason, "say why: it is kept in lineage and in the registry")
    if len(text) > MAXIMUM_REASON_CHARACTERS:
        raise InvalidInputError("reason", text, f"write at most {MAXIMUM_REASON_CHARACTERS} characters")
    return text


def check_overridable(verdict: QualityGateDecided) -> None:
    """Check that there is something to override.

    Raises:
        InvalidInputError: The model passed.
    """
    if verdict.outcome == "passed":
        raise InvalidInputError("verdict", verdict.verdict, "the model passed: there is nothing to override")


def decide(approval: Approval, person: Person, decision: Decision, reason: str, now: datetime) -> Approval:
    """Return the approval as it is once a person has decided; the same decision again changes nothing.

    Raises:
        InvalidInputError: They may not, it is too late, or somebody has decided already.
    """
    text = check_reason(reason)
    check_person(person, approval.rules)
    if approval.state == decision and approval.by == person.arn:
        return approval
    if approval.state != "pending":
        raise InvalidInputError("approval", approval.id, f"it is {approval.state} already{_by(approval)}")
    if now >= approval.expires_at:
        raise InvalidInputError("approval", approval.id, f"it expired at {approval.expires_at:%Y-%m-%d %H:%M} UTC")
    return approval.model_copy(update={"state": decision, "by": person.arn, "reason": text, "decided_at": now})


def _by(approval: Approval) -> str:
    return f", by {approval.by}: {approval.reason}" if approval.by else ""
