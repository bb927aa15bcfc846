"""Feedback as functions use it: policy, place, table, bus."""

from __future__ import annotations

from datetime import UTC, datetime

from hallmark.aws.clients import client
from hallmark.aws.eventbridge import BusPublisher
from hallmark.aws.feedback_table import DynamoFeedback
from hallmark.reviews.learning import Learning
from hallmark.reviews.settings import ReviewsPolicy
from hallmark.reviews.subjects import Place


def read_reviews_policy(section: str, place: Place) -> ReviewsPolicy:
    """Read the section, with account and Region in its locations."""
    text = section.replace("{account}", place.account).replace("{region}", place.region)
    return ReviewsPolicy.model_validate_json(text)


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def make_learning(policy: ReviewsPolicy, place: Place, *, table: str, bus: str) -> Learning:
    """Return feedback as it is kept in AWS."""
    return Learning(
        policy=policy.feedback,
        place=place,
        store=DynamoFeedback(table, client("dynamodb"), policy.feedback.keep),
        publisher=BusPublisher(bus, client("events")),
        now=utc_now,
    )
