"""Reviews and feedback on DynamoDB and S3 as moto answers them, a bus that remembers, and a clock that is set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from moto import mock_aws

from hallmark.aws.feedback_table import DynamoFeedback
from hallmark.aws.review_files import ReviewFiles
from hallmark.aws.reviews_table import DynamoReviews
from hallmark.errors import UnavailableError
from hallmark.events.published import Published
from hallmark.reviews.learning import Learning
from hallmark.reviews.outputs import Output
from hallmark.reviews.reviewing import Reviewing
from hallmark.reviews.settings import ReviewedSource, ReviewsPolicy
from hallmark.reviews.subjects import Place

TABLE, BUCKET, LOGS = "reviews", "reviews-bucket", "logs-bucket"
PLACE = Place("aws", "us-east-1", "111122223333")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
VADER = "hallmark.vader-sentiment-v1:0"
VADER_ARN = PLACE.model_arn(VADER)


@dataclass
class RememberingBus:
    """A bus that keeps what is published; it fails as often as it is told to."""

    published: list[tuple[str, Any]] = field(default_factory=list)
    failures: int = 0

    def publish(self, detail_type: str, event: Published) -> None:
        if self.failures:
            self.failures -= 1
            raise UnavailableError("publishing events: ThrottlingException")
        self.published.append((detail_type, event))

    def of(self, detail_type: str) -> list[Any]:
        return [event for kind, event in self.published if kind == detail_type]


@dataclass
class Clock:
    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass
class GivenOutputs:
    """OutputReader over a list."""

    outputs: list[Output]
    asked: list[tuple[ReviewedSource, datetime, datetime]] = field(default_factory=list)

    def read(self, source: ReviewedSource, start: datetime, end: datetime) -> tuple[str, Iterator[Output]]:
        self.asked.append((source, start, end))
        return "s3://logs-bucket/", iter(self.outputs)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[botocore.session.Session]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        session = botocore.session.get_session()
        dynamodb: Any = session.create_client("dynamodb")
        dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "listed", "listed_at")
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "listed",
                    "KeySchema": [
                        {"AttributeName": "listed", "KeyType": "HASH"},
                        {"AttributeName": "listed_at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        )
        s3: Any = session.create_client("s3")
        for bucket in (BUCKET, LOGS):
            s3.create_bucket(Bucket=bucket)
        yield session


@pytest.fixture
def s3(aws: botocore.session.Session) -> Any:
    return aws.create_client("s3")


@pytest.fixture
def bus() -> RememberingBus:
    return RememberingBus()


@pytest.fixture
def clock() -> Clock:
    return Clock()


POLICY = ReviewsPolicy.model_validate(
    {
        "programs": {
            "tweets": {
                "source": {"kind": "invocation_logs", "location": f"s3://{LOGS}/", "model": VADER},
                "sample": {"size": 4},
                "reviewers": ["rater-1", "rater-2", "rater-3"],
                "per_item": 2,
                "scale": "thumbs",
                "expires": "5 days",
                "owners": ["ml-platform"],
            },
            "anybody": {
                "source": {"kind": "data_capture", "location": f"s3://{LOGS}/captures", "endpoint": "Live"},
                "sample": {"size": 2},
                "per_item": 1,
                "scale": "likert",
            },
        },
        "feedback": {"logs": [f"s3://{LOGS}/"], "captures": {"live": f"s3://{LOGS}/captures"}},
    }
)


@pytest.fixture
def reviewing(aws: botocore.session.Session, s3: Any, bus: RememberingBus, clock: Clock) -> Reviewing:
    return Reviewing(
        policy=POLICY,
        place=PLACE,
        store=DynamoReviews(TABLE, aws.create_client("dynamodb")),
        files=ReviewFiles(BUCKET, s3),
        publisher=bus,
        now=clock,
    )


@pytest.fixture
def learning(aws: botocore.session.Session, bus: RememberingBus, clock: Clock) -> Learning:
    return Learning(
        policy=POLICY.feedback,
        place=PLACE,
        store=DynamoFeedback(TABLE, aws.create_client("dynamodb"), POLICY.feedback.keep),
        publisher=bus,
        now=clock,
    )
