"""Scores from the events on the hallmark bus: what people's reviews and production's feedback say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from hallmark.errors import InvalidInputError
from hallmark.events.published import Published
from hallmark.events.reviews import FEEDBACK_RECEIVED, REVIEW_COMPLETED, FeedbackReceived, ReviewCompleted

_Event = TypeVar("_Event", bound=Published)


class KeptScore(NamedTuple):
    """A score from 0 to 1 of what a model answered."""

    subject: str
    identifier: str
    at: datetime
    value: float


def scores_of(event: Mapping[str, Any]) -> Iterator[KeptScore]:
    """Yield the scores that an event brings, under each name of what they are about.

    A review counts as one score, its mean: its single scores are not independent of one another.

    Raises:
        InvalidInputError: The event is not as its publisher writes it.
    """
    match event.get("detail-type"):
        case kind if kind == FEEDBACK_RECEIVED:
            feedback = _read(FeedbackReceived, event)
            if feedback.score is not None and feedback.model:
                for subject in _names(feedback.model):
                    yield KeptScore(subject, feedback.feedback, feedback.received_at, feedback.score)
        case kind if kind == REVIEW_COMPLETED:
            review = _read(ReviewCompleted, event)
            if review.mean is not None:
                for subject in dict.fromkeys((*_names(review.subject), review.subject_name)):
                    yield KeptScore(subject, review.review, review.completed_at, review.mean)
        case kind:
            raise InvalidInputError("detail-type", kind, "no score is in it: see docs/drift.md")


def _names(subject: str) -> tuple[str, ...]:
    """Return what a policy may call a subject: its ARN or id, and the name at the end of the ARN."""
    return tuple(dict.fromkeys((subject, subject.rpartition("/")[2])))


def _read(model: type[_Event], event: Mapping[str, Any]) -> _Event:
    try:
        return model.model_validate(event.get("detail"))
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(("detail", *map(str, fault["loc"])))
        raise InvalidInputError(field, fault["input"], fault["msg"]) from None
