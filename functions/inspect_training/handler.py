"""Looks at a training job: whether its metric says that it should be stopped, and what a completed job teaches."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.checkpoint_files import CheckpointFiles
from hallmark.aws.clients import client
from hallmark.aws.gate_actions import GateActionsTable
from hallmark.aws.training_jobs import TrainingJobs
from hallmark.aws.training_looks import look
from hallmark.errors import NotFoundError
from hallmark.gates.curves import thin
from hallmark.gates.settings import GatesPolicy
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class InspectingSettings(Settings):
    """What the function is told by its deployment."""

    gates_table_name: str


@cache
def settings() -> InspectingSettings:
    """Read the settings once per execution environment."""
    return InspectingSettings.from_environment()


@cache
def policy() -> GatesPolicy:
    """Read the policy once per execution environment."""
    return GatesPolicy.model_validate_json(read_policy_section("gates"))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Return whether the job goes on, has ended or is to be halted, with what was found."""
    name, job = event["watch"], event["job"]
    watch = policy().watches.get(name)
    if watch is None:
        logger.warning("watch ended: the policy has it no more", watch=name, job=job)
        return {"state": "ended", "reason": "the policy has this watch no more"}
    table = GateActionsTable(settings().gates_table_name, client("dynamodb"))
    jobs = TrainingJobs(client("sagemaker"), client("cloudwatch"), client("logs"))
    try:
        seen = look(job, name, watch, jobs, CheckpointFiles(client("s3")), table, datetime.now(UTC))
    except NotFoundError as error:
        return {"state": "ended", "reason": str(error)}
    metrics.add_metric(name="TrainingLooks", unit=MetricUnit.Count, value=1)
    logger.info("training looked at", watch=name, job=job, state=seen.state, values=len(seen.curve))
    finding = seen.finding._asdict() if seen.finding is not None else None
    curve = [list(point) for point in thin(seen.curve)] if finding else []
    return {"state": seen.state, "reason": seen.reason, "finding": finding, "curve": curve}
