"""What production says of an answer: read, and turned into cases."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from hallmark.errors import InvalidInputError
from hallmark.reviews.settings import FeedbackExport
from hallmark.reviews.tasks import person_key

_ID_DIGITS = 16
_GROUP = "group"
"""Key of ``requestMetadata`` that becomes the group of a case."""

Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=600)]


class FeedbackStatus(StrEnum):
    """How feedback stands."""

    WAITING = "waiting"
    """Its answer is not found yet."""
    JOINED = "joined"
    LOST = "lost"
    """Its answer was not found in time."""


class GivenFeedback(BaseModel):
    """What a caller sends."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    request_id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256)]
    """Bedrock's ``requestId``, or ``inferenceId`` or ``eventId`` of an endpoint's data capture."""
    score: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    """0 worst, 1 best."""
    correct: Annotated[str, StringConstraints(max_length=50_000)] | None = Field(default=None, min_length=1)
    """What would have been right."""
    label: Annotated[str, StringConstraints(strip_whitespace=True, max_length=256)] | None = None
    """The right label, of a model that classifies."""
    comment: Annotated[str, StringConstraints(max_length=4_000)] = ""
    by: Line = ""
    model: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2048)] = ""
    """ARN or id of the model, or ARN of the endpoint, where the caller knows it: nothing is looked for then."""
    prompt: Annotated[str, StringConstraints(max_length=50_000)] = ""
    answer: Annotated[str, StringConstraints(max_length=50_000)] = ""
    """What was asked and answered, where no log has it."""
    answered_at: datetime | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.score is None and self.correct is None and not self.label and not self.comment:
            raise ValueError("give a score from 0 to 1, what would have been correct, a label, or a comment")
        if self.answered_at is not None and self.answered_at.tzinfo is None:
            raise ValueError("give answered_at with its time zone: 2026-11-20T14:00:00Z")
        return self


class FoundAnswer(BaseModel):
    """The answer that feedback is about."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    subject: str
    """ARN of the model or endpoint."""
    prompt: str = ""
    answer: str = ""
    at: datetime | None = None
    group: str = ""
    where: str
    """URI of the log, or ``caller``."""


class Feedback(BaseModel):
    """Feedback as it is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    id: str
    """From its content: the same again is the same feedback."""
    given: GivenFeedback
    received_at: datetime
    status: FeedbackStatus = FeedbackStatus.WAITING
    found: FoundAnswer | None = None
    settled_at: datetime | None = None
    """When its answer was found, or given up."""
    looked_at: datetime | None = None
    """When its answer was last looked for, in vain."""
    dataset: str = ""
    """The one that it was exported in."""


def read_feedback(document: Any, by: str = "") -> GivenFeedback:
    """Read what a caller sent.

    Args:
        document: A JSON object.
        by: Who called, where that is known for sure; whom they say they call for is kept besides.

    Raises:
        InvalidInputError: A field is wrong, missing or unknown.
    """
    if not isinstance(document, Mapping):
        raise InvalidInputError("the feedback", document, 'send a JSON object: {"request_id": "…", "score": 1}')
    if by:
        # An application calls for its users: both are kept, so that each user counts, and who vouches is known.
        user = document.get("by")
        document = {**document, "by": f"{by} for {user}" if user else by}
    try:
        return GivenFeedback.model_validate(document)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(map(str, fault["loc"])) or "the feedback"
        remedy = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            remedy = f"no such field; take one of {', '.join(GivenFeedback.model_fields)}"
        elif fault["type"] == "missing":
            remedy = "send it: Bedrock's requestId, or inferenceId or eventId of a capture"
        value = fault["input"] if fault["loc"] else sorted(document)
        raise InvalidInputError(field, value, remedy) from None


def keep(given: GivenFeedback, at: datetime) -> Feedback:
    """Return feedback with the id that its content gives it."""
    digest = sha256(given.model_dump_json().encode()).hexdigest()[:_ID_DIGITS]
    return Feedback(id=f"{request_key(given.request_id)}-{digest}", given=given, received_at=at)


def request_key(request_id: str) -> str:
    """Return the part of an id that all feedback on a request has in common."""
    return sha256(request_id.encode()).hexdigest()[:_ID_DIGITS]


def expected_of(feedback: Feedback, export: FeedbackExport) -> str | None:
    """Return what would have been right, as far as this feedback tells; None where it does not."""
    given, found = feedback.given, feedback.found
    if given.correct or given.label:
        return given.correct or given.label
    answer = found.answer if found else ""
    if export.accept_score is not None and given.score is not None and given.score >= export.accept_score and answer:
        return answer
    return None


def is_usable(feedback: Feedback, export: FeedbackExport) -> bool:
    """Tell whether feedback can become a case: something was asked, and what is right is known."""
    return bool(feedback.found and feedback.found.prompt) and expected_of(feedback, export) is not None


def cases_of(feedback: Iterable[Feedback], export: FeedbackExport) -> Iterator[dict[str, Any]]:
    """Yield cases in the format of evaluation's datasets: ``id``, ``prompt``, ``expected``, ``group``, ``weight``.

    One request is one case. Of each person the latest word counts; the weight is the number of people. Where they
    differ, all that they say is expected, what most say first.
    """
    by_request: dict[str, dict[str, Feedback]] = defaultdict(dict)
    for each in sorted(feedback, key=lambda one: (one.received_at, one.id)):
        if is_usable(each, export):
            person = person_key(each.given.by) if each.given.by else each.id
            by_request[each.given.request_id][person] = each
    for request_id, words in sorted(by_request.items()):
        said = Counter(expected_of(each, export) or "" for each in words.values())
        latest = list(words.values())[-1].found
        if latest is None:
            continue
        yield {
            "id": f"feedback-{request_key(request_id)}",
            "prompt": latest.prompt,
            "expected": [text for text, _ in said.most_common()],
            **({"group": latest.group} if latest.group else {}),
            "category": "feedback",
            "weight": float(len(words)),
        }


def case_lines(cases: Iterable[Mapping[str, Any]]) -> bytes:
    """Return one JSON object a line."""
    return "".join(json.dumps(case, ensure_ascii=False) + "\n" for case in cases).encode()


def group_of(labels: Mapping[str, str]) -> str:
    """Return the group of an answer, from the metadata of its request."""
    return labels.get(_GROUP, "")
