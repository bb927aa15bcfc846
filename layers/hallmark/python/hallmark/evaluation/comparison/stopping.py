"""Whether another round is worth its money: a look at the results so far that may be taken as often as one likes."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from hallmark.evaluation.comparison.comparing import reasons_against
from hallmark.evaluation.comparison.evidence import EvaluationResults
from hallmark.evaluation.comparison.gathering import Gathered, Scores, gather
from hallmark.evaluation.comparison.pairing import common_cases, difference_bounds
from hallmark.evaluation.comparison.report import Span
from hallmark.evaluation.comparison.spans import as_span
from hallmark.evaluation.comparison.weighting import Weighting
from hallmark.evaluation.metrics import Direction, Metric
from hallmark.evaluation.results import Finite
from hallmark.evaluation.suites import Template
from hallmark.statistics.sequential import decide
from hallmark.statistics.verdicts import Answer, Finding


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Look(_Value):
    """What the results so far say of one pair."""

    candidate: str
    baseline: str
    cases: int
    answer: Answer
    finding: Finding
    is_non_inferior: bool | None
    effect: Finite | None
    """Candidate minus baseline, turned so that positive is better."""
    span: Span | None
    more_cases: int | None
    is_decided: bool


class Decision(_Value):
    """Go on, or stop because every question is decided."""

    goes_on: bool
    reason: str
    looks: tuple[Look, ...]
    asked: int
    """Calls of all models so far."""
    planned: int
    """Calls of all models."""
    saved_calls: int
    """Not needed, where it stops."""
    saved_usd: Finite
    """What they would have cost, at the mean cost of the calls so far."""


def decide_continuation(evidence: EvaluationResults) -> Decision:
    """Say whether the suite's question is decided for every pair, at any number of looks.

    The confidence of the suite holds for all pairs and all looks together: each pair has its share of the error
    (Bonferroni), and a betting confidence sequence is right after every case (see ``statistics.sequential``). A
    regression suite is decided where a candidate is shown to be worse by the margin, or not to be.

    Args:
        evidence: The run so far; ``planned`` counts the calls of the whole run.
    """
    gathered = gather(evidence)
    metric = evidence.primary
    asked = sum(outcomes.total() for outcomes in gathered.outcomes.values())
    planned = evidence.planned * len(evidence.models)
    if difference_bounds(metric) is None:
        reason = (
            f"{metric.name} has no bounds on single cases: no test of it stays valid under looking, so all is asked"
        )
        return _decision(evidence, (), asked, planned, goes_on=True, reason=reason)
    if Weighting.of(evidence, gathered).weights(np.arange(len(gathered.keys), dtype=np.int64)) is not None:
        reason = "cases do not count alike: no test of their weighted mean stays valid under looking, so all is asked"
        return _decision(evidence, (), asked, planned, goes_on=True, reason=reason)
    if gathered.clusters is not None:
        reason = "cases share clusters: no test of clusters stays valid under looking, so all is asked"
        return _decision(evidence, (), asked, planned, goes_on=True, reason=reason)
    looks = tuple(_look(evidence, gathered, metric, *pair) for pair in evidence.pairs)
    open_looks = [look for look in looks if not look.is_decided]
    if not looks:
        return _decision(evidence, (), asked, planned, goes_on=True, reason="there is nobody to compare with")
    if open_looks:
        names = ", ".join(f"{look.candidate} against {look.baseline}" for look in open_looks)
        return _decision(evidence, looks, asked, planned, goes_on=True, reason=f"not decided yet: {names}")
    found = "; ".join(
        f"{look.candidate} is {_WORDS[look.finding]} than {look.baseline}"
        if look.finding in _WORDS
        else f"{look.candidate}: {_OTHER_WORDS[look.finding]} of {look.baseline}"
        for look in looks
    )
    return _decision(evidence, looks, asked, planned, goes_on=False, reason=f"decided: {found}")


_WORDS = {Finding.BETTER: "better", Finding.WORSE: "worse"}
_OTHER_WORDS = {
    Finding.EQUIVALENT: "within the margin",
    Finding.NOT_BETTER: "not better by the margin",
    Finding.NON_INFERIOR: "not worse by the margin",
    Finding.CANNOT_TELL: "cannot be told",
}


def _decision(
    evidence: EvaluationResults, looks: tuple[Look, ...], asked: int, planned: int, *, goes_on: bool, reason: str
) -> Decision:
    saved = 0 if goes_on else max(0, planned - asked)
    return Decision(
        goes_on=goes_on,
        reason=reason,
        looks=looks,
        asked=asked,
        planned=planned,
        saved_calls=saved,
        saved_usd=saved * evidence.cost_usd / asked if asked else 0.0,
    )


def _look(evidence: EvaluationResults, gathered: Gathered, metric: Metric, candidate: str, baseline: str) -> Look:
    first, second = (gathered.scores.get((model, metric.name)) for model in (candidate, baseline))
    against = reasons_against(evidence, candidate, baseline, metric.name)
    if against or first is None or second is None:
        return _unknown(candidate, baseline)
    one, other = common_cases(first, second)
    return (
        _decided(evidence, metric, candidate, baseline, one, other) if len(one.cases) else _unknown(candidate, baseline)
    )


def _unknown(candidate: str, baseline: str) -> Look:
    return Look(
        candidate=candidate,
        baseline=baseline,
        cases=0,
        answer=Answer.CANNOT_TELL,
        finding=Finding.CANNOT_TELL,
        is_non_inferior=None,
        effect=None,
        span=None,
        more_cases=None,
        is_decided=False,
    )


def _decided(
    evidence: EvaluationResults, metric: Metric, candidate: str, baseline: str, one: Scores, other: Scores
) -> Look:
    bounds = difference_bounds(metric)
    low, high = bounds if bounds is not None else (-1.0, 1.0)
    settings = evidence.settings
    margin = settings.margin if 0 < settings.margin < high else None
    verdict = decide(
        one.means - other.means,
        low=low,
        high=high,
        alpha=(1 - settings.confidence) / len(evidence.pairs),
        margin=margin,
        higher_is_better=metric.direction is Direction.HIGHER,
    )
    is_decided = verdict.answer is not Answer.CANNOT_TELL
    if evidence.template is Template.REGRESSION and margin is not None:
        is_decided = bool(verdict.is_non_inferior) or verdict.interval.high < -margin
    return Look(
        candidate=candidate,
        baseline=baseline,
        cases=verdict.n,
        answer=verdict.answer,
        finding=verdict.finding,
        is_non_inferior=verdict.is_non_inferior,
        effect=verdict.effect,
        span=as_span(verdict.interval),
        more_cases=verdict.more_cases,
        is_decided=is_decided,
    )
