"""What came of a case: an answer or a failure, and what the scorers say of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Finite = Annotated[float, Field(allow_inf_nan=False)]
GIVEN = "given"
"""Stop reason of an answer that a dataset brought: no model was asked."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Answer(_Value):
    """What a model said, and what it took."""

    text: str
    stop_reason: str
    """As Converse says it: ``end_turn``, ``max_tokens``, ``guardrail_intervened``, …"""
    input_tokens: int | None = Field(default=None, ge=0)
    """None where nobody counted: an evaluation job, an answer that the dataset brought."""
    output_tokens: int | None = Field(default=None, ge=0)
    latency_ms: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """As the service measured it where it says so, else from request to reply; None of an answer that nobody waited
    for."""
    cost_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """From the price table; None where it has no price for the model. Where no tokens were counted it is estimated by
    the length of the texts."""
    request_id: str | None = None
    answered_at: datetime


class FailureKind(StrEnum):
    """Why a case has no answer."""

    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"
    """The service refused the request: no access, no such model, input too long."""
    TIMED_OUT = "timed_out"
    """No reply in time; the call may have been paid for and is not made again."""
    INTERRUPTED = "interrupted"
    """The run died between the call and its record; it may have been paid for and is not made again."""
    BUDGET = "budget"
    """The cap on money or time came first; nothing was asked."""
    MISSING = "missing"
    """A job of the service gave no result for it."""


class Failure(_Value):
    """Why a case has no answer; never a score of zero."""

    kind: FailureKind
    reason: str


class Score(_Value):
    """What one scorer says of one answer.

    One of three: a ``value``; ``failure``, why the scorer could not tell; or neither, which means that the scorer does
    not apply to this case.
    """

    metric: str
    """Name of the metric, e.g. ``rouge_l``."""
    value: Finite | None = None
    failure: str | None = None
    statistics: tuple[Finite, ...] = ()
    """Of a metric of the whole corpus (BLEU, macro-F1): what is summed over the cases, always of the same length."""
    explanation: str | None = None
    """Of a judge: its reasons."""


class CaseResult(_Value):
    """One case, asked of one model once."""

    model: str
    """Name of the variant in the suite."""
    dataset: str
    case: str
    epoch: int = Field(default=0, ge=0)
    """Which repeat, from 0."""
    group: str | None = None
    category: str | None = None
    difficulty: str | None = None
    cluster: str | None = None
    """What cases of the dataset share that are not independent: the dataset's cluster, or a digest of the context."""
    copy_of: str | None = None
    """Of a copy with flaws, the case it is a copy of."""
    perturbation: str | None = None
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    answer: Answer | None = None
    failure: Failure | None = None
    scores: tuple[Score, ...] = ()
