"""Takes feedback: over HTTP, from a queue, or in a call; the same again changes nothing."""

from __future__ import annotations

from functools import cache
from typing import Any

from hallmark.aws.clients import client
from hallmark.aws.dead_letters import DeadLetters
from hallmark.aws.feedback import make_learning, read_reviews_policy
from hallmark.reviews.feedback import read_feedback
from hallmark.reviews.learning import Learning
from hallmark.reviews.receiving import answer_request, read_body
from hallmark.reviews.subjects import Place
from hallmark.runtime.batches import work_off
from hallmark.runtime.observability import MetricUnit, logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class FeedbackSettings(Settings):
    """What the function is told by its deployment."""

    account_id: str
    aws_region: str
    partition: str
    reviews_table_name: str
    event_bus_name: str
    dead_letter_queue_url: str
    maximum_receives: int = 5


@cache
def settings() -> FeedbackSettings:
    """Read the settings once per execution environment."""
    return FeedbackSettings.from_environment()


@cache
def learning() -> Learning:
    """Build feedback once per execution environment."""
    place = Place(settings().partition, settings().aws_region, settings().account_id)
    policy = read_reviews_policy(read_policy_section("reviews"), place)
    return make_learning(policy, place, table=settings().reviews_table_name, bus=settings().event_bus_name)


def receive(document: Any, by: str = "") -> dict[str, Any]:
    """Keep one piece of feedback; return its id, and whether it is new."""
    feedback, is_new = learning().receive(read_feedback(document, by))
    metrics.add_metric(name="FeedbackReceived", unit=MetricUnit.Count, value=int(is_new))
    logger.info("feedback kept" if is_new else "feedback known", feedback=feedback.id)
    return {"feedback": feedback.id, "new": is_new}


def refuse(body: str, error: Exception) -> None:
    """Keep a message as a dead letter."""
    DeadLetters(settings().dead_letter_queue_url, client("sqs"), "receive_feedback").send(body, error)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Take what comes: messages of a queue, a request of the HTTP API, or the feedback itself."""
    if "Records" in event:
        outcome = work_off(
            event["Records"],
            lambda body: receive(read_body(body)),
            refuse,
            maximum_receives=settings().maximum_receives,
        )
        return outcome.response
    if "requestContext" in event:
        return answer_request(event, receive)
    return receive(event)
