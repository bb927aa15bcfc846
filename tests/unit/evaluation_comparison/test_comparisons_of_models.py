from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.evaluation.comparison.evidence import EvaluatedModel, Provenance, Strata
from hallmark.evaluation.comparison.making import make_report
from hallmark.evaluation.comparison.report import Comparison, Report, read_report, write_report
from hallmark.evaluation.results import CaseResult, Score
from hallmark.evaluation.suites import ComparisonSettings, Template
from hallmark.statistics.corrections import adjust
from hallmark.statistics.paired import mcnemar, paired_t, sign_flip
from hallmark.statistics.pairs import PairedCounts
from hallmark.statistics.resampling import mean_of_sums
from hallmark.statistics.verdicts import Answer, Finding
from tests.fakes.evaluated_cases import DELAY, QUALITY, RATIO, RIGHT, answer, evidence_of, failed, scored, scores_of


def the_answer(report: Report) -> Comparison:
    (found,) = report.answers
    return found


def rates(only_new: int, only_old: int, both: int = 40, neither: int = 10) -> dict[str, list[int]]:
    old = [1] * both + [0] * only_new + [1] * only_old + [0] * neither
    new = [1] * both + [1] * only_new + [0] * only_old + [0] * neither
    return {"old": old, "new": new}


def test_rates_are_compared_by_mcnemars_test_on_the_same_cases() -> None:
    found = the_answer(make_report(evidence_of(scores_of(rates(15, 3)))))

    expected = mcnemar(PairedCounts(both=40, only_candidate=15, only_baseline=3, neither=10))
    assert (found.p_value, found.method) == (expected.p_value, expected.method)
    assert found.difference == pytest.approx(12 / 68)
    assert found.cases == 68
    assert expected.interval is not None
    assert found.span is not None
    assert (found.span.low, found.span.high) == (expected.interval.low, expected.interval.high)
    assert (found.answer, found.effect_size) == (Answer.BETTER, 5.0)


def test_only_cases_that_both_have_answered_are_compared() -> None:
    results = [scored("old", case, 1) for case in range(10)] + [scored("new", case, 0) for case in range(5, 30)]
    results += [failed("new", case) for case in range(5)]

    found = the_answer(make_report(evidence_of(results)))

    assert (found.cases, found.baseline_value, found.candidate_value) == (5, 1.0, 0.0)


def test_few_differing_cases_are_swapped_and_many_have_students_t() -> None:
    source = np.random.default_rng(2)
    for n, oracle in ((60, sign_flip), (900, paired_t)):
        old, new = source.uniform(0, 0.8, n), source.uniform(0.1, 1.0, n)

        found = the_answer(
            make_report(evidence_of(scores_of({"old": old.tolist(), "new": new.tolist()}, QUALITY), QUALITY))
        )

        assert found.p_value == oracle(new, old).p_value
        interval = paired_t(new, old).interval
        assert interval is not None
        assert found.span is not None
        assert (found.span.low, found.span.high) == (interval.low, interval.high)


def test_repeats_are_averaged_in_their_case_before_models_are_compared() -> None:
    source = np.random.default_rng(5)
    passes = {model: source.integers(0, 2, size=(30, 4)) for model in ("old", "new")}
    results = [
        scored(model, case, float(passes[model][case, epoch]), epoch=epoch)
        for model in passes
        for case in range(30)
        for epoch in range(4)
    ]

    found = the_answer(make_report(evidence_of(results)))

    assert found.cases == 30
    assert found.p_value == sign_flip(passes["new"].mean(axis=1), passes["old"].mean(axis=1)).p_value


def sums(model: str, case: int, value: float) -> CaseResult:
    return CaseResult(
        model=model,
        dataset="questions",
        case=f"{case:04d}",
        answer=answer(),
        scores=(Score(metric="ratio", statistics=(value, 1.0)),),
    )


def test_a_metric_of_the_corpus_is_compared_by_a_paired_bootstrap() -> None:
    source = np.random.default_rng(8)
    old = source.uniform(0, 1, 300)
    new = old + source.normal(0.02, 0.1, 300)
    results = [
        sums(model, case, value) for model, values in (("old", old), ("new", new)) for case, value in enumerate(values)
    ]

    found = the_answer(make_report(evidence_of(results, RATIO), {"ratio": mean_of_sums}))

    by_t = paired_t(new, old)
    assert found.difference == pytest.approx(by_t.effect)
    assert found.p_value == pytest.approx(by_t.p_value, abs=0.02)
    assert "paired bootstrap" in found.method


