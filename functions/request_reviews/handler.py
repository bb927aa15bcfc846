"""Makes reviews: samples outputs for people to rate, when the schedule, a person or a drift report asks for it."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.feedback import read_reviews_policy
from hallmark.aws.production_files import ProductionFiles
from hallmark.aws.reviewed_outputs import S3Outputs
from hallmark.aws.reviews import make_reviewing
from hallmark.events.envelope import read_event_text
from hallmark.reviews.requests import grant, wishes_of
from hallmark.reviews.reviewing import Reviewing
from hallmark.reviews.subjects import Place
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class RequestingSettings(Settings):
    """What the function is told by its deployment."""

    account_id: str
    aws_region: str
    partition: str
    reviews_table_name: str
    reviews_bucket_name: str
    evaluation_bucket_name: str
    query_evaluations_function_name: str
    event_bus_name: str
    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> RequestingSettings:
    """Read the settings once per execution environment."""
    return RequestingSettings.from_environment()


@cache
def place() -> Place:
    """Return where this is deployed."""
    return Place(settings().partition, settings().aws_region, settings().account_id)


@cache
def reviewing() -> Reviewing:
    """Build reviews once per execution environment."""
    return make_reviewing(
        read_reviews_policy(read_policy_section("reviews"), place()),
        place(),
        table=settings().reviews_table_name,
        bucket=settings().reviews_bucket_name,
        bus=settings().event_bus_name,
    )


@cache
def outputs() -> S3Outputs:
    """Build what reads outputs once per execution environment."""
    told, s3 = settings(), client("s3")
    files = ProductionFiles(s3, place())
    functions = client("lambda")
    return S3Outputs(files, s3, functions, told.query_evaluations_function_name, told.evaluation_bucket_name)


def request_reviews(body: str) -> int:
    """Make what one message asks for; return how many tasks wait for people."""
    tasks = 0
    for wish in wishes_of(read_event_text(body), reviewing()):
        review = grant(wish, reviewing(), outputs())
        logger.info("review requested", review=review.name, tasks=review.tasks, cause=review.cause)
        tasks += review.tasks
    return tasks


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "request_reviews").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Handle each message of a batch."""
    outcome = work_off(event["Records"], request_reviews, refuse, maximum_receives=settings().maximum_receives)
    metrics.add_metric(name="TasksRequested", unit=MetricUnit.Count, value=sum(outcome.results))
    metrics.add_metric(name="MessagesRefused", unit=MetricUnit.Count, value=outcome.refused)
    return outcome.response
