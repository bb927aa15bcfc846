"""Records the lineage that SageMaker's and Bedrock's events tell of."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.aws.ecr import EcrImages
from hallmark.aws.person_table import PersonSettings
from hallmark.aws.s3 import S3Contents, S3Manifests
from hallmark.aws.sagemaker import SageMakerDescriber
from hallmark.events.envelope import read_event_text
from hallmark.lineage.recording import Recording, Surroundings, record_event
from hallmark.lineage.translation.calls import human_call
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics


class RecordingSettings(PersonSettings):
    """What the function is told by its deployment."""

    account_id: str
    lineage_table_name: str
    lineage_bucket_name: str
    dead_letter_queue_url: str
    maximum_receives: int = 5
    snapshot_object_limit: int = 10_000
    snapshot_checksum_limit: int = 100
    machines: str = ""
    """Patterns of users that no person works as, separated by commas."""


_RESERVE_SECONDS = 10
"""Kept for what follows the records: dead letters, metrics, the answer."""


@cache
def settings() -> RecordingSettings:
    """Read the settings once per execution environment."""
    return RecordingSettings.from_environment()


@cache
def surroundings() -> Surroundings:
    """Build the adapters once per execution environment."""
    return Surroundings(
        store=DynamoLineageTable(settings().lineage_table_name, client("dynamodb")),
        describer=SageMakerDescriber(),
        contents=S3Contents(client("s3"), checksum_limit=settings().snapshot_checksum_limit),
        images=EcrImages(client("ecr"), settings().account_id),
        manifests=S3Manifests(settings().lineage_bucket_name, client("s3")),
        people=settings().person_table(),
        clock=lambda: datetime.now(UTC),
        account=settings().account_id,
        object_limit=settings().snapshot_object_limit,
        machines=tuple(filter(None, settings().machines.split(","))),
    )


@cache
def dead_letters() -> DeadLetters:
    """Build the dead-letter queue once per execution environment."""
    return DeadLetters(settings().dead_letter_queue_url, client("sqs"), "record_lineage")


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter; the client is made when there is the first one."""
    dead_letters().send(body, error)


def record(body: str) -> Recording:
    """Record the event in one message."""
    recording = record_event(read_event_text(body), surroundings())
    subject = recording.fact.states[0]
    logger.info("fact recorded" if recording.new else "fact known", node=subject.node.key, status=subject.status)
    return recording


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Record each message of a batch; what can never be recorded goes to the dead letters."""
    outcome = work_off(
        event["Records"],
        record,
        refuse,
        maximum_receives=settings().maximum_receives,
        seconds=context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS,
    )
    new = sum(recording.new for recording in outcome.results)
    metrics.add_metric(name="FactsRecorded", unit=MetricUnit.Count, value=new)
    metrics.add_metric(name="FactsRepeated", unit=MetricUnit.Count, value=len(outcome.results) - new)
    calls = [told for done in outcome.results if done.new and (told := human_call(done.fact)) is not None]
    if calls:
        missing = sum(not told.reason for told in calls)
        metrics.add_metric(name="HumanCallsRecorded", unit=MetricUnit.Count, value=len(calls))
        metrics.add_metric(name="ReasonsMissing", unit=MetricUnit.Count, value=missing)
    metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
    metrics.add_metric(
        name="SnapshotsRefused", unit=MetricUnit.Count, value=sum(len(done.refusals) for done in outcome.results)
    )
    return outcome.response
