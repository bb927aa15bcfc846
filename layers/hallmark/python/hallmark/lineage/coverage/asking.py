"""What the function that measures coverage is asked."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hallmark.errors import InvalidInputError
from hallmark.lineage.listing import SWEPT
from hallmark.lineage.model import Instant


class CoverageQuestion(BaseModel):
    """``latest``: what was measured last, or a new measurement where there is none; ``measure``: a new one."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    ask: Literal["latest", "measure"] = "latest"
    kinds: tuple[str, ...] = SWEPT
    since: Instant | None = None
    """What was made since then; the policy's window, if not given."""
    seconds: float | None = Field(default=None, gt=0)
    """How long whoever asks waits: what was not looked at by then is said to be left out."""
    keep: bool = False
    """Whether it is kept as the newest one, with its metrics: the schedule's is."""


def read_coverage_question(raw: object) -> CoverageQuestion:
    """Read a question.

    Raises:
        InvalidInputError: It is none; names the field, the value and the remedy.
    """
    try:
        question = CoverageQuestion.model_validate(raw)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(step) for step in fault["loc"]) or "the question"
        raise InvalidInputError(field, fault["input"], fault["msg"]) from None
    unknown = [kind for kind in question.kinds if kind not in SWEPT]
    if unknown:
        raise InvalidInputError("kinds", unknown[0], f"choose from {', '.join(SWEPT)}")
    return question
