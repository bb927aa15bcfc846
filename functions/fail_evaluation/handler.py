"""Records why a run failed, and says so on the hallmark bus."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.evaluation_files import RunFiles
from hallmark.aws.evaluation_runs import DynamoRuns
from hallmark.aws.eventbridge import EventPublisher
from hallmark.aws.managed_jobs import remove_deployments
from hallmark.evaluation.failing import RunFailure, reason_of
from hallmark.evaluation.runs import RunStatus, Trigger
from hallmark.events.published import EVALUATION_FAILED, EvaluationFailed
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.settings import Settings


class FailingSettings(Settings):
    """What the function is told by its deployment."""

    evaluation_table_name: str
    evaluation_bucket_name: str
    event_bus_name: str


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> None:
    """Record the failure; a run that failed before it was planned is recorded, too."""
    settings = FailingSettings.from_environment()
    failure = RunFailure.model_validate(event)
    now, reason = datetime.now(UTC), reason_of(failure)
    runs = DynamoRuns(settings.evaluation_table_name, client("dynamodb"))
    runs.begin(failure.run, failure.suite, Trigger(kind="manual"), failure.execution, now)
    runs.end(failure.run, RunStatus.FAILED, now, reason=reason)
    told = EvaluationFailed(run=failure.run, suite=failure.suite, failed_at=now, reason=reason)
    EventPublisher(client("events")).publish([told.to_entry(settings.event_bus_name, EVALUATION_FAILED)])
    remove_deployments(RunFiles(settings.evaluation_bucket_name, client("s3"), failure.suite, failure.run))
    logger.error("run failed", run=failure.run, suite=failure.suite, reason=reason)
