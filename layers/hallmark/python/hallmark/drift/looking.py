"""A look: from the profiles of a window to a report, to what is told, and to what is remembered."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from hallmark.drift import telling
from hallmark.drift.following import Following, MonitorState, follow_failure, follow_report
from hallmark.drift.making import make_report
from hallmark.drift.planning import PlannedBaseline, PlannedSlice, WindowPlan
from hallmark.drift.ports import Look, Memory, OwnFiles
from hallmark.drift.profiling import PartProfile, merge_parts
from hallmark.drift.reports import DriftReport, digest_of
from hallmark.drift.settings import DataCapture, DeploymentBaseline, Monitor
from hallmark.drift.showing import as_html, as_markdown
from hallmark.drift.statistics.looks import LookState
from hallmark.drift.windows import Interval
from hallmark.errors import UnavailableError
from hallmark.events import drift as names
from hallmark.events.drift import MonitorReported
from hallmark.events.gates import QUALITY_GATE_REQUESTED
from hallmark.events.published import EVALUATION_REQUESTED, EvaluationRequested, Published
from hallmark.events.records import own_id

_RECENT = 50
"""Looks back among which the latest with a report is found; further back it would say little of today."""

Publish = Callable[[Sequence["Told"]], None]


class Told(NamedTuple):
    """An event to be published."""

    detail_type: str
    event: Published


class Looked(NamedTuple):
    """What came of a look."""

    look: Look
    events: Sequence[Told] = ()
    is_new: bool = True


class _CannotLookError(Exception):
    """There is nothing to compare, or nothing to compare with; the text is the reason that people are told."""

    def __init__(self, reason: str, records: int, changes: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.records = records
        self.changes = changes or {}


class _Baseline(NamedTuple):
    """What a window is compared with."""

    node: str
    uri: str
    profile: PartProfile
    event: Told | None
    changes: dict[str, Any]


class Watcher:
    """Judges windows.

    Args:
        memory: What monitors remember.
        files: Hallmark's own.
        publish: Publishes events; it is called before a look is remembered, so that none is lost.
    """

    def __init__(self, memory: Memory, files: OwnFiles, publish: Publish) -> None:
        self._memory = memory
        self._files = files
        self._publish = publish

    def look(self, plan: WindowPlan, monitor: Monitor, now: datetime) -> Looked:
        """Judge a planned window, publish what changed, and remember it; a repeat changes nothing.

        Raises:
            UnavailableError: Another look of the monitor came between; try again.
        """
        known = self._memory.look(plan.monitor, plan.end)
        if known is not None and known.report is not None:
            return Looked(known, is_new=False)
        state, version = self._memory.state(plan.monitor)
        if plan.status == "waiting":
            return self._wait(plan, state, version, now)
        try:
            if plan.status == "failed":
                raise _CannotLookError(plan.reason, 0)
            looked, following = self._judged(plan, monitor, state, now)
        except _CannotLookError as failure:
            looked, following = self._failed(plan, monitor, state, failure, now)
        if looked.events:
            self._publish(looked.events)
        self._memory.remember(looked.look, following.state, plan.monitor, version)
        return looked

    def _wait(self, plan: WindowPlan, state: MonitorState, version: int, now: datetime) -> Looked:
        planned = plan.baseline
        if planned is not None and state.baseline_key != planned.key:
            waiting = state.model_copy(
                update={
                    "baseline_key": planned.key,
                    "baseline": None,
                    "baseline_uri": None,
                    "baseline_since": planned.deployed_at,
                    "baseline_end": planned.end,
                    "baseline_skipped": planned.skipped,
                }
            )
            self._memory.remember(None, waiting, plan.monitor, version)
        return Looked(Look(plan.monitor, plan.start, plan.end, "waiting", now, reason=plan.reason))

    def _failed(
        self, plan: WindowPlan, monitor: Monitor, state: MonitorState, failure: _CannotLookError, now: datetime
    ) -> tuple[Looked, Following]:
        reason = str(failure)
        following = follow_failure(state, reason, plan.end, now)
        events = (
            [Told(names.MONITOR_FAILED, telling.failure_event(monitor, plan, failure.records, reason, now))]
            if "MonitorFailed" in following.tells
            else []
        )
        look = Look(plan.monitor, plan.start, plan.end, "failed", now, reason=reason, tells=following.tells)
        changed = following.state.model_copy(update=failure.changes)
        return Looked(look, events), Following(state=changed, tells=following.tells)

    def _judged(
        self, plan: WindowPlan, monitor: Monitor, state: MonitorState, now: datetime
    ) -> tuple[Looked, Following]:
        current = merge_parts(self._slice(each) for each in plan.window)
        if current.records < monitor.least_values:
            raise _CannotLookError(_why_empty(plan, monitor, current), current.records)
        baseline = self._baseline(plan, monitor, state, now)
        window = Interval(plan.start, plan.end)
        before = next((each for each in self._memory.looks(plan.monitor, _RECENT, plan.end) if each.report), None)
        report, looks = make_report(
            plan.monitor,
            monitor,
            plan.subject,
            window,
            current,
            baseline.node,
            baseline.profile,
            self._looks_of(before, monitor),
        )
        folder = f"reports/{report.report.partition('/')[2]}"
        uri = self._keep(folder, report, looks, plan)
        changed = state.model_copy(update=baseline.changes)
        following = follow_report(changed, report, uri, monitor.clear_after)
        if state.last_end is not None and plan.end <= state.last_end:
            # A late look at an earlier window leaves the baseline of the later ones as it is.
            following = Following(state=state)
        look = Look(
            plan.monitor,
            plan.start,
            plan.end,
            "drifted" if report.is_drifted else "clear",
            now,
            report=report.report,
            key=folder,
            tells=following.tells,
            baseline=report.baseline,
        )
        events = [*([baseline.event] if baseline.event else []), *_events(monitor, plan, report, uri, following, now)]
        return Looked(look, events), following

    def _slice(self, planned: PlannedSlice) -> PartProfile:
        """Return a slice's profile; from its parts where it is new, and kept whole then.

        One without records is not kept: it costs a listing, and what is delivered very late is still found.
        """
        if planned.is_known:
            return self._profile(planned.key)
        whole = merge_parts(self._profile(part) for part in planned.parts)
        if whole.records:
            self._files.put(planned.key, whole.model_dump_json().encode())
        return whole

    def _profile(self, key: str) -> PartProfile:
        content = self._files.find(key)
        if content is None:
            raise UnavailableError(f"the profile {key} is not there (yet)")
        return PartProfile.model_validate_json(content)

    def _baseline(self, plan: WindowPlan, monitor: Monitor, state: MonitorState, now: datetime) -> _Baseline:
        planned = plan.baseline
        if planned is None:
            raise _CannotLookError("there is no baseline", 0)
        if planned.is_known and state.baseline is not None and state.baseline_uri is not None:
            profile = self._profile(_key_of(state.baseline_uri))
            return _Baseline(state.baseline, state.baseline_uri, profile, None, {})
        profile = merge_parts(self._slice(each) for each in planned.slices)
        changes: dict[str, Any] = {
            "baseline_key": planned.key,
            "baseline_since": planned.deployed_at,
            "baseline_end": planned.end,
            "baseline_skipped": planned.skipped,
        }
        if profile.records < monitor.least_values:
            raise _CannotLookError(_why_no_baseline(monitor, planned, profile), 0, _skipping(monitor, planned, changes))
        digest = digest_of({"of": planned.key, "profile": profile.model_dump(mode="json")})
        node = own_id("baseline", f"{plan.monitor}/{digest}")
        uri = self._files.put(f"baselines/{plan.monitor}/{digest}.json", profile.model_dump_json().encode())
        event = telling.baseline_event(monitor, plan, node, uri, profile.records, now)
        return _Baseline(
            node,
            uri,
            profile,
            Told(names.BASELINE_CAPTURED, event),
            {**changes, "baseline": node, "baseline_uri": uri},
        )

    def _looks_of(self, before: Look | None, monitor: Monitor) -> LookState | None:
        content = self._files.find(f"{before.key}/looks.json") if before is not None else None
        if content is None:
            return None
        looks = LookState.model_validate_json(content)
        return looks.model_copy(update={"horizon": monitor.horizon})

    def _keep(self, folder: str, report: DriftReport, looks: LookState, plan: WindowPlan) -> str:
        """Write the report in all its forms; return the URI of its JSON."""
        self._files.put(f"{folder}/looks.json", looks.model_dump_json().encode())
        self._files.put(f"{folder}/window.manifest", json.dumps(manifest_of(plan.files)).encode())
        self._files.put(f"{folder}/report.html", as_html(report).encode(), "text/html; charset=utf-8")
        self._files.put(f"{folder}/report.md", as_markdown(report).encode(), "text/markdown; charset=utf-8")
        return self._files.put(f"{folder}/report.json", report.model_dump_json().encode())


def _events(
    monitor: Monitor, plan: WindowPlan, report: DriftReport, uri: str, following: Following, now: datetime
) -> list[Told]:
    events: list[Told] = []
    for tells in following.tells:
        if tells == names.MONITOR_RECOVERED:
            events.append(Told(tells, telling.recovery_event(monitor, plan, now)))
        elif tells == names.DRIFT_CLEARED:
            events.append(Told(tells, telling.report_event(monitor, plan, report, uri, now, is_over=True)))
        elif tells == names.DRIFT_DETECTED:
            detected: MonitorReported = telling.report_event(monitor, plan, report, uri, now)
            events.append(Told(tells, detected))
            events += [_evaluation(suite, report) for suite in telling.suites_to_run(monitor)]
            events += [Told(QUALITY_GATE_REQUESTED, each) for each in telling.gate_requests(monitor, report)]
    return events


def _evaluation(suite: str, report: DriftReport) -> Told:
    request = EvaluationRequested(suite=suite, request_id=f"{report.report}/{suite}", source=report.report)
    return Told(EVALUATION_REQUESTED, request)


def manifest_of(uris: Sequence[str]) -> list[Any]:
    """Return SageMaker's manifest of files (API reference, S3DataSource, ManifestFile); all are of one bucket."""
    if not uris:
        return []
    bucket = uris[0].removeprefix("s3://").partition("/")[0]
    prefix = f"s3://{bucket}/"
    return [{"prefix": prefix}, *(uri.removeprefix(prefix) for uri in uris)]


