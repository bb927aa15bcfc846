"""The rules over a metric's curve: what stops a job, and above all what does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hallmark.gates.curves import Point, thin
from hallmark.gates.watch_settings import TrainingWatch
from hallmark.gates.watching import (
    Seen,
    StartedJob,
    find_not_a_number,
    is_better_job,
    is_watched,
    judge,
    make_curve,
    value_at,
)

VALUES = st.floats(0.01, 100, allow_nan=False)


def watch(*rules: dict[str, Any], **more: Any) -> TrainingWatch:
    return TrainingWatch.model_validate({"metric": "loss", "better": "lower", "rules": rules, **more})


def curve(*values: float) -> list[Point]:
    return [Point(float(step), value) for step, value in enumerate(values)]


def test_a_loss_above_its_threshold_stops_the_job_only_after_as_many_values_as_patience_says() -> None:
    watching = watch({"rule": "threshold", "at_most": 1.0, "patience": 3})

    assert judge(watching, Seen(curve(0.5, 2, 2))) is None
    found = judge(watching, Seen(curve(0.5, 2, 2, 2.5)))

    assert found is not None
    assert (found.rule, found.value, found.threshold, found.step) == ("threshold", 2.5, 1.0, 3)
    assert "above 1" in found.reason


def test_one_good_value_among_the_last_keeps_the_job_running() -> None:
    watching = watch({"rule": "threshold", "at_most": 1.0, "patience": 3})

    assert judge(watching, Seen(curve(2, 2, 1.0, 2, 2))) is None


def test_a_threshold_counts_from_its_step_on() -> None:
    watching = watch({"rule": "threshold", "at_most": 1.0, "patience": 2, "after": 3})

    assert judge(watching, Seen(curve(5, 5, 5, 5))) is None
    assert judge(watching, Seen(curve(5, 5, 5, 5, 5))) is not None


def test_an_accuracy_below_its_floor_stops_the_job() -> None:
    watching = watch({"rule": "threshold", "at_least": 0.8, "patience": 1}, better="higher")

    assert judge(watching, Seen(curve(0.8))) is None
    assert judge(watching, Seen(curve(0.79))) is not None


def test_a_job_behind_the_champion_at_the_same_step_is_stopped() -> None:
    watching = watch({"rule": "champion", "margin": 0.1, "patience": 2})
    champion = [Point(0, 2.0), Point(4, 1.0)]

    as_good = judge(watching, Seen(curve(2.0, 1.75, 1.5), champion))
    behind = judge(watching, Seen(curve(2.0, 1.95, 1.9), champion))

    assert as_good is None
    assert behind is not None
    assert behind.threshold == pytest.approx(1.65)
    assert "champion's was 1.5" in behind.reason


def test_without_a_champion_its_rule_stops_nobody() -> None:
    assert judge(watch({"rule": "champion", "patience": 1}), Seen(curve(9, 99, 999))) is None


def test_what_the_champion_has_no_value_for_is_not_compared() -> None:
    champion = [Point(5, 1.0), Point(9, 0.5)]

    assert judge(watch({"rule": "champion", "patience": 2}), Seen(curve(9, 9, 9), champion)) is None


def test_beyond_the_champions_end_its_last_value_counts() -> None:
    champion = [Point(0, 1.0), Point(2, 0.5)]

    assert value_at(champion, 7) == 0.5
    assert judge(watch({"rule": "champion", "patience": 1}), Seen([Point(7, 0.54)], champion)) is None
    assert judge(watch({"rule": "champion", "patience": 1}), Seen([Point(7, 0.56)], champion)) is not None


def test_a_loss_that_does_not_improve_any_more_is_on_a_plateau() -> None:
    watching = watch({"rule": "plateau", "patience": 3, "improvement": 0.01})

    assert judge(watching, Seen(curve(1, 0.5, 0.5, 0.48, 0.5))) is None
    assert judge(watching, Seen(curve(1, 0.5, 0.495, 0.494, 0.495))) is not None


def test_a_loss_that_explodes_diverges_and_one_spike_does_not() -> None:
    watching = watch({"rule": "divergence", "factor": 3, "patience": 2})

    assert judge(watching, Seen(curve(1, 0.5, 9, 0.5))) is None
    found = judge(watching, Seen(curve(1, 0.5, 1.6, 9)))

    assert found is not None
    assert (found.rule, found.threshold) == ("divergence", 1.5)


def test_a_loss_near_zero_does_not_explode_by_a_tiny_change() -> None:
    watching = watch({"rule": "divergence", "factor": 3, "patience": 1, "least_change": 0.1})

    assert judge(watching, Seen(curve(1, 1e-6, 1e-4))) is None
    assert judge(watching, Seen(curve(1, 1e-6, 0.2))) is not None


@pytest.mark.parametrize(("better", "values"), [("higher", (-100, -400)), ("higher", (0.9, 0.2)), ("lower", (-9, -1))])
def test_explosions_are_told_by_the_metrics_own_direction(better: str, values: tuple[float, float]) -> None:
    watching = watch({"rule": "divergence", "factor": 3, "patience": 1}, better=better)

    assert judge(watching, Seen(curve(*values))) is not None
    assert judge(watching, Seen(curve(*reversed(values)))) is None


def test_a_line_with_nan_in_the_metrics_place_stops_the_job_before_any_value_was_published() -> None:
    watching = watch({"rule": "divergence"}, min_steps=1000)

    found = judge(watching, Seen((), not_a_number="step 3 loss=nan"))

    assert found is not None
    assert (found.rule, found.step) == ("divergence", None)
    assert "loss=nan" in found.reason


def test_whoever_does_not_ask_for_nan_is_not_stopped_by_it() -> None:
    watching = watch({"rule": "divergence", "not_a_number": False})

    assert judge(watching, Seen((), not_a_number="loss=nan")) is None


def test_a_metric_that_falls_silent_diverges_where_policy_says_so() -> None:
    watching = watch({"rule": "divergence", "silence": "5 minutes"})

    assert judge(watching, Seen(curve(1, 0.9), silent_seconds=299)) is None
    assert judge(watching, Seen(curve(1, 0.9), silent_seconds=301)) is not None


def test_before_the_least_step_no_rule_is_asked() -> None:
    watching = watch({"rule": "threshold", "at_most": 1.0, "patience": 1}, min_steps=3)

    assert judge(watching, Seen(curve(9, 9, 9))) is None
    assert judge(watching, Seen(curve(9, 9, 9, 9))) is not None


@pytest.mark.parametrize(
    ("pattern", "line", "odd"),
    [
        ("loss=([0-9.]+)", "epoch 3 loss=nan lr=0.1", True),
        ("loss=([0-9.]+)", "epoch 3 loss= -Infinity", True),
        ("loss=([0-9.]+)", "epoch 3 loss=0.3 banana", False),
        ("loss=([0-9.]+)", "nanny loss=0.3", False),
        ("loss=(.*?);", "loss=NaN;", True),
        ("loss=(.*?);", "loss=fine;", False),
        ("([0-9.]+)", "nan", False),
        ("loss=(", "loss=nan", False),
    ],
)
def test_nan_is_found_where_the_metric_would_stand(pattern: str, line: str, odd: bool) -> None:
    assert (find_not_a_number([line], pattern) is not None) is odd


def test_jobs_are_chosen_by_name_and_tags() -> None:
    watching = watch(
        {"rule": "divergence"}, jobs={"names": ["churn-*", "fraud"], "tags": {"team": "ml-*", "stage": "dev"}}
    )

    assert is_watched(watching, StartedJob(("churn-7",), {"team": "ml-risk", "stage": "dev"}))
    assert not is_watched(watching, StartedJob(("churn-7",), {"team": "ml-risk"}))
    assert not is_watched(watching, StartedJob(("spam-7",), {"team": "ml-risk", "stage": "dev"}))


def test_a_metric_is_joined_with_its_step_by_time() -> None:
    values = {100.0: 1.0, 160.0: 0.8, 220.0: 0.7}

    assert make_curve(values, {}, 100.0) == [Point(0, 1.0), Point(60, 0.8), Point(120, 0.7)]
    # The first has no step yet, the last one has the step that was told before it.
    assert make_curve(values, {160.0: 10.0}, 100.0) == [Point(10, 0.7)]
    assert make_curve(values, {100.0: 5.0, 160.0: 10.0, 220.0: 15.0}, 0) == [
        Point(5, 1.0),
        Point(10, 0.8),
        Point(15, 0.7),
    ]


def test_the_first_completed_job_is_the_champion_until_a_better_one_comes() -> None:
    assert is_better_job(9, None, "lower")
    assert is_better_job(0.4, 0.5, "lower")
    assert not is_better_job(0.5, 0.5, "lower")
    assert is_better_job(0.6, 0.5, "higher")


@pytest.mark.parametrize(
    ("given_watch", "remedy"),
    [
        ({"rules": [{"rule": "threshold"}]}, "either at_most or at_least"),
        ({"rules": [{"rule": "threshold", "at_most": 1, "at_least": 0}]}, "either at_most or at_least"),
        ({"rules": []}, "at least 1 item"),
        ({"rules": [{"rule": "divergence"}], "period": "7 seconds"}, "whole minutes"),
        ({"rules": [{"rule": "hunch"}]}, "expected tags"),
    ],
)
def test_a_watch_that_says_nothing_clear_is_refused(given_watch: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ValidationError, match=remedy):
        TrainingWatch.model_validate({"metric": "loss", "better": "lower", **given_watch})


def test_defaults_look_every_other_minute_at_means_of_a_minute() -> None:
    watching = watch({"rule": "divergence"})

    assert (watching.interval, watching.period) == (timedelta(minutes=2), timedelta(minutes=1))


RULES = (
    {"rule": "plateau", "patience": 2},
    {"rule": "divergence", "patience": 1},
    {"rule": "champion", "patience": 1, "margin": 0.0},
)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=40, unique=True))
def test_a_job_that_only_gets_better_and_is_its_own_champion_is_never_stopped(values: list[float]) -> None:
    falling = curve(*sorted(values, reverse=True))

    assert judge(watch(*RULES), Seen(falling, falling)) is None
    rising = curve(*sorted(values))
    assert judge(watch(*RULES, better="higher"), Seen(rising, rising)) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=40), st.integers(-20, 20))
def test_the_unit_of_a_metric_changes_no_verdict_on_divergence_or_against_the_champion(
    values: list[float], exponent: int
) -> None:
    rules = ({"rule": "divergence", "patience": 1}, {"rule": "champion", "patience": 1, "margin": 0.125})
    champion = [50.0] * len(values)
    unit = 2.0**exponent  # changes no digit of a value

    plain = judge(watch(*rules), Seen(curve(*values), curve(*champion)))
    scaled = judge(
        watch(*rules), Seen(curve(*(value * unit for value in values)), curve(*(value * unit for value in champion)))
    )

    assert (plain and plain.rule) == (scaled and scaled.rule)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, max_size=400), st.integers(2, 120))
def test_a_thinned_curve_keeps_both_ends_and_its_order(values: list[float], points: int) -> None:
    whole = curve(*values)

    thinned = thin(whole, points)

    assert len(thinned) == min(points, len(whole))
    assert thinned == sorted(thinned)
    assert set(thinned) <= set(whole)
    if whole:
        assert (thinned[0], thinned[-1]) == (whole[0], whole[-1])
