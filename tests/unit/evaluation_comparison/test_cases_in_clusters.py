"""Cases that share a passage are fewer observations than there are cases: what a report says then."""

from __future__ import annotations

import json
import random
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from hallmark.aws.gate_measurements import measured_of
from hallmark.evaluation.batches import result_of
from hallmark.evaluation.case_table import write_case_table
from hallmark.evaluation.cases import Case
from hallmark.evaluation.comparison.comparing import Contest
from hallmark.evaluation.comparison.gathering import gather
from hallmark.evaluation.comparison.making import make_report
from hallmark.evaluation.comparison.report import Comparison, Estimate, Report, write_report
from hallmark.evaluation.comparison.stopping import decide_continuation
from hallmark.evaluation.comparison.weighting import Weighting
from hallmark.evaluation.datasets.reading import read_dataset
from hallmark.evaluation.metrics import Metric
from hallmark.evaluation.ports import AnswerKey, Asked, Outcome
from hallmark.evaluation.results import CaseResult, Score
from hallmark.evaluation.suites import ComparisonSettings, DatasetFormat, DatasetSource
from hallmark.statistics.resampling import mean_of_sums
from hallmark.statistics.verdicts import Finding
from tests.fakes.evaluated_cases import QUALITY, RATIO, RIGHT, answer, evidence_of, scored
from tests.fakes.evaluation_run import VARIANT

CORPORA = {RATIO.name: mean_of_sums}


def passages(sizes: list[int]) -> list[str]:
    """The passage of each question, of passages with so many."""
    return [f"passage-{number:03d}" for number, size in enumerate(sizes) for _ in range(size)]


def results_of(
    scores: dict[str, list[float]], clusters: list[str] | None, metric: Metric = RIGHT, **others: Any
) -> list[CaseResult]:
    found = []
    for model, values in scores.items():
        for place, value in enumerate(values):
            result = scored(model, place, value, metric, **others)
            if metric is RATIO:
                statistics = (Score(metric=RATIO.name, statistics=(value, 1.0)),)
                result = result.model_copy(update={"scores": statistics})
            cluster = None if clusters is None else clusters[place]
            found.append(result.model_copy(update={"cluster": cluster}))
    return found


def the_answer(report: Report) -> Comparison:
    (found,) = report.answers
    return found


def the_estimate(report: Report, metric: Metric = RIGHT) -> Estimate:
    found = report.estimate_of("new", metric.name)
    assert found is not None
    return found


def alike(chance: np.random.Generator, clusters: list[str], metric: Metric) -> dict[str, list[float]]:
    """Two models that are equally good, each of which does well on passages of its own."""
    codes = np.unique(clusters, return_inverse=True)[1]
    found = {}
    for model in ("old", "new"):
        chances = chance.beta(0.5, 0.5, size=codes.max() + 1)[codes]
        rates = (chance.random(len(codes)) < chances).astype(float)
        found[model] = (rates if metric is RIGHT else 0.8 * chances + 0.2 * rates).tolist()
    return found


def share_of_findings(metric: Metric, sizes: list[int], trials: int, *, named: bool) -> float:
    """How often the comparison that answers the suite's question finds a difference."""
    labels = passages(sizes)
    wrong = 0
    for trial in range(trials):
        scores = alike(np.random.default_rng(trial), labels, metric)
        evidence = evidence_of(results_of(scores, labels if named else None, metric), metric)
        gathered = gather(evidence)
        contest = Contest(evidence, gathered, Weighting.of(evidence, gathered), CORPORA)
        (found,) = [each for each in contest.compare() if each.is_primary]
        wrong += found.finding is not Finding.CANNOT_TELL
    return wrong / trials


@pytest.mark.parametrize("metric", [RIGHT, QUALITY, RATIO], ids=lambda metric: metric.name)
@pytest.mark.parametrize("sizes", [[8] * 20, [1, 2, 3, 5, 9, 14] * 5], ids=["even", "uneven"])
def test_false_findings_stay_at_the_level_with_clusters_and_are_many_without(metric: Metric, sizes: list[int]) -> None:
    trials = 200 if metric is not RATIO else 100

    # Three standard errors of the simulation above 5 %.
    assert share_of_findings(metric, sizes, trials, named=True) <= 0.05 + 3 * (0.05 * 0.95 / trials) ** 0.5
    assert share_of_findings(metric, sizes, 60, named=False) > 0.25


@pytest.mark.parametrize("metric", [RIGHT, QUALITY, RATIO], ids=lambda metric: metric.name)
def test_copies_of_questions_add_nothing(metric: Metric) -> None:
    scores = alike(np.random.default_rng(3), passages([1] * 40), metric)
    copied = {model: [value for value in values for _ in range(6)] for model, values in scores.items()}

    def width(scores: dict[str, list[float]], clusters: list[str] | None) -> tuple[float, float]:
        report = make_report(evidence_of(results_of(scores, clusters, metric), metric), CORPORA)
        spans = (the_estimate(report, metric).span, the_answer(report).span)
        first, second = (each.high - each.low for each in spans if each is not None and each.high and each.low)
        return first, second

    single = width(scores, None)
    assert width(copied, passages([6] * 40)) == pytest.approx(single, rel=0.12)
    assert width(copied, None)[1] < 0.6 * single[1]


