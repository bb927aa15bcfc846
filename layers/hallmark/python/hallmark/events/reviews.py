"""What people's reviews and production's feedback publish."""

from __future__ import annotations

from datetime import datetime

from hallmark.events.published import Published
from hallmark.events.records import RecordedEvent

REVIEW_REQUESTED = "ReviewRequested"
REVIEW_COMPLETED = "ReviewCompleted"
REVIEW_SCORE_LOW = "ReviewScoreLow"
REVIEW_NOTED = "ReviewNoted"
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
    """A review has ended: all tasks have their scores, it expired, or somebody closed it."""

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
    agreement_low: float | None = None
    agreement_high: float | None = None
    status: str = "completed"
    """``completed``, ``expired`` or ``closed``."""
    judgement: str = ""
    """``good``: the lower bound reaches the threshold; ``low``: the upper one does not; ``uncertain``; ``unrated``."""
    threshold: float | None = None
    confidence: float | None = None
    """Of each bound, one-sided."""
    scores_uri: str = ""
    """JSON lines, a row for each score (docs/reviews.md)."""
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
    judgement: str = "low"
    """``low``, or ``uncertain`` where policy wants to hear of that, too."""
    confidence: float | None = None
    completed_at: datetime
    owners: list[str] = []


class ReviewNoted(RecordedEvent):
    """A person wrote something down about a node of the graph; the text is in the section ``lineage``."""

    note: str
    """Id of the note's node: ``hallmark:review/note-…``; tells a repeat."""
    node: str
    by: str
    noted_at: datetime


class FeedbackReceived(Published):
    """Production told how good an answer was; told again, with the model, once the answer is found.

    What people wrote is not in it: comments and corrections stay in the table.
    """

    feedback: str
    request_id: str
    model: str = ""
    """ARN of the model or endpoint that answered; empty until that is known."""
    label: str = ""
    corrected: bool = False
    """Whether a right answer was given."""
    answered_at: datetime | None = None
    score: float | None = None
    received_at: datetime


class FeedbackExported(RecordedEvent):
    """Feedback became a dataset."""

    dataset: str
    """URI of JSON lines in the format of evaluation's cases."""
    model: str
    cases: int
    digest: str = ""
    exported_at: datetime
    owners: list[str] = []
