from __future__ import annotations

import itertools
import math
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom
from scipy.stats import t as student

from hallmark.gates.criteria import BiasCriterion
from hallmark.gates.evidence import ChampionEvidence, Evidence
from hallmark.gates.judging import _shown, level_missed
from hallmark.gates.origins import LineageEvidence, MonitorState, ObjectTags, Snapshot
from hallmark.gates.reading import Question, question_of
from hallmark.gates.uncertainty import Counts, Difference, Reported, Spread
from hallmark.statistics.corrections import Correction, adjust
from tests.unit.gates.gate_evidence import NOW, counted, evidence, gate, judged, measured, only, suite

ACCURATE = {"kind": "absolute", "metric": "accuracy", "at_least": 0.8}
FAIR = {"kind": "bias", "metric": "accuracy", "at_most": 0.2}
SAFE = {"kind": "safety", "metric": "toxicity", "at_most": 0.1}


def accuracy(successes: int, cases: int) -> Evidence:
    return evidence(suite(counted("accuracy", successes, cases)))


# --- the bound decides ---


@pytest.mark.parametrize(
    ("right", "cases", "outcome"),
    [
        (95, 100, "passed"),
        (82, 100, "inconclusive"),
        (9, 10, "inconclusive"),
        (60, 100, "failed"),
        (10, 10, "inconclusive"),
    ],
)
def test_the_bound_decides_and_not_the_point(right: int, cases: int, outcome: str) -> None:
    found = only(ACCURATE, accuracy(right, cases))

    assert found.outcome == outcome
    assert found.value == right / cases
    assert found.low is not None
    assert found.high is not None
    assert (found.low >= 0.8) is (outcome == "passed")
    assert (found.high < 0.8) is (outcome == "failed")


@given(right=st.integers(0, 60), wrong=st.integers(0, 60), threshold=st.floats(0.05, 0.95))
@settings(max_examples=60, deadline=None)
def test_exact_levels_are_those_of_scipy(right: int, wrong: int, threshold: float) -> None:
    cases = right + wrong
    if not cases:
        return
    counts = Counts(successes=right, cases=cases)

    above, below = binom.sf(right - 1, cases, threshold), binom.cdf(right, cases, threshold)

    assert counts.level_above(threshold) == pytest.approx(above, rel=1e-9, abs=1e-12)
    assert counts.level_below(threshold) == pytest.approx(below, rel=1e-9, abs=1e-12)
    low = counts.bounds(0.03).low
    assert low == pytest.approx(beta.ppf(0.03, right, wrong + 1) if right else 0.0)


def test_students_levels_are_those_of_scipy() -> None:
    spread = Spread(value=0.9, standard_error=0.04, degrees=4, cases=100)

    assert spread.level_above(0.8) == pytest.approx(student.sf(2.5, 4), rel=1e-6)
    assert spread.level_below(1.0) == pytest.approx(student.sf(2.5, 4), rel=1e-6)


def test_a_reported_interval_is_scaled_to_the_level_that_is_asked() -> None:
    reported = Reported(value=0.5, low=0.402, high=0.598, confidence=0.95, cases=100)

    assert reported.bounds(0.025).low == pytest.approx(0.402)
    assert reported.bounds(0.05).high == pytest.approx(0.5 + 0.098 * 1.644854 / 1.959964, abs=1e-6)


def test_an_interval_without_an_end_shows_nothing_on_that_side() -> None:
    reported = Reported(value=0.9, low=None, high=0.95, confidence=0.95, cases=9)

    assert only(ACCURATE, evidence(suite(measured("accuracy", reported)))).outcome == "inconclusive"


# --- error rates of the whole gate ---


