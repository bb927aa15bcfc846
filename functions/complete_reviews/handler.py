"""Ends reviews that have expired or have all their scores, and tells what people said."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.feedback import read_reviews_policy
from hallmark.aws.reviews import make_reviewing
from hallmark.reviews.reviewing import Reviewing
from hallmark.reviews.subjects import Place
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class CompletingSettings(Settings):
    """What the function is told by its deployment."""

    account_id: str
    aws_region: str
    partition: str
    reviews_table_name: str
    reviews_bucket_name: str
    event_bus_name: str


@cache
def settings() -> CompletingSettings:
    """Read the settings once per execution environment."""
    return CompletingSettings.from_environment()


@cache
def reviewing() -> Reviewing:
    """Build reviews once per execution environment."""
    place = Place(settings().partition, settings().aws_region, settings().account_id)
    return make_reviewing(
        read_reviews_policy(read_policy_section("reviews"), place),
        place,
        table=settings().reviews_table_name,
        bucket=settings().reviews_bucket_name,
        bus=settings().event_bus_name,
    )


@logger.inject_lambda_context
@metrics.log_metrics
def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """End what is due."""
    ended = reviewing().end_due()
    for kept in ended:
        judgement = kept.outcome.judgement if kept.outcome else ""
        logger.info("review ended", review=kept.review.name, status=kept.status.value, judgement=judgement)
    metrics.add_metric(name="ReviewsEnded", unit=MetricUnit.Count, value=len(ended))
    return {"ended": [kept.review.name for kept in ended]}
