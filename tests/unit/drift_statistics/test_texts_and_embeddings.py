"""What is watched of texts, and of their embeddings."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from hallmark.drift.statistics.arrays import Floats
from hallmark.drift.statistics.checks import Check, Statistic
from hallmark.drift.statistics.embeddings import domain_classifier, maximum_mean_discrepancy
from hallmark.drift.statistics.judging import judge
from hallmark.drift.statistics.looks import LookState
from hallmark.drift.statistics.texts import count_tokens, is_refusal, language_of, text_features, toxicity_of
from hallmark.errors import InvalidInputError


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The order was sent to you on Monday and it is on its way.", "en"),
        ("Die Bestellung ist am Montag verschickt worden und nicht verloren.", "de"),
        ("La commande est partie lundi et vous la recevrez dans les jours qui viennent.", "fr"),
        ("El pedido salió el lunes y está en camino, pero no se sabe la hora.", "es"),
        ("O pedido saiu na segunda e está a caminho, mas não se sabe a hora.", "pt"),
        ("Il pacco è partito lunedì e non è ancora arrivato alla sede della ditta.", "it"),
        ("De bestelling is maandag verstuurd en het pakket is niet kwijt.", "nl"),
        ("Beställningen skickades i måndags och det är inte försenat för oss.", "sv"),
        ("Zamówienie wysłano w poniedziałek i nie jest to jeszcze koniec, ale się uda.", "pl"),
        ("Sipariş pazartesi gönderildi ve çok yakında burada olacak, bu kadar.", "tr"),  # noqa: RUF001
        ("Заказ отправлен в понедельник.", "ru"),
        ("Замовлення відправлено в понеділок.", "uk"),
        ("注文は月曜日に発送されました。", "ja"),
        ("订单已于星期一发出。", "zh"),
        ("주문이 월요일에 발송되었습니다.", "ko"),
        ("تم إرسال الطلب يوم الاثنين", "ar"),
        ("ऑर्डर सोमवार को भेजा गया", "hi"),
        ("Zyx qwv klmn", "und"),
        ("Hello", "und"),
        ("42 %", None),
        ("", None),
    ],
)
def test_languages_are_told_by_script_and_short_words(text: str, language: str | None) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I cannot provide instructions for this.", True),
        ("I must decline to write it.", True),
        ("As an AI language model, I am unable to have opinions.", True),
        ("Ich kann dir dabei leider nicht helfen.", True),
        ("Lo siento, no puedo ayudar con eso.", True),
        ("Je ne peux pas répondre à cette question.", True),
        ("I can help with that: first open the box.", False),
        ("Sorry for the delay! Here is the answer: 42.", False),
        ("You can't go wrong with a soup.", False),
        ("x" * 400 + " I'm sorry, but I can't help with that.", False),
    ],
)
def test_refusals_are_phrases_at_the_beginning(text: str, refuses: bool) -> None:
    assert is_refusal(text) is refuses


def test_toxicity_rises_with_what_a_text_has() -> None:
    kind, rude, threat = (
        toxicity_of("Thank you, this is kind."),
        toxicity_of("You idiot."),
        toxicity_of("I will kill you"),
    )

    assert (kind, rude, threat) == (0, 0.4, 0.8)
    assert toxicity_of("You stupid idiot, I'll hurt you.") == pytest.approx(1 - 0.6**2 * 0.2)


def test_features_of_a_text_are_the_same_every_time() -> None:
    found = text_features("I'm sorry, I can't help with that.")

    assert found == text_features("I'm sorry, I can't help with that.")
    assert found == {"length": 34.0, "tokens": 13.0, "language": "en", "is_refusal": True, "toxicity": 0.0}
    assert count_tokens("12345 訂單 internationalisation") == 2 + 2 + 4


def _rows(seed: int, rows: int, shift: float = 0.0, columns: int = 16) -> Floats:
    return np.random.default_rng(seed).normal(shift, 1, (rows, columns))


@pytest.mark.parametrize("distance", [maximum_mean_discrepancy, domain_classifier])
def test_embeddings_that_moved_are_told_from_those_that_did_not(distance) -> None:  # type: ignore[no-untyped-def]
    same, moved = distance(_rows(1, 400), _rows(2, 300)), distance(_rows(1, 400), _rows(3, 300, 0.4))

    assert same.p_value > 0.01
    assert moved.p_value < 1e-6
    assert moved.value > same.value
    assert moved.low <= moved.value <= moved.high


@pytest.mark.parametrize("distance", [maximum_mean_discrepancy, domain_classifier])
def test_without_drift_embeddings_alarm_as_rarely_as_promised(distance) -> None:  # type: ignore[no-untyped-def]
    found = [
        distance(_rows(2 * seed, 60, columns=8), _rows(2 * seed + 1, 40, columns=8)).p_value for seed in range(200)
    ]

    for level in (0.01, 0.1):
        assert sum(p <= level for p in found) <= stats.binom.ppf(0.999, 200, level)


def test_small_windows_alarm_rarely_far_out_too() -> None:
    """A year of looks asks for p-values far below 0.01, where the normal distribution's are too small."""
    found = [
        maximum_mean_discrepancy(_rows(2 * seed, 24, columns=4), _rows(2 * seed + 1, 16, columns=4)).p_value
        for seed in range(3000)
    ]

    for level in (0.01, 0.001):
        assert sum(p <= level for p in found) <= stats.binom.ppf(0.9999, 3000, level)