@pytest.mark.parametrize("correction", ["holm", "bonferroni"])
def test_a_gate_rarely_says_anything_wrong_of_a_model_that_lies_on_every_threshold(correction: str) -> None:
    """The hardest null: every criterion true at its boundary, correlated and not; each statement would be an error."""
    random = np.random.default_rng(7)
    criteria = {f"c{number}": {"kind": "absolute", "metric": f"m{number}", "at_least": 0.8} for number in range(4)}
    asked = gate(criteria, correction=correction, report_metrics=list("m"))
    wrongly_met = wrongly_missed = passes = 0
    trials = 400
    cache: dict[tuple[int, ...], Any] = {}
    for _ in range(trials):
        same = random.binomial(40, 0.8)
        counts = tuple(sorted((int(same), *(int(random.binomial(40, 0.8)) for _ in range(3)))))
        if counts not in cache:
            metrics = [counted(f"m{number}", right, 40) for number, right in enumerate(counts)]
            cache[counts] = judged(criteria, evidence(suite(*metrics)), correction=correction)
        outcomes = [each.outcome for each in cache[counts].criteria]
        wrongly_met += "passed" in outcomes
        wrongly_missed += "failed" in outcomes
        passes += cache[counts].outcome == "passed"
    most = binom.ppf(0.9999, trials, 1 - asked.confidence)
    assert wrongly_met <= most
    assert wrongly_missed <= most
    assert passes <= most


def test_without_correction_four_statements_go_wrong_more_often_than_promised() -> None:
    level = 0.05
    single = binom.sf(36 - 1, 40, 0.8)

    assert only(ACCURATE, accuracy(36, 40)).outcome == ("passed" if single <= level else "inconclusive")
    assert 1 - (1 - level) ** 4 > 3 * level


@pytest.mark.parametrize("cases", [12, 40])
@pytest.mark.parametrize("gap", [0.1, 0.2, 0.35])
def test_a_model_with_a_gap_of_the_threshold_passes_at_most_as_often_as_promised(cases: int, gap: float) -> None:
    """All outcomes of two groups, weighed exactly; the worst place of the gap between 0 and 1."""
    rights = np.arange(cases + 1)
    passes = np.zeros((cases + 1, cases + 1))
    for one, other in itertools.product(rights.tolist(), repeat=2):
        difference = Difference(Counts(successes=one, cases=cases), Counts(successes=other, cases=cases))
        reverse = Difference(difference.second, difference.first)
        passes[one, other] = max(difference.bounds(0.05).high, reverse.bounds(0.05).high) <= gap
    worst = max(
        float(binom.pmf(rights, cases, low + gap) @ passes @ binom.pmf(rights, cases, low))
        for low in np.linspace(0, 1 - gap, 41)
    )
    assert worst <= 0.055


@given(
    levels=st.lists(st.floats(1e-6, 1.0).map(lambda level: round(level, 6)), min_size=1, max_size=6),
    alpha=st.sampled_from([0.01, 0.05, 0.2]),
)
@settings(max_examples=80, deadline=None)
def test_what_is_shown_together_is_what_adjusted_p_values_say(levels: list[float], alpha: float) -> None:
    """Those are held against statsmodels by the tests of corrections."""
    named = {f"c{number}": level for number, level in enumerate(levels)}

    for correction in (Correction.HOLM, Correction.BONFERRONI, Correction.NONE):
        steps = _shown(named, alpha, correction.value)
        assert [steps[name].is_shown for name in named] == (adjust(levels, correction) <= alpha).tolist()


def test_holm_asks_more_of_each_criterion_the_more_there_are() -> None:
    alone = only(ACCURATE, accuracy(36, 40), confidence=0.9)
    others = {f"x{number}": {"kind": "absolute", "metric": "accuracy", "at_least": 0.8} for number in range(5)}
    together = judged({"c": ACCURATE, **others}, accuracy(36, 40), confidence=0.9)

    assert alone.outcome == "passed"
    assert together.outcome == "inconclusive"


# --- properties ---


@given(right=st.integers(0, 80), more=st.integers(0, 20))
@settings(max_examples=40, deadline=None)
def test_more_right_answers_never_make_it_worse(right: int, more: int) -> None:
    rank = {"failed": 0, "inconclusive": 1, "passed": 2}
    worse, better = only(ACCURATE, accuracy(right, 100)), only(ACCURATE, accuracy(right + more, 100))

    assert rank[worse.outcome] <= rank[better.outcome]


