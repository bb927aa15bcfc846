"""What follows a verdict in the registry: who moves on to which stage, who is rejected, and when nothing is done."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from hallmark.errors import InvalidInputError
from hallmark.events.gates import (
    REGISTRY_APPROVED,
    REGISTRY_REJECTED,
    STAGE_WAITING,
    GateOverridden,
    JudgedCriterion,
    QualityGateDecided,
)
from hallmark.gates.settings import Gate, GatesPolicy

DESCRIPTION_CHARACTERS = 1_024
"""Of ``ApprovalDescription`` (SageMaker API reference, UpdateModelPackage)."""
_CRITERION_CHARACTERS = 240


class Order(BaseModel):
    """What a verdict, or an override of it, asks to be done with a model. Input of the workflow."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    id: str
    """The same for every repeat of the event."""
    move: Literal["promote", "reject"]
    verdict: str
    cause: str
    """Id of the node that this rests on: the verdict's, or the override's."""
    gate: str
    stage: str
    model: str
    model_name: str
    group: str = ""
    to_stage: str = ""
    """The registry's word for the stage that the model moves to; empty where it stays."""
    to_status: str = ""
    approves: bool = False
    """Whether the package becomes ``Approved``: it has passed the last gate."""
    asks_approval: bool = False
    approval_seconds: int = 0
    by: str
    reason: str
    decided_at: datetime
    owners: tuple[str, ...] = ()
    summary: str = ""

    def to_rejection(self) -> Order:
        """Return the order that a person's rejection makes of this one."""
        return self.model_copy(
            update={
                "id": self.id.replace("promote-", "reject-"),
                "move": "reject",
                "to_stage": "",
                "to_status": "",
                "approves": False,
            }
        )


