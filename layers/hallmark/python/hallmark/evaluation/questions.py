"""What can be asked of evaluations, and what is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hallmark.errors import InvalidInputError
from hallmark.evaluation.cases import Case
from hallmark.evaluation.runs import Run

REPORT_FORMS = {"json": "report.json", "md": "report.md", "html": "report.html", "data": "report.data.json"}
CASES_AT_ONCE = 10
"""More cases than this are a run: an answer must come within the minute that the function has."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class StartQuestion(_Value):
    """Start a run of a suite."""

    ask: Literal["start"] = "start"
    suite: str
    models: tuple[str, ...] = ()
    by: str = ""
    """Who asks."""


class RunQuestion(_Value):
    """How a run stands."""

    ask: Literal["run"] = "run"
    run: str


class RunsQuestion(_Value):
    """The latest runs."""

    ask: Literal["runs"] = "runs"
    suite: str | None = None
    limit: int = Field(default=20, ge=1, le=500)


class ReportQuestion(_Value):
    """What a run found."""

    ask: Literal["report"] = "report"
    run: str
    form: Literal["json", "md", "html", "data"] = "md"


class SuitesQuestion(_Value):
    """The suites of the deployed policy."""

    ask: Literal["suites"] = "suites"


class HistoryQuestion(_Value):
    """How a metric went over the runs of a suite."""

    ask: Literal["history"] = "history"
    suite: str
    metric: str | None = None
    """The primary metric where it is None."""
    limit: int = Field(default=50, ge=2, le=200)


class ForecastQuestion(_Value):
    """What a run of a suite could show, and cost; nothing is asked of any model."""

    ask: Literal["forecast"] = "forecast"
    suite: str
    cases: int | None = Field(default=None, ge=2)
    """Of each model; as many as the sample or the last run has where it is None."""
    difference: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The smallest that matters; the suite's margin where it is None."""


class TryQuestion(_Value):
    """Ask a few cases now; the answer comes in the call, and nothing is kept."""

    ask: Literal["try"] = "try"
    suite: str
    models: tuple[str, ...] = ()
    cases: Annotated[tuple[Case, ...], Field(min_length=1, max_length=CASES_AT_ONCE)]


Question = Annotated[
    StartQuestion
    | RunQuestion
    | RunsQuestion
    | ReportQuestion
    | SuitesQuestion
    | HistoryQuestion
    | ForecastQuestion
    | TryQuestion,
    Field(discriminator="ask"),
]
_QUESTIONS: TypeAdapter[Question] = TypeAdapter(Question, config=ConfigDict(defer_build=True))


class SuiteSummary(_Value):
    """A suite of the policy."""

    suite: str
    description: str
    models: tuple[str, ...]
    champion: str | None
    datasets: tuple[str, ...]
    scorers: tuple[str, ...]
    frequency: str | None
    time_zone: str
    budget_usd: float
    owners: tuple[str, ...]


class RunsAnswer(_Value):
    """Runs, the latest first."""

    runs: tuple[Run, ...]


class StartAnswer(_Value):
    """A run that was started."""

    run: str
    suite: str
    started_at: datetime


def read_question(document: Any) -> Question:
    """Read a question.

    Raises:
        InvalidInputError: It cannot be understood.
    """
    try:
        return _QUESTIONS.validate_python(document)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(map(str, fault["loc"])) or "the question"
        raise InvalidInputError(field, fault["input"], fault["msg"].removeprefix("Value error, ")) from None
