"""From evidence to a verdict: each criterion is met, missed, or cannot be told; doubt is never a pass.

A statistical criterion is met where its bound lies on the right side of the threshold, and missed where the other bound
lies on the wrong one. All of a gate's statements are held together: with Holm's correction the chance that any of them
is wrong is at most one minus the gate's confidence, in each direction.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from hallmark.events.gates import JudgedCriterion, Outcome
from hallmark.gates.criteria import Criterion
from hallmark.gates.evidence import Evidence
from hallmark.gates.reading import Question, Told, question_of
from hallmark.gates.settings import Gate
from hallmark.gates.uncertainty import Statement, cases_until


class Judgement(NamedTuple):
    """What a gate found."""

    outcome: Outcome
    criteria: tuple[JudgedCriterion, ...]


def judge(gate: Gate, evidence: Evidence, now: datetime) -> Judgement:
    """Judge a model by all criteria of a gate; their order does not matter.

    Args:
        gate: The gate.
        evidence: What is known of the model.
        now: Evidence ages until then.
    """
    told: dict[str, Told | Question] = {
        name: question_of(criterion, gate, evidence, now) for name, criterion in sorted(gate.asked.items())
    }
    questions = {name: each for name, each in told.items() if isinstance(each, Question)}
    answers = _answer(questions, 1 - gate.confidence, gate.correction)
    judged = []
    for name, criterion in sorted(gate.asked.items()):
        each = told[name]
        judged.append(
            _judged(name, criterion, each, answers[name])
            if isinstance(each, Question)
            else _said(name, criterion, each)
        )
    return Judgement(outcome_of([each.outcome for each in judged]), tuple(judged))


def outcome_of(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the gate's outcome: one missed criterion fails it, one that cannot be told leaves it open.

    A gate without any criterion says nothing.
    """
    if "failed" in outcomes:
        return "failed"
    return "passed" if outcomes and all(each == "passed" for each in outcomes) else "inconclusive"


class Answer(NamedTuple):
    """What is shown of a question, and at which level."""

    outcome: Outcome
    level: float


def _answer(questions: Mapping[str, Question], alpha: float, correction: str) -> dict[str, Answer]:
    """Decide all questions together."""
    met = _shown({name: level_met(each) for name, each in questions.items()}, alpha, correction)
    missed = _shown({name: level_missed(each) for name, each in questions.items()}, alpha, correction)
    answers = {}
    for name in questions:
        if met[name].is_shown:
            answers[name] = Answer("passed", met[name].level)
        elif missed[name].is_shown:
            answers[name] = Answer("failed", missed[name].level)
        else:
            answers[name] = Answer("inconclusive", min(met[name].level, missed[name].level))
    return answers


class _Step(NamedTuple):
    is_shown: bool
    level: float


def _shown(levels: Mapping[str, float], alpha: float, correction: str) -> dict[str, _Step]:
    """Tell which p-values count, and the level that each was held against.

    Holm's steps (Scandinavian Journal of Statistics 6, 1979): the smallest is held against alpha / m, the next against
    alpha / (m - 1), until one does not count; all after it are held against that one's level and cannot count either.
    """
    count = len(levels)
    steps: dict[str, _Step] = {}
    going = True
    level = alpha
    for place, (name, p) in enumerate(sorted(levels.items(), key=lambda item: (item[1], item[0]))):
        if going:
            level = {"none": alpha, "bonferroni": alpha / count}.get(correction, alpha / (count - place))
        is_shown = p <= level and (going or correction != "holm")
        going = going and (is_shown or correction != "holm")
        steps[name] = _Step(is_shown, level)
    return steps


def level_met(question: Question) -> float:
    """Return the smallest level at which all statements of a question are on the right side.

    All must be: an intersection-union test needs no correction among them (Berger, Technometrics 24, 1982).
    """
    if question.doubts:
        return 1.0
    return max(_levels(question, question.at_least, question.at_most, met=True))


