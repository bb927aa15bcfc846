"""Reviews, the tasks they are made of, the scores that people give, and what these come to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hallmark.errors import InvalidInputError
from hallmark.events.records import own_id
from hallmark.people import Person
from hallmark.reviews.outputs import Drawn
from hallmark.reviews.settings import Alarm, ReviewProgram, ScaleKind

NOTE_LENGTH = 4_000
_THUMBS = {"up": 1.0, "down": 0.0}


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ReviewStatus(StrEnum):
    """How a review stands."""

    OPEN = "open"
    COMPLETED = "completed"
    """Every output has all its scores."""
    CLOSED = "closed"
    """Somebody ended it early."""
    EXPIRED = "expired"


class Review(_Value):
    """A sample of outputs that people rate, with the rules that held when it was asked for."""

    name: str
    program: str
    settings: ReviewProgram
    subject: str
    """ARN or id of the model or endpoint whose answers they are."""
    subject_name: str
    cause: str = ""
    """Id of the drift report, or URI of the run, that it was asked for because of."""
    source: str
    """Where the outputs were read."""
    population: int
    tasks: int
    draw: str
    """Digest of its sample: of two functions that draw at the same time, one sample counts, whole."""
    requested_at: datetime
    expires_at: datetime

    @property
    def node(self) -> str:
        """Id of its node in lineage."""
        return own_id("review", self.name)


class Task(_Value):
    """One output that waits for scores."""

    id: Annotated[str, StringConstraints(pattern=r"^\d{4}$")]
    output: str
    """Its id in the source."""
    prompt: str
    answer: str
    request_id: str = ""
    stratum: str = ""
    weight: float = Field(default=1.0, gt=0)
    reviewers: tuple[str, ...] = ()
    """Who is to rate it; anyone where there are none."""


class Score(_Value):
    """What one person said of one output; a later revision of theirs counts instead, and this one is kept."""

    task: str
    by: str
    value: float
    """As it was given, on the review's scale."""
    fraction: float = Field(ge=0, le=1)
    """On the scale from 0 to 1."""
    note: Annotated[str, StringConstraints(max_length=NOTE_LENGTH)] = ""
    revision: int = Field(default=0, ge=0)
    at: datetime


Judgement = Literal["good", "low", "uncertain", "unrated"]


class Agreement(_Value):
    """Krippendorff's alpha with the interval of a bootstrap over outputs."""

    alpha: float
    low: float
    high: float
    outputs: int
    """So many have two scores or more; the others tell nothing of agreement."""


class ReviewOutcome(_Value):
    """What the scores of a review come to."""

    judgement: Judgement
    """``low``: the upper bound is below the threshold; ``good``: the lower bound reaches it; else ``uncertain``."""
    rated: int
    """Outputs with a score."""
    scores: int
    mean: float | None = None
    """From 0 to 1; strata weigh as in the population."""
    low: float | None = None
    high: float | None = None
    """Each bound holds with the program's confidence by itself."""
    agreement: Agreement | None = None
    no_agreement: str = ""
    """Why there is no alpha."""

    def is_alarming(self, alarm: Alarm) -> bool:
        """Tell whether the policy wants this to be told as too low."""
        if alarm is Alarm.NOT_SURELY_GOOD:
            return self.judgement in {"low", "uncertain"}
        return self.judgement == "low"


def read_score(given: str, settings: ReviewProgram) -> tuple[float, float]:
    """Return a score as it was given, and on the scale from 0 to 1.

    Raises:
        InvalidInputError: It is not on the scale.
    """
    text = given.strip().lower()
    try:
        value = _THUMBS[text] if settings.scale is ScaleKind.THUMBS and text in _THUMBS else float(text)
    except ValueError:
        value = float("nan")
    match settings.scale:
        case ScaleKind.THUMBS if value in {0.0, 1.0}:
            return value, value
        case ScaleKind.LIKERT if value in range(1, settings.points + 1):
            return value, (value - 1) / (settings.points - 1)
        case ScaleKind.FRACTION if 0 <= value <= 1:
            return value, value
    remedies = {
        ScaleKind.THUMBS: "give up or down (1 or 0)",
        ScaleKind.LIKERT: f"give a whole number from 1 (worst) to {settings.points} (best)",
        ScaleKind.FRACTION: "give a number from 0 (worst) to 1 (best)",
    }
    raise InvalidInputError("score", given, remedies[settings.scale])


def may_rate(person: str, task: Task) -> bool:
    """Tell whether a task is for the person with this ARN."""
    return not task.reviewers or Person(arn=person).is_among(task.reviewers)


def person_key(person: str) -> str:
    """Return what tells people apart: a name that is theirs alone (``Person.name``), else the ARN."""
    return sha256((Person(arn=person).name or person).encode()).hexdigest()[:16]


def make_tasks(drawn: Sequence[Drawn], settings: ReviewProgram) -> list[Task]:
    """Make a task of each output; reviewers take turns, so that each rates as many, and each pair meets.

    Args:
        drawn: The sample.
        settings: Who rates, and how many rate each output.
    """
    # The strata come one after the other: in the order of hashes everybody gets some of each.
    ordered = sorted(
        drawn, key=lambda each: sha256(f"{settings.sample.seed}\ntask\n{each.output.id}".encode()).digest()
    )
    people, count = settings.reviewers, len(settings.reviewers)
    tasks = []
    for place, (output, stratum, weight) in enumerate(ordered):
        # Every other round the steps between those who share an output grow, so that pairs vary.
        step = 1 + (place // count) % max(1, count - 1) if count else 1
        chosen = _turn(people, place, step, settings.per_item) if count else ()
        tasks.append(
            Task(
                id=f"{place + 1:04d}",
                output=output.id,
                prompt=output.prompt,
                answer=output.answer,
                request_id=output.request_id,
                stratum=stratum,
                weight=weight,
                reviewers=chosen,
            )
        )
    return tasks


def draw_digest(tasks: Sequence[Task]) -> str:
    """Return what tells one sample from another."""
    return sha256("\n".join(task.model_dump_json() for task in tasks).encode()).hexdigest()[:12]


def _turn(people: Sequence[str], place: int, step: int, wanted: int) -> tuple[str, ...]:
    """Return who rates an output: from the one whose turn it is, each so many places on, nobody twice."""
    chosen: list[int] = []
    at = place % len(people)
    while len(chosen) < wanted:
        while at in chosen:
            at = (at + 1) % len(people)
        chosen.append(at)
        at = (at + step) % len(people)
    return tuple(people[number] for number in chosen)


def latest_scores(scores: Sequence[Score]) -> list[Score]:
    """Return of each person and task the score that counts, in the order of tasks."""
    found: dict[tuple[str, str], Score] = {}
    for score in scores:
        key = (score.task, person_key(score.by))
        if key not in found or score.revision > found[key].revision:
            found[key] = score
    return [found[key] for key in sorted(found)]


def is_complete(tasks: int, per_item: int, scores: Sequence[Score]) -> bool:
    """Tell whether each task has all its scores."""
    counts: dict[str, int] = {}
    for score in latest_scores(scores):
        counts[score.task] = counts.get(score.task, 0) + 1
    return tasks > 0 and sum(count >= per_item for count in counts.values()) >= tasks
