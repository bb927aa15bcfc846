"""Applying a gate: look for evidence, ask for what is missing, and judge once it is there or the wait is over."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import NamedTuple

from hallmark.events.gates import Outcome
from hallmark.events.records import own_id
from hallmark.gates.content import content_of
from hallmark.gates.criteria import DriftCriterion, LineageCriterion, metric_of
from hallmark.gates.evidence import Evidence
from hallmark.gates.judging import Judgement, judge
from hallmark.gates.ports import Announcer, Lineage, Registry, Reports, RunFound, Subject, VerdictStore
from hallmark.gates.requests import GateRequest, known_gate
from hallmark.gates.settings import Gate, GatesPolicy
from hallmark.gates.verdicts import RequestState, Verdict

_ASKING_LOOK = 1
"""A run that the same event has started is seen by then, and is not asked for a second time."""


_LINEAGE_LOOKS = 2
"""So often is looked again for a package that lineage does not know: it may never know one that it cannot read."""

_SUMMARY_LENGTH = 900
"""ApprovalDescription takes 1,024 characters (SageMaker API reference, UpdateModelPackage)."""


class Ports(NamedTuple):
    """All that a gate needs of what lies elsewhere."""

    registry: Registry
    reports: Reports
    lineage: Lineage
    verdicts: VerdictStore
    announcer: Announcer


class Applied(NamedTuple):
    """What came of one look."""

    verdict: Verdict | None
    waits_for: tuple[str, ...] = ()


def apply_gate(
    request: GateRequest, policy: GatesPolicy, ports: Ports, *, look: int, looks: int, now: datetime
) -> Applied:
    """Look once; judge where all evidence is there, or this was the last look.

    Args:
        request: What is asked.
        policy: The gates.
        ports: What lies elsewhere.
        look: Number of this look, from 0.
        looks: How many there are.
        now: When.

    Raises:
        InvalidInputError: There is no such gate.
        UnavailableError: Something did not answer.
    """
    known = ports.verdicts.find(request)
    if known is not None:
        # It was kept, and perhaps not told.
        ports.announcer.tell(known)
        return Applied(known)
    gate = policy.gates[known_gate(policy, request.gate, "gate")]
    subject = ports.registry.describe(request.model)
    runs = {suite: ports.reports.of_suite(suite, subject) for suite in gate.suites}
    awaited = _awaited(runs, gate, subject, now)
    if look > _ASKING_LOOK + 1:
        # What was asked for has failed: waiting longer brings nothing.
        awaited = tuple(suite for suite in awaited if runs[suite].is_running or not runs[suite].has_failed)
    if awaited and look < looks - 1:
        if look == _ASKING_LOOK:
            for suite in awaited:
                if not runs[suite].is_running:
                    ports.announcer.request_evaluation(suite, subject, f"{request.digest}:{suite}")
        waits = f"evidence of {', '.join(awaited)}"
        ports.verdicts.note(_state(request, "waiting", now, reason=waits))
        return Applied(None, awaited)
    evidence = gather(gate, subject, runs, ports)
    if subject.package and evidence.lineage is None and look < min(_LINEAGE_LOOKS, looks - 1):
        # A package's event comes to the gate and to lineage at the same time.
        ports.verdicts.note(_state(request, "waiting", now, reason="lineage to know the package"))
        return Applied(None, ("lineage",))
    if _misses_its_drift(request, gate, evidence) and look < min(_LINEAGE_LOOKS, looks - 1):
        ports.verdicts.note(_state(request, "waiting", now, reason="lineage to know the drift"))
        return Applied(None, ("lineage",))
    verdict = ports.verdicts.add(verdict_of(request, gate, evidence, judge(gate, evidence, now), now))
    ports.announcer.tell(verdict)
    return Applied(verdict)


def _misses_its_drift(request: GateRequest, gate: Gate, evidence: Evidence) -> bool:
    """Tell whether drift asks and lineage knows of none yet: its event comes to both at the same time."""
    asks = any(isinstance(each, DriftCriterion) for each in gate.asked.values())
    return request.trigger == "drift" and asks and not any(each.is_open for each in evidence.monitors or ())


def looks_of(policy: GatesPolicy, gate: str, look_seconds: int) -> int:
    """Return how many looks fit into the time that a gate waits for evidence; at least two, to ask and to see."""
    seconds = policy.gates[known_gate(policy, gate, "gate")].evidence_time.total_seconds()
    return max(_ASKING_LOOK + 2, int(seconds // look_seconds) + 1)


def give_up(request: GateRequest, ports: Ports, reason: str, now: datetime) -> None:
    """Keep that a request could not be decided, and why."""
    ports.verdicts.note(_state(request, "failed", now, reason=reason))


def _state(request: GateRequest, status: str, now: datetime, *, reason: str) -> RequestState:
    return RequestState.model_validate(
        {
            "request": request.digest,
            "status": status,
            "gate": request.gate,
            "model": request.model,
            "reason": reason,
            "since": now,
        }
    )


def _awaited(runs: dict[str, RunFound], gate: Gate, subject: Subject, now: datetime) -> tuple[str, ...]:
    """Return the suites whose evidence is missing or stale and may still come."""
    awaited = []
    for suite, found in runs.items():
        stale = False
        if found.source is not None and found.source.completed_at is not None and gate.max_evidence_age is not None:
            stale = now - found.source.completed_at > gate.max_evidence_age
        can_come = found.is_running or bool(subject.model_id)
        if (found.source is None or stale) and can_come:
            awaited.append(suite)
    return tuple(awaited)


def gather(gate: Gate, subject: Subject, runs: dict[str, RunFound], ports: Ports) -> Evidence:
    """Put together what is known of a model: what the criteria ask for, and what a package was made from."""
    sources = [found.source for found in runs.values() if found.source is not None]
    problems = list(subject.problems)
    asked = list(gate.asked.values())
    if subject.package and any(metric_of(each) is not None for each in asked):
        package, unread = ports.reports.of_package(subject)
        problems += unread
        if package is not None:
            sources.append(package)
    origins = [each for each in asked if isinstance(each, LineageCriterion)]
    watches = any(isinstance(each, DriftCriterion) for each in asked)
    with_tags = any(each.approved is not None or each.forbidden is not None for each in origins)
    return Evidence(
        model=subject.model,
        model_name=subject.name,
        group=subject.group,
        package=subject.package,
        endpoint=subject.endpoint,
        digest=subject.digest,
        sources=tuple(sources),
        missing_suites={suite: found.reason for suite, found in runs.items() if found.source is None},
        lineage=ports.lineage.provenance(subject, with_tags=with_tags) if origins or subject.package else None,
        monitors=ports.lineage.monitors(subject) if watches else None,
        problems=tuple(problems),
    )


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