@given(order=st.permutations(["a", "b", "c"]), rights=st.tuples(*[st.integers(20, 40)] * 3))
@settings(max_examples=25, deadline=None)
def test_the_order_of_criteria_changes_nothing(order: list[str], rights: tuple[int, ...]) -> None:
    metrics = {name: counted(name, right, 40) for name, right in zip("abc", rights, strict=True)}
    criteria = {name: {"kind": "absolute", "metric": name, "at_least": 0.7} for name in "abc"}

    first = judged(criteria, evidence(suite(*metrics.values())))
    other = judged({name: criteria[name] for name in order}, evidence(suite(*(metrics[name] for name in order))))

    assert first == other


def test_one_missed_criterion_fails_the_gate_and_one_doubt_leaves_it_open() -> None:
    found = evidence(suite(counted("accuracy", 98, 100), counted("f1", 20, 100)))
    f1 = {"kind": "absolute", "metric": "f1", "at_least": 0.8}
    unknown = {"kind": "absolute", "metric": "recall", "at_least": 0.8}

    assert judged({"a": ACCURATE}, found).outcome == "passed"
    assert judged({"a": ACCURATE, "f": f1}, found).outcome == "failed"
    assert judged({"a": ACCURATE, "u": unknown}, found).outcome == "inconclusive"
    assert judged({"f": f1, "u": unknown}, found).outcome == "failed"


# --- doubt is never a pass ---


def test_so_many_more_cases_would_decide() -> None:
    found = only(ACCURATE, accuracy(18, 20))

    assert found.outcome == "inconclusive"
    assert found.more_cases is not None
    rate = 0.9
    enough = 20 + found.more_cases
    assert only(ACCURATE, accuracy(round(rate * enough), enough)).outcome == "passed"
    fewer = 20 + found.more_cases // 2
    assert only(ACCURATE, accuracy(round(rate * fewer), fewer)).outcome == "inconclusive"
    assert f"about {found.more_cases:,} more cases" in found.why


def test_on_the_threshold_no_number_of_cases_decides() -> None:
    found = only(ACCURATE, accuracy(80, 100))

    assert found.more_cases is None
    assert "too near" in found.why


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (evidence(), "nothing measured accuracy"),
        (evidence(missing_suites={"s": "no run of it includes this model"}), "no run of it includes this model"),
        (evidence(suite(measured("accuracy", None, math.nan))), "no finite value"),
        (evidence(suite(measured("accuracy", None, 0.99))), "nothing says how sure"),
        (evidence(suite(counted("accuracy", 99, 100), age=timedelta(days=8))), "stale: 192.0 hours old"),
    ],
)
def test_missing_stale_and_unsure_evidence_cannot_be_told(found: Evidence, why: str) -> None:
    criterion = only(ACCURATE, found, max_evidence_age="7 days")

    assert criterion.outcome == "inconclusive"
    assert why in criterion.why


def test_a_metric_in_the_first_source_that_has_it_counts() -> None:
    package = suite(counted("accuracy", 10, 100), name="package").model_copy(update={"kind": "package"})

    assert only(ACCURATE, evidence(package, suite(counted("accuracy", 99, 100)))).outcome == "passed"
    assert only(ACCURATE, evidence(package)).outcome == "failed"


# --- the kinds of criteria ---


def test_harm_passes_only_where_its_upper_bound_is_low() -> None:
    assert only(SAFE, evidence(suite(counted("toxicity", 0, 100)))).outcome == "passed"
    assert only(SAFE, evidence(suite(counted("toxicity", 0, 10)))).outcome == "inconclusive"
    assert only(SAFE, evidence(suite(counted("toxicity", 30, 100)))).outcome == "failed"


def test_the_largest_gap_between_groups_counts_with_its_interval() -> None:
    even = evidence(suite(counted("accuracy", 145, 150, a=(49, 50), b=(48, 50), c=(48, 50))))
    uneven = evidence(suite(counted("accuracy", 110, 150, a=(50, 50), b=(48, 50), c=(12, 50))))
    few = evidence(suite(counted("accuracy", 29, 30, a=(10, 10), b=(10, 10), c=(9, 10))))

    assert only(FAIR, even).outcome == "passed"
    failed = only(FAIR, uneven)
    assert failed.outcome == "failed"
    assert failed.value == pytest.approx(0.76)
    assert "largest gap, a over c" in failed.why
    assert only(FAIR, few).outcome == "inconclusive"


