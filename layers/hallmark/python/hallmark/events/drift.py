"""What monitors publish."""

from __future__ import annotations

from datetime import datetime

from hallmark.events.published import Published
from hallmark.events.records import RecordedEvent

BASELINE_CAPTURED = "BaselineCaptured"
DRIFT_DETECTED = "DriftDetected"
DRIFT_CLEARED = "DriftCleared"
MONITOR_FAILED = "MonitorFailed"
MONITOR_RECOVERED = "MonitorRecovered"
RETRAINING_STARTED = "RetrainingStarted"
RETRAINING_SKIPPED = "RetrainingSkipped"


class DriftFinding(Published):
    """What a monitor found on one feature by one statistic."""

    feature: str
    statistic: str
    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    threshold: float | None = None
    baseline_value: float | None = None
    change_fraction: float | None = None
    p_value: float | None = None
    adjusted_p: float | None = None
    is_drifted: bool
    baseline_count: int
    current_count: int
    why: str


class WindowTold(Published):
    """A window of what production did: from (inclusive) to (exclusive)."""

    start: datetime
    end: datetime
    values: int


class MonitorReported(RecordedEvent):
    """A monitor found drift (``DriftDetected``), or finds none any more (``DriftCleared``)."""

    report: str
    """Id of the report's node: ``hallmark:drift-report/…``; tells a repeat."""
    monitor: str
    subject: str
    """ARN or id of what is watched: an endpoint, a custom or foundation model, a suite."""
    subject_name: str
    window: WindowTold
    baseline: str
    """Id of the baseline's node."""
    findings: list[DriftFinding]
    """Those that count: the drifted ones first, at most 50."""
    report_uri: str
    detected_at: datetime
    actions: list[str] = []
    """``alert``, ``review``, ``retrain``, ``evaluate``, ``gate``."""
    owners: list[str] = []
    summary: str


class BaselineCaptured(RecordedEvent):
    """A monitor has a new baseline."""

    baseline: str
    monitor: str
    subject: str
    window: WindowTold
    uri: str
    captured_at: datetime


class MonitorFailed(Published):
    """A monitor could not look: no baseline, an empty window, an endpoint that is gone."""

    monitor: str
    subject: str
    subject_name: str
    window: WindowTold | None = None
    reason: str
    failed_at: datetime
    owners: list[str] = []


class MonitorRecovered(Published):
    """A monitor that had failed looks again."""

    monitor: str
    subject: str
    subject_name: str
    recovered_at: datetime
    owners: list[str] = []


class RetrainingStarted(RecordedEvent):
    """A pipeline was started because of a drift report."""

    monitor: str
    report: str
    pipeline: str
    execution: str
    started_at: datetime
    owners: list[str] = []


class RetrainingSkipped(Published):
    """A drift report asked for retraining, and policy did not allow it: cool-down, or too many this week."""

    monitor: str
    report: str
    pipeline: str
    reason: str
    skipped_at: datetime
    owners: list[str] = []
