"""What reviews and feedback need from the outside world."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict

from hallmark.events.published import Published
from hallmark.reviews.feedback import Feedback, FoundAnswer
from hallmark.reviews.outputs import Output
from hallmark.reviews.settings import ReviewedSource
from hallmark.reviews.tasks import Review, ReviewOutcome, ReviewStatus, Score, Task


class KeptReview(BaseModel):
    """A review and how it stands."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    review: Review
    status: ReviewStatus = ReviewStatus.OPEN
    ended_at: datetime | None = None
    outcome: ReviewOutcome | None = None


class ReviewStore(Protocol):
    """Where reviews, tasks and scores are kept; scores are added, never changed."""

    def add_review(self, review: Review, tasks: Sequence[Task]) -> bool:
        """Keep a review whole; tell whether it was new."""
        ...

    def find_review(self, name: str) -> KeptReview:
        """Return a review.

        Raises:
            NotFoundError: There is none of that name.
        """
        ...

    def list_reviews(self, *, ended: bool, limit: int) -> list[KeptReview]:
        """Return those that are ended and told of, or those that are not; the latest first."""
        ...

    def tasks(self, review: Review) -> list[Task]:
        """Return the tasks of a review, in their order."""
        ...

    def scores(self, name: str) -> list[Score]:
        """Return all scores of a review, with what was changed since."""
        ...

    def add_score(self, name: str, score: Score) -> bool:
        """Keep a score; False where this person has given this revision already."""
        ...

    def end(self, name: str, status: ReviewStatus, at: datetime, outcome: ReviewOutcome) -> bool:
        """Say how a review ended; False where it had ended before."""
        ...

    def told(self, name: str) -> None:
        """Say that everybody was told of a review's end."""
        ...


class OutputReader(Protocol):
    """Where outputs are read."""

    def read(self, source: ReviewedSource, start: datetime, end: datetime) -> tuple[str, Iterator[Output]]:
        """Return where the outputs of a time lie, and the outputs.

        Raises:
            InvalidInputError: They may not be read, or the suite has no completed run.
            UnavailableError: What holds them did not answer.
        """
        ...


class ScoreFiles(Protocol):
    """Where scores are kept for whoever computes with them (docs/reviews.md has the layout)."""

    def write_scores(self, name: str, rows: Iterable[Mapping[str, object]]) -> str:
        """Keep rows under a name; the same name is written over. Return the URI."""
        ...


class Publisher(Protocol):
    """The hallmark bus."""

    def publish(self, detail_type: str, event: Published) -> None:
        """Publish an event.

        Raises:
            UnavailableError: It was not taken now.
        """
        ...


class ExportPlan(NamedTuple):
    """A dataset that is being made: it names its feedback, so that it is the same when it is made again."""

    export: str
    model: str
    feedback: tuple[str, ...]
    at: datetime


class FeedbackStore(Protocol):
    """Where feedback is kept."""

    def add(self, feedback: Feedback) -> bool:
        """Keep feedback; tell whether it was new."""
        ...

    def of_request(self, request_id: str) -> list[Feedback]:
        """Return all feedback on a request, the oldest first."""
        ...

    def waiting(self, limit: int) -> list[Feedback]:
        """Return feedback whose answer is not found yet, the oldest first."""
        ...

    def join(self, feedback: Feedback, found: FoundAnswer, at: datetime, *, usable: bool) -> Feedback:
        """Keep whose answer it was, and whether it can become a case."""
        ...

    def looked(self, feedback: Feedback, at: datetime) -> None:
        """Say that its answer was looked for in vain."""
        ...

    def lose(self, feedback: Feedback, at: datetime) -> None:
        """Say that the answer was not found in time."""
        ...

    def usable(self, limit: int) -> list[Feedback]:
        """Return feedback that can become cases and is in no dataset yet, the oldest first."""
        ...

    def read(self, ids: Sequence[str]) -> list[Feedback]:
        """Return feedback by its ids, in their order; what has expired meanwhile is left out."""
        ...

    def open_exports(self) -> list[ExportPlan]:
        """Return the datasets that were begun and not finished."""
        ...

    def begin_export(self, plan: ExportPlan) -> bool:
        """Keep what is about to be exported; False where it is kept already."""
        ...

    def finish_export(self, plan: ExportPlan, dataset: str) -> None:
        """Say of each piece of feedback in which dataset it is, then that the export is done."""
        ...

    def counts(self) -> dict[str, int]:
        """Return how much feedback waits, is usable, only scores, is exported, is lost."""
        ...


class DatasetWriter(Protocol):
    """Where datasets are written."""

    def write_dataset(self, name: str, content: bytes) -> str:
        """Write a dataset; return its URI."""
        ...


class Wanted(NamedTuple):
    """A request whose answer is looked for."""

    asked_from: datetime
    """It was asked at this time, or later."""
    looked_at: datetime | None = None
    """When it was last looked for, in vain."""


class AnswerFinder(Protocol):
    """Finds answers by the ids of their requests."""

    def find(self, wanted: Mapping[str, Wanted]) -> dict[str, FoundAnswer]:
        """Return the answers that are delivered already, by the ids of their requests."""
        ...
