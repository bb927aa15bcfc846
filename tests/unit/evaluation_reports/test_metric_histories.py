from __future__ import annotations

import json
import random
from datetime import timedelta

import pytest

from hallmark.errors import InvalidInputError
from hallmark.evaluation.comparison.evidence import EvaluatedData, EvaluatedModel, Provenance
from hallmark.evaluation.comparison.making import make_report
from hallmark.evaluation.comparison.report import Report, write_report
from hallmark.evaluation.reports.history import history_of
from tests.fakes.evaluated_cases import DELAY, NOON, evidence_of, scores_of


def run_of(number: int, passed: int, *, digest: str = "1", prompts: str = "", n: int = 200) -> Report:
    data = EvaluatedData(name="questions", digest=digest * 64, prompts=prompts, cases=n, drawn=n)
    values = {"old": [float(case < passed) for case in range(n)]}
    return make_report(
        evidence_of(
            scores_of(values),
            models=["old"],
            run=f"run-{number:02d}",
            completed_at=NOON + timedelta(days=number),
            data=(data,),
        )
    )


def test_runs_are_joined_in_the_order_of_time_whatever_order_they_come_in() -> None:
    reports = [run_of(number, 150 + number) for number in range(6)]
    shuffled = [*reports, reports[2]]
    random.Random(1).shuffle(shuffled)  # noqa: S311 - an order, not a secret

    found = history_of(shuffled)

    assert [point.run for point in found.lines[0].points] == [f"run-{number:02d}" for number in range(6)]
    assert found == history_of(reports)


def test_reports_as_json_are_read_as_well() -> None:
    reports = [run_of(number, 150) for number in range(3)]

    assert history_of([json.loads(write_report(report)) for report in reports]) == history_of(reports)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"digest": "2"}, "dataset questions changed"), ({"prompts": "new"}, "prompts of the dataset questions changed")],
)
def test_a_change_of_dataset_or_prompt_breaks_the_line_and_says_so(changed: dict[str, str], reason: str) -> None:
    reports = [run_of(0, 150), run_of(1, 150), run_of(2, 60, **changed)]  # type: ignore[arg-type]  # digest, prompts

    (line,) = history_of(reports).lines

    assert [(each.before, each.after, each.reasons) for each in line.breaks] == [("run-01", "run-02", (reason,))]
    assert line.regression is None


def test_another_system_prompt_breaks_the_line_of_its_model() -> None:
    reports = [run_of(0, 150), run_of(1, 150)]
    told = tuple(
        each.model_copy(update={"prompts": "be brief"}) if each.name == "old" else each for each in reports[1].models
    )
    reports[1] = reports[1].model_copy(update={"models": told})

    breaks = {line.model: [each.reasons for each in line.breaks] for line in history_of(reports).lines}

    assert breaks == {"old": [("system prompt of old changed",)]}


def test_a_change_of_the_scorer_breaks_the_line() -> None:
    second = run_of(1, 150)
    changed = second.model_copy(update={"metrics": (second.metrics[0].model_copy(update={"signature": "right|v2"}),)})

    (line,) = history_of([run_of(0, 150), changed]).lines

    assert line.breaks[0].reasons == ("scorer changed from right|v1 to right|v2",)


def test_a_change_of_the_level_is_found_where_it_is() -> None:
    reports = [run_of(number, 170 + number % 3) for number in range(8)]
    reports += [run_of(number, 130 + number % 3) for number in range(8, 16)]

    (line,) = history_of(reports).lines

    assert [change.run for change in line.changes] == ["run-08"]
    assert line.changes[0].before == pytest.approx(0.855, abs=0.01)
    assert line.changes[0].after == pytest.approx(0.655, abs=0.01)


def test_a_regression_names_the_last_good_run() -> None:
    reports = [run_of(0, 180), run_of(1, 178), run_of(2, 120), run_of(3, 118)]

    (line,) = history_of(reports).lines

    assert line.regression is not None
    assert (line.regression.run, line.regression.since) == ("run-03", "run-01")
    assert line.regression.difference == pytest.approx(-0.3)
    assert line.regression.span.high is not None
    assert line.regression.span.high < 0


def test_a_run_that_is_good_again_ends_the_regression() -> None:
    (line,) = history_of([run_of(0, 180), run_of(1, 120), run_of(2, 181)]).lines

    assert line.regression is None


def test_few_runs_are_said_to_be_too_few() -> None:
    (line,) = history_of([run_of(0, 180), run_of(1, 180)]).lines

    assert not line.can_find_changes
    assert line.sentence == "Too few comparable runs to tell a change from chance."


def test_results_taken_over_from_another_run_are_no_point_of_their_own() -> None:
    second = run_of(1, 150)
    taken = second.model_copy(update={"models": (EvaluatedModel(name="old", provenance=Provenance(run="run-00")),)})

    (line,) = history_of([run_of(0, 150), taken]).lines

    assert [point.run for point in line.points] == ["run-00"]


def test_a_report_of_another_version_is_left_out_and_named() -> None:
    newer = {**json.loads(write_report(run_of(1, 150))), "schema_version": 99}

    found = history_of([run_of(0, 150), newer])

    assert (found.runs, [each.run for each in found.skipped]) == (1, ["run-01"])
    assert "schema_version" in found.skipped[0].reason


def test_an_unknown_metric_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InvalidInputError, match="metric is 'speed': the suite's runs measured right"):
        history_of([run_of(0, 150)], "speed")


def test_no_report_at_all_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="at least one report"):
        history_of([])


@pytest.mark.parametrize(("after", "is_regression"), [(300.0, True), (50.0, False)])
def test_where_less_is_better_more_is_a_regression(after: float, is_regression: bool) -> None:
    reports = [
        make_report(
            evidence_of(
                scores_of({"old": [level + case % 7 for case in range(50)]}, DELAY),
                DELAY,
                models=["old"],
                run=f"run-{number}",
                completed_at=NOON + timedelta(days=number),
            )
        )
        for number, level in enumerate([100.0, 100.0, after])
    ]

    (line,) = history_of(reports).lines

    assert (line.regression is not None) is is_regression
