"""An alarm needs an effect and evidence; without drift alarms are as rare as promised, however often one looks."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hallmark.drift.statistics.arrays import Floats
from hallmark.drift.statistics.checks import (
    NORMS,
    ON_EMBEDDINGS,
    ON_STREAMS,
    Check,
    Demand,
    Finding,
    Reading,
    Statistic,
)
from hallmark.drift.statistics.judging import judge
from hallmark.drift.statistics.looks import HOURS_OF_A_YEAR, LookState
from hallmark.drift.statistics.profiles import Kind, Profile
from hallmark.errors import InvalidInputError
from hallmark.events.drift import DriftFinding
from hallmark.statistics.corrections import adjust


def _holm(p_values: Sequence[float]) -> Floats:
    """Adjusted without a limit of 1."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.maximum.accumulate(np.array(p_values)[order] * np.arange(len(p_values), 0, -1))
    return adjusted


NUMERIC = [statistic for statistic in Statistic if statistic not in ON_EMBEDDINGS]
DISTANCES = [
    Statistic.JENSEN_SHANNON,
    Statistic.PSI,
    Statistic.CHI_SQUARE,
    Statistic.KOLMOGOROV_SMIRNOV,
    Statistic.WASSERSTEIN,
]


RARE: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": lambda random, n: random.normal(size=n),
    "heavy": lambda random, n: random.lognormal(0, 1.5, n),
    "ratings": lambda random, n: random.integers(1, 6, n).astype(float),
    "errors": lambda random, n: (random.random(n) < 0.03).astype(float),
}


def _numbers(values: Sequence[object] | Floats) -> dict[str, Profile]:
    return {"x": Profile.of(values, Kind.NUMERIC)}


def _names(values: Sequence[object]) -> dict[str, Profile]:
    return {"x": Profile.of(values, Kind.CATEGORICAL)}


def _find(
    baseline: dict[str, Profile],
    current: dict[str, Profile],
    statistic: Statistic,
    looks: LookState | None = None,
    **of: object,
) -> Finding:
    check = Check.model_validate({"feature": "x", "statistic": statistic, **of})
    return judge(baseline, current, [check], LookState())[0][0]


@pytest.mark.parametrize("statistic", DISTANCES)
def test_a_large_shift_is_drift_and_none_is_none(statistic: Statistic) -> None:
    random = np.random.default_rng(1)
    baseline = _numbers(random.normal(size=5000))

    assert _find(baseline, _numbers(random.normal(1.5, 1, 300)), statistic).is_drifted
    assert not _find(baseline, _numbers(random.normal(size=300)), statistic).is_drifted


@pytest.mark.parametrize("statistic", DISTANCES)
def test_a_shift_below_the_threshold_is_no_alarm_however_sure_it_is(statistic: Statistic) -> None:
    random = np.random.default_rng(2)
    found = _find(_numbers(random.normal(size=50_000)), _numbers(random.normal(0.05, 1, 50_000)), statistic)

    assert found.p_value is not None
    assert found.p_value < 1e-6
    assert not found.is_drifted


def test_an_effect_without_evidence_is_no_alarm_and_says_so() -> None:
    found = _find(_numbers([0.0] * 99 + [1.0]), _numbers([0.0] * 9 + [1.0]), Statistic.RATE_INCREASE)

    assert found.value == pytest.approx(0.09)
    assert (found.is_drifted, found.is_conclusive) == (False, True)
    assert "chance alone" in found.why


@pytest.mark.parametrize(("reading", "is_drifted"), [(Reading.POINTS, False), (Reading.RELATIVE, True)])
def test_an_error_rate_rises_in_points_or_relative_to_what_it_was(reading: Reading, is_drifted: bool) -> None:
    baseline, current = _numbers([1.0] * 200 + [0.0] * 9800), _numbers([1.0] * 400 + [0.0] * 9600)
    found = _find(baseline, current, Statistic.RATE_INCREASE, reading=reading)

    assert found.is_drifted is is_drifted
    assert (found.value, found.unit) == (
        (pytest.approx(0.02), "points") if not is_drifted else (1.0, "of the baseline")
    )
    assert found.baseline_value == pytest.approx(0.02)
    assert found.change_fraction == pytest.approx(1.0)


