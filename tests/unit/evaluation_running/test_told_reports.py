"""What the hallmark bus is told of a report: what people must know of a model that is worse."""

from __future__ import annotations

import pytest

from hallmark.evaluation.comparison.making import make_report
from hallmark.evaluation.completing import completed_event
from tests.fakes.evaluated_cases import evidence_of, scores_of
from tests.unit.evaluation_running.test_judging import plan_with

SCORES = {"old": [1.0] * 190 + [0.0] * 10, "new": [1.0] * 150 + [0.0] * 50}


def test_a_model_is_told_with_its_difference_from_the_champion_and_how_sure_that_is() -> None:
    report = make_report(evidence_of(scores_of(SCORES)))
    old, new = completed_event(plan_with(["judge"]), report, "arn:e", "s3://b/r").models

    assert (old.verdict, old.difference) == (None, None)
    assert new.verdict == "worse"
    assert new.difference is not None
    assert new.difference.value == pytest.approx(-0.2)
    assert new.difference.low is not None
    assert new.difference.high is not None
    assert new.difference.low < -0.2 < new.difference.high < 0
    assert (new.difference.confidence, new.difference.cases) == (0.95, 200)


def test_what_cannot_be_compared_has_no_difference() -> None:
    report = make_report(evidence_of(scores_of({"old": [1.0, 0.0], "new": []})))
    (_, new) = completed_event(plan_with(["judge"]), report, "arn:e", "s3://b/r").models

    assert new.difference is None
