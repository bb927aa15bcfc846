"""Reviews as functions use them: policy, place, table, bucket, bus."""

from __future__ import annotations

from hallmark.aws.clients import client
from hallmark.aws.eventbridge import BusPublisher
from hallmark.aws.feedback import utc_now
from hallmark.aws.review_files import ReviewFiles
from hallmark.aws.reviews_table import DynamoReviews
from hallmark.reviews.reviewing import Reviewing
from hallmark.reviews.settings import ReviewsPolicy
from hallmark.reviews.subjects import Place


def make_reviewing(policy: ReviewsPolicy, place: Place, *, table: str, bucket: str, bus: str) -> Reviewing:
    """Return reviews as they are kept in AWS."""
    return Reviewing(
        policy=policy,
        place=place,
        store=DynamoReviews(table, client("dynamodb")),
        files=ReviewFiles(bucket, client("s3")),
        publisher=BusPublisher(bus, client("events")),
        now=utc_now,
    )
