"""What can be asked of reviews and feedback, and what is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hallmark.errors import InvalidInputError
from hallmark.events.records import LineageNode
from hallmark.reviews.ports import FeedbackStore, KeptReview
from hallmark.reviews.reviewing import Reviewing, review_name
from hallmark.reviews.settings import EvaluationOutputs
from hallmark.reviews.tasks import NOTE_LENGTH, Score, Task, latest_scores, may_rate, person_key

Person = Annotated[str, Field(max_length=2048)]
"""ARN of whoever asks."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ListQuestion(_Value):
    """Reviews: those that are open, or those that have ended."""

    ask: Literal["list"] = "list"
    ended: bool = False
    limit: int = Field(default=20, ge=1, le=200)


class ShowQuestion(_Value):
    """A review with its tasks, scores and outcome."""

    ask: Literal["show"] = "show"
    review: str


class NextQuestion(_Value):
    """The next output that waits for a person."""

    ask: Literal["next"] = "next"
    by: Person = ""
    review: str | None = None


class ScoreQuestion(_Value):
    """What a person says of an output."""

    ask: Literal["score"] = "score"
    review: str
    task: str
    score: str
    note: str = Field(default="", max_length=NOTE_LENGTH)
    change: bool = False
    by: Person = ""


class CloseQuestion(_Value):
    """End a review with the scores that it has."""

    ask: Literal["close"] = "close"
    review: str
    by: Person = ""


class StartQuestion(_Value):
    """Ask for a review of a program now."""

    ask: Literal["start"] = "start"
    program: str
    request_id: str = Field(min_length=1, max_length=256)
    """The same again is the same review."""
    by: Person = ""


class NoteQuestion(_Value):
    """Write something down about a node of lineage."""

    ask: Literal["note"] = "note"
    kind: str
    node: str = Field(min_length=1, max_length=2000)
    text: str = Field(min_length=1, max_length=NOTE_LENGTH)
    by: Person = ""


class ProgramsQuestion(_Value):
    """The programs of the deployed policy."""

    ask: Literal["programs"] = "programs"


class FeedbackQuestion(_Value):
    """All feedback on a request."""

    ask: Literal["feedback"] = "feedback"
    request_id: str


class FeedbackStatusQuestion(_Value):
    """How much feedback there is, by how it stands."""

    ask: Literal["feedback_status"] = "feedback_status"


ReviewQuestion = Annotated[
    ListQuestion
    | ShowQuestion
    | NextQuestion
    | ScoreQuestion
    | CloseQuestion
    | StartQuestion
    | NoteQuestion
    | ProgramsQuestion
    | FeedbackQuestion
    | FeedbackStatusQuestion,
    Field(discriminator="ask"),
]
_QUESTIONS: TypeAdapter[ReviewQuestion] = TypeAdapter(ReviewQuestion, config=ConfigDict(defer_build=True))


_PERSONAL = frozenset({"next", "score", "close", "start", "note"})
"""What somebody does, so that it must be known who."""


def read_question(document: Any, by: str = "") -> ReviewQuestion:
    """Read a question.

    Args:
        document: The question, without whoever asks.
        by: ARN of whoever asks, as far as it is proven; empty where nobody signed the question.

    Raises:
        InvalidInputError: It cannot be understood, or does something in nobody's name.
    """
    if isinstance(document, Mapping):
        if "by" in document:
            raise InvalidInputError("by", document["by"], "leave it out: who asks is told by the signature")
        if document.get("ask") in _PERSONAL:
            if not by:
                raise InvalidInputError("proof", None, "sign the question: use the command line, or docs/reviews.md")
            document = {**document, "by": by}
    try:
        return _QUESTIONS.validate_python(document)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(map(str, fault["loc"])) or "the question"
        raise InvalidInputError(field, fault["input"], fault["msg"].removeprefix("Value error, ")) from None