@pytest.mark.parametrize("metric", [RIGHT, QUALITY], ids=lambda metric: metric.name)
def test_intervals_cover_where_cases_share_passages(metric: Metric) -> None:
    labels = passages([6] * 30)
    covered = 0
    for trial in range(100):
        scores = alike(np.random.default_rng(trial), labels, metric)
        found = the_estimate(make_report(evidence_of(results_of(scores, labels, metric), metric)), metric)
        assert found.span is not None
        covered += (found.span.low or 0) <= 0.5 <= (found.span.high or 1)
    assert covered >= 88


def test_a_real_difference_is_found() -> None:
    labels = passages([5] * 30)
    chance = np.random.default_rng(1)
    scores = {
        "old": (chance.random(150) < 0.4).astype(float).tolist(),
        "new": (chance.random(150) < 0.8).astype(float).tolist(),
    }

    report = make_report(evidence_of(results_of(scores, labels)))

    found = the_answer(report)
    assert (found.finding, found.cases, found.clusters) == (Finding.BETTER, 150, 30)
    assert found.effective_clusters == pytest.approx(30)
    assert found.method.startswith("sign flip of clusters")
    assert any("150 cases are in 30 clusters" in note and "worth 30.0 of equal size" in note for note in report.notes)


@pytest.mark.parametrize(
    ("sizes", "clusters"), [([20] * 9, 9), ([1] * 50 + [60], 51), ([180], 1)], ids=["few", "one rules", "one"]
)
@pytest.mark.parametrize("metric", [RIGHT, QUALITY, RATIO], ids=lambda metric: metric.name)
def test_too_few_clusters_cannot_tell_however_many_cases_there_are(
    sizes: list[int], clusters: int, metric: Metric
) -> None:
    count = sum(sizes)
    chance = random.Random(0)  # noqa: S311 - no secret
    scores = {"old": [0.0] * count, "new": [float(chance.random() < 0.9) for _ in range(count)]}

    report = make_report(evidence_of(results_of(scores, passages(sizes), metric), metric), CORPORA)

    found = the_answer(report)
    assert (found.finding, found.clusters, found.span, found.p_value) == (Finding.CANNOT_TELL, clusters, None, None)
    assert "do not tell how far others would scatter" in found.note
    estimate = the_estimate(report, metric)
    assert estimate.value == pytest.approx(sum(scores["new"]) / count)
    assert (estimate.span, estimate.clusters) == (None, clusters)
    assert any("no intervals, and no answers" in note for note in report.notes)
    (column,) = [each for each in report.matrix.columns if each.name == metric.name]
    assert len({cell.letters for cell in column.cells}) == 1


def test_clusters_of_one_case_each_change_not_a_byte() -> None:
    scores = alike(np.random.default_rng(5), passages([1] * 40), QUALITY)

    without, with_own = (
        write_report(make_report(evidence_of(results_of(scores, clusters, QUALITY), QUALITY)))
        for clusters in (None, passages([1] * 40))
    )

    assert with_own == without


def test_a_cluster_lies_within_its_dataset() -> None:
    results = [
        result.model_copy(update={"dataset": dataset})
        for dataset in ("first", "second")
        for result in results_of({"old": [0.0, 1.0] * 10, "new": [1.0, 0.0] * 10}, passages([1] * 20))
    ]

    assert the_answer(make_report(evidence_of(results))).clusters is None


def test_results_of_a_champion_that_are_older_than_clusters_are_clustered_by_those_of_its_challenger() -> None:
    labels = passages([5] * 12)
    scores = alike(np.random.default_rng(2), labels, RIGHT)
    results = results_of(scores, labels)
    old = CaseResult.model_validate_json(
        results[0].model_dump_json(exclude={"cluster"})
    )  # as an earlier version wrote it

    assert old.cluster is None
    mixed = [each.model_copy(update={"cluster": None}) if each.model == "old" else each for each in results]
    assert the_answer(make_report(evidence_of(mixed))) == the_answer(make_report(evidence_of(results)))


def test_the_order_of_results_changes_not_a_byte() -> None:
    labels = passages([3, 1, 4, 1, 5] * 4)
    results = results_of(alike(np.random.default_rng(4), labels, RIGHT), labels)
    shuffled = [*results, *results[:7]]
    random.Random(1).shuffle(shuffled)  # noqa: S311 - no secret

    assert write_report(make_report(evidence_of(shuffled, planned=56))) == write_report(
        make_report(evidence_of(results, planned=56))
    )


def test_weights_repeats_and_clusters_go_together() -> None:
    labels = passages([4] * 15)
    chance = np.random.default_rng(6)
    results = [
        result.model_copy(update={"epoch": epoch, "weight": 1.0 + number % 3})
        for epoch in range(3)
        for number, result in enumerate(results_of(alike(chance, labels, RIGHT), labels))
    ]

    report = make_report(evidence_of(results, planned=180))

    found, estimate = the_answer(report), the_estimate(report)
    assert (found.clusters, estimate.clusters, estimate.attempts) == (15, 15, 180)
    assert found.p_value is not None
    assert estimate.repeated is not None


