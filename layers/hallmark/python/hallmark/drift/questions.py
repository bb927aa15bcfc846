"""The questions about monitors that the function ``query_drift`` answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hallmark.errors import InvalidInputError


class _Question(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class MonitorsQuestion(_Question):
    """How all monitors stand."""

    ask: Literal["monitors"] = "monitors"


class MonitorQuestion(_Question):
    """One monitor: its settings, its state, its latest looks."""

    ask: Literal["monitor"] = "monitor"
    monitor: str
    looks: int = Field(default=20, ge=1, le=200)


class LookQuestion(_Question):
    """Look now, or as of a time. A window that was looked at already is not looked at again."""

    ask: Literal["look"] = "look"
    monitor: str
    at: datetime | None = None


class LookStateQuestion(_Question):
    """What came of a look that was asked for."""

    ask: Literal["look-state"] = "look-state"
    execution: str


class ReportQuestion(_Question):
    """A report in one of its forms; by its id, the end of it, or ``<monitor>`` for the monitor's latest."""

    ask: Literal["report"] = "report"
    report: str = Field(min_length=1, max_length=400)
    form: Literal["json", "html", "md"] = "json"


Question = Annotated[
    MonitorsQuestion | MonitorQuestion | LookQuestion | LookStateQuestion | ReportQuestion, Field(discriminator="ask")
]
_QUESTIONS: TypeAdapter[Question] = TypeAdapter(Question, config=ConfigDict(defer_build=True))


def read_question(raw: object) -> Question:
    """Read a question.

    Raises:
        InvalidInputError: It is none; names the field, the value and the remedy.
    """
    try:
        return _QUESTIONS.validate_python(raw)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(step) for step in fault["loc"]) or "the question"
        raise InvalidInputError(field, fault["input"], fault["msg"]) from None


def describe_look(look: Any) -> dict[str, Any]:
    """Return a look as JSON."""
    return {
        "start": look.start.isoformat(),
        "end": look.end.isoformat(),
        "outcome": look.outcome,
        "at": look.at.isoformat(),
        "report": look.report,
        "reason": look.reason,
        "told": list(look.tells),
    }
