"""Section ``reviews`` of ``hallmark.yaml``: which outputs people rate, and what becomes of production's feedback."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from hallmark.durations import Duration
from hallmark.schedules import Frequency, TimeZone
from hallmark.statistics.allocation import Allocation

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,47}$")]
"""Lower-case letters, digits and hyphens: it becomes part of names in AWS."""
Location = Annotated[str, StringConstraints(pattern=r"^s3://[a-z0-9.{}-]{3,90}(/[^*]*)?$")]
"""Bucket and prefix; ``{account}`` and ``{region}`` are replaced."""
EndpointName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


# --- what is rated ----------------------------------------------------------------------------------------------------


class EvaluationOutputs(_Section):
    """Answers of the newest completed run of a suite."""

    kind: Literal["evaluation"] = "evaluation"
    suite: Name
    variant: Name
    """A model of the suite; its answers are rated."""


class InvocationLogs(_Section):
    """What a model of Bedrock answered in production: model invocation logging to S3."""

    kind: Literal["invocation_logs"] = "invocation_logs"
    location: Location
    """Bucket and prefix of the logging configuration, without ``AWSLogs/``."""
    model: str = Field(min_length=1, max_length=2048)
    """``modelId`` as it stands in the log."""


class EndpointCapture(_Section):
    """What an endpoint answered in production: SageMaker's data capture."""

    kind: Literal["data_capture"] = "data_capture"
    location: Location
    """``DestinationS3Uri`` of the endpoint's ``DataCaptureConfig``."""
    endpoint: EndpointName


ReviewedSource = Annotated[EvaluationOutputs | InvocationLogs | EndpointCapture, Field(discriminator="kind")]


class ReviewSample(_Section):
    """Which of the outputs people see."""

    size: int = Field(default=50, ge=1, le=1_000)
    by: str | None = Field(default=None, min_length=1, max_length=256)
    """Label whose values are the strata: ``category``, ``group`` or ``difficulty`` of an evaluation's case, ``hour``,
    ``variant`` of a capture, ``hour``, ``operation`` or any key of ``requestMetadata`` of a log."""
    allocation: Literal[Allocation.PROPORTIONAL, Allocation.EQUAL] = Allocation.PROPORTIONAL
    seed: int = 0


# --- how it is rated --------------------------------------------------------------------------------------------------


class ScaleKind(StrEnum):
    """What a reviewer may answer."""

    FRACTION = "fraction"
    """Any number from 0 to 1."""
    LIKERT = "likert"
    """A whole number from 1 to ``points``."""
    THUMBS = "thumbs"
    """0 or 1; ``down`` and ``up`` may be said."""


class Alarm(StrEnum):
    """When a mean is called low. The point estimate alone decides nothing: see docs/reviews.md."""

    SURELY_LOW = "surely_low"
    """When the upper bound is below the threshold: a model that is good enough is rarely accused."""
    NOT_SURELY_GOOD = "not_surely_good"
    """When the lower bound is below the threshold: also when too few were rated to tell."""


