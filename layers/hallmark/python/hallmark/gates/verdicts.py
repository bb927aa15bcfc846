"""A gate's verdict: what is kept of it, and what is told."""

from __future__ import annotations

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
from hallmark.events.records import LineageFlow, LineageNode, LineageSection
from hallmark.gates.requests import GateRequest

_DETAIL_TYPES: dict[Outcome, str] = {
    "passed": QUALITY_GATE_PASSED,
    "failed": QUALITY_GATE_FAILED,
    "inconclusive": QUALITY_GATE_INCONCLUSIVE,
}


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