def test_no_look_ends_a_run_whose_cases_share_passages() -> None:
    labels = passages([10] * 40)
    scores = {"old": [0.0] * 400, "new": [1.0] * 400}
    settings = ComparisonSettings(early_stopping=True)

    alone, shared = (
        evidence_of(results_of(scores, clusters), settings=settings, planned=400) for clusters in (None, labels)
    )

    assert not decide_continuation(alone).goes_on
    found = decide_continuation(shared)
    assert (found.goes_on, found.saved_calls) == (True, 0)
    assert "cases share clusters" in found.reason
    assert "e-process" in the_answer(make_report(alone)).method
    compared = the_answer(make_report(shared))
    assert (compared.method.startswith("sign flip"), compared.finding) == (True, Finding.BETTER)


def test_gaps_between_groups_are_not_made_of_one_passage() -> None:
    labels = passages([6] * 40)
    shown = {True: 0, False: 0}
    for trial in range(60):
        chance = np.random.default_rng(trial)
        scores = alike(chance, labels, RIGHT)
        groups = ["a" if int(label[-3:]) % 2 else "b" for label in labels]
        for named in shown:
            results = [
                result.model_copy(update={"group": groups[int(result.case[-4:])]})
                for result in results_of(scores, labels if named else None)
            ]
            fairness = make_report(evidence_of(results)).fairness
            shown[named] += any(gap.is_shown for each in fairness for gap in each.gaps)
    assert shown[True] <= 14  # 120 gaps, 5 % of which are 6
    assert shown[False] > 2 * shown[True]


def test_losses_by_flaws_count_passages() -> None:
    labels = passages([20] * 12)
    losing = np.repeat(np.random.default_rng(0).random(12) < 0.5, 20)
    originals = results_of({"old": [1.0] * 240, "new": [1.0] * 240}, labels)
    make_copy = partial(scored, dataset="questions", answer=answer(), perturbation="typos")
    copies = [
        make_copy(result.model, f"{result.case}-typos", float(not losing[place % 240]), copy_of=result.case)
        for place, result in enumerate(originals)
    ]

    with_clusters = make_report(evidence_of(originals, copies=tuple(copies)))
    without = make_report(
        evidence_of([each.model_copy(update={"cluster": None}) for each in originals], copies=tuple(copies))
    )

    (first, second) = (
        next(each for each in report.robustness if each.model == "new") for report in (with_clusters, without)
    )
    assert first.loss == second.loss == pytest.approx(losing.mean())
    assert first.p_value is not None
    assert second.p_value is not None
    assert first.p_value > 100 * second.p_value


def test_a_case_shares_what_its_dataset_names_else_its_context() -> None:
    def case(**fields: Any) -> Case:
        return Case(id="1", prompt="?", **fields)

    assert case().shares is None
    assert case(cluster="page 3", context=("text",)).shares == "page 3"
    assert case(context=("text",)).shares == case(context=("text",)).shares
    assert len({case(context=context).shares for context in (("text",), ("te", "xt"), ("text", "text"))}) == 3


def test_questions_on_one_paragraph_of_squad_are_in_one_cluster_as_far_as_the_table_of_cases(tmp_path: Path) -> None:
    paragraphs = [
        {
            "context": f"The river {river} flows north.",
            "qas": [{"id": f"{river}{number}", "question": "Where to?", "answers": []} for number in range(3)],
        }
        for river in ("Rhine", "Elbe")
    ]
    document = json.dumps({"data": [{"title": "Rivers", "paragraphs": paragraphs}]}).encode()
    source = DatasetSource(location="s3://bucket/squad.json", format=DatasetFormat.SQUAD)
    cases = read_dataset([("squad.json", document)], source).cases

    results = []
    for case in cases:
        key = AnswerKey("nova", "squad", case.id, 0)
        results.append(result_of(Asked(key, VARIANT, case), {key: Outcome(answer(), None)}, ()))
    file = tmp_path / "cases.parquet"
    file.write_bytes(write_case_table(results))

    rows: dict[str, list[str]] = {}
    for case, cluster in duckdb.read_parquet(str(file)).project("case_id, case_cluster").fetchall():
        rows.setdefault(cluster, []).append(case)
    assert list(rows.values()) == [["Rhine0", "Rhine1", "Rhine2"], ["Elbe0", "Elbe1", "Elbe2"]]


def test_a_gate_judges_by_the_interval_over_clusters_and_not_by_counts_of_cases() -> None:
    labels = passages([10] * 20)
    scores = alike(np.random.default_rng(8), labels, RIGHT)

    estimates = [the_estimate(make_report(evidence_of(results_of(scores, clusters)))) for clusters in (labels, None)]

    clustered, alone = (measured_of(each, is_rate=True) for each in estimates)
    assert clustered is not None
    assert alone is not None
    assert clustered.bounds(0.025).low < alone.bounds(0.025).low - 0.05
    few = the_estimate(make_report(evidence_of(results_of(scores, passages([40] * 5)))))
    assert measured_of(few, is_rate=True) is None
