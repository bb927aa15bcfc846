"""Reads a part of a window once, and keeps what it is like."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from hallmark.aws.clients import client
from hallmark.aws.drift_files import DriftFiles, TeamFiles
from hallmark.aws.drift_memory import DynamoScores
from hallmark.aws.drift_sources import CloudWatchSource, EvaluationHistories
from hallmark.drift.planning import WindowPlan, find_monitor
from hallmark.drift.settings import DriftPolicy
from hallmark.errors import NotFoundError
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings
from hallmark.sentence_encoder import encoder

if TYPE_CHECKING:
    from hallmark.drift.reading import Readers


class ProfilingSettings(Settings):
    """What the function is told by its deployment."""

    account_id: str
    aws_region: str
    drift_table_name: str
    drift_bucket_name: str
    query_evaluations_function_name: str


@cache
def settings() -> ProfilingSettings:
    """Read the settings once per execution environment."""
    return ProfilingSettings.from_environment()


@cache
def policy() -> DriftPolicy:
    """Read the policy once per execution environment; its files lie in this account and Region."""
    text = read_policy_section("drift").replace("{account}", settings().account_id)
    return DriftPolicy.model_validate_json(text.replace("{region}", settings().aws_region))


@cache
def readers() -> Readers:
    """Build what reads sources once per execution environment."""
    from hallmark.drift.reading import Readers  # noqa: PLC0415

    return Readers(
        files=TeamFiles(client("s3")),
        metrics=CloudWatchSource(client("cloudwatch")),
        histories=EvaluationHistories(settings().query_evaluations_function_name, client("lambda")),
        scores=DynamoScores(settings().drift_table_name, client("dynamodb")),
        encoder=encoder,
    )


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Profile a part; a repeat writes the same again."""
    from hallmark.drift.reading import profile_part  # noqa: PLC0415 - numpy comes with it, after the start

    files = DriftFiles(settings().drift_bucket_name, client("s3"))
    content = files.find(event["plan"])
    if content is None:
        raise NotFoundError(f"there is no plan {event['plan']}")
    plan = WindowPlan.model_validate_json(content)
    part = plan.parts[int(event["part"])]
    profile = profile_part(part, find_monitor(policy(), plan.monitor), readers())
    files.put(part.profile, profile.model_dump_json().encode())
    metrics.add_metric(name="RecordsProfiled", unit=MetricUnit.Count, value=profile.records)
    logger.info(
        "part profiled", monitor=plan.monitor, part=part.profile, records=profile.records, broken=profile.broken
    )
    return {"records": profile.records, "broken": sum(profile.broken.values())}
