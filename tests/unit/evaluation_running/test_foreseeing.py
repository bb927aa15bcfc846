"""What a run could show is what runs do show: the promised power, at the promised number of cases."""

from __future__ import annotations

import numpy as np
import pytest

from hallmark.evaluation.comparison.making import make_report
from hallmark.evaluation.comparison.report import Report
from hallmark.evaluation.foreseeing import Foresight, foresee
from hallmark.evaluation.metrics import Metric, MetricKind
from hallmark.evaluation.suites import Suite
from hallmark.statistics.paired import mcnemar, paired_t
from hallmark.statistics.pairs import PairedCounts
from hallmark.statistics.power import cases_for_paired_means, cases_for_paired_rates
from tests.fakes.evaluated_cases import QUALITY, RIGHT, evidence_of, scores_of


def suite(*models: str, **others: object) -> Suite:
    given = {
        "model_variants": models or ("old", "new"),
        "champion": "old",
        "datasets": ["d"],
        "scorers": ["exact_match"],
    }
    return Suite.model_validate({**given, **others})


def scores(n: int, difference: float, seed: int = 1) -> tuple[list[float], list[float]]:
    source = np.random.default_rng(seed)
    old = source.uniform(0.2, 0.6, n)
    new = (old + difference + source.normal(0, 0.1, n)).clip(0, 1)
    return old.tolist(), new.tolist()


def last_run(n: int = 200, difference: float = 0.0, cost_usd: float = 0.4) -> Report:
    old, new = scores(n, difference)
    return make_report(evidence_of(scores_of({"old": old, "new": new}, QUALITY), QUALITY, cost_usd=cost_usd))


def ask(**others: float | int) -> Foresight:
    return foresee("answers", suite(), QUALITY, last_run(), **others)  # type: ignore[arg-type]  # cases, difference


def test_the_last_run_tells_how_many_cases_find_a_difference_and_what_they_cost() -> None:
    found = ask(difference=0.02)

    (prospect,) = found.prospects
    assert (prospect.candidate, prospect.baseline, found.last_run) == ("new", "old", "run-1")
    assert found.cases == 200
    assert found.usd_per_case == pytest.approx(0.4 / 200)
    old, new = scores(200, 0.0)
    deviation = float(np.std(np.subtract(new, old), ddof=1))
    assert prospect.needed == pytest.approx(cases_for_paired_means(0.02, deviation), rel=0.02)
    assert prospect.needed_usd == pytest.approx(0.002 * (prospect.needed or 0))
    assert found.affordable_cases == 5000


def test_so_many_cases_find_the_difference_four_times_in_five() -> None:
    needed = ask(difference=0.02).prospects[0].needed
    assert needed is not None

    found = [paired_t(*reversed(scores(needed, 0.02, seed))).p_value <= 0.05 for seed in range(400)]

    # Four standard deviations of the simulation, and what 200 cases do not know of the scatter.
    assert np.mean(found) == pytest.approx(0.8, abs=0.12)


def test_a_last_run_on_copies_of_its_cases_promises_no_more_than_the_cases_themselves() -> None:
    old, new = scores(200, 0.0)
    copied = [
        result.model_copy(update={"case": f"{result.case}-{copy}", "cluster": result.case})
        for result in scores_of({"old": old, "new": new}, QUALITY)
        for copy in range(5)
    ]
    last = make_report(evidence_of(copied, QUALITY, cost_usd=0.4))

    needed = foresee("answers", suite(), QUALITY, last, difference=0.02).prospects[0].needed

    assert needed == pytest.approx(5 * (ask(difference=0.02).prospects[0].needed or 0), rel=0.02)


def test_four_times_the_cases_find_half_the_difference() -> None:
    one, four = (ask(cases=cases).prospects[0].detectable or 0.0 for cases in (200, 800))

    assert one == pytest.approx(2 * four)


def test_more_models_need_more_cases_each() -> None:
    old, new = scores(200, 0.0)
    models = {"old": old, "new": new, "other": new[::-1]}
    last = make_report(evidence_of(scores_of(models, QUALITY), QUALITY, models=list(models)))

    found = foresee("answers", suite(*models), QUALITY, last, difference=0.02)

    assert found.comparisons == 2
    assert (found.prospects[0].needed or 0) > (ask(difference=0.02).prospects[0].needed or 0)


def test_before_the_first_run_a_few_suppositions_are_told_apart() -> None:
    found = foresee("answers", suite(sampling={"cases": 400}), RIGHT, None, difference=0.05)

    assert (found.last_run, found.usd_per_case, found.expected_usd, found.cases) == (None, None, None, 400)
    assert [each.needed for each in found.prospects] == [
        cases_for_paired_rates(0.05, share, power=0.8, alpha=0.05) for share in (0.1, 0.3, 0.5)
    ]
    assert all(each.detectable is not None for each in found.prospects)


def test_supposed_rates_are_found_with_the_promised_power() -> None:
    needed = foresee("answers", suite(), RIGHT, None, difference=0.05).prospects[1].needed
    source, found = np.random.default_rng(4), []
    for _ in range(300):
        first, second, _rest = source.multinomial(needed or 0, (0.175, 0.125, 0.7))
        counts = PairedCounts(both=int(_rest), only_candidate=int(first), only_baseline=int(second), neither=0)
        found.append(mcnemar(counts).p_value <= 0.05)

    assert np.mean(found) == pytest.approx(0.8, abs=0.08)


def test_what_has_no_bounds_is_not_guessed() -> None:
    delay = Metric(name="delay", title="Delay", kind=MetricKind.UNBOUNDED, high=None)

    found = foresee("answers", suite(), delay, None, difference=5)

    assert found.prospects == ()
    assert "run a small sample first" in found.note


def test_the_margin_is_what_matters_where_nothing_else_is_asked() -> None:
    found = foresee("answers", suite(comparison={"margin": 0.03}), QUALITY, last_run())

    assert found.difference == 0.03
    assert found.prospects[0].needed == ask(difference=0.03).prospects[0].needed
