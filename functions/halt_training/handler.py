"""Stops a training job that a watch found wanting, and tells why; one that has ended by itself is left in peace."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.eventbridge import EventPublisher
from hallmark.aws.gate_actions import GateActionsTable
from hallmark.aws.training_jobs import TrainingJobs
from hallmark.errors import NotFoundError
from hallmark.events.gates import TRAINING_HALTED
from hallmark.gates.actions import training_halted
from hallmark.gates.curves import Point
from hallmark.gates.settings import GatesPolicy
from hallmark.gates.watching import Finding
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class HaltingSettings(Settings):
    """What the function is told by its deployment."""

    gates_table_name: str
    event_bus_name: str


@cache
def settings() -> HaltingSettings:
    """Read the settings once per execution environment."""
    return HaltingSettings.from_environment()


@cache
def policy() -> GatesPolicy:
    """Read the policy once per execution environment."""
    return GatesPolicy.model_validate_json(read_policy_section("gates"))


def stop(job: str, watch: str) -> bool:
    """Stop a job; tell whether this watch did, now or in an earlier try."""
    table = GateActionsTable(settings().gates_table_name, client("dynamodb"))
    jobs = TrainingJobs(client("sagemaker"), client("cloudwatch"), client("logs"))
    name = job.rpartition("/")[2]
    try:
        runs = jobs.describe(name)["TrainingJobStatus"] == "InProgress"
    except NotFoundError:
        return False
    if runs:
        table.mark_halt(job, watch)
        jobs.stop(name)
    return runs or table.has_halted(job, watch)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Stop the job and publish ``TrainingHalted`` with its curve."""
    job, name = event["job"], event["watch"]
    if not stop(job, name):
        logger.info("training had ended by itself", job=job, watch=name)
        return {"halted": False}
    watch = policy().watches.get(name)
    told = training_halted(
        job,
        name,
        watch.metric if watch is not None else "",
        Finding(**event["finding"]),
        [Point(*point) for point in event["curve"]],
        owners=list(watch.owners) if watch is not None else [],
        at=datetime.fromisoformat(event["at"]),
    )
    entry = told.to_entry(settings().event_bus_name, TRAINING_HALTED)
    EventPublisher(client("events")).publish([entry])
    metrics.add_metric(name=TRAINING_HALTED, unit=MetricUnit.Count, value=1)
    logger.warning("training halted", job=job, watch=name, reason=event["finding"]["reason"])
    return {"halted": True}
