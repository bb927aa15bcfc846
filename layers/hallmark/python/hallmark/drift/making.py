"""Making the report of a look: its window judged against the baseline. With this module comes numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hallmark.drift.profiling import PartProfile
from hallmark.drift.reports import Bars, DriftReport, ReportedFinding, digest_of
from hallmark.drift.settings import Monitor
from hallmark.drift.statistics.arrays import Anything
from hallmark.drift.statistics.checks import Check, Demand, Finding, Reading, Statistic
from hallmark.drift.statistics.judging import judge
from hallmark.drift.statistics.looks import LookState
from hallmark.drift.windows import Interval
from hallmark.events.records import own_id

_BARS = 24


def checks_of(monitor: Monitor) -> list[Check]:
    """Return what is judged: each check of each of its features."""
    return [
        Check(
            feature=feature,
            statistic=Statistic(check.statistic),
            threshold=check.threshold,
            alpha=monitor.false_alarms,
            reading=Reading(check.reading),
            demand=Demand(check.demand),
        )
        for check in monitor.checks
        for feature in monitor.judged_by(check)
    ]


def make_report(
    name: str,
    monitor: Monitor,
    subject: str,
    window: Interval,
    current: PartProfile,
    baseline_id: str,
    baseline: PartProfile,
    looks: LookState | None,
) -> tuple[DriftReport, LookState]:
    """Judge a window.

    Args:
        name: Of the monitor.
        monitor: Its settings.
        subject: ARN or id of what is watched.
        window: Which part of time.
        current: What it is like.
        baseline_id: Node of the baseline.
        baseline: What that is like.
        looks: What the look before remembered; None at the first one at this baseline.

    Returns:
        The report, and what the next look remembers.
    """
    checks = checks_of(monitor)
    state = looks if looks is not None else LookState(horizon=monitor.horizon)
    before, now = baseline.profiles(), current.profiles()
    findings, state_after = judge(before, now, checks, state, _vectors(baseline, current))
    told = sorted(map(_reported, findings), key=lambda finding: (not finding.is_drifted, _chance(finding)))
    made_of = {
        "monitor": name,
        "subject": subject,
        "window": [window.start.isoformat(), window.end.isoformat()],
        "current": current.model_dump(mode="json"),
        "baseline": baseline_id,
        "checks": [check.model_dump(mode="json") for check in checks],
        "looks": state.model_dump(mode="json"),
    }
    report = DriftReport(
        report=own_id("drift-report", f"{name}/{window.end:%Y%m%dT%H%MZ}-{digest_of(made_of)}"),
        monitor=name,
        description=monitor.description,
        subject=subject,
        subject_name=monitor.subject_name,
        source=monitor.source.kind,
        start=window.start,
        end=window.end,
        records=current.records,
        broken=current.broken,
        baseline=baseline_id,
        baseline_records=baseline.records,
        findings=tuple(told),
        bars=_pictures(before, now, told),
        horizon=state.horizon,
        false_alarms=monitor.false_alarms,
    )
    return report, state_after


def _vectors(baseline: PartProfile, current: PartProfile) -> dict[str, tuple[Anything, Anything]]:
    """Return the vectors of both sides; those of two encoders compare with nothing."""
    before, now = baseline.text_samples(), current.text_samples()
    return {
        name: (before[name].rows, sample.rows)
        for name, sample in now.items()
        if name in before and (before[name].encoder == sample.encoder or not sample.keys or not before[name].keys)
    }


def _reported(finding: Finding) -> ReportedFinding:
    return ReportedFinding(**{field: getattr(finding, field) for field in ReportedFinding.model_fields})


def _chance(finding: ReportedFinding) -> float:
    return 1.0 if finding.adjusted_p is None else finding.adjusted_p


def _pictures(
    before: Mapping[str, Any], now: Mapping[str, Any], findings: Sequence[ReportedFinding]
) -> dict[str, Bars]:
    """Return pictures of the features, the ones that changed most first; a page has room for so many."""
    names = list(dict.fromkeys(finding.feature for finding in findings))[:_PICTURES]
    return {name: bars_of(before[name], now[name]) for name in names if name in before and name in now}


_PICTURES = 40


def bars_of(before: Any, now: Any) -> Bars:
    """Return the shares of two profiles over bars that suit both."""
    if before.categories is not None and now.categories is not None:
        counted = before.categories.counts, now.categories.counts
        total = {name: counted[0].get(name, 0) + counted[1].get(name, 0) for part in counted for name in part}
        labels = sorted(total, key=lambda name: (-total[name], name))[:_BARS]
        shares = [
            tuple(counts.get(label, 0) / max(1, profile.categories.total) for label in labels)
            for counts, profile in zip(counted, (before, now), strict=True)
        ]
        return Bars(labels=tuple(labels), baseline=shares[0], current=shares[1])
    return _numeric_bars(before.numbers, now.numbers)


def _numeric_bars(before: Any, now: Any) -> Bars:
    if before is None or now is None or not before.total or not now.total:
        return Bars(labels=(), baseline=(), current=())
    low = min(float(part.values[0]) for part in (before, now))
    high = max(float(part.values[-1]) for part in (before, now))
    width = (high - low) / _BARS
    rows = []
    for part in (before, now):
        row = [0.0] * _BARS
        for value, count in zip(part.values.tolist(), part.counts.tolist(), strict=True):
            place = min(_BARS - 1, int((value - low) / width)) if width else 0
            row[place] += count / part.total
        rows.append(tuple(row))
    return Bars(labels=tuple(f"{low + place * width:.4g}" for place in range(_BARS)), baseline=rows[0], current=rows[1])
