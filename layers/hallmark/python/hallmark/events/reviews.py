"""What people's reviews and production's feedback publish."""

from __future__ import annotations

from datetime import datetime

from hallmark.events.published import Published
from hallmark.events.records import RecordedEvent

REVIEW_REQUESTED = "ReviewRequested"
REVIEW_COMPLETED = "ReviewCompleted"
REVIEW_SCORE_LOW = "ReviewScoreLow"
FEEDBACK_RECEIVED = "FeedbackReceived"
FEEDBACK_EXPORTED = "FeedbackExported"


class ReviewRequested(Published):
    """Outputs wait for people's scores: a sample on schedule, or a drift report that asks for it."""

    review: str
    """Id of the review's node: ``hallmark:review/…``."""
    program: str
    """Name of the review in the policy; empty where an event asked for it."""
    subject: str
    subject_name: str
    tasks: int
    cause: str = ""
    requested_at: datetime
    owners: list[str] = []


class ReviewCompleted(RecordedEvent):
    """All tasks of a review have their scores."""

    review: str
    program: str
    subject: str
    subject_name: str
    tasks: int
    scores: int
    mean: float | None
    """0 to 1."""
    low: float | None = None
    high: float | None = None
    agreement: float | None = None
    """Krippendorff's alpha; None with one reviewer."""
    completed_at: datetime
    owners: list[str] = []


class ReviewScoreLow(Published):
    """People's mean score is below what policy asks for (default 0.85)."""

    review: str
    program: str
    subject: str
    subject_name: str
    mean: float
    low: float | None = None
    high: float | None = None
    threshold: float
    scores: int
    completed_at: datetime
    owners: list[str] = []


class FeedbackReceived(Published):
    """Production told how good an answer was."""

    feedback: str
    request_id: str
    model: str = ""
    score: float | None = None
    received_at: datetime


class FeedbackExported(RecordedEvent):
    """Feedback became a dataset."""

    dataset: str
    model: str
    cases: int
    exported_at: datetime