def test_a_group_of_which_nothing_is_known_is_never_fair() -> None:
    metric = counted("accuracy", 145, 150, a=(150, 150), b=(149, 150)).model_copy(
        update={"silent_groups": {"c": "fewer than 10 cases"}}
    )
    found = only(FAIR, evidence(suite(metric)))

    assert found.outcome == "inconclusive"
    assert "nothing is known of the group c: fewer than 10 cases" in found.why
    assert only({**FAIR, "groups": ["a", "b"]}, evidence(suite(metric))).outcome == "passed"


def relative(difference: float, half: float, **more: Any) -> Evidence:
    sure = Reported(value=difference, low=difference - half, high=difference + half, confidence=0.95, cases=200)
    against = ChampionEvidence(metric="accuracy", champion="old", champion_value=0.9, difference=sure, **more)
    return evidence(suite(counted("accuracy", 180, 200), against=(against,)))


@pytest.mark.parametrize(
    ("difference", "half", "outcome"),
    [(0.0, 0.01, "passed"), (-0.01, 0.02, "inconclusive"), (-0.05, 0.01, "failed"), (0.03, 0.01, "passed")],
)
def test_not_worse_than_the_champion_is_a_one_sided_question(difference: float, half: float, outcome: str) -> None:
    found = only({"kind": "relative", "metric": "accuracy", "not_worse_by": 0.02}, relative(difference, half))

    assert found.outcome == outcome
    assert (found.comparison, found.baseline, found.threshold) == ("not_worse_by", 0.9, -0.02)


def test_what_cannot_be_compared_cannot_be_told() -> None:
    asked = {"kind": "relative", "metric": "accuracy", "not_worse_by": 0.02}
    found = only(asked, relative(0.1, 0.01, incomparable=("the data differ",)))

    assert found.outcome == "inconclusive"
    assert "the data differ" in found.why
    assert only({**asked, "champion": "other"}, relative(0.1, 0.01)).outcome == "inconclusive"


def test_where_lower_is_better_not_worse_means_not_higher() -> None:
    sure = Reported(value=0.05, low=0.04, high=0.06, confidence=0.95, cases=200)
    against = ChampionEvidence(metric="toxicity", champion="old", difference=sure)
    found = evidence(suite(counted("toxicity", 5, 200), against=(against,)))

    asked = {"kind": "relative", "metric": "toxicity"}

    assert only({**asked, "not_worse_by": 0.02}, found).outcome == "failed"
    assert only({**asked, "not_worse_by": 0.1}, found).outcome == "passed"


def test_latency_and_cost_are_judged_in_the_units_in_which_they_are_asked() -> None:
    p95 = Reported(value=420, low=390, high=480, confidence=0.95, cases=100)
    cost = Spread(value=0.0002, standard_error=0.00001, degrees=99, cases=100)
    latency = measured("latency", None, 200.0).model_copy(update={"percentiles": {"p95": p95}})
    found = evidence(suite(latency, measured("cost", cost)))

    fast = only({"kind": "operational", "measure": "latency_p95_ms", "at_most": 500}, found)
    cheap = only({"kind": "operational", "measure": "cost_per_1000_requests_usd", "at_most": 0.25}, found)

    assert (fast.outcome, fast.value, fast.threshold) == ("passed", 420, 500)
    assert cheap.outcome == "passed"
    assert cheap.value == pytest.approx(0.2)
    assert cheap.threshold == pytest.approx(0.25)


@pytest.mark.parametrize(("answered", "outcome"), [(96, "passed"), (95, "passed"), (94, "failed")])
def test_coverage_counts_what_was_planned(answered: int, outcome: str) -> None:
    found = only({"kind": "coverage", "at_least": 0.95}, evidence(suite(answered=answered)))

    assert (found.outcome, found.value, found.cases) == (outcome, answered / 100, 100)


def test_old_evidence_is_not_fresh() -> None:
    assert only({"kind": "freshness", "at_most": "2 hours"}, evidence(suite())).outcome == "passed"
    assert only({"kind": "freshness", "at_most": "30 minutes"}, evidence(suite())).outcome == "inconclusive"
    assert only({"kind": "freshness", "at_most": "2 hours"}, evidence()).outcome == "inconclusive"