@dataclass(frozen=True)
class ReviewDesk:
    """Answers questions."""

    reviewing: Reviewing
    feedback: FeedbackStore
    ask_for: Callable[[str, str], None]
    """Puts the wish for a review of a program, with a key, where ``request_reviews`` finds it."""

    def answer(self, question: ReviewQuestion) -> dict[str, Any]:  # noqa: C901, PLR0911 - a case for each question
        """Return the answer as JSON has it.

        Raises:
            NotFoundError: There is no such review or task.
            InvalidInputError: It may not be done.
        """
        match question:
            case ListQuestion():
                kept = self.reviewing.store.list_reviews(ended=question.ended, limit=question.limit)
                return {"reviews": [self._line(each) for each in kept]}
            case ShowQuestion():
                return self._show(question.review)
            case NextQuestion():
                return self._next(question)
            case ScoreQuestion():
                score = self.reviewing.rate(
                    question.review,
                    question.task,
                    question.by,
                    question.score,
                    note=question.note,
                    change=question.change,
                )
                after = self.reviewing.store.find_review(question.review)
                return {"score": score.model_dump(mode="json"), "status": after.status.value}
            case CloseQuestion():
                return self._line(self.reviewing.close(question.review))
            case StartQuestion():
                self.reviewing.program(question.program)
                self.ask_for(question.program, question.request_id)
                return {"review": review_name(question.program, question.request_id), "program": question.program}
            case NoteQuestion():
                node = LineageNode(kind=question.kind, id=question.node)
                return {"note": self.reviewing.write_note(node, question.text, question.by).note}
            case ProgramsQuestion():
                return {"programs": self._programs()}
            case FeedbackQuestion():
                found = self.feedback.of_request(question.request_id)
                return {"feedback": [each.model_dump(mode="json") for each in found]}
            case FeedbackStatusQuestion():
                return {"counts": self.feedback.counts()}

    def _programs(self) -> list[dict[str, Any]]:
        return [
            {
                "program": name,
                "description": program.description,
                "source": program.source.suite
                if isinstance(program.source, EvaluationOutputs)
                else program.source.location,
                "size": program.sample.size,
                "per_item": program.per_item,
                "scale": program.scale.value,
                "threshold": program.threshold,
                "frequency": program.frequency,
                "time_zone": program.time_zone,
                "reviewers": list(program.reviewers),
            }
            for name, program in sorted(self.reviewing.policy.programs.items())
        ]

    def _line(self, kept: KeptReview) -> dict[str, Any]:
        review = kept.review
        return {
            "review": review.name,
            "program": review.program,
            "subject": review.subject,
            "subject_name": review.subject_name,
            "status": kept.status.value,
            "tasks": review.tasks,
            "per_item": review.settings.per_item,
            "threshold": review.settings.threshold,
            "cause": review.cause,
            "source": review.source,
            "population": review.population,
            "requested_at": review.requested_at.isoformat(),
            "expires_at": review.expires_at.isoformat(),
            "ended_at": _text(kept.ended_at),
            "outcome": kept.outcome.model_dump(mode="json") if kept.outcome else None,
        }

    def _show(self, name: str) -> dict[str, Any]:
        kept = self.reviewing.store.find_review(name)
        scores = self.reviewing.store.scores(name)
        counted = {(score.task, person_key(score.by)): score.revision for score in latest_scores(scores)}
        return {
            **self._line(kept),
            "tasks_listed": [
                {
                    **task.model_dump(mode="json"),
                    "scores": [
                        {**_score(score), "counts": counted[score.task, person_key(score.by)] == score.revision}
                        for score in scores
                        if score.task == task.id
                    ],
                }
                for task in self.reviewing.store.tasks(kept.review)
            ],
        }

    def _next(self, question: NextQuestion) -> dict[str, Any]:
        found = self.reviewing.next_task(question.by, question.review)
        if found is None:
            return {"task": None}
        kept, task = found
        settings = kept.review.settings
        return {
            "review": kept.review.name,
            "subject_name": kept.review.subject_name,
            "questions": list(settings.questions),
            "scale": settings.scale.value,
            "points": settings.points,
            "expires_at": kept.review.expires_at.isoformat(),
            "waiting": self._waiting(kept, question.by),
            # Neither the stratum nor other people's scores: they would sway who rates.
            "task": task.model_dump(mode="json", include={"id", "prompt", "answer"}),
        }

    def _waiting(self, kept: KeptReview, person: str) -> int:
        scores = self.reviewing.store.scores(kept.review.name)
        mine = {score.task for score in scores if person_key(score.by) == person_key(person)}
        tasks: list[Task] = self.reviewing.store.tasks(kept.review)
        return sum(task.id not in mine and may_rate(person, task) for task in tasks)


def _score(score: Score) -> dict[str, Any]:
    return score.model_dump(mode="json", exclude={"task"})


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
