"""A gate's verdict: what is kept of it, and what is told."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hallmark.events.gates import (
    QUALITY_GATE_FAILED,
    QUALITY_GATE_INCONCLUSIVE,
    QUALITY_GATE_PASSED,
    JudgedContent,
    JudgedCriterion,
    Outcome,
    QualityGateDecided,
)
from hallmark.events.records import LineageFlow, LineageNode, LineageSection, own_id
from hallmark.gates.content import content_of
from hallmark.gates.evidence import Evidence
from hallmark.gates.judging import Judgement
from hallmark.gates.requests import GateRequest
from hallmark.gates.settings import Gate

_DETAIL_TYPES: dict[Outcome, str] = {
    "passed": QUALITY_GATE_PASSED,
    "failed": QUALITY_GATE_FAILED,
    "inconclusive": QUALITY_GATE_INCONCLUSIVE,
}
_SUMMARY_LENGTH = 900
"""ApprovalDescription takes 1,024 characters (SageMaker API reference, UpdateModelPackage)."""


class Verdict(BaseModel):
    """What a gate said of a model, once and for all."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    id: str
    """``hallmark:verdict/<digest>``."""
    request: GateRequest
    stage: str
    outcome: Outcome
    model_name: str
    group: str = ""
    package: str = ""
    endpoint: str = ""
    criteria: tuple[JudgedCriterion, ...]
    action: str
    evidence: tuple[str, ...] = ()
    """URIs of reports."""
    evaluations: tuple[str, ...] = ()
    """Runs of suites, as lineage knows them."""
    decided_at: datetime
    owners: tuple[str, ...] = ()
    summary: str
    judged: JudgedContent | None = None
    """Of which bytes; None for a verdict from before."""

    @property
    def detail_type(self) -> str:
        """Name of the event that tells it."""
        return _DETAIL_TYPES[self.outcome]


class RequestState(BaseModel):
    """How a request stands."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    request: str
    """Its digest."""
    status: Literal["waiting", "decided", "failed"]
    gate: str
    model: str
    verdict: str = ""
    reason: str = ""
    """What it waits for, or why it failed."""
    since: datetime


def verdict_of(request: GateRequest, gate: Gate, evidence: Evidence, judgement: Judgement, now: datetime) -> Verdict:
    """Put a verdict together."""
    return Verdict(
        id=own_id("verdict", request.digest),
        request=request,
        stage=gate.stage,
        outcome=judgement.outcome,
        model_name=evidence.model_name,
        group=evidence.group,
        package=evidence.package,
        endpoint=evidence.endpoint,
        criteria=judgement.criteria,
        action=action_of(gate, judgement.outcome),
        evidence=tuple(source.uri for source in evidence.sources),
        evaluations=tuple(source.node for source in evidence.sources if source.node),
        decided_at=now,
        owners=gate.owners,
        summary=summary_of(request.gate, evidence.model_name, judgement),
        judged=content_of(gate, evidence),
    )


def action_of(gate: Gate, outcome: Outcome) -> str:
    """Say what follows: doubt moves nothing on and takes nothing back."""
    if outcome == "failed":
        return gate.action_on_failure
    if outcome == "inconclusive":
        return "log" if gate.action_on_failure == "log" else "none"
    if gate.approval.required:
        return "ask_for_approval"
    return "promote" if gate.next_stage is not None or gate.stage == "production" else "none"


def summary_of(gate: str, model_name: str, judgement: Judgement) -> str:
    """Return the verdict in a few sentences, what stands in the way first."""
    counts = Counter(each.outcome for each in judgement.criteria)
    word = {"passed": "passes", "failed": "fails", "inconclusive": "neither passes nor fails"}[judgement.outcome]
    text = f"{model_name} {word} {gate}: {counts['passed']} of {len(judgement.criteria)} criteria are met"
    for outcome in ("failed", "inconclusive"):
        for each in judgement.criteria:
            if each.outcome == outcome:
                text += f". {each.name}: {each.why}"
    return text if len(text) <= _SUMMARY_LENGTH else f"{text[: _SUMMARY_LENGTH - 1]}…"


def decided_event(verdict: Verdict) -> QualityGateDecided:
    """Return what the hallmark bus is told; the same verdict always tells the same."""
    request = verdict.request
    return QualityGateDecided(
        lineage=_section(verdict),
        verdict=verdict.id,
        outcome=verdict.outcome,
        gate=request.gate,
        stage=verdict.stage,
        model=request.model,
        model_name=verdict.model_name,
        group=verdict.group,
        endpoint=verdict.endpoint,
        criteria=list(verdict.criteria),
        action=verdict.action,
        evidence=list(verdict.evidence),
        decided_at=verdict.decided_at,
        trigger=request.trigger,
        requested_by=request.requested_by,
        owners=list(verdict.owners),
        summary=verdict.summary,
        judged=verdict.judged,
    )


def _section(verdict: Verdict) -> LineageSection:
    flows = [LineageFlow(node=LineageNode(kind="evaluation", id=node), role="evidence") for node in verdict.evaluations]
    judged = {id_: kind for id_ in (verdict.request.model, verdict.package, verdict.endpoint) if (kind := kind_of(id_))}
    flows += [LineageFlow(node=LineageNode(kind=kind, id=id_), role="judged") for id_, kind in judged.items()]
    return LineageSection(
        node=LineageNode(kind="verdict", id=verdict.id),
        at=verdict.decided_at,
        status=verdict.outcome.capitalize(),
        attributes={
            "name": f"{verdict.request.gate}: {verdict.model_name}",
            "gate": verdict.request.gate,
            "stage": verdict.stage,
            "action": verdict.action,
            "trigger": verdict.request.trigger,
            "summary": verdict.summary,
            "criteria": {
                each.name: {
                    name: value
                    for name, value in {
                        "outcome": each.outcome,
                        "value": each.value,
                        "low": each.low,
                        "high": each.high,
                        "threshold": each.threshold,
                        "cases": each.cases,
                    }.items()
                    if value is not None
                }
                for each in verdict.criteria
            },
        },
        flows=flows,
    )


def kind_of(model: str) -> str:
    """Return the kind of node that a model is in lineage; empty for nothing that is named."""
    if not model:
        return ""
    if ":model-package/" in model:
        return "model-package"
    if ":endpoint/" in model:
        return "endpoint"
    return "custom-model" if ":custom-model" in model else "foundation-model"
