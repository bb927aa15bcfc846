"""What monitors publish: events, each with what lineage is made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hallmark.drift.planning import WindowPlan
from hallmark.drift.reports import DriftReport, ReportedFinding
from hallmark.drift.settings import EvaluateAction, FixedBaseline, GateAction, Monitor
from hallmark.events.drift import (
    BaselineCaptured,
    DriftFinding,
    MonitorFailed,
    MonitorRecovered,
    MonitorReported,
    WindowTold,
)
from hallmark.events.gates import QualityGateRequested
from hallmark.events.records import LineageFlow, LineageNode, LineageSection

_MOST_FINDINGS = 50
_FOUNDATION, _CUSTOM = "foundation-model", "custom-model"


def watched_node(monitor: Monitor, plan: WindowPlan) -> LineageNode | None:
    """Return the node of what was watched; a suite has none.

    Of an endpoint it is the configuration that it served: what drift leads to may be served by the same endpoint one
    day, and a cause is no effect of its effect.
    """
    subject = plan.subject
    if monitor.endpoint:
        own = subject.partition(":endpoint/")[0]
        return LineageNode(kind="endpoint-config", id=f"{own}:endpoint-config/{plan.config}") if plan.config else None
    if monitor.model:
        is_custom = any(word in subject for word in (":custom-model", ":provisioned-model", ":imported-model"))
        return LineageNode(kind=_CUSTOM if is_custom else _FOUNDATION, id=subject)
    return None


def report_event(
    monitor: Monitor, plan: WindowPlan, report: DriftReport, uri: str, at: datetime, *, is_over: bool = False
) -> MonitorReported:
    """Return ``DriftDetected``, or ``DriftCleared`` where drift is over."""
    counted = report.findings[:_MOST_FINDINGS]
    subject = watched_node(monitor, plan)
    nodes = [*([subject] if subject else []), LineageNode(kind="baseline", id=report.baseline)]
    roles = [*(["watched"] if subject else []), "baseline"]
    return MonitorReported(
        report=report.report,
        monitor=report.monitor,
        subject=report.subject,
        subject_name=report.subject_name,
        window=WindowTold(start=report.start, end=report.end, values=report.records),
        baseline=report.baseline,
        findings=[_finding(finding) for finding in counted],
        report_uri=uri,
        detected_at=at,
        actions=[] if is_over else [action.kind for action in monitor.actions],
        owners=list(monitor.owners),
        summary=f"{report.monitor}: drift of {report.subject_name} is over" if is_over else report.summary,
        lineage=LineageSection(
            node=LineageNode(kind="drift-report", id=report.report),
            at=report.end,
            status="Clear" if is_over else "Drifted",
            attributes={
                "name": f"{report.monitor} {report.end:%Y-%m-%d %H:%M}",
                "monitor": report.monitor,
                "subject": report.subject,
                "window_start": report.start.isoformat(),
                "window_end": report.end.isoformat(),
                "records": report.records,
                "drifted": sorted({finding.feature for finding in report.drifted}),
                "summary": report.summary,
                "report": uri,
            },
            flows=[LineageFlow(node=node, role=role) for node, role in zip(nodes, roles, strict=True)],
        ),
    )


def _finding(finding: ReportedFinding) -> DriftFinding:
    kept = {name: getattr(finding, name) for name in DriftFinding.model_fields}
    return DriftFinding(**kept)


def baseline_event(
    monitor: Monitor, plan: WindowPlan, baseline: str, uri: str, records: int, at: datetime
) -> BaselineCaptured:
    """Return ``BaselineCaptured``."""
    planned = plan.baseline
    start, end = (planned.start, planned.end) if planned else (plan.start, plan.end)
    if isinstance(monitor.baseline, FixedBaseline):
        source: LineageNode | None = LineageNode(kind="dataset", id=monitor.baseline.location)
    else:
        source = watched_node(monitor, plan)
    return BaselineCaptured(
        baseline=baseline,
        monitor=plan.monitor,
        subject=plan.subject,
        window=WindowTold(start=start, end=end, values=records),
        uri=uri,
        captured_at=at,
        lineage=LineageSection(
            node=LineageNode(kind="baseline", id=baseline),
            at=plan.end,
            status="Captured",
            attributes={
                "name": f"{plan.monitor} {monitor.baseline.kind} baseline",
                "monitor": plan.monitor,
                "captured": monitor.baseline.kind,
                "records": records,
                "location": uri,
                "window_start": start.isoformat(),
                "window_end": end.isoformat(),
            },
            flows=[LineageFlow(node=source, role="captured from")] if source else [],
        ),
    )


def failure_event(monitor: Monitor, plan: WindowPlan, records: int, reason: str, at: datetime) -> MonitorFailed:
    """Return ``MonitorFailed``."""
    return MonitorFailed(
        monitor=plan.monitor,
        subject=plan.subject,
        subject_name=monitor.subject_name,
        window=WindowTold(start=plan.start, end=plan.end, values=records),
        reason=reason,
        failed_at=at,
        owners=list(monitor.owners),
    )


def recovery_event(monitor: Monitor, plan: WindowPlan, at: datetime) -> MonitorRecovered:
    """Return ``MonitorRecovered``."""
    return MonitorRecovered(
        monitor=plan.monitor,
        subject=plan.subject,
        subject_name=monitor.subject_name,
        recovered_at=at,
        owners=list(monitor.owners),
    )


def gate_requests(monitor: Monitor, report: DriftReport) -> Sequence[QualityGateRequested]:
    """Return what asks gates for a verdict on what has drifted."""
    return [
        QualityGateRequested(
            gate=action.gate,
            model=report.subject,
            request_id=f"{report.report}/{action.gate}",
            trigger="drift",
            source=report.report,
            requested_by=f"monitor {report.monitor}",
        )
        for action in monitor.actions
        if isinstance(action, GateAction)
    ]


def suites_to_run(monitor: Monitor) -> list[str]:
    """Return the suites that drift starts."""
    return [action.suite for action in monitor.actions if isinstance(action, EvaluateAction)]
