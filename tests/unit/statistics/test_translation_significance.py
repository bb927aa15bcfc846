"""BLEU of sixteen real systems: p-values that another program published, and a test that keeps its level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU

from hallmark.statistics.bootstrap import bootstrap_corpora
from hallmark.statistics.outcomes import Significance
from hallmark.statistics.paired import approximate_randomisation
from hallmark.statistics.resampling import bleu_of_sums, row_by_row

if TYPE_CHECKING:
    from .conftest import TranslationSystems

BASELINE = "newstest2017.LIUM-NMT.4900.en-de"


@pytest.fixture(scope="module")
def randomised(wmt17: TranslationSystems) -> dict[str, Significance]:
    names = [name for name in wmt17.statistics if name != BASELINE]
    tables = [wmt17.statistics[name] for name in names]
    found = approximate_randomisation(tables, wmt17.statistics[BASELINE], bleu_of_sums, trials=20_000)
    return dict(zip(names, found, strict=True))


def test_bleu_of_summed_statistics_is_that_of_sacrebleu(wmt17: TranslationSystems) -> None:
    bleu = BLEU(references=wmt17.references, tokenize="none")
    names = list(wmt17.statistics)[:4]
    found = bleu_of_sums(np.array([wmt17.statistics[name].sum(axis=0) for name in names]))
    expected = [bleu.corpus_score(wmt17.outputs[name], None).score for name in names]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("a b c d e", "a b x y z"),
        ("a b", "a b c d"),
        ("q", "z"),
        ("a b c d e f", "a b c d e f"),
        ("a x b y c", "a b c"),
    ],
)
def test_few_matches_are_smoothed_as_sacrebleu_does(answer: str, reference: str) -> None:
    bleu = BLEU(tokenize="none")
    statistics = bleu._extract_corpus_statistics([answer], [[reference]])
    expected = bleu.corpus_score([answer], [[reference]]).score
    assert bleu_of_sums(np.array(statistics, dtype=np.float64))[0] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_published_p_values_of_multeval_are_reproduced(
    wmt17: TranslationSystems, randomised: dict[str, Significance]
) -> None:
    assert len(wmt17.published) == 15
    misses = {name: abs(randomised[name].p_value - bleu) for name, (bleu, _) in wmt17.published.items()}
    assert max(misses.values()) < 0.01, misses


def test_the_centred_bootstrap_agrees_with_randomisation(
    wmt17: TranslationSystems, randomised: dict[str, Significance]
) -> None:
    tables = [wmt17.statistics[name] for name in randomised]
    found = bootstrap_corpora(tables, wmt17.statistics[BASELINE], bleu_of_sums, resamples=4_000)
    for result, other in zip(found, randomised.values(), strict=True):
        assert result.effect == other.effect
        assert abs(result.p_value - other.p_value) < 0.03
        assert result.interval is not None
        assert result.interval.contains(0) == (result.p_value > 0.05) or 0.03 < result.p_value < 0.08


def test_the_bootstrap_keeps_its_level_where_two_systems_are_mixed_at_random(wmt17: TranslationSystems) -> None:
    random = np.random.default_rng(17)
    first, second = (wmt17.statistics[f"newstest2017.{name}.en-de"] for name in ("online-B.0", "LIUM-NMT.4900"))
    trials, rejected = 300, 0
    for trial in range(trials):
        swap = random.random(len(first))[:, None] < 0.5
        one, other = np.where(swap, second, first)[:600], np.where(swap, first, second)[:600]
        (found,) = bootstrap_corpora([one], other, bleu_of_sums, resamples=400, seed=trial)
        rejected += found.p_value <= 0.05
    # Three standard deviations of the simulation are 0.038; the one-sided count of the usual programs gives 0.10.
    assert 0.012 <= rejected / trials <= 0.085


def test_a_metric_of_one_vector_of_sums_gives_the_same_as_one_of_many(wmt17: TranslationSystems) -> None:
    first, second = (table[:200] for table in list(wmt17.statistics.values())[:2])
    slow = row_by_row(lambda sums: float(bleu_of_sums(np.array([sums]))[0]))
    assert bootstrap_corpora([first], second, slow, resamples=200) == bootstrap_corpora(
        [first], second, bleu_of_sums, resamples=200
    )
