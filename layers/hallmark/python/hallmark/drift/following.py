"""What a look changes: when drift is told, when it is told again, when it is over, and when a monitor cannot look."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hallmark.drift.reports import DriftReport

REPEATED_AFTER = timedelta(hours=12)
"""How long a failure that lasts is not told again: alerts on it end after a day without word."""
WORSE = 1.5
"""Drift is told again where a statistic is so many times what it was when it was told."""

Tells = Literal["DriftDetected", "DriftCleared", "MonitorFailed", "MonitorRecovered"]


class MonitorStatus(StrEnum):
    """How a monitor stands."""

    WAITING = "waiting"
    """It has no baseline yet, and nothing is wrong."""
    CLEAR = "clear"
    DRIFTED = "drifted"


class ToldFinding(BaseModel):
    """A finding as it was told."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    feature: str
    statistic: str
    value: float


class MonitorState(BaseModel):
    """What a monitor remembers of its looks. A look at an earlier window than the last one changes nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    status: MonitorStatus = MonitorStatus.WAITING
    since: datetime | None = None
    """End of the window with which the status began."""
    last_end: datetime | None = None
    """End of the latest window that was looked at."""
    last_report: str | None = None
    last_report_uri: str | None = None
    baseline: str | None = None
    """Id of the baseline's node."""
    baseline_uri: str | None = None
    baseline_key: str = ""
    """What the baseline is of: a configuration, a dataset's content."""
    baseline_since: datetime | None = None
    """When the configuration came into service, as it was seen first."""
    baseline_end: datetime | None = None
    baseline_skipped: int = 0
    """Windows after a deployment that had too few records for a baseline."""
    clear_looks: int = 0
    told: tuple[ToldFinding, ...] = ()
    told_baseline: str | None = None
    failure: str | None = None
    """Why it cannot look; None while it can."""
    failed_at: datetime | None = None
    """When that was told."""


class Following(BaseModel):
    """What a look changes, and what is told of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    state: MonitorState
    tells: tuple[Tells, ...] = ()


def follow_report(state: MonitorState, report: DriftReport, uri: str, clear_after: int) -> Following:
    """Return what a report changes.

    Drift is told when it begins, and again when it is worse or stands against another baseline; that it is over, after
    so many looks without it.
    """
    if state.last_end is not None and report.end <= state.last_end:
        return Following(state=state)
    tells: list[Tells] = ["MonitorRecovered"] if state.failure is not None else []
    changed = state.model_copy(
        update={
            "last_end": report.end,
            "last_report": report.report,
            "last_report_uri": uri,
            "failure": None,
            "failed_at": None,
        }
    )
    if report.is_drifted:
        begins = state.status is not MonitorStatus.DRIFTED
        if begins or _is_worse(state, report):
            tells.append("DriftDetected")
            changed = changed.model_copy(update={"told": _told(report), "told_baseline": report.baseline})
        since = report.end if begins else state.since
        changed = changed.model_copy(update={"status": MonitorStatus.DRIFTED, "since": since, "clear_looks": 0})
    elif state.status is MonitorStatus.DRIFTED:
        looks = state.clear_looks + 1
        changed = changed.model_copy(update={"clear_looks": looks})
        if looks >= clear_after:
            tells.append("DriftCleared")
            changed = changed.model_copy(
                update={
                    "status": MonitorStatus.CLEAR,
                    "since": report.end,
                    "clear_looks": 0,
                    "told": (),
                    "told_baseline": None,
                }
            )
    elif state.status is not MonitorStatus.CLEAR:
        changed = changed.model_copy(update={"status": MonitorStatus.CLEAR, "since": report.end})
    return Following(state=changed, tells=tuple(tells))


def follow_failure(state: MonitorState, reason: str, end: datetime | None, at: datetime) -> Following:
    """Return what it changes that a monitor cannot look: told once for each reason, and again while it lasts."""
    if end is not None and state.last_end is not None and end <= state.last_end:
        return Following(state=state)
    if state.failure == reason and state.failed_at is not None and at - state.failed_at < REPEATED_AFTER:
        return Following(state=state)
    return Following(state=state.model_copy(update={"failure": reason, "failed_at": at}), tells=("MonitorFailed",))


def _told(report: DriftReport) -> tuple[ToldFinding, ...]:
    return tuple(
        ToldFinding(feature=finding.feature, statistic=finding.statistic, value=finding.value or 0.0)
        for finding in report.drifted
    )


def _is_worse(state: MonitorState, report: DriftReport) -> bool:
    if state.told_baseline != report.baseline:
        return True
    known = {(told.feature, told.statistic): told.value for told in state.told}
    features = {told.feature for told in state.told}
    for finding in _told(report):
        if finding.feature not in features:
            return True
        before = known.get((finding.feature, finding.statistic))
        if before is not None and finding.statistic != "score_floor" and finding.value > before * WORSE > 0:
            return True
        if before is not None and finding.statistic == "score_floor" and finding.value * WORSE < before:
            return True
    return False
