"""One batch of cases: asked, scored, and written as results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hallmark.evaluation.asking import Asker
from hallmark.evaluation.cases import Case
from hallmark.evaluation.plans import Batch, Plan
from hallmark.evaluation.ports import AnswerKey, Asked, Outcome
from hallmark.evaluation.results import GIVEN, Answer, CaseResult, Failure, FailureKind, Score
from hallmark.evaluation.scorers.contract import Scorer
from hallmark.evaluation.suites import Engine

THROTTLED_ATTEMPTS = 5
"""As many retries as ``evaluate_suite.asl.yaml`` makes after throttling."""


def ask_batch(
    plan: Plan,
    batch: Batch,
    model: str,
    asker: Asker,
    scorers: Sequence[Scorer],
    *,
    given: Sequence[CaseResult] = (),
    deployment: str | None = None,
    give_up: bool = False,
) -> tuple[CaseResult, ...]:
    """Ask a batch of one model and score the answers.

    Args:
        plan: The run.
        batch: What to ask.
        model: Name of the variant.
        asker: How to ask.
        scorers: What to score with; judges come later, when all models have answered.
        given: What a job of AWS answered already, and measured.
        deployment: ARN of the custom model's deployment, by which it is called.
        give_up: Whether throttled cases are failures now.

    Raises:
        UnfinishedError: The invocation's time is nearly over.
        UnavailableError: The model throttles.
    """
    variant = plan.models[model]
    if deployment is not None:
        variant = variant.model_copy(update={"model_id": deployment})
    asked = [Asked(AnswerKey(model, batch.dataset, case.id, batch.epoch), variant, case) for case in batch.cases]
    known = {result.case: result for result in given}
    outcomes = {
        each.key: Outcome(known[each.case.id].answer, known[each.case.id].failure)
        for each in asked
        if each.case.id in known
    }
    open_ = [each for each in asked if each.key not in outcomes]
    if variant.precomputed or plan.settings.engine is Engine.MANAGED:
        outcomes |= {each.key: _unasked(plan, batch, each) for each in open_}
    else:
        outcomes |= asker.ask_all(open_, give_up=give_up)
    return tuple(result_of(each, outcomes, scorers, known.get(each.case.id)) for each in asked)


def _unasked(plan: Plan, batch: Batch, asked: Asked) -> Outcome:
    """Return what is known of a case that nobody is to be asked."""
    variant, case = asked.variant, asked.case
    if variant.precomputed:
        text = case.answers.get(variant.model_id)
        if text is None:
            return _no_answer(FailureKind.MISSING, f"the dataset has no answer of {variant.model_id!r} to it")
        return Outcome(Answer(text=text, stop_reason=GIVEN, answered_at=plan.started_at), None)
    if batch.number >= plan.handed_over:
        return _no_answer(FailureKind.BUDGET, "not asked, because the run's money is spent")
    return _no_answer(FailureKind.MISSING, "its job left nothing of it")


def _no_answer(kind: FailureKind, reason: str) -> Outcome:
    return Outcome(None, Failure(kind=kind, reason=reason))


def result_of(
    asked: Asked, outcomes: Mapping[AnswerKey, Outcome], scorers: Sequence[Scorer], given: CaseResult | None = None
) -> CaseResult:
    """Return the result of one case with its scores; a case without an answer has none.

    Args:
        asked: The case.
        outcomes: What came of all.
        scorers: What to score with.
        given: What a job of AWS measured already.
    """
    key, case = asked.key, asked.case
    outcome = outcomes[key]
    scores = () if outcome.answer is None else score(case, outcome.answer, scorers)
    return CaseResult(
        model=key.model,
        dataset=key.dataset,
        case=key.case,
        epoch=key.epoch,
        group=case.group,
        category=case.category,
        difficulty=case.difficulty,
        cluster=case.shares,
        copy_of=case.copy_of,
        perturbation=case.perturbation,
        weight=case.weight,
        answer=outcome.answer,
        failure=outcome.failure,
        scores=(*(given.scores if given is not None else ()), *scores),
    )


def score(case: Case, answer: Answer, scorers: Sequence[Scorer]) -> tuple[Score, ...]:
    """Return what all scorers say of an answer."""
    return tuple(each for scorer in scorers for each in scorer.score(case, answer))


class BatchOrder(BaseModel):
    """One batch to ask of one model, as the workflow gives it to an invocation."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    suite: str
    run: str
    model: str
    batch: int = Field(ge=0)
    attempt: int = Field(default=0, ge=0)
    """Retries before this invocation."""

    @property
    def is_last_attempt(self) -> bool:
        """Whether the workflow does not retry any more: what is still throttled is a failure now."""
        return self.attempt >= THROTTLED_ATTEMPTS


def summary_of(order: BatchOrder, results: Sequence[CaseResult]) -> dict[str, Any]:
    """Return what came of a batch, small enough for a workflow with thousands of them."""
    failures = Counter(result.failure.kind.value for result in results if result.failure is not None)
    return {
        "run": order.run,
        "model": order.model,
        "batch": order.batch,
        "answered": len(results) - failures.total(),
        "failures": dict(failures),
    }
