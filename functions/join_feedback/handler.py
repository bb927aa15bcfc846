"""Finds the answers that feedback is about, in the logs that were delivered since; gives up in the end."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.feedback import make_learning, read_reviews_policy, utc_now
from hallmark.aws.production_files import ProductionFiles, S3Answers
from hallmark.aws.review_files import ReviewFiles
from hallmark.reviews.learning import Learning
from hallmark.reviews.subjects import Place
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class JoiningSettings(Settings):
    """What the function is told by its deployment."""

    account_id: str
    aws_region: str
    partition: str
    reviews_table_name: str
    reviews_bucket_name: str
    event_bus_name: str


@cache
def settings() -> JoiningSettings:
    """Read the settings once per execution environment."""
    return JoiningSettings.from_environment()


@cache
def place() -> Place:
    """Return where this is deployed."""
    return Place(settings().partition, settings().aws_region, settings().account_id)


@cache
def learning() -> Learning:
    """Build feedback once per execution environment."""
    policy = read_reviews_policy(read_policy_section("reviews"), place())
    return make_learning(policy, place(), table=settings().reviews_table_name, bus=settings().event_bus_name)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Join what can be joined now."""
    s3 = client("s3")
    finder = S3Answers(ProductionFiles(s3, place()), learning().policy, place(), utc_now())
    joined = learning().join(finder, ReviewFiles(settings().reviews_bucket_name, s3))
    metrics.add_metric(name="FeedbackJoined", unit=MetricUnit.Count, value=joined.found)
    metrics.add_metric(name="FeedbackLost", unit=MetricUnit.Count, value=joined.lost)
    metrics.add_metric(name="FeedbackWaiting", unit=MetricUnit.Count, value=joined.waiting)
    logger.info("feedback joined", **joined._asdict())
    return joined._asdict()