# --- lineage and drift ---

APPROVED = ObjectTags(on_all=frozenset({"approved=true"}), on_any=frozenset({"approved=true"}))
PII = ObjectTags(on_all=frozenset({"approved=true"}), on_any=frozenset({"approved=true", "pii=true"}))
ORIGIN = {
    "kind": "lineage",
    "approved": {"key": "approved"},
    "forbidden": {"key": "pii"},
    "image_digest": True,
    "committed": True,
}


def origin(**more: Any) -> Evidence:
    usual: dict[str, Any] = {
        "node": "n",
        "snapshots": (Snapshot(name="train", is_snapshot=True, trained_on=True, tags=APPROVED),),
        "images_with_digest": ("image@sha256:1",),
        "commits": ("abc",),
    }
    return evidence(lineage=LineageEvidence.model_validate({**usual, **more}))


@pytest.mark.parametrize(
    ("found", "outcome", "why"),
    [
        (origin(), "passed", "as they must be"),
        (origin(has_uncommitted=True), "failed", "not committed"),
        (origin(commits=()), "inconclusive", "no commit"),
        (origin(images_without=("image:latest",)), "inconclusive", "image_registries"),
        (origin(complete=False), "inconclusive", "more ancestors"),
        (origin(snapshots=()), "inconclusive", "nothing that it was trained on"),
        (
            origin(snapshots=(Snapshot(name="train", is_snapshot=True, trained_on=True, tags=PII),)),
            "failed",
            "train upstream with the tag pii=true",
        ),
        (
            origin(snapshots=(Snapshot(name="train", is_snapshot=True, trained_on=True, tags=None),)),
            "inconclusive",
            "could not be read",
        ),
        (
            origin(
                snapshots=(
                    Snapshot(
                        name="raw",
                        is_snapshot=True,
                        trained_on=True,
                        tags=ObjectTags(on_all=frozenset(), on_any=frozenset({"approved=true"})),
                    ),
                )
            ),
            "failed",
            "without the tag approved=true",
        ),
        (evidence(problems=("lineage does not know it",)), "inconclusive", "lineage does not know it"),
    ],
)
def test_where_a_model_came_from(found: Evidence, outcome: str, why: str) -> None:
    criterion = only(ORIGIN, found)

    assert criterion.outcome == outcome, criterion.why
    assert why in criterion.why


def watched(*, is_open: bool) -> tuple[MonitorState, ...]:
    return (MonitorState(monitor="traffic", subject="live", is_open=is_open),)


@pytest.mark.parametrize(
    ("found", "asked", "outcome"),
    [
        (evidence(monitors=watched(is_open=False)), (), "passed"),
        (evidence(monitors=watched(is_open=True)), (), "failed"),
        (evidence(monitors=watched(is_open=True)), ("other",), "inconclusive"),
        (evidence(monitors=()), (), "inconclusive"),
        (evidence(monitors=None), (), "inconclusive"),
    ],
)
def test_open_drift_fails_and_silence_is_no_sign_of_health(
    found: Evidence, asked: tuple[str, ...], outcome: str
) -> None:
    assert only({"kind": "drift", "monitors": list(asked)}, found).outcome == outcome


def test_a_model_with_gaps_of_exactly_the_threshold_rarely_fails() -> None:
    """Two of three groups ahead by exactly the threshold: to say that any gap is larger would be an error."""
    random = np.random.default_rng(11)
    trials, failed = 120, 0
    criterion = BiasCriterion.model_validate(FAIR)
    for _ in range(trials):
        rights = [int(random.binomial(20, rate)) for rate in (0.8, 0.8, 0.6)]
        groups = {name: (right, 20) for name, right in zip("abc", rights, strict=True)}
        found = evidence(suite(counted("accuracy", sum(rights), 60, **groups)))
        question = question_of(criterion, gate({"c": FAIR}), found, NOW)
        assert isinstance(question, Question)
        failed += level_missed(question) <= 0.05
    assert failed <= binom.ppf(0.999, trials, 0.05)
