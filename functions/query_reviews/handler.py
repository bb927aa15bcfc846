"""Shows reviews and tasks, takes scores and notes, and tells how feedback stands."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from hallmark.aws.caller_proof import verify_caller
from hallmark.aws.clients import client
from hallmark.aws.failures import calling
from hallmark.aws.feedback import make_learning, read_reviews_policy
from hallmark.aws.reviews import make_reviewing
from hallmark.reviews.questions import ReviewDesk, read_question
from hallmark.reviews.subjects import Place
from hallmark.runtime.observability import logger, metrics
from hallmark.runtime.policy_files import read_policy_section
from hallmark.runtime.settings import Settings


class QueryReviewsSettings(Settings):
    """What the function is told by its deployment."""

    account_id: str
    aws_region: str
    partition: str
    reviews_table_name: str
    reviews_bucket_name: str
    request_queue_url: str
    event_bus_name: str


@cache
def settings() -> QueryReviewsSettings:
    """Read the settings once per execution environment."""
    return QueryReviewsSettings.from_environment()


def ask_for(program: str, key: str) -> None:
    """Put the wish for a review where ``request_reviews`` finds it."""
    body = json.dumps({"program": program, "key": key})
    with calling("asking for a review"):
        client("sqs").send_message(QueueUrl=settings().request_queue_url, MessageBody=body)


@cache
def desk() -> ReviewDesk:
    """Build what answers once per execution environment."""
    told = settings()
    place = Place(told.partition, told.aws_region, told.account_id)
    policy = read_reviews_policy(read_policy_section("reviews"), place)
    table, bus = told.reviews_table_name, told.event_bus_name
    return ReviewDesk(
        reviewing=make_reviewing(policy, place, table=table, bucket=told.reviews_bucket_name, bus=bus),
        feedback=make_learning(policy, place, table=table, bus=bus).store,
        ask_for=ask_for,
    )


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer one question; what is done in a person's name must be signed by them (``{"message", "proof"}``)."""
    message = event.get("message", event)
    by = ""
    if "proof" in event:
        by = verify_caller(message, event["proof"], client("sts"), settings().account_id).arn
    question = read_question(message, by)
    answer = desk().answer(question)
    logger.info("question answered", ask=question.ask)
    return answer
