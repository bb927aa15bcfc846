"""Writes corrected answers as datasets for the next evaluation or training, and says so."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.feedback import make_learning, read_reviews_policy
from hallmark.aws.review_files import ReviewFiles
from hallmark.reviews.learning import Learning
from hallmark.reviews.receiving import ExportWish
from hallmark.reviews.subjects import Place
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class ExportingSettings(Settings):
    """What the function is told by its deployment."""

    account_id: str
    aws_region: str
    partition: str
    reviews_table_name: str
    reviews_bucket_name: str
    event_bus_name: str


@cache
def settings() -> ExportingSettings:
    """Read the settings once per execution environment."""
    return ExportingSettings.from_environment()


@cache
def learning() -> Learning:
    """Build feedback once per execution environment."""
    place = Place(settings().partition, settings().aws_region, settings().account_id)
    policy = read_reviews_policy(read_policy_section("reviews"), place)
    return make_learning(policy, place, table=settings().reviews_table_name, bus=settings().event_bus_name)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Make the datasets that are due, or those that someone asks for."""
    wish = ExportWish.read(event)
    writer = ReviewFiles(settings().reviews_bucket_name, client("s3"), learning().policy.export.location or "")
    made = learning().export(writer, model=wish.model, min_cases=wish.min_cases)
    for dataset in made:
        logger.info("feedback exported", **dataset._asdict())
    metrics.add_metric(name="CasesExported", unit=MetricUnit.Count, value=sum(each.cases for each in made))
    return {"datasets": [each._asdict() for each in made]}