class PackageState(BaseModel):
    """A model package as the registry has it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    status: str
    approval: str = ""
    stage: str = ""
    stage_status: str = ""
    fingerprint: str = ""
    """Of what it consists of: containers, digests, model data."""


class Step(NamedTuple):
    """What is to be done next, and why not more."""

    step: Literal["move", "ask", "record", "none"]
    reason: str = ""


def order_of(told: QualityGateDecided | GateOverridden, policy: GatesPolicy) -> Order | None:
    """Return what a verdict asks for; None where it is only told (development, nothing decided, nothing after it).

    Raises:
        InvalidInputError: The policy has no such gate.
    """
    gate = gate_of(told.gate, policy)
    if isinstance(told, QualityGateDecided):
        if told.outcome == "inconclusive":
            return None
        passed, cause, by = told.outcome == "passed", told.verdict, f"gate {told.gate}"
        reason = told.summary if passed else rejection_reason(told)
        decided_at, group, summary = told.decided_at, told.group, told.summary
    else:
        passed, cause, by = True, told.lineage.node.id, told.by
        reason = f"gate {told.gate} overridden: {told.reason}"
        decided_at, group, summary = told.overridden_at, group_of(told.model), reason
    if _is_endpoint(told.model):
        return None
    to_stage, to_status, approves = _target(gate, policy)
    if passed and not to_stage and not approves:
        return None
    if not passed and gate.action_on_failure == "log":
        return None
    return Order(
        id=f"{'promote' if passed else 'reject'}-{sha256(cause.encode()).hexdigest()[:32]}",
        move="promote" if passed else "reject",
        verdict=told.verdict,
        cause=cause,
        gate=told.gate,
        stage=told.stage,
        model=told.model,
        model_name=told.model_name,
        group=group,
        to_stage=to_stage if passed else "",
        to_status=to_status if passed else "",
        approves=passed and approves,
        asks_approval=passed and gate.approval.required,
        approval_seconds=int(gate.approval.expires.total_seconds()),
        by=by,
        reason=reason,
        decided_at=decided_at,
        owners=tuple(told.owners),
        summary=summary,
    )


def gate_of(name: str, policy: GatesPolicy) -> Gate:
    """Return a gate of the policy.

    Raises:
        InvalidInputError: There is none of this name.
    """
    try:
        return policy.gates[name]
    except KeyError:
        known = ", ".join(sorted(policy.gates)) or "none yet"
        raise InvalidInputError("gate", name, f"the policy has no such gate; it has: {known}") from None


def next_step(order: Order, package: PackageState | None, newer_verdict: str | None) -> Step:
    """Return what is to be done with a package, by what the registry says of it now; where in doubt, nothing.

    Args:
        order: What the verdict asks for.
        package: The package; None where it does not exist (any more).
        newer_verdict: A later verdict of the same gate on the same model, where there is one.
    """
    refusal = refusal_of(order, package, newer_verdict)
    if refusal is not None:
        return Step("none", refusal)
    if package is not None and is_done(order, package):
        return Step("none", "the registry says so already")
    if order.asks_approval:
        return Step("ask")
    return Step("move")


def refusal_of(order: Order, package: PackageState | None, newer_verdict: str | None) -> str | None:
    """Return why nothing may be done with a package; None where it may."""
    if newer_verdict is not None:
        return f"a newer verdict decides: {newer_verdict}"
    if package is None:
        return "the model package does not exist any more"
    if package.status != "Completed":
        return f"the model package is {package.status}"
    if order.move == "promote" and package.approval == REGISTRY_REJECTED and not _is_override(order):
        return "the model package was rejected meanwhile"
    if order.move == "reject" and package.stage_status == REGISTRY_APPROVED and package.approval == REGISTRY_APPROVED:
        # It has passed a later gate, or somebody has approved it: not this verdict's to take back.
        return f"the model package is approved for {package.stage or 'use'} already"
    return None


def is_done(order: Order, package: PackageState) -> bool:
    """Tell whether a package is as the order wants it: writing it again would only tell everybody again."""
    if order.move == "reject":
        return package.approval == REGISTRY_REJECTED
    moved = not order.to_stage or (package.stage, package.stage_status) == (order.to_stage, order.to_status)
    return moved and (not order.approves or package.approval == REGISTRY_APPROVED)


def check_unchanged(before: str, now: PackageState | None) -> str | None:
    """Return why a package is not the one that was judged; None where it is."""
    if now is not None and before and now.fingerprint != before:
        return "the model package was changed since it was judged: its containers are others"
    return None


def rejection_reason(verdict: QualityGateDecided, limit: int = DESCRIPTION_CHARACTERS) -> str:
    """Return why a model was rejected, for people: each failed criterion, as many as fit, then how many more.

    Args:
        verdict: What the gate said.
        limit: Characters.
    """
    failed = [criterion for criterion in verdict.criteria if criterion.outcome == "failed"]
    head, tail = f"Gate {verdict.gate} ({verdict.stage}) failed.", f" Verdict: {verdict.verdict}"
    room = limit - len(head) - len(tail)
    if room < 0:
        return _shortened(f"{head}{tail}", limit)
    said = ""
    for place, criterion in enumerate(failed):
        more = f" And {len(failed) - place} more."
        line = f" {_shortened(_line_of(criterion), _CRITERION_CHARACTERS)}."
        is_last = place == len(failed) - 1
        if len(said) + len(line) + (0 if is_last else len(f" And {len(failed) - place - 1} more.")) > room:
            said += more if len(said) + len(more) <= room else ""
            break
        said += line
    return f"{head}{said}{tail}"


def describe_move(order: Order, by: str, reason: str) -> str:
    """Return what the registry is told of a move: within its limit, who and why."""
    if order.move == "reject" and by == order.by:
        return _shortened(reason, DESCRIPTION_CHARACTERS)
    word = "Rejected" if order.move == "reject" else "Promoted"
    return _shortened(f"{word} by {by}: {reason}", DESCRIPTION_CHARACTERS)


def group_of(model: str) -> str:
    """Return the group of a model package's ARN; empty for any other model."""
    _, _, path = model.partition(":model-package/")
    return path.partition("/")[0] if "/" in path else ""


def is_package(model: str) -> bool:
    """Tell whether a model is a package of the registry."""
    return ":model-package/" in model


def _target(gate: Gate, policy: GatesPolicy) -> tuple[str, str, bool]:
    """Return stage and status that a model gets which passes, and whether that approves it."""
    if gate.next_stage is not None:
        following = next(each for each in policy.gates.values() if each.stage == gate.next_stage)
        return following.registry_stage, STAGE_WAITING, False
    is_an_end = any(each.next_stage == gate.stage for each in policy.gates.values())
    if gate.stage == "production" or is_an_end:
        return gate.registry_stage, REGISTRY_APPROVED, True
    return "", "", False


def _is_override(order: Order) -> bool:
    return order.cause != order.verdict


def _is_endpoint(model: str) -> bool:
    return ":endpoint/" in model


def _line_of(criterion: JudgedCriterion) -> str:
    return f"{criterion.name}: {criterion.why.rstrip('.')}"


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