def test_a_p_value_beyond_the_resamples_is_not_rounded_up_to_their_number() -> None:
    source = np.random.default_rng(8)
    old = source.uniform(0, 1, 400)
    new = old + source.normal(0.1, 0.05, 400)
    results = [
        sums(model, case, value) for model, values in (("old", old), ("new", new)) for case, value in enumerate(values)
    ]

    found = the_answer(make_report(evidence_of(results, RATIO), {"ratio": mean_of_sums}))

    assert found.p_value == pytest.approx(paired_t(new, old).p_value, rel=1e-6)
    assert "jackknife" in found.method


def test_the_suites_question_is_corrected_over_its_models_and_the_rest_over_everything() -> None:
    source = np.random.default_rng(4)
    models = {name: source.integers(0, 2, 60) for name in ("old", "a", "b")}
    results = [
        scored(name, case, float(value), group="xy"[case % 2])
        for name, values in models.items()
        for case, value in enumerate(values)
    ]

    report = make_report(evidence_of(results, models=("old", "a", "b")))

    answers = [each for each in report.comparisons if each.is_primary]
    others = [each for each in report.comparisons if not each.is_primary]
    assert [each.adjusted_p for each in answers] == adjust([each.p_value or 0 for each in answers]).tolist()
    everything = adjust([each.p_value or 0 for each in report.comparisons]).tolist()
    assert [each.adjusted_p for each in others] == everything[len(answers) :]
    assert ({each.tests for each in answers}, {each.tests for each in others}) == ({2}, {6})


def test_a_difference_that_many_questions_could_find_by_chance_is_no_finding() -> None:
    values = rates(12, 3, both=60)
    names = ["new", *(f"same-{number}" for number in range(19))]
    results = scores_of({"old": values["old"], "new": values["new"], **dict.fromkeys(names[1:], values["old"])})

    alone = the_answer(make_report(evidence_of(scores_of(values))))
    among = make_report(evidence_of(results, models=("old", *names))).answers[0]

    assert alone.finding is Finding.BETTER
    assert (among.candidate, among.finding) == ("new", Finding.CANNOT_TELL)


def test_a_verdict_that_is_open_says_how_many_more_cases_would_tell() -> None:
    found = the_answer(make_report(evidence_of(scores_of(rates(8, 5)))))

    assert (found.answer, found.finding) == (Answer.CANNOT_TELL, Finding.CANNOT_TELL)
    assert found.more_cases is not None
    assert found.more_cases > 63


def test_with_a_margin_a_model_can_be_as_good() -> None:
    settings_ = ComparisonSettings(margin=0.05)
    evidence = evidence_of(scores_of(rates(5, 5, both=900)), settings=settings_, template=Template.REGRESSION)

    report = make_report(evidence)

    found = the_answer(report)
    assert (found.finding, found.is_non_inferior) == (Finding.EQUIVALENT, True)
    assert report.headline == "new is not worse than old on Right answers by 0.05 or more."


def test_what_is_held_against_the_margin_is_wider_where_several_models_are() -> None:
    values = rates(8, 12, both=400)
    settings_ = ComparisonSettings(margin=0.05)
    names = ("new", "b", "c", "d", "e")
    results = scores_of({"old": values["old"], **dict.fromkeys(names, values["new"])})

    single = the_answer(make_report(evidence_of(scores_of(values), settings=settings_)))
    several = make_report(evidence_of(results, models=("old", *names), settings=settings_)).answers[0]

    assert several.span == single.span
    assert several.margin_span is not None
    assert several.span is not None
    assert several.margin_span.low is not None
    assert several.span.low is not None
    assert several.margin_span.low < several.span.low
    assert several.margin_span.confidence == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        ({"data": {"questions": "2" * 64}}, "dataset questions differ"),
        ({"prompts": {"questions": "other"}}, "prompts of the dataset questions differ"),
        ({"signatures": {"right": "right|v0"}}, "scorers of right differ"),
        ({"data": {}}, "unknown of old"),
    ],
)
def test_results_on_other_data_prompts_or_scorers_are_not_compared(
    given_: dict[str, dict[str, str]], reason: str
) -> None:
    same = {"data": {"questions": "1" * 64}, "prompts": {"questions": ""}, "signatures": {"right": "right|v1"}}
    models = (
        EvaluatedModel(name="old", provenance=Provenance(run="earlier", **{**same, **given_})),
        EvaluatedModel(name="new"),
    )
    evidence = evidence_of(scores_of(rates(15, 3)))

    report = make_report(evidence.model_copy(update={"models": models}))

    found = the_answer(report)
    assert any(reason in each for each in found.incomparable)
    assert (found.p_value, found.difference, found.answer) == (None, None, Answer.CANNOT_TELL)
    assert report.headline == "new cannot be compared with old."
    assert any("not compared" in note for note in report.notes)