def test_a_fall_is_found_by_the_statistic_for_it_only() -> None:
    random = np.random.default_rng(3)
    baseline, current = _numbers(random.normal(10, 1, 2000)), _numbers(random.normal(9, 1, 500))

    assert _find(baseline, current, Statistic.MEAN_DECREASE, threshold=0.5).is_drifted
    assert not _find(baseline, current, Statistic.MEAN_INCREASE, threshold=0.5).is_drifted
    relative = _find(baseline, current, Statistic.MEAN_DECREASE, threshold=0.05, reading=Reading.RELATIVE)
    assert relative.value == pytest.approx(0.1, abs=0.01)


def test_twice_the_95th_percentile_is_an_alarm() -> None:
    random = np.random.default_rng(4)
    baseline = _numbers(random.lognormal(0, 1, 3000))
    found = _find(baseline, _numbers(3 * random.lognormal(0, 1, 400)), Statistic.P95_RATIO)

    assert found.is_drifted
    assert found.low is not None
    assert found.high is not None
    assert found.low < 3 < found.high
    assert not _find(baseline, _numbers(random.lognormal(0, 1, 400)), Statistic.P95_RATIO).is_drifted


def test_scores_below_the_floor_need_no_baseline_but_enough_scores() -> None:
    low = _numbers([1.0] * 70 + [0.0] * 30)

    assert _find({}, low, Statistic.SCORE_FLOOR).is_drifted
    assert not _find({}, _numbers([1.0] * 8 + [0.0] * 2), Statistic.SCORE_FLOOR).is_drifted
    assert not _find({}, _numbers([1.0] * 90 + [0.0] * 10), Statistic.SCORE_FLOOR).is_drifted
    assert "from 0 to 1" in _find({}, _numbers([4.0, 5.0]), Statistic.SCORE_FLOOR).why


def test_missing_values_are_an_alarm_of_their_own() -> None:
    baseline = _numbers([1.0] * 990 + [None] * 10)
    found = _find(baseline, _numbers([1.0] * 80 + [math.nan] * 20), Statistic.MISSING_SHARE)

    assert (found.is_drifted, found.current_count) == (True, 100)
    assert not _find(baseline, _numbers([1.0] * 99 + [None]), Statistic.MISSING_SHARE).is_drifted
    assert _find(baseline, _numbers([None] * 50), Statistic.MISSING_SHARE).is_drifted


@pytest.mark.parametrize("statistic", [Statistic.JENSEN_SHANNON, Statistic.PSI, Statistic.CHI_SQUARE])
def test_new_categories_are_seen_and_named(statistic: Statistic) -> None:
    found = _find(_names(["a", "b"] * 200), _names(["a", "b", "c"] * 60), statistic)

    assert found.is_drifted
    assert found.why.endswith("new categories: 'c'")


@pytest.mark.parametrize("statistic", [*DISTANCES, *sorted(ON_STREAMS)])
def test_a_constant_feature_is_no_drift_and_another_constant_is_drift_or_says_why_not(statistic: Statistic) -> None:
    baseline = _numbers([7.0] * 500)
    same = _find(baseline, _numbers([7.0] * 100), statistic)
    other = _find(baseline, _numbers([8.0] * 100), statistic)

    assert not same.is_drifted
    assert other.is_drifted or "watch it with" in other.why


@pytest.mark.parametrize("statistic", NUMERIC)
@pytest.mark.parametrize(
    ("baseline", "current", "told"),
    [
        ({}, _numbers([0.5] * 30), "no baseline"),
        (_numbers([]), _numbers([0.5] * 30), "no baseline"),
        (_numbers([None] * 30), _numbers([0.5] * 30), "missing"),
        (_numbers([0.5] * 30), {}, "no values"),
        (_numbers([0.5] * 30), _numbers([]), "no values"),
        (_numbers([0.5] * 30), _numbers([math.nan] * 30), "NaN"),
        (_numbers([0.5] * 30), _numbers([math.inf] * 30), "infinite"),
    ],
)
def test_what_cannot_be_compared_is_neither_an_alarm_nor_an_all_clear(
    statistic: Statistic, baseline: dict[str, Profile], current: dict[str, Profile], told: str
) -> None:
    found = _find(baseline, current, statistic)
    if found.is_conclusive:  # missing values are what it is about, or it needs no baseline
        assert statistic in {Statistic.MISSING_SHARE, Statistic.SCORE_FLOOR}
        return
    assert (found.value, found.p_value, found.is_drifted) == (None, None, False)
    assert told in found.why


