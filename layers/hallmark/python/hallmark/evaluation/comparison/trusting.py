"""How far a judge can be trusted: against people on anchors, against itself in the previous run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hallmark.evaluation.comparison.evidence import Anchor, EvaluationResults, JudgeAnchors
from hallmark.evaluation.comparison.gathering import Gathered
from hallmark.evaluation.comparison.report import Corrected, JudgeFinding, Span
from hallmark.evaluation.comparison.spans import as_span
from hallmark.statistics.agreement import Scale, cohens_kappa, krippendorffs_alpha, prediction_powered_mean
from hallmark.statistics.inputs import Floats
from hallmark.statistics.intervals import estimate_mean
from hallmark.statistics.paired import sign_flip

_LEAST = 2
_SAME = 1e-9


def find_trust(evidence: EvaluationResults, gathered: Gathered, judge: JudgeAnchors) -> JudgeFinding:
    """Say how far a judge agrees with people, what its means are worth, and whether it has changed."""
    confidence = evidence.settings.confidence
    # Anchors come in any order.
    anchors = sorted(judge.anchors, key=lambda anchor: (anchor.case, anchor.model or "", anchor.human, anchor.judge))
    human, scores = (np.array([getattr(each, name) for each in anchors]) for name in ("human", "judge"))
    agreement, span, name = _agreement(human, scores, confidence)
    bias = float((scores - human).mean()) if anchors else None
    drift = _Drift.of(anchors, 1 - confidence)
    corrected = tuple(_corrected(evidence, gathered, judge.metric, anchors))
    return JudgeFinding(
        metric=judge.metric,
        anchors=len(anchors),
        agreement=agreement,
        agreement_span=span,
        agreement_name=name,
        exact=float((np.abs(human - scores) <= _SAME).mean()) if anchors else None,
        bias=bias,
        bias_span=as_span(estimate_mean(scores - human, confidence=confidence).interval)
        if len(anchors) >= _LEAST
        else None,
        corrected=corrected,
        previous_run=judge.previous_run,
        compared=drift.compared,
        changed=drift.changed,
        shift=drift.shift,
        shift_p=drift.shift_p,
        error_change=drift.error_change,
        error_change_p=drift.error_change_p,
        has_drifted=drift.has_drifted,
        sentence=_sentence(judge.metric, agreement, name, bias, drift),
    )


def _agreement(human: Floats, judge: Floats, confidence: float) -> tuple[float | None, Span | None, str]:
    yes_or_no = bool(np.isin(human, (0.0, 1.0)).all() and np.isin(judge, (0.0, 1.0)).all())
    name = "Cohen's kappa" if yes_or_no else "Krippendorff's alpha, interval scale"
    both = np.concatenate((human, judge))
    if len(human) < _LEAST or both.min() == both.max():
        return None, None, name
    if yes_or_no:
        found = cohens_kappa(human, judge, categories=(0.0, 1.0), confidence=confidence)
    else:
        found = krippendorffs_alpha(np.stack((human, judge)), Scale.INTERVAL, confidence=confidence)
    return found.value, as_span(found.interval, -1.0, 1.0), name


def _corrected(
    evidence: EvaluationResults, gathered: Gathered, metric: str, anchors: Sequence[Anchor]
) -> list[Corrected]:
    """Correct each model by the anchors of its own answers, or by all where none has a model.

    Answers of others tell the judge's bias, and nothing of how good this model is: there the bias is taken off the
    judge's mean and the judge counts in full. Tuning would draw each model towards the people's mean of the anchors.
    """
    found = []
    has_models = any(anchor.model is not None for anchor in anchors)
    for model in evidence.models:
        own = [anchor for anchor in anchors if anchor.model == model.name] if has_models else list(anchors)
        scores = gathered.scores.get((model.name, metric))
        if len(own) < _LEAST or scores is None or scores.rows is not None:
            continue
        anchored = {anchor.case for anchor in own} if has_models else set()
        rest = np.array(
            [
                mean
                for case, mean in zip(scores.cases.tolist(), scores.means.tolist(), strict=True)
                if gathered.keys[case][1] not in anchored
            ]
        )
        if len(rest) < _LEAST:
            continue
        human = np.array([anchor.human for anchor in own])
        result = prediction_powered_mean(
            human,
            np.array([anchor.judge for anchor in own]),
            rest,
            confidence=evidence.settings.confidence,
            power_tuned=has_models,
        )
        found.append(
            Corrected(
                model=model.name,
                judge_value=float(scores.means.mean()),
                value=result.estimate.value,
                span=as_span(result.estimate.interval),
                human_only=result.human_only.value,
                anchors=len(own),
                is_own=has_models,
            )
        )
    return found


class _Drift:
    """What changed between the previous run's judge and this one, on the same answers."""

    def __init__(self, compared: int) -> None:
        self.compared = compared
        self.changed = 0
        self.shift: float | None = None
        self.shift_p: float | None = None
        self.error_change: float | None = None
        self.error_change_p: float | None = None
        self.has_drifted = False

    @classmethod
    def of(cls, anchors: Sequence[Anchor], alpha: float) -> _Drift:
        both = [(anchor.human, anchor.judge, anchor.previous) for anchor in anchors if anchor.previous is not None]
        drift = cls(len(both))
        if not both:
            return drift
        human, now, then = np.array(both, dtype=np.float64).T
        drift.changed = int((np.abs(now - then) > _SAME).sum())
        shift = sign_flip(now, then)
        error = sign_flip(np.abs(now - human), np.abs(then - human))
        drift.shift, drift.shift_p = shift.effect, shift.p_value
        drift.error_change, drift.error_change_p = error.effect, error.p_value
        # Two questions of the same anchors: Bonferroni.
        drift.has_drifted = min(shift.p_value, error.p_value) <= alpha / 2
        return drift


def _sentence(metric: str, agreement: float | None, name: str, bias: float | None, drift: _Drift) -> str:
    if bias is None:
        return f"No anchor with a human label: nothing is known of how far {metric} can be trusted."
    told = (
        f"The judge and people cannot be compared: all labels are the same ({metric})."
        if agreement is None
        else f"The judge agrees with people at {name} {agreement:.2f}, and scores {abs(bias):.3g} "
        f"{'higher' if bias >= 0 else 'lower'} than they do."
    )
    if not drift.compared:
        return f"{told} No earlier run scored the same anchors."
    if drift.has_drifted:
        return f"{told} It has changed since the previous run: {drift.changed} of {drift.compared} anchors score anew."
    if drift.changed:
        return (
            f"{told} {drift.changed} of {drift.compared} anchors score otherwise than in the previous run, "
            "which may be chance."
        )
    return f"{told} It scores all {drift.compared} anchors as in the previous run."