def test_results_of_an_earlier_run_on_the_same_data_are_compared() -> None:
    same = Provenance(
        run="earlier", data={"questions": "1" * 64}, prompts={"questions": ""}, signatures={"right": "right|v1"}
    )
    models = (EvaluatedModel(name="old", provenance=same), EvaluatedModel(name="new"))
    evidence = evidence_of(scores_of(rates(15, 3))).model_copy(update={"models": models})

    assert the_answer(make_report(evidence)).answer is Answer.BETTER


def test_without_a_champion_all_are_compared_with_all() -> None:
    values = {name: [float(case % place == 0) for case in range(60)] for place, name in enumerate("abc", start=1)}

    report = make_report(evidence_of(scores_of(values), models="abc", champion=None))

    assert [(each.candidate, each.baseline) for each in report.answers] == [("b", "a"), ("c", "a"), ("c", "b")]
    assert report.headline == "a is better than all others on Right answers."


def test_identical_answers_are_not_read_as_equal_models_from_few_cases() -> None:
    settings_ = ComparisonSettings(margin=0.1)
    few, many = (
        the_answer(
            make_report(
                evidence_of(scores_of({"old": [0.5] * n, "new": [0.5] * n}, QUALITY), QUALITY, settings=settings_)
            )
        )
        for n in (4, 1000)
    )

    assert (few.finding, few.p_value) == (Finding.CANNOT_TELL, 1.0)
    assert many.finding is Finding.EQUIVALENT


def test_a_run_that_may_stop_early_is_judged_so_that_looking_does_no_harm() -> None:
    settings_ = ComparisonSettings(early_stopping=True)

    found = the_answer(make_report(evidence_of(scores_of(rates(30, 3)), settings=settings_)))

    assert "e-process" in found.method
    assert found.answer is Answer.BETTER
    assert found.span is not None
    assert found.span.method == "betting confidence sequence"
    assert found.p_value is not None
    assert found.p_value > mcnemar(PairedCounts(40, 30, 3, 10)).p_value


@pytest.mark.parametrize(
    ("results", "models"),
    [
        ([], ("old", "new")),
        ([failed(model, case) for model in ("old", "new") for case in range(5)], ("old", "new")),
        ([scored("old", case, 1) for case in range(5)], ("old", "new")),
        ([scored("old", 1, 1), scored("new", 1, 0)], ("old", "new")),
        ([scored("old", 1, 1), scored("new", 2, 0)], ("old", "new")),
        ([scored("old", 1, 1)], ("old",)),
    ],
    ids=["nothing", "all failed", "one model missing", "single case", "nothing in common", "one model"],
)
def test_poor_evidence_gives_a_clear_report(results: list[CaseResult], models: tuple[str, ...]) -> None:
    report = make_report(evidence_of(results, RIGHT, QUALITY, models=models, planned=5))

    assert all(each.answer is Answer.CANNOT_TELL for each in report.comparisons)
    assert report.headline
    assert read_report(write_report(report)) == report


def test_a_model_that_answered_nothing_is_named() -> None:
    results = [scored("old", case, 1) for case in range(5)] + [failed("new", case) for case in range(5)]

    report = make_report(evidence_of(results))

    assert "new answered nothing (5 throttled): it is in no estimate and no comparison." in report.notes
    assert report.headline == "new cannot be compared with old."


VALUES = st.lists(st.sampled_from([0.0, 1.0]), min_size=0, max_size=12)


@settings(max_examples=40, deadline=None)
@given(st.fixed_dictionaries({"old": VALUES, "new": VALUES, "third": VALUES}), st.randoms(use_true_random=True))
def test_the_order_of_results_changes_no_byte(values: dict[str, list[float]], order: random.Random) -> None:
    results = [
        scored(model, case, value, group="xy"[case % 2])
        for model, scores in values.items()
        for case, value in enumerate(scores)
    ]
    shuffled = [*results, *results[:3]]
    order.shuffle(shuffled)

    first, second = (
        write_report(make_report(evidence_of(each, RIGHT, models=("old", "new", "third"), planned=12)))
        for each in (results, shuffled)
    )

    assert first == second
    assert write_report(read_report(first)) == first