def test_a_statistic_that_does_not_fit_its_feature_is_refused_with_what_does() -> None:
    with pytest.raises(InvalidInputError, match=r"checks\[0\].statistic is 'wasserstein'.*jensen_shannon"):
        _find(_names(["a"]), _names(["a"]), Statistic.WASSERSTEIN)
    with pytest.raises(InvalidInputError, match="give each check once"):
        judge({}, {}, [Check(feature="x", statistic=Statistic.PSI)] * 2, LookState())
    with pytest.raises(ValueError, match="leave reading out"):
        Check(feature="x", statistic=Statistic.PSI, reading=Reading.RELATIVE)


def test_a_baseline_of_another_kind_is_told() -> None:
    found = _find(_names(["a"] * 9), _numbers([1.0] * 9), Statistic.PSI)

    assert (found.is_conclusive, found.why) == (False, "the baseline is categorical and the window is numeric")


def test_p_values_are_adjusted_for_all_checks_and_all_looks() -> None:
    random = np.random.default_rng(6)
    names = [f"x{number}" for number in range(6)]
    baseline = {name: Profile.of(random.normal(size=2000), Kind.NUMERIC) for name in names}
    current = {name: Profile.of(random.normal(0.1 * place, 1, 200), Kind.NUMERIC) for place, name in enumerate(names)}
    checks = [Check(feature=name, statistic=Statistic.KOLMOGOROV_SMIRNOV) for name in names]
    once, _ = judge(baseline, current, checks, LookState())
    often, _ = judge(baseline, current, checks, LookState(horizon=100))
    p_values = [found.p_value for found in once if found.p_value is not None]

    assert [found.adjusted_p for found in once] == pytest.approx(adjust(p_values).tolist())
    # Windows are taken together only after the first one, so that these are the p-values of one window.
    assert [found.adjusted_p for found in often] == pytest.approx(np.minimum(1, 100 * _holm(p_values)).tolist())


def test_the_interval_can_be_asked_to_lie_beyond_the_threshold() -> None:
    random = np.random.default_rng(7)
    baseline, current = _numbers(random.normal(size=4000)), _numbers(random.normal(0.15, 1, 600))
    near = {"statistic": Statistic.WASSERSTEIN, "threshold": 0.1}

    assert _find(baseline, current, **near).is_drifted  # type: ignore[arg-type]
    assert not _find(baseline, current, demand=Demand.BOUND, **near).is_drifted  # type: ignore[arg-type]


@given(st.lists(st.integers(-20, 20), min_size=30, max_size=80), st.floats(0.001, 1000), st.floats(-5, 5))
@settings(max_examples=60, deadline=None)
def test_distances_do_not_depend_on_the_unit_of_the_values(values: list[int], factor: float, offset: float) -> None:
    half = len(values) // 2
    baseline, current = np.array(values[:half], dtype=float), np.array(values[half:], dtype=float)
    moved = [np.round(part) * factor for part in (baseline, current)]
    for statistic in DISTANCES:
        found = _find(_numbers(baseline), _numbers(current), statistic)
        again = _find(_numbers(moved[0]), _numbers(moved[1]), statistic)
        assert again.is_conclusive == found.is_conclusive
        if found.value is not None:
            assert again.value == pytest.approx(found.value, abs=1e-9)
            assert again.p_value == pytest.approx(found.p_value, rel=1e-6)