class ReviewProgram(_Section):
    """A review that comes again: what is sampled, who rates it how, and what is too low."""

    description: str = ""
    source: ReviewedSource
    sample: ReviewSample = Field(default_factory=ReviewSample)
    frequency: Frequency | None = None
    """None: only when drift, or someone, asks for it."""
    time_zone: TimeZone = "UTC"
    window: Duration = timedelta(days=7)
    """How far back logs and captures are read; of an evaluation the newest run is taken."""
    on_drift: bool = True
    """Whether a drift report of the same subject that asks for a review is answered with this program."""
    reviewers: tuple[Annotated[str, StringConstraints(min_length=1, max_length=2048)], ...] = ()
    """ARNs (``*`` may be in them), or names of users or people of IAM Identity Center; none: anyone may rate."""
    per_item: int = Field(default=2, ge=1, le=20)
    """How many people rate each output."""
    scale: ScaleKind = ScaleKind.LIKERT
    points: int = Field(default=5, ge=2, le=11)
    """Of the scale ``likert``."""
    questions: tuple[Annotated[str, StringConstraints(min_length=1, max_length=1000)], ...] = ()
    """What reviewers are to weigh; one score answers all."""
    threshold: float = Field(default=0.85, gt=0, lt=1)
    """Of the mean, on the scale from 0 to 1."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Of each bound, one-sided."""
    alarm: Alarm = Alarm.SURELY_LOW
    expires: Duration = timedelta(days=7)
    """What is not rated by then is left out."""
    owners: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if len(set(self.reviewers)) < len(self.reviewers):
            raise ValueError("reviewers names one of them twice: name each once")
        if self.reviewers and len(self.reviewers) < self.per_item:
            raise ValueError(
                f"{len(self.reviewers)} reviewers cannot rate each output {self.per_item} times, since nobody rates "
                "twice: name more, or lower per_item"
            )
        if self.expires < timedelta(minutes=1):
            raise ValueError("expires is shorter than anybody rates: write 1 minute or more, e.g. 7 days")
        return self


# --- feedback ---------------------------------------------------------------------------------------------------------


class FeedbackExport(_Section):
    """Corrected answers as a dataset."""

    frequency: Frequency | None = None
    """None: only when someone asks for it (``hallmark feedback export``)."""
    time_zone: TimeZone = "UTC"
    min_cases: int = Field(default=20, ge=1, le=5_000)
    """A model's feedback waits until there are so many corrected answers."""
    location: Location | None = None
    """Where datasets are written; ``datasets/feedback/`` of the stack's own bucket where it is None."""
    accept_score: float | None = Field(default=None, gt=0, le=1)
    """An answer that was scored so high counts as its own correction; None takes corrections alone."""


class FeedbackPolicy(_Section):
    """How feedback finds the model that it is about, and what it becomes."""

    logs: tuple[Location, ...] = ()
    """Buckets and prefixes of Bedrock's model invocation logging, without ``AWSLogs/``."""
    captures: dict[EndpointName, Location] = {}
    """``DestinationS3Uri`` of the data capture, by the endpoint's name."""
    join_every: Duration = timedelta(minutes=5)
    give_up_after: Duration = timedelta(days=3)
    """Logs are delivered late: feedback whose request is not found until then is counted as lost, and kept."""
    lookback: Duration = timedelta(days=1)
    """How long before it was given an answer is looked for, where feedback does not say when it was asked."""
    keep: Duration = timedelta(days=400)
    """Comments and corrections are removed after that."""
    export: FeedbackExport = Field(default_factory=FeedbackExport)

    @model_validator(mode="after")
    def _can_be_scheduled(self) -> Self:
        if self.join_every.total_seconds() % 60 or self.join_every < timedelta(minutes=1):
            raise ValueError("join_every must be whole minutes, at least 1 (EventBridge Scheduler): 5 minutes")
        return self


class ReviewsPolicy(_Section):
    """What the team says of reviews and feedback."""

    programs: dict[Name, ReviewProgram] = {}
    check_every: Duration = timedelta(minutes=15)
    """How often reviews are looked at that have expired."""
    data_keys: tuple[str, ...] = ()
    """KMS keys of the buckets that hold logs and captures, where they have one."""
    feedback: FeedbackPolicy = Field(default_factory=FeedbackPolicy)

    @model_validator(mode="after")
    def _can_be_scheduled(self) -> Self:
        if self.check_every.total_seconds() % 60 or self.check_every < timedelta(minutes=1):
            raise ValueError("check_every must be whole minutes, at least 1 (EventBridge Scheduler): 15 minutes")
        return self

    def read_locations(self) -> tuple[str, ...]:
        """Return every location that is read: logs and captures of programs and of feedback."""
        return tuple(sorted(set(self._locations())))

    def _locations(self) -> Iterator[str]:
        for program in self.programs.values():
            if not isinstance(program.source, EvaluationOutputs):
                yield program.source.location
        yield from self.feedback.logs
        yield from self.feedback.captures.values()
