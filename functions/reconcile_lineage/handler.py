"""Finds what no event told of; the first sweep over an account is its backfill."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.aws.ecr import EcrImages
from hallmark.aws.eventbridge import EventPublisher
from hallmark.aws.resource_listing import AwsResources
from hallmark.aws.s3 import S3Contents, S3Manifests
from hallmark.aws.sagemaker import SageMakerDescriber
from hallmark.aws.sweep_cursor import SweepCursor
from hallmark.events.published import RECONCILIATION_COMPLETED, ReconciliationCompleted
from hallmark.lineage.reconciliation import OVERLAP, Sweep, continue_sweep, read_sweep
from hallmark.lineage.recording import Surroundings
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.settings import Settings

_RESERVE_MILLISECONDS = 90_000
"""A page begun with less time left might not be finished: describing a hundred resources takes some seconds."""


class ReconciliationSettings(Settings):
    """What the function is told by its deployment."""

    account_id: str
    lineage_table_name: str
    lineage_bucket_name: str
    dead_letter_queue_url: str
    reconciliation_queue_url: str
    event_bus_name: str
    maximum_receives: int = 5
    snapshot_object_limit: int = 10_000
    snapshot_checksum_limit: int = 100


@cache
def settings() -> ReconciliationSettings:
    """Read the settings once per execution environment."""
    return ReconciliationSettings.from_environment()


@cache
def table() -> DynamoLineageTable:
    """Build the table once per execution environment."""
    return DynamoLineageTable(settings().lineage_table_name, client("dynamodb"))


@cache
def cursor() -> SweepCursor:
    """Build the cursor once per execution environment."""
    return SweepCursor(
        settings().lineage_table_name, client("dynamodb"), settings().reconciliation_queue_url, client("sqs")
    )


@cache
def surroundings() -> Surroundings:
    """Build the adapters once per execution environment."""
    return Surroundings(
        store=table(),
        describer=SageMakerDescriber("adaptive"),
        contents=S3Contents(client("s3"), checksum_limit=settings().snapshot_checksum_limit),
        images=EcrImages(client("ecr"), settings().account_id),
        manifests=S3Manifests(settings().lineage_bucket_name, client("s3")),
        clock=lambda: datetime.now(UTC),
        account=settings().account_id,
        object_limit=settings().snapshot_object_limit,
    )


def begin(body: str) -> Sweep:
    """Read a sweep; one that only begins gets its start, and looks back to the last finished one."""
    sweep = read_sweep(body)
    if sweep.started_at is not None:
        return sweep
    last = None if sweep.full or sweep.since else cursor().last_started_at()
    since = sweep.since or (last - OVERLAP if last else None)
    return sweep.model_copy(update={"started_at": datetime.now(UTC), "since": since})


def finish(sweep: Sweep) -> None:
    """Remember a finished sweep and tell what it did."""
    started_at = sweep.started_at or datetime.now(UTC)
    cursor().finish(started_at)
    tallies = {
        name: {kind: getattr(counts, name) for kind, counts in sweep.counts.items()}
        for name in ("listed", "skipped", "recorded", "failed")
    }
    report = ReconciliationCompleted(since=sweep.since, completed_at=datetime.now(UTC), **tallies)
    EventPublisher(client("events")).publish([report.to_entry(settings().event_bus_name, RECONCILIATION_COMPLETED)])
    logger.info("sweep finished", extra={"tallies": tallies})
    for name in ("recorded", "failed"):
        metrics.add_metric(
            name=f"Reconciliation{name.capitalize()}", unit=MetricUnit.Count, value=sum(tallies[name].values())
        )


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Work off a sweep as far as the time allows; the rest is a message of its own."""

    def sweep(body: str) -> None:
        done = continue_sweep(
            begin(body),
            AwsResources(),
            table(),
            surroundings(),
            lambda: context.get_remaining_time_in_millis() > _RESERVE_MILLISECONDS,
        )
        if done.kinds:
            cursor().go_on_with(done)
        else:
            finish(done)

    dead_letters = DeadLetters(settings().dead_letter_queue_url, client("sqs"), "reconcile_lineage")
    return work_off(event["Records"], sweep, dead_letters.send, maximum_receives=settings().maximum_receives).response