def level_missed(question: Question) -> float:
    """Return the smallest level at which any statement is on the wrong side, at Bonferroni's price for the choice."""
    levels = _levels(question, question.at_least, question.at_most, met=False)
    return min(1.0, min(levels) * question.chances * (len(levels) // len(question.statements)))


def _levels(question: Question, at_least: float | None, at_most: float | None, *, met: bool) -> list[float]:
    found = []
    for statement in question.statements:
        if at_least is not None:
            found.append(statement.level_above(at_least) if met else statement.level_below(_before(at_least)))
        if at_most is not None:
            found.append(statement.level_below(at_most) if met else statement.level_above(_after(at_most)))
    return found


def _before(threshold: float) -> float:
    # The threshold itself is enough: it is missed only by what lies beyond.
    return math.nextafter(threshold, -math.inf)


def _after(threshold: float) -> float:
    return math.nextafter(threshold, math.inf)


def _judged(name: str, criterion: Criterion, question: Question, answer: Answer) -> JudgedCriterion:
    shown = _decisive(question)
    bounds = shown.bounds(answer.level)
    threshold, comparison = _threshold_of(question, shown)
    why = _sentence(question, shown, answer, threshold, comparison)
    more = None
    if answer.outcome == "inconclusive" and not question.doubts:
        more = _more_cases(question, shown, answer.level)
        why += (
            f"; about {more:,} more cases would decide if it stays so"
            if more is not None
            else "; it lies too near the threshold for any number of cases to decide"
        )
    return JudgedCriterion(
        name=name,
        kind=criterion.kind,
        metric=question.metric,
        outcome=answer.outcome,
        value=question.shown_as(shown.value),
        low=_finite(question.shown_as(bounds.low)),
        high=_finite(question.shown_as(bounds.high)),
        confidence=1 - answer.level,
        cases=question.cases or shown.cases,
        threshold=question.shown_as(threshold),
        comparison=question.comparison or comparison,
        baseline=question.baseline,
        why=f"{question.what}: {why}" if question.what else why,
        more_cases=more,
    )


def _decisive(question: Question) -> Statement:
    """Return the statement that is hardest to meet: the largest gap, the only value."""
    return max(
        question.statements,
        key=lambda each: (
            max(_levels(question._replace(statements=(each,)), question.at_least, question.at_most, met=True)),
            each.value,
        ),
    )


def _threshold_of(question: Question, shown: Statement) -> tuple[float, str]:
    at_least, at_most = question.at_least, question.at_most
    if at_least is None or (at_most is not None and abs(at_most - shown.value) < abs(shown.value - at_least)):
        assert at_most is not None
        return at_most, "at_most"
    return at_least, "at_least"


def _sentence(question: Question, shown: Statement, answer: Answer, threshold: float, comparison: str) -> str:
    bounds = shown.bounds(answer.level)
    unit = f" {question.unit}" if question.unit else ""
    value, low, high, wanted = (
        _figure(question.shown_as(each)) for each in (shown.value, bounds.low, bounds.high, threshold)
    )
    side = comparison.replace("_", " ")
    found = f"{value}{unit} on {question.cases or shown.cases:,} cases, {low} to {high} at {1 - answer.level:.1%}"
    if answer.outcome == "passed":
        return f"{found}: shown to be {side} {wanted}"
    if answer.outcome == "failed":
        return f"{found}: shown not to be {side} {wanted}"
    if question.doubts:
        return f"{found}, but {'; '.join(question.doubts)}"
    return f"{found}: whether it is {side} {wanted} cannot be told"


def _more_cases(question: Question, shown: Statement, level: float) -> int | None:
    def decided(statement: Statement) -> bool:
        alone = question._replace(statements=(statement,), chances=1)
        bounds = [level_met(alone), level_missed(alone)]
        return min(bounds) <= level

    return cases_until(shown, decided)


def _said(name: str, criterion: Criterion, told: Told) -> JudgedCriterion:
    return JudgedCriterion(
        name=name,
        kind=criterion.kind,
        metric=told.metric,
        outcome=told.outcome,
        value=told.value,
        cases=told.cases,
        threshold=told.threshold,
        comparison=told.comparison,
        why=told.why,
        more_cases=told.more_cases,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _figure(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "unbounded"
