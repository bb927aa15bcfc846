"""One look at a training job: its state, its curve, the rules' word; and the crowning of a better champion."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, Protocol

from hallmark.aws.checkpoint_files import CheckpointFiles
from hallmark.aws.gate_actions import Champion
from hallmark.aws.training_jobs import TrainingJobs
from hallmark.errors import InvalidInputError
from hallmark.gates.curves import Curve, thin
from hallmark.gates.watch_settings import ChampionRule, DivergenceRule, TrainingWatch
from hallmark.gates.watching import Finding, Seen, find_not_a_number, judge, make_curve

_RUNNING = frozenset({"InProgress", "Stopping"})


class ChampionTable(Protocol):
    """Where the best completed job of each watch is kept."""

    def champion(self, watch: str) -> Champion | None:
        """Return the champion of a watch."""
        ...

    def crown(self, watch: str, champion: Champion, better: str) -> bool:
        """Keep a job as the champion if it is better than the one that is."""
        ...


class Look(NamedTuple):
    """What a look showed."""

    state: Literal["running", "halt", "ended"]
    curve: Curve = ()
    finding: Finding | None = None
    reason: str = ""


class _Measured(NamedTuple):
    """What is known of the metric."""

    curve: Curve
    not_a_number: str | None = None
    newest_at: float | None = None
    """Of its values, in seconds since the epoch."""


def look(
    job: str,
    name: str,
    watch: TrainingWatch,
    jobs: TrainingJobs,
    files: CheckpointFiles,
    table: ChampionTable,
    now: datetime,
) -> Look:
    """Look at a job.

    Args:
        job: ARN.
        name: Of the watch.
        watch: What it says.
        jobs: Where jobs are looked at.
        files: Where evaluations of checkpoints are read.
        table: Where champions are kept.
        now: The time.

    Raises:
        NotFoundError: The job does not exist (any more).
        InvalidInputError: It writes no checkpoints, or they may not be read.
        UnavailableError: A service did not answer.
    """
    job_name = job.rpartition("/")[2]
    described = jobs.describe(job_name)
    status = str(described["TrainingJobStatus"])
    start: datetime = described.get("TrainingStartTime") or described["CreationTime"]
    if watch.checkpoints is None:
        measured = _from_cloudwatch(job_name, watch, described, jobs, start, now)
    else:
        measured = _from_checkpoints(watch, described, files)
    curve = measured.curve
    if status not in _RUNNING:
        if status == "Completed":
            _crown(job, name, watch, described, curve, table)
        return Look("ended", curve, None, f"the job is {status}")
    if status == "Stopping":
        return Look("running", curve)
    odd = measured.not_a_number
    if watch.checkpoints is None:
        odd = _odd_line(job_name, watch, described, jobs, start)
    silent = now.timestamp() - measured.newest_at if measured.newest_at is not None else None
    seen = Seen(curve, _champion_curve(name, watch, table), odd, silent)
    finding = judge(watch, seen)
    return Look("halt", curve, finding, finding.reason) if finding is not None else Look("running", curve)


def _from_cloudwatch(
    job_name: str,
    watch: TrainingWatch,
    described: Mapping[str, Any],
    jobs: TrainingJobs,
    start: datetime,
    now: datetime,
) -> _Measured:
    end: datetime = described.get("TrainingEndTime") or now
    wanted = [watch.metric, *([watch.step_metric] if watch.step_metric else [])]
    told = jobs.metrics(job_name, wanted, start - watch.period, end + watch.period, watch.period)
    values = told[watch.metric]
    curve = make_curve(values, told[watch.step_metric] if watch.step_metric else {}, start.timestamp())
    return _Measured(curve, newest_at=max(values) if values else None)


def _from_checkpoints(watch: TrainingWatch, described: Mapping[str, Any], files: CheckpointFiles) -> _Measured:
    assert watch.checkpoints is not None
    place = described.get("CheckpointConfig", {}).get("S3Uri", "")
    if not place:
        raise InvalidInputError(
            "CheckpointConfig", place, "let the job write checkpoints to S3, or watch a metric of CloudWatch"
        )
    found = files.read(place, watch.metric, watch.checkpoints)
    newest = found.written_at.timestamp() if found.written_at is not None else None
    return _Measured(found.curve, found.not_a_number, newest)


def _champion_curve(name: str, watch: TrainingWatch, table: ChampionTable) -> Curve:
    if not any(isinstance(rule, ChampionRule) for rule in watch.rules):
        return ()
    champion = table.champion(name)
    return champion.curve if champion is not None else ()


def _odd_line(
    job_name: str, watch: TrainingWatch, described: Mapping[str, Any], jobs: TrainingJobs, start: datetime
) -> str | None:
    if not any(isinstance(rule, DivergenceRule) and rule.not_a_number for rule in watch.rules):
        return None
    definitions = described.get("AlgorithmSpecification", {}).get("MetricDefinitions", [])
    patterns = [entry["Regex"] for entry in definitions if entry["Name"] == watch.metric]
    if not patterns:  # an algorithm of AWS's own defines its metrics itself
        return None
    return find_not_a_number(jobs.odd_lines(job_name, start - timedelta(minutes=1)), patterns[0])


def _crown(
    job: str,
    name: str,
    watch: TrainingWatch,
    described: Mapping[str, Any],
    curve: Curve,
    table: ChampionTable,
) -> None:
    told = {entry["MetricName"]: entry["Value"] for entry in described.get("FinalMetricDataList", [])}
    last = curve[-1].value if curve else None
    final = told.get(watch.metric, last) if watch.checkpoints is None else last
    if final is not None and curve:
        table.crown(name, Champion(job, float(final), thin(curve)), watch.better)
