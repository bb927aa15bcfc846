from __future__ import annotations

import numpy as np
import pytest

from hallmark.evaluation.comparison.evidence import Anchor, JudgeAnchors
from hallmark.evaluation.comparison.making import make_report
from hallmark.evaluation.comparison.report import JudgeFinding
from hallmark.statistics.agreement import cohens_kappa, prediction_powered_mean
from tests.fakes.evaluated_cases import QUALITY, evidence_of, scores_of


def find(*anchors: Anchor, scores: list[float] | None = None, previous_run: str | None = None) -> JudgeFinding:
    values = {"old": scores or [0.5, 0.6, 0.7, 0.8]}
    judges = (JudgeAnchors(metric="quality", anchors=anchors, previous_run=previous_run),)
    (found,) = make_report(evidence_of(scores_of(values, QUALITY), QUALITY, models=["old"], judges=judges)).judges
    return found


def test_a_judges_yes_and_no_is_held_against_peoples_by_kappa() -> None:
    human, judge = [1, 1, 0, 0, 1, 0, 1, 1], [1, 1, 0, 1, 1, 0, 0, 1]

    found = find(*(Anchor(case=str(n), human=h, judge=j) for n, (h, j) in enumerate(zip(human, judge, strict=True))))

    assert found.agreement == pytest.approx(cohens_kappa(human, judge).value)
    assert (found.agreement_name, found.exact, found.bias) == ("Cohen's kappa", 0.75, 0.0)


def test_a_judges_mean_is_corrected_by_what_people_say() -> None:
    source = np.random.default_rng(6)
    scores = source.uniform(0.4, 1.0, 300)
    human = (scores[:40] - 0.2 + source.normal(0, 0.02, 40)).clip(0, 1)
    anchors = [
        Anchor(case=f"case-{n:04d}", model="old", human=h, judge=j)
        for n, (h, j) in enumerate(zip(human.tolist(), scores[:40].tolist(), strict=True))
    ]

    found = find(*anchors, scores=scores.tolist())

    expected = prediction_powered_mean(human, scores[:40], scores[40:])
    (corrected,) = found.corrected
    assert corrected.value == pytest.approx(expected.estimate.value)
    assert corrected.judge_value == pytest.approx(scores.mean())
    assert corrected.value == pytest.approx(scores.mean() - 0.2, abs=0.03)
    assert found.bias == pytest.approx(0.2, abs=0.02)


def test_anchors_of_others_answers_take_the_bias_off_and_do_not_draw_a_model_towards_them() -> None:
    """The model is good, the anchors are poor; the judge is right but for a tenth on both."""
    source = np.random.default_rng(9)
    human = source.uniform(0.0, 0.4, 60)
    anchors = [Anchor(case=str(n), human=each, judge=each + 0.1) for n, each in enumerate(human.tolist())]
    scores = source.uniform(0.8, 1.0, 300)

    (corrected,) = find(*anchors, scores=scores.tolist()).corrected

    assert not corrected.is_own
    assert corrected.value == pytest.approx(scores.mean() - 0.1)
    assert corrected.span.low < scores.mean() - 0.1 < corrected.span.high


def test_a_judge_that_silently_changed_is_noticed() -> None:
    source = np.random.default_rng(2)
    human = source.uniform(0.2, 0.8, 50).tolist()

    found = find(
        *(Anchor(case=str(n), human=h, judge=min(1.0, h + 0.1), previous=h) for n, h in enumerate(human)),
        previous_run="run-0",
    )

    assert (found.has_drifted, found.compared, found.changed) == (True, 50, 50)
    assert found.shift == pytest.approx(0.1)
    assert found.error_change == pytest.approx(0.1)
    assert "It has changed since the previous run: 50 of 50" in found.sentence


def test_a_judge_that_says_the_same_has_not_changed() -> None:
    found = find(*(Anchor(case=str(n), human=0.1 * n, judge=0.5, previous=0.5) for n in range(9)), previous_run="run-0")

    assert (found.has_drifted, found.changed, found.shift_p) == (False, 0, 1.0)
    assert "as in the previous run" in found.sentence


def test_the_order_of_anchors_changes_nothing() -> None:
    anchors = [Anchor(case=str(n), human=n % 3, judge=n % 2) for n in range(20)]

    assert find(*anchors) == find(*anchors[::-1])


def test_a_judge_without_anchors_is_not_trusted_in_silence() -> None:
    found = find()

    assert (found.anchors, found.agreement, found.corrected) == (0, None, ())
    assert found.sentence.startswith("No anchor with a human label")


def test_labels_that_are_all_the_same_tell_nothing() -> None:
    found = find(*(Anchor(case=str(n), human=1, judge=1) for n in range(5)))

    assert (found.agreement, found.exact) == (None, 1.0)