def test_of_two_different_results_of_one_call_the_answered_one_counts_whatever_came_first() -> None:
    results = [scored("old", 1, 1), failed("old", 1), scored("new", 1, 1)]

    reports = [make_report(evidence_of(each)) for each in (results, results[::-1])]

    assert reports[0] == reports[1]
    assert reports[0].coverage[0].answered == 1
    assert any("came twice with different content" in note for note in reports[0].notes)


def test_the_cases_that_differ_most_stand_side_by_side() -> None:
    results = [
        scored(model, case, value, QUALITY, answer=answer(f"{model} says {case}"))
        for model, shift in (("old", 0.0), ("new", 0.01))
        for case, value in enumerate([0.5 + shift * case for case in range(10)])
    ]

    report = make_report(evidence_of(results, QUALITY))

    assert [(each.case, each.candidate_answer) for each in report.cases] == [
        ("case-0009", "new says 9"),
        ("case-0008", "new says 8"),
        ("case-0007", "new says 7"),
    ]


def test_a_safety_suite_says_what_gaps_between_groups_are() -> None:
    results = [
        scored(model, case, float(case % 2 == 0 or case % 20 == 1), group="ab"[case % 2])
        for model in ("old", "new")
        for case in range(200)
    ]

    headline = make_report(evidence_of(results, template=Template.SAFETY)).headline

    assert headline.endswith(
        "Gaps between groups are shown for old and new; the largest is that of old on right, a above b by 0.9."
    )


def test_a_comparison_stands_for_the_population_where_strata_were_sampled_unequally() -> None:
    source = np.random.default_rng(3)
    results = [
        scored(model, case, float(source.uniform(low, low + 0.2)), QUALITY, group="rare" if case < 40 else "usual")
        for model, rare, usual in (("old", 0.1, 0.7), ("new", 0.6, 0.5))
        for case in range(60)
        for low in [rare if case < 40 else usual]
    ]
    strata = Strata(by="group", shares={"rare": 0.1, "usual": 0.9})

    report = make_report(evidence_of(results, QUALITY, strata=strata))

    found, estimate = the_answer(report), report.estimate_of("new", "quality")
    assert estimate is not None
    assert found.candidate_value == pytest.approx(estimate.value)
    assert found.difference == pytest.approx(0.1 * 0.5 - 0.9 * 0.2, abs=0.05)
    assert found.finding is Finding.WORSE


def test_where_less_is_better_less_is_better() -> None:
    source = np.random.default_rng(3)
    old = source.lognormal(5, 0.3, 200)
    results = scores_of({"old": old.tolist(), "new": (old * 0.8).tolist()}, DELAY)

    found = the_answer(make_report(evidence_of(results, DELAY)))

    assert found.difference is not None
    assert found.difference < 0
    assert found.finding is Finding.BETTER


def test_an_interval_of_a_difference_ends_where_scores_end() -> None:
    results = scores_of({"old": [0.0, 0.05, 0.0], "new": [1.0, 1.0, 0.9]}, QUALITY)

    span = the_answer(make_report(evidence_of(results, QUALITY))).span

    assert span is not None
    assert span.high == 1.0


def test_what_answers_the_question_comes_first() -> None:
    results = [
        CaseResult(
            model=model,
            dataset="questions",
            case=str(case),
            answer=answer(),
            scores=(Score(metric="right", value=1), Score(metric="quality", value=0.5)),
        )
        for model in ("old", "new")
        for case in range(9)
    ]

    report = make_report(evidence_of(results, RIGHT, QUALITY, settings=ComparisonSettings(primary="quality")))

    assert [(each.metric, each.is_primary) for each in report.comparisons] == [("quality", True), ("right", False)]


def test_looks_at_several_models_share_the_error_between_them() -> None:
    values = rates(12, 3)
    settings_ = ComparisonSettings(early_stopping=True)
    names = ("new", "b", "c")
    results = scores_of({"old": values["old"], **dict.fromkeys(names, values["new"])})

    single = the_answer(make_report(evidence_of(scores_of(values), settings=settings_)))
    several = make_report(evidence_of(results, models=("old", *names), settings=settings_)).answers[0]

    assert single.p_value == several.p_value
    assert several.p_value is not None
    assert several.adjusted_p == pytest.approx(min(1.0, 3 * several.p_value))
    assert several.adjusted_p != several.p_value


def test_the_cases_that_differ_most_are_losses_first_also_where_less_is_better() -> None:
    results = scores_of({"old": [100.0] * 4, "new": [90.0, 100.0, 150.0, 100.0]}, DELAY)

    report = make_report(evidence_of(results, DELAY))

    assert [each.case for each in report.cases] == ["case-0002", "case-0000"]