def test_small_windows_are_taken_together_until_they_say_enough() -> None:
    random = np.random.default_rng(8)
    baseline = _numbers(random.normal(size=20_000))
    check = Check(feature="x", statistic=Statistic.JENSEN_SHANNON, threshold=0.01)
    looks = alone = LookState(horizon=8760)
    alone = alone.model_copy(update={"lookbacks": (1,)})
    alarms = []
    for _ in range(16):
        window = _numbers(random.normal(0.35, 1, 60))
        (found,), looks = judge(baseline, window, [check], looks)
        (single,), alone = judge(baseline, window, [check], alone)
        alarms.append((found.is_drifted, single.is_drifted, found.windows))

    assert alarms[-1] == (True, False, 16)
    for _ in range(16):
        (found,), looks = judge(baseline, _numbers(random.normal(size=60)), [check], looks)
    assert not found.is_drifted


def test_what_is_over_is_no_alarm_though_older_windows_still_show_it() -> None:
    random = np.random.default_rng(15)
    baseline = _numbers(random.normal(size=20_000))
    check, looks = Check(feature="x", statistic=Statistic.JENSEN_SHANNON, threshold=0.01), LookState()
    alarms = []
    for shift in (0.8,) * 6 + (0.0,) * 3:
        (found,), looks = judge(baseline, _numbers(random.normal(shift, 1, 2000)), [check], looks)
        alarms.append(found.is_drifted)

    assert alarms == [True] * 6 + [False] * 3


@pytest.mark.parametrize("statistic", [*DISTANCES, Statistic.MEAN_INCREASE, Statistic.P95_RATIO])
@pytest.mark.parametrize("shape", ["normal", "heavy", "ratings"])
def test_p_values_of_one_check_are_no_smaller_than_chance_makes_them(statistic: Statistic, shape: str) -> None:
    random = np.random.default_rng(16)
    found = []
    for _ in range(250):
        baseline, window = _numbers(RARE[shape](random, 600)), _numbers(RARE[shape](random, 80))
        found.append(_find(baseline, window, statistic).p_value)
    kept = [p for p in found if p is not None]

    assert len(kept) > 200
    for level in (0.02, 0.1, 0.3):
        assert sum(p <= level for p in kept) <= stats.binom.ppf(0.9995, len(kept), level)


@pytest.mark.parametrize("statistic", [Statistic.CUSUM, Statistic.PAGE_HINKLEY])
def test_the_error_of_a_small_baseline_does_not_add_up_to_an_alarm(statistic: Statistic) -> None:
    random = np.random.default_rng(17)
    check, alarmed = Check(feature="x", statistic=statistic, threshold=0.1), 0
    for _ in range(8):
        baseline, looks, alarms = _numbers(random.normal(size=100)), LookState(horizon=40), 0
        for _ in range(40):
            (found,), looks = judge(baseline, _numbers(random.normal(size=400)), [check], looks)
            alarms += found.is_drifted
        alarmed += alarms > 0

    assert alarmed == 0


def test_windows_of_another_baseline_are_forgotten() -> None:
    random = np.random.default_rng(9)
    check = Check(feature="x", statistic=Statistic.JENSEN_SHANNON)
    _, looks = judge(_numbers(random.normal(size=900)), _numbers(random.normal(size=50)), [check], LookState())
    _, same = judge(_numbers(random.normal(size=800)), _numbers(random.normal(size=50)), [check], looks)

    assert (len(looks.recent["x"].windows), len(same.recent["x"].windows)) == (
        1,
        1 + (same.recent["x"].baseline == looks.recent["x"].baseline),
    )


def test_the_state_of_looks_survives_json_and_a_repeat_changes_nothing() -> None:
    random = np.random.default_rng(10)
    baseline = _numbers(random.lognormal(size=3000))
    checks = [Check(feature="x", statistic=statistic) for statistic in (Statistic.PSI, Statistic.CUSUM)]
    looks = LookState(horizon=24)
    for _ in range(5):
        window = _numbers(random.lognormal(size=100))
        kept = LookState.model_validate(json.loads(json.dumps(looks.model_dump(mode="json"))))
        findings, after = judge(baseline, window, checks, looks)
        assert (findings, after) == judge(baseline, window, checks, kept)
        looks = after

    assert looks.looks == 5
    assert len(looks.model_dump_json()) < 10_000


