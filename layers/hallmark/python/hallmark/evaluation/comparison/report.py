"""The report of a run: everything that its renderings show, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from hallmark.errors import InvalidInputError
from hallmark.evaluation.comparison.evidence import Dimension, EvaluatedData, EvaluatedModel, MeasuredMetric
from hallmark.evaluation.results import Finite
from hallmark.evaluation.suites import ComparisonSettings, Template
from hallmark.statistics.verdicts import Answer, Finding

SCHEMA_VERSION = 1
"""Raised when a reader of older reports would misunderstand newer ones."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Span(_Value):
    """Where the true value lies, with so much confidence."""

    low: Finite | None
    """None where the cases do not bound it."""
    high: Finite | None
    confidence: float
    method: str


class Slice(_Value):
    """A part of the cases."""

    dimension: Dimension
    value: str


class Quantile(_Value):
    """A percentile, e.g. of latencies."""

    probability: float
    value: Finite
    span: Span


class Attempts(_Value):
    """What several attempts at each case come to, where an answer is right or wrong; each case counts alike."""

    k: int
    """Attempts at a case."""
    cases: int
    """Asked at least so often."""
    any_passes: Finite
    """pass@k: the chance that at least one of k attempts is right."""
    any_span: Span
    all_pass: Finite
    """pass^k: the chance that all of them are."""
    all_span: Span


class Estimate(_Value):
    """How one model does on one metric."""

    model: str
    metric: str
    part: Slice | None = None
    """None for all cases."""
    value: Finite | None
    """None where no case has a score."""
    span: Span | None
    deviation: Finite | None = None
    """Standard deviation of single cases: what a Neyman allocation needs."""
    cases: int
    """With a score; repeats of a case count once."""
    attempts: int
    """With a score; repeats count each."""
    clusters: int | None = None
    """Of these cases, where some share one: what the interval counts. None where each case is its own."""
    effective_clusters: Finite | None = None
    """So many clusters of equal size would tell as much."""
    not_applicable: int = 0
    """Answers to which the scorer does not apply."""
    scorer_failures: int = 0
    reasons: dict[str, int] = {}
    """Why the scorer failed, and how often; the most frequent ones."""
    quantiles: tuple[Quantile, ...] = ()
    repeated: Attempts | None = None
    """Of a metric of right and wrong, where cases were asked several times."""
    worst_case: Finite | None = None
    """The value if every call without an answer had scored worst; None where all are answered or it has no bounds."""
    best_case: Finite | None = None


class Coverage(_Value):
    """How much of what was planned has an answer."""

    model: str
    planned: int
    answered: int
    failures: dict[str, int]
    """Calls without an answer by kind."""
    not_asked: int
    """Planned and neither answered nor failed."""
    share: Finite | None
    """Answered of planned; None where nothing was planned."""


class GroupGap(_Value):
    """How far two groups are apart."""

    higher: str
    lower: str
    difference: Finite
    span: Span
    """Right together with those of all other gaps of the model and metric."""
    is_shown: bool


class GroupLeftOut(_Value):
    """A group of which nothing is said."""

    group: str
    cases: int
    reason: str


class Fairness(_Value):
    """Gaps of one model on one metric, the largest first."""

    model: str
    metric: str
    gaps: tuple[GroupGap, ...]
    left_out: tuple[GroupLeftOut, ...]
    method: str


class RobustnessFinding(_Value):
    """How much worse a model gets when prompts have small flaws: each case is held against its own copies."""

    model: str
    metric: str
    perturbation: str | None = None
    """Which flaws; None for all together."""
    cases: int
    """That have a score with flaws and without."""
    copies: int
    missing: int
    """Copies without an answer or a score, or whose case has none."""
    value: Finite | None
    """Mean over these cases without flaws."""
    loss: Finite | None
    """What flaws take from it, in units of the metric; above 0 where it gets worse."""
    span: Span | None
    p_value: Finite | None = None
    """That a model which loses nothing would show as much."""
    adjusted_p: Finite | None = None
    is_shown: bool = False
    """Whether it is shown that the model loses by flaws."""
    method: str = ""


class RobustnessComparison(_Value):
    """Whether one model loses more by flaws than another, on the same cases."""

    metric: str
    candidate: str
    baseline: str
    cases: int
    difference: Finite
    """Loss of the candidate minus loss of the baseline."""
    span: Span | None
    p_value: Finite | None
    adjusted_p: Finite | None
    finding: Finding
    """Better where the candidate loses less."""


class Comparison(_Value):
    """A candidate against a baseline on the cases that both have a score for."""

    metric: str
    candidate: str
    baseline: str
    part: Slice | None = None
    is_primary: bool
    """Whether it answers the suite's question."""
    incomparable: tuple[str, ...] = ()
    """Why the two cannot be compared; nothing else is known then."""
    cases: int = 0
    """Common to both."""
    clusters: int | None = None
    """Of these cases, where some share one: what interval and test count. None where each case is its own."""
    effective_clusters: Finite | None = None
    """So many clusters of equal size would tell as much."""
    candidate_value: Finite | None = None
    """On the common cases."""
    baseline_value: Finite | None = None
    difference: Finite | None = None
    """Candidate minus baseline, in the unit of the metric."""
    span: Span | None = None
    """Of the difference."""
    p_value: Finite | None = None
    method: str = ""
    adjusted_p: Finite | None = None
    correction: str = ""
    tests: int = 0
    """With how many tests it was adjusted together."""
    effect_size: Finite | None = None
    effect_size_name: str = ""
    margin: Finite | None = None
    margin_span: Span | None = None
    """What was held against the margin: wider where several candidates are."""
    answer: Answer = Answer.CANNOT_TELL
    finding: Finding = Finding.CANNOT_TELL
    is_non_inferior: bool | None = None
    more_cases: int | None = None
    """So many more would probably decide."""
    detectable: Finite | None = None
    """Smallest difference that so many cases find with 80 % power."""
    note: str = ""


