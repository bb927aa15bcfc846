from __future__ import annotations

import numpy as np
import pytest

from hallmark.evaluation.cases import Case
from hallmark.evaluation.comparison.corpora import corpus_metrics, influences, jackknife
from hallmark.evaluation.comparison.gathering import gather
from hallmark.evaluation.comparison.making import make_report
from hallmark.evaluation.comparison.pairing import compare_corpora, compare_influences
from hallmark.evaluation.results import CaseResult
from hallmark.evaluation.scorers.registry import make_scorer
from hallmark.evaluation.suites import ScorerChoice
from hallmark.statistics.intervals import estimate_mean
from hallmark.statistics.resampling import bleu_of_sums, mean_of_sums
from tests.fakes.evaluated_cases import answer, evidence_of

WORDS = ["the", "a", "cat", "dog", "house", "sees", "likes", "old", "green", "fast", "on", "under", "and"]


def translations(noise: float, seed: int, n: int = 120) -> list[str]:
    source = np.random.default_rng(seed)
    meant = np.random.default_rng(99).choice(WORDS, size=(n, 12))
    changed = source.uniform(size=meant.shape) < noise
    return [" ".join(line) for line in np.where(changed, source.choice(WORDS, size=meant.shape), meant).tolist()]


REFERENCES = translations(0.0, 1)


@pytest.mark.parametrize("name", ["bleu", "chrf"])
def test_the_value_over_a_corpus_is_that_of_sacrebleu(name: str) -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    scorer = make_scorer(ScorerChoice(name=name))
    answers = translations(0.3, 2)
    results = [
        CaseResult(
            model="old",
            dataset="questions",
            case=str(number),
            answer=answer(text),
            scores=scorer.score(Case(id=str(number), prompt="?", expected=(expected,)), answer(text)),
        )
        for number, (text, expected) in enumerate(zip(answers, REFERENCES, strict=True))
    ]

    report = make_report(evidence_of(results, *scorer.metrics, models=["old"], champion=None), corpus_metrics([scorer]))

    found = report.estimate_of("old", scorer.metrics[0].name)
    assert found is not None
    oracle = getattr(sacrebleu, f"corpus_{name}")(answers, [REFERENCES])
    assert found.value == pytest.approx(oracle.score, abs=1e-9)


def test_bleu_is_computed_for_all_resamples_at_once_only_where_that_is_the_same() -> None:
    plain, other = (
        corpus_metrics([make_scorer(ScorerChoice(name="bleu", parameters=each))])["bleu"]
        for each in ({}, {"smooth": "floor"})
    )

    assert plain is bleu_of_sums
    assert other is not bleu_of_sums


def test_of_a_mean_pseudo_values_are_the_values_and_their_interval_is_students() -> None:
    values = np.random.default_rng(1).uniform(0, 1, 40)
    rows = np.column_stack((values, np.ones(40)))

    assert influences(rows, mean_of_sums) == pytest.approx(values)
    found, expected = jackknife(rows, mean_of_sums, 0.95), estimate_mean(values).interval
    assert [found.low, found.high] == pytest.approx([expected.low, expected.high])


def test_the_quick_test_of_a_corpus_agrees_with_the_bootstrap() -> None:
    scorer = make_scorer(ScorerChoice(name="bleu"))
    results = [
        CaseResult(
            model=model,
            dataset="questions",
            case=f"{number:03d}",
            answer=answer(text),
            scores=scorer.score(Case(id="x", prompt="?", expected=(REFERENCES[number],)), answer(text)),
        )
        for model, noise, seed in (("old", 0.30, 2), ("new", 0.27, 3))
        for number, text in enumerate(translations(noise, seed))
    ]
    scores = gather(evidence_of(results, *scorer.metrics)).scores

    (slow,), (quick,) = (
        compare(bleu_of_sums, lambda model: scores[model, "bleu"], [("new", "old")], 0.95).values()
        for compare in (compare_corpora, compare_influences)
    )

    assert quick.difference == pytest.approx(slow.difference)
    assert quick.p_value == pytest.approx(slow.p_value, abs=0.03)


def test_of_equal_systems_the_quick_test_finds_a_difference_as_rarely_as_it_says() -> None:
    source = np.random.default_rng(5)
    found = 0
    for _ in range(300):
        both = source.gamma(2.0, 1.0, size=(2, 60))
        lengths = source.integers(5, 30, 60).astype(float)
        pseudo = [influences(np.column_stack((each * lengths, lengths)), mean_of_sums) for each in both]
        interval = estimate_mean(pseudo[0] - pseudo[1]).interval
        found += not interval.contains(0.0)

    assert found <= 300 * 0.05 + 3 * np.sqrt(300 * 0.05 * 0.95)
