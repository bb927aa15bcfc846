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
from hallmark.aws.person_table import PersonSettings
from hallmark.aws.resource_listing import AwsResources
from hallmark.aws.s3 import S3Contents, S3Manifests
from hallmark.aws.sagemaker import SageMakerDescriber
from hallmark.aws.sweep_cursors import DynamoSweepCursors, SweepQueue
from hallmark.events.published import RECONCILIATION_COMPLETED, ReconciliationCompleted
from hallmark.lineage.listing import Allowance
from hallmark.lineage.reconciliation import Account, Sweep, continue_sweep, read_sweep
from hallmark.lineage.recording import Surroundings
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics

_RESERVE_MILLISECONDS = 90_000
"""A resource begun with less time left might not be finished: the snapshot of a large dataset takes some seconds."""
_REST_SECONDS = 10
"""Kept for what follows the sweep, should a resource take longer than that: dead letters, metrics, the answer."""
_TALLIES = ("listed", "skipped", "recorded", "failed")


class ReconciliationSettings(PersonSettings):
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
    machines: str = ""
    """Patterns of users that no person works as, separated by commas."""
    reconciliation_describe_limit: int = 2_000
    """Resources described in one invocation."""
    reconciliation_request_budget: int = 5_000
    """Requests to SageMaker and Bedrock in one invocation."""


@cache
def settings() -> ReconciliationSettings:
    """Read the settings once per execution environment."""
    return ReconciliationSettings.from_environment()


@cache
def cursors() -> DynamoSweepCursors:
    """Build the cursors once per execution environment."""
    return DynamoSweepCursors(settings().lineage_table_name, client("dynamodb"))


@cache
def queue() -> SweepQueue:
    """Build the queue once per execution environment."""
    return SweepQueue(settings().reconciliation_queue_url, client("sqs"))


@cache
def account() -> Account:
    """Build the adapters once per execution environment."""
    table = DynamoLineageTable(settings().lineage_table_name, client("dynamodb"))
    surroundings = Surroundings(
        store=table,
        describer=SageMakerDescriber("adaptive"),
        contents=S3Contents(client("s3"), checksum_limit=settings().snapshot_checksum_limit),
        images=EcrImages(client("ecr"), settings().account_id),
        manifests=S3Manifests(settings().lineage_bucket_name, client("s3")),
        people=settings().person_table(),
        clock=lambda: datetime.now(UTC),
        account=settings().account_id,
        object_limit=settings().snapshot_object_limit,
        machines=tuple(filter(None, settings().machines.split(","))),
    )
    return Account(AwsResources(), table, surroundings, cursors())


def begin(sweep: Sweep, now: datetime) -> Sweep | None:
    """Give a sweep its start; None for one of the schedule while another sweep of the whole account is under way."""
    begun = sweep.model_copy(update={"started_at": now})
    if (sweep.is_routine or sweep.full) and not cursors().take_lease(now, by_force=sweep.full):
        logger.info("a sweep is under way: this one is left out")
        metrics.add_metric(name="SweepsLeftOut", unit=MetricUnit.Count, value=1)
        return None
    return begun


def finish(sweep: Sweep) -> None:
    """Tell what a finished sweep did."""
    tallies = {name: {kind: getattr(counts, name) for kind, counts in sweep.counts.items()} for name in _TALLIES}
    report = ReconciliationCompleted(since=sweep.since, completed_at=datetime.now(UTC), **tallies)
    EventPublisher(client("events")).publish([report.to_entry(settings().event_bus_name, RECONCILIATION_COMPLETED)])
    if sweep.started_at is not None:
        cursors().end_lease(sweep.started_at)
    logger.info("sweep finished", extra={"tallies": tallies, "reasons": sweep.reasons})
    for name in _TALLIES:
        total = sum(tallies[name].values())
        metrics.add_metric(name=f"Reconciliation{name.capitalize()}", unit=MetricUnit.Count, value=total)


def go_on(body: str, allowance: Allowance) -> None:
    """Work off a sweep as far as its allowance reaches; the rest is a message of its own."""
    sweep, now = read_sweep(body), datetime.now(UTC)
    begun = sweep if sweep.started_at is not None else begin(sweep, now)
    if begun is None or begun.started_at is None:
        return
    done = continue_sweep(begun, account(), allowance)
    if done.kinds:
        cursors().keep_lease(begun.started_at, datetime.now(UTC))
        queue().go_on_with(done)
        metrics.add_metric(name="SweepsContinued", unit=MetricUnit.Count, value=1)
    else:
        finish(done)


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "reconcile_lineage").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Work off one sweep."""
    allowance = Allowance(
        lambda: context.get_remaining_time_in_millis() > _RESERVE_MILLISECONDS,
        describes=settings().reconciliation_describe_limit,
        requests=settings().reconciliation_request_budget,
    )
    outcome = work_off(
        event["Records"],
        lambda body: go_on(body, allowance),
        refuse,
        maximum_receives=settings().maximum_receives,
        seconds=context.get_remaining_time_in_millis() / 1000 - _REST_SECONDS,
    )
    metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
    return outcome.response