class Cell(_Value):
    """One model in one column."""

    model: str
    value: Finite | None = None
    span: Span | None = None
    text: str | None = None
    rank: int | None = None
    """1 is best, by the estimate."""
    best_rank: int | None = None
    """The rank that it can have at best: models that are distinguishably better come before it."""
    worst_rank: int | None = None
    letters: str = ""
    """Models that share a letter cannot be told apart."""


class Column(_Value):
    """One property of all models."""

    name: str
    title: str
    dimension: Literal["technical", "business", "operational"]
    kind: Literal["measured", "fact"]
    unit: str = ""
    is_rate: bool = False
    higher_is_better: bool | None = None
    """None where neither is."""
    lettered_by: str = ""
    """How the letters were found."""
    cells: tuple[Cell, ...]


class ParetoPlace(_Value):
    """Whether another model is better in everything that counts."""

    model: str
    state: Literal["front", "possible", "dominated"]
    """Nobody is better in everything by the estimates; somebody is, but not distinguishably in anything; or is."""
    by: tuple[str, ...] = ()
    """Models that dominate it, distinguishably or not."""


class Matrix(_Value):
    """All models in all respects."""

    columns: tuple[Column, ...]
    pareto_columns: tuple[str, ...]
    pareto: tuple[ParetoPlace, ...]


class Corrected(_Value):
    """A judge's mean corrected by what people say."""

    model: str
    judge_value: Finite
    value: Finite
    span: Span
    human_only: Finite
    """Mean of the people's scores of the anchors."""
    anchors: int
    is_own: bool = False
    """Whether the anchors are answers of this model; if not, the judge is taken to be as biased on its answers."""


class JudgeFinding(_Value):
    """How far a judge can be trusted."""

    metric: str
    anchors: int
    agreement: Finite | None
    """Kappa of yes-or-no labels, else Krippendorff's alpha."""
    agreement_span: Span | None
    agreement_name: str
    exact: Finite | None
    """Share of anchors on which judge and people say the same."""
    bias: Finite | None
    """Judge minus people."""
    bias_span: Span | None
    corrected: tuple[Corrected, ...]
    previous_run: str | None
    compared: int
    """Anchors that the previous run's judge scored too."""
    changed: int
    """Of those, how many it scores differently now."""
    shift: Finite | None
    """Judge now minus judge then."""
    shift_p: Finite | None
    error_change: Finite | None
    """Distance to people now minus then: positive is worse."""
    error_change_p: Finite | None
    has_drifted: bool
    sentence: str


class SideBySide(_Value):
    """What the models said of one case."""

    dataset: str
    case: str
    candidate: str
    baseline: str
    candidate_score: Finite
    baseline_score: Finite
    question: str | None
    expected: tuple[str, ...]
    candidate_answer: str
    baseline_answer: str
    part: dict[str, str] = {}


class Report(_Value):
    """What a run shows."""

    schema_version: Literal[1] = 1
    suite: str
    run: str
    template: Template
    champion: str | None
    primary: str
    settings: ComparisonSettings
    started_at: datetime
    completed_at: datetime
    cost_usd: float
    budget_usd: float | None
    stopped: str | None
    headline: str
    """The answer to the suite's question, in a sentence."""
    models: tuple[EvaluatedModel, ...]
    metrics: tuple[MeasuredMetric, ...]
    data: tuple[EvaluatedData, ...]
    coverage: tuple[Coverage, ...]
    estimates: tuple[Estimate, ...]
    fairness: tuple[Fairness, ...]
    robustness: tuple[RobustnessFinding, ...] = ()
    robustness_comparisons: tuple[RobustnessComparison, ...] = ()
    comparisons: tuple[Comparison, ...]
    matrix: Matrix
    judges: tuple[JudgeFinding, ...]
    cases: tuple[SideBySide, ...]
    notes: tuple[str, ...]

    def estimate_of(self, model: str, metric: str) -> Estimate | None:
        """Return the estimate over all cases."""
        found = (each for each in self.estimates if (each.model, each.metric, each.part) == (model, metric, None))
        return next(found, None)

    @property
    def answers(self) -> tuple[Comparison, ...]:
        """The comparisons that answer the suite's question."""
        return tuple(each for each in self.comparisons if each.is_primary)

    @property
    def coverage_share(self) -> float:
        """Share of all planned calls that were answered; 0 where none were planned."""
        planned = sum(each.planned for each in self.coverage)
        return sum(each.answered for each in self.coverage) / planned if planned else 0.0


def write_report(report: Report) -> bytes:
    """Return the report as JSON; the same report gives the same bytes."""
    return (json.dumps(report.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n").encode()


def read_report(content: bytes | str) -> Report:
    """Read a report.

    Raises:
        InvalidInputError: It is no report, or of another version.
    """
    try:
        return Report.model_validate_json(content)
    except ValidationError as error:
        raise _refusal(error) from error


def read_report_document(document: Mapping[str, Any]) -> Report:
    """Read a report that is parsed already; errors are those of ``read_report``."""
    try:
        return Report.model_validate(dict(document))
    except ValidationError as error:
        raise _refusal(error) from error


def _refusal(error: ValidationError) -> InvalidInputError:
    fault = error.errors()[0]
    field = ".".join(map(str, fault["loc"])) or "report"
    remedy = f"{fault['msg']}; this version of Hallmark reads reports of schema version {SCHEMA_VERSION}"
    return InvalidInputError(field, fault["input"], remedy)
