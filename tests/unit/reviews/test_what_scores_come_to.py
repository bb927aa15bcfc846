"""Means with bounds, agreement and verdicts: against published values, simulation, and real raters of four corpora."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from statistics import fmean

import pytest

from hallmark.reviews.outcome import judge_review
from hallmark.reviews.outputs import Drawn, Output
from hallmark.reviews.settings import Alarm, ReviewProgram, ScaleKind
from hallmark.reviews.tasks import Score, Task, make_tasks, read_score
from hallmark.statistics.agreement import Scale, krippendorffs_alpha
from local.bedrock.published_corpora import rated_texts

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SOURCE = {"kind": "invocation_logs", "location": "s3://logs-bucket/", "model": "amazon.nova-lite-v1:0"}


def program(**more: object) -> ReviewProgram:
    return ReviewProgram.model_validate({"source": SOURCE, **more})


def tasks(count: int, settings: ReviewProgram) -> list[Task]:
    outputs = [Output(id=f"r{number}", model="m", prompt="?", answer="!") for number in range(count)]
    return make_tasks([Drawn(output, "", 1.0) for output in outputs], settings)


def scored(task: str, by: str, value: float, settings: ReviewProgram, revision: int = 0) -> Score:
    raw, fraction = read_score(str(value), settings)
    return Score(task=task, by=by, value=raw, fraction=fraction, revision=revision, at=NOON)


def thumbs(right: int, of: int, settings: ReviewProgram) -> list[Score]:
    return [scored(f"{place + 1:04d}", "rater-a", float(place < right), settings) for place in range(of)]


def alarms(rate: float, per_review: int, settings: ReviewProgram, reviews: int = 2_000) -> tuple[float, float]:
    """Return how often a model of this true rate is told as low, and how often its plain mean is below."""
    generator = random.Random(7)  # noqa: S311 - a simulation
    told: dict[int, bool] = {}
    lows = below = 0
    for _ in range(reviews):
        right = sum(generator.random() < rate for _ in range(per_review))
        if right not in told:
            waiting = tasks(per_review, settings)
            told[right] = judge_review(waiting, thumbs(right, per_review, settings), settings).is_alarming(
                settings.alarm
            )
        lows += told[right]
        below += right / per_review < settings.threshold
    return lows / reviews, below / reviews


def test_a_model_that_is_right_in_87_of_100_cases_is_not_accused_by_100_of_them() -> None:
    told, naive = alarms(0.87, 100, program(scale="thumbs", per_item=1))

    assert naive > 0.2
    assert told < 0.02


def test_at_the_threshold_itself_the_promised_error_is_kept() -> None:
    told, _ = alarms(0.85, 100, program(scale="thumbs", per_item=1))

    assert told < 0.05


def test_a_model_that_is_right_in_70_of_100_cases_is_told_as_low() -> None:
    told, _ = alarms(0.70, 100, program(scale="thumbs", per_item=1))

    assert told > 0.95


def test_who_wants_proof_of_quality_hears_of_what_cannot_be_told() -> None:
    settings = program(scale="thumbs", per_item=1, alarm="not_surely_good")
    few = judge_review(tasks(5, settings), thumbs(5, 5, settings), settings)

    assert few.mean == 1.0
    assert few.judgement == "uncertain"
    assert few.is_alarming(Alarm.NOT_SURELY_GOOD)
    assert not few.is_alarming(Alarm.SURELY_LOW)


def test_several_scores_of_one_output_make_no_more_evidence_than_the_output() -> None:
    settings = program(scale="thumbs", per_item=3)
    waiting = tasks(30, settings)
    once = [scored(task.id, "rater-a", float(place < 24), settings) for place, task in enumerate(waiting)]
    thrice = [*once, *(score.model_copy(update={"by": name}) for score in once for name in ("rater-b", "rater-c"))]

    one, three = (judge_review(waiting, scores, settings) for scores in (once, thrice))

    assert three.mean == pytest.approx(one.mean)
    assert three.scores == 90
    assert one.low is not None
    assert three.low is not None
    assert three.low < one.low + 0.02


def test_strata_weigh_as_in_the_population() -> None:
    settings = program(scale="fraction", per_item=1)
    pair = [
        Task(id=f"{place:04d}", output=str(place), prompt="", answer="", weight=weight)
        for place, weight in enumerate((1.8, 1.8, 0.2, 0.2), start=1)
    ]
    scores = [
        scored(task.id, "rater-a", value, settings) for task, value in zip(pair, (0.9, 0.8, 0.1, 0.0), strict=True)
    ]

    found = judge_review(pair, scores, settings)

    assert found.mean == pytest.approx(0.9 * 0.85 + 0.1 * 0.05)


def test_scores_that_are_all_alike_are_not_certain() -> None:
    settings = program(scale="likert", per_item=1)
    found = judge_review(
        tasks(4, settings), [scored(f"000{n}", "rater-a", 5, settings) for n in (1, 2, 3, 4)], settings
    )

    assert found.mean == 1.0
    assert found.low is not None
    assert found.low < 0.8
    assert found.judgement == "uncertain"


def test_one_output_alone_is_uncertain_and_none_is_unrated() -> None:
    settings = program(scale="thumbs", per_item=1)

    assert judge_review(tasks(3, settings), thumbs(0, 1, settings), settings).judgement == "uncertain"
    assert judge_review(tasks(3, settings), [], settings).judgement == "unrated"


def test_the_last_revision_counts() -> None:
    settings = program(scale="thumbs", per_item=1)
    waiting = tasks(2, settings)
    scores = [
        scored("0001", "rater-a", 0, settings),
        scored("0001", "rater-a", 1, settings, 1),
        scored("0002", "rater-a", 1, settings),
    ]

    assert judge_review(waiting, scores, settings).mean == 1.0
    assert judge_review(waiting, list(reversed(scores)), settings).mean == 1.0


# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C: four observers, twelve units.
PUBLISHED = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)


@pytest.mark.parametrize(("scale", "alpha"), [(Scale.NOMINAL, 0.743), (Scale.ORDINAL, 0.815), (Scale.INTERVAL, 0.849)])
def test_alpha_is_as_published(scale: Scale, alpha: float) -> None:
    assert krippendorffs_alpha(PUBLISHED, scale).value == pytest.approx(alpha, abs=5e-4)


def test_a_likert_review_has_the_ordinal_alpha_of_the_published_example() -> None:
    settings = program(scale="likert", per_item=2)
    scores = [
        scored(f"{unit + 1:04d}", f"observer-{row}", value, settings)
        for row, values in enumerate(PUBLISHED)
        for unit, value in enumerate(values)
        if value is not None
    ]

    found = judge_review(tasks(12, settings), scores, settings).agreement

    assert found is not None
    assert found.alpha == pytest.approx(0.815, abs=5e-4)
    assert found.low < found.alpha <= found.high
    assert found.outputs == 11


def test_twenty_real_raters_agree_more_on_the_sign_of_tweets_than_by_chance() -> None:
    settings = program(scale="thumbs", per_item=20)
    texts = [text for text in rated_texts("tweets") if len(text.ratings) == 20][:60]
    waiting = tasks(len(texts), settings)
    scores = [
        scored(task.id, f"rater-{place}", float(rating > 0), settings)
        for task, text in zip(waiting, texts, strict=True)
        for place, rating in enumerate(text.ratings)
    ]

    found = judge_review(waiting, scores, settings)

    assert found.mean == pytest.approx(fmean(fmean(r > 0 for r in text.ratings) for text in texts))
    assert found.agreement is not None
    assert 0.3 < found.agreement.low < found.agreement.alpha < found.agreement.high < 1


def test_one_reviewer_and_unanimous_reviewers_have_no_alpha_and_the_reason_is_told() -> None:
    settings = program(scale="thumbs", per_item=2)
    waiting = tasks(3, settings)
    alike = [scored(task.id, by, 1, settings) for task in waiting for by in ("rater-a", "rater-b")]

    alone, unanimous = judge_review(waiting, alike[::2], settings), judge_review(waiting, alike, settings)

    assert (alone.agreement, alone.no_agreement) == (None, "one person rated")
    assert unanimous.agreement is None
    assert "vary" in unanimous.no_agreement


@pytest.mark.parametrize(
    ("kind", "given", "fraction"),
    [
        (ScaleKind.THUMBS, "up", 1.0),
        (ScaleKind.THUMBS, "0", 0.0),
        (ScaleKind.LIKERT, "1", 0.0),
        (ScaleKind.LIKERT, "4", 0.75),
        (ScaleKind.FRACTION, "0.8", 0.8),
    ],
)
def test_scores_of_each_scale_lie_between_0_and_1(kind: ScaleKind, given: str, fraction: float) -> None:
    assert read_score(given, program(scale=kind))[1] == fraction