def _key_of(uri: str) -> str:
    return uri.removeprefix("s3://").partition("/")[2]


def _why_empty(plan: WindowPlan, monitor: Monitor, current: PartProfile) -> str:
    had = f"the window had {current.records} records, fewer than {monitor.least_values}"
    if current.broken:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in current.broken.items())
        had += f"; not read: {reasons}"
    if not isinstance(monitor.source, DataCapture) or current.records:
        return f"{had}: nothing was called, or its source gave nothing"
    if plan.captures_to is None:
        return f"{had}: the endpoint {monitor.endpoint} captures nothing; switch on its DataCaptureConfig"
    if plan.captures_to.rstrip("/") != monitor.source.location.rstrip("/"):
        return f"{had}: the endpoint captures to {plan.captures_to}; name it as the source's location"
    return f"{had}: the endpoint was not called"


def _why_no_baseline(monitor: Monitor, planned: PlannedBaseline, profile: PartProfile) -> str:
    had = f"the baseline has {profile.records} records, fewer than {monitor.least_values}"
    if planned.source:
        return f"{had}: put more into {planned.source}, or lower least_values"
    if isinstance(monitor.baseline, DeploymentBaseline):
        return f"{had}: the next windows are taken instead"
    return f"{had}: there is no history to compare with yet"


def _skipping(monitor: Monitor, planned: PlannedBaseline, changes: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(monitor.baseline, DeploymentBaseline):
        return {}
    return {**changes, "baseline": None, "baseline_skipped": planned.skipped + monitor.baseline.windows}