@pytest.mark.parametrize(("shift", "columns"), [(0.0, 60), (0.5, 60), (0.5, 5)])
def test_a_classifier_is_the_ridge_regression_of_all_columns_and_its_test_is_scipys(shift: float, columns: int) -> None:
    """Fewer rows than columns are their own axes: nothing may come of that."""
    one, other = _rows(8, 30, columns=columns), _rows(9, 21, shift, columns=columns)
    random = np.random.default_rng(0)
    rows, labels = np.concatenate([one, other]), np.repeat([0.0, 1.0], [30, 21])
    halves = np.concatenate([random.permutation(30) % 2, random.permutation(21) % 2])
    areas, chances = [], []
    for half in (0, 1):
        seen, told = rows[halves != half], labels[halves != half]
        standard = (seen - seen.mean(axis=0)) / seen.std(axis=0)
        importance = np.where(told == 1, 0.5 / told.mean(), 0.5 / (1 - told.mean()))

        def loss(found: Floats, standard: Floats = standard, told: Floats = told, weigh: Floats = importance) -> float:
            logits = standard @ found[:-1] + found[-1]
            fit = weigh @ (np.logaddexp(0, logits) - told * logits)
            return float(fit + (1 + columns) / 2 * found[:-1] @ found[:-1] + 5e-7 * found[-1] ** 2)

        weights = optimize.minimize(loss, np.zeros(columns + 1), tol=1e-12).x[:-1]
        scores = rows[halves == half] / seen.std(axis=0) @ weights
        new, old = scores[labels[halves == half] == 1], scores[labels[halves == half] == 0]
        tested = stats.mannwhitneyu(new, old, alternative="greater", method="asymptotic")
        areas.append(tested.statistic / (len(new) * len(old)))
        chances.append(tested.pvalue)

    found = domain_classifier(one, other)

    assert found.value == pytest.approx(np.mean(areas), abs=1e-9)
    assert found.p_value == pytest.approx(min(1.0, 2 * min(chances)), rel=1e-6)


def test_a_kernel_distance_is_the_unbiased_estimate_by_its_definition() -> None:
    one, other = _rows(4, 20, columns=3), _rows(5, 15, 0.8, columns=3)
    both = np.concatenate([one, other])
    squares = ((both[:, None] - both[None]) ** 2).sum(axis=2)
    kernel = np.exp(-squares / np.median(squares[np.triu_indices(35, 1)]))
    within = [
        (part.sum() - np.trace(part)) / (len(part) * (len(part) - 1)) for part in (kernel[:20, :20], kernel[20:, 20:])
    ]
    square = sum(within) - 2 * kernel[:20, 20:].mean()

    assert maximum_mean_discrepancy(one, other).value == pytest.approx(square**0.5, rel=1e-9)


def test_permutations_agree_that_nothing_moved_or_much() -> None:
    assert maximum_mean_discrepancy(_rows(6, 40), _rows(7, 40), permutations=199).p_value > 0.02
    assert maximum_mean_discrepancy(_rows(6, 40), _rows(7, 40, 1.0), permutations=199).p_value == 1 / 200


@pytest.mark.parametrize(
    ("baseline", "current", "field"),
    [
        (_rows(1, 3), _rows(1, 30), "baseline"),
        (_rows(1, 30), _rows(1, 30, columns=4), "current"),
        (_rows(1, 30), np.full((30, 16), np.nan), "current[0]"),
        ([["a"]], _rows(1, 30), "baseline"),
    ],
)
def test_what_is_no_table_is_refused(baseline: object, current: Floats, field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        maximum_mean_discrepancy(baseline, current)  # type: ignore[arg-type]
    assert refused.value.field == field


def test_embeddings_are_judged_with_the_other_checks() -> None:
    checks = [Check(feature="answer", statistic=one) for one in (Statistic.MMD, Statistic.DOMAIN_CLASSIFIER)]
    moved, _ = judge({}, {}, checks, LookState(), {"answer": (_rows(1, 300), _rows(3, 200, 0.5))})
    few, _ = judge({}, {}, checks, LookState(), {"answer": (_rows(1, 300), _rows(3, 2))})
    none, _ = judge({}, {}, checks, LookState())

    assert [found.is_drifted for found in moved] == [True, True]
    assert [(found.is_conclusive, "at least 8 rows" in found.why) for found in few] == [(False, True)] * 2
    assert ["no embeddings" in found.why for found in none] == [True, True]