@pytest.mark.parametrize("statistic", sorted(ON_STREAMS))
def test_a_slow_rise_is_found_that_no_single_window_shows(statistic: Statistic) -> None:
    random = np.random.default_rng(11)
    baseline = _numbers(random.normal(size=20_000))
    looks, first = LookState(horizon=1000), None
    for hour in range(110):
        window = _numbers(random.normal(max(0.0, 0.01 * (hour - 40)), 1, 200))
        (found,), looks = judge(baseline, window, [Check(feature="x", statistic=statistic)], looks)
        if found.is_drifted and first is None:
            first = hour

    assert first is not None
    assert 40 < first < 105


@pytest.mark.parametrize("shape", RARE)
@pytest.mark.parametrize("n", [50, 400])
def test_without_drift_alarms_are_as_rare_as_promised(shape: str, n: int) -> None:
    """Every statistic at a threshold that noise exceeds, so that evidence alone holds alarms back: at most alpha."""
    random = np.random.default_rng(13)
    statistics = [one for one in NUMERIC if one not in {Statistic.SCORE_FLOOR, Statistic.MISSING_SHARE}]
    if shape != "errors":
        statistics = [one for one in statistics if not one.value.startswith("rate")]
    checks = [
        Check(feature="x", statistic=one, threshold=1e-6 if one is not Statistic.P95_RATIO else 1.0, alpha=0.1)
        for one in statistics
    ]
    alarmed = 0
    for _ in range(60):
        baseline, window = _numbers(RARE[shape](random, 2000)), _numbers(RARE[shape](random, n))
        findings, _ = judge(baseline, window, checks, LookState())
        alarmed += any(found.is_drifted for found in findings)

    assert alarmed <= 14  # of 60 at 10 %: more has a chance of 1 in 2,000


@pytest.mark.parametrize("statistic", NUMERIC)
@pytest.mark.parametrize(
    "values",
    [
        [1e308, -1e308, 1e307] * 20,
        [5e-324, 1e-310, 0.0] * 20,
        [1e16 + 2 * place for place in range(60)],
        [1.0],
        [0.0, 1.0] * 30,
        [0.3] * 60,
    ],
)
def test_strange_numbers_give_a_clear_finding_that_json_can_hold(statistic: Statistic, values: list[float]) -> None:
    others = np.random.default_rng(14).normal(size=50).tolist()
    for baseline, current in ((values, others), (others, values), (values, values)):
        found = _find(_numbers(baseline), _numbers(current), statistic)

        assert json.loads(json.dumps(asdict(found), allow_nan=False))["feature"] == "x"
        assert found.is_conclusive or found.why
        assert not (found.is_drifted and baseline is current and statistic is not Statistic.SCORE_FLOOR)


def test_no_checks_give_no_findings() -> None:
    assert judge({}, {}, [], LookState()) == ((), LookState(looks=1))


def test_a_finding_fits_the_event_that_tells_of_it() -> None:
    found = _find(_numbers([1.0, 2.0] * 50), _numbers([2.0, 3.0] * 50), Statistic.KOLMOGOROV_SMIRNOV)
    fields = {name: getattr(found, name) for name in DriftFinding.model_fields}

    assert DriftFinding(**fields).is_drifted
    assert all(norm.threshold > 0 for norm in NORMS.values())


def test_a_quarter_of_hourly_looks_without_drift_has_no_alarm_and_would_have_had_many() -> None:
    """Looks at 80 requests with 5 % errors, at a threshold that noise exceeds in every third window."""
    random, quarter = np.random.default_rng(18), HOURS_OF_A_YEAR // 4
    baseline = _numbers(np.repeat([0.0, 1.0], [1900, 100]))
    errors = random.binomial(80, 0.05, quarter)
    windows = {int(count): _numbers(np.repeat([0.0, 1.0], [80 - count, count])) for count in np.unique(errors)}
    check = Check(feature="x", statistic=Statistic.RATE_INCREASE, threshold=0.001)
    looks = LookState(horizon=HOURS_OF_A_YEAR)
    alarms = by_window = 0
    for count in errors.tolist():
        (found,), looks = judge(baseline, windows[count], [check], looks)
        alarms += found.is_drifted
        by_window += (found.p_value or 1) <= check.alpha

    assert (looks.looks, alarms) == (quarter, 0)
    assert by_window > 5
