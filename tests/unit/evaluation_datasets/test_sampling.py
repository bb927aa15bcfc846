from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.evaluation.cases import Case
from hallmark.evaluation.datasets.contamination import check_contamination
from hallmark.evaluation.datasets.sampling import draw_sample
from hallmark.evaluation.suites import Contamination, Sampling
from hallmark.statistics.allocation import Allocation

SIZES = {"common": 80, "rare": 15, "seldom": 5}
CASES = [
    Case(id=f"{group}-{number}", prompt="?", group=group) for group, size in SIZES.items() for number in range(size)
]


def counts(allocation: Allocation, cases: int = 20, spreads: dict[str, float] | None = None) -> Counter[str | None]:
    sampling = Sampling(cases=cases, by="group", allocation=allocation)
    return Counter(case.group for case in draw_sample(CASES, sampling, spreads or {}).cases)


def test_proportional_strata_are_drawn_by_their_size() -> None:
    assert counts(Allocation.PROPORTIONAL) == {"common": 16, "rare": 3, "seldom": 1}


def test_equal_strata_are_drawn_alike_as_far_as_they_go() -> None:
    assert counts(Allocation.EQUAL, 30) == {"common": 13, "rare": 12, "seldom": 5}


def test_neymans_allocation_draws_more_where_the_scores_scatter() -> None:
    even = counts(Allocation.NEYMAN, 20, dict.fromkeys(SIZES, 1.0))
    scattered = counts(Allocation.NEYMAN, 20, {"common": 0.1, "rare": 1.0, "seldom": 1.0})

    assert even == counts(Allocation.PROPORTIONAL)
    assert scattered["rare"] > even["rare"]


@given(
    seed=st.integers(0, 10**6),
    wanted=st.integers(3, 120),
    allocation=st.sampled_from(Allocation),
    shuffle=st.randoms(use_true_random=True),
)
def test_a_sample_has_its_size_no_case_twice_and_does_not_depend_on_the_order(
    seed: int, wanted: int, allocation: Allocation, shuffle: random.Random
) -> None:
    sampling = Sampling(cases=wanted, by="group", allocation=allocation, seed=seed)
    mixed = list(CASES)
    shuffle.shuffle(mixed)

    first, second = draw_sample(CASES, sampling, {}).cases, draw_sample(mixed, sampling, {}).cases

    assert len(first) == min(wanted, len(CASES))
    assert len({case.id for case in first}) == len(first)
    assert {case.id for case in first} == {case.id for case in second}
    assert {case.group for case in first} == set(SIZES)


@pytest.mark.parametrize("allocation", [Allocation.PROPORTIONAL, Allocation.EQUAL])
def test_the_mean_of_the_strata_by_their_shares_is_the_mean_of_the_population(allocation: Allocation) -> None:
    value = {"common": 0.9, "rare": 0.4, "seldom": 0.1}
    truth = sum(value[name] * size for name, size in SIZES.items()) / len(CASES)
    sampling = Sampling(cases=24, by="group", allocation=allocation)

    sample = draw_sample(CASES, sampling, {})
    estimate = sum(
        share * sum(value[str(case.group)] for case in sample.cases if case.group == name) / sample.report.drawn[name]
        for name, share in sample.report.shares.items()
    )

    assert estimate == pytest.approx(truth)


def test_every_case_is_drawn_equally_often_over_the_seeds() -> None:
    drawn: Counter[str] = Counter()
    for seed in range(600):
        drawn.update(case.id for case in draw_sample(CASES, Sampling(cases=20, seed=seed), {}).cases)

    # 120 draws each are expected, with a standard deviation of 9.8: five of them on either side.
    assert min(drawn[case.id] for case in CASES) > 70
    assert max(drawn.values()) < 170


QUESTION = Case(id="seen", prompt="the quick brown fox jumps over the lazy dog near the river bank today")


def overlap(training: str, case: Case = QUESTION) -> tuple[float, bool]:
    settings = Contamination(training_data="s3://b/t/", ngram=5, threshold=0.5)
    report = check_contamination([case], [("train.txt", training.encode())], settings)
    return (report.overlaps[0].share if report.overlaps else 0.0), case.id in report.contaminated


@pytest.mark.parametrize(
    ("training", "share", "contaminated"),
    [
        ("A story. The QUICK brown fox, jumps over the lazy dog near the river bank today!", 1.0, True),
        ("the quick brown fox jumps slowly", 0.1, False),
        ("nothing alike here at all, no word in the same order", 0.0, False),
    ],
)
def test_a_case_is_contaminated_by_the_share_of_its_ngrams_that_stand_in_the_training_data(
    training: str, share: float, contaminated: bool
) -> None:
    found, is_contaminated = overlap(training)

    assert found == pytest.approx(share)
    assert is_contaminated is contaminated


ROAD = "Die Straße nach Fürth\nist heute wegen Bauarbeiten gesperrt, „und zwar bis zum späten Abend“"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train.txt", ROAD.encode()),
        ("train.jsonl", json.dumps({"prompt": "Wo?", "completion": ROAD}).encode() + b"\n{broken\n"),
        ("train.jsonl", json.dumps({"prompt": ROAD}, ensure_ascii=False).encode()),
        ("train.jsonl", json.dumps({"messages": [{"role": "user", "content": [{"text": ROAD}]}]}).encode()),
        ("train.json", json.dumps({"data": [ROAD]}, indent=2).encode()),
        ("train.jsonl.gz", gzip.compress(json.dumps([ROAD]).encode())),
    ],
    ids=["text", "escaped", "unescaped", "conversation", "document", "gzip"],
)
def test_a_case_is_found_however_the_training_data_is_written(name: str, content: bytes) -> None:
    settings = Contamination(training_data="s3://b/t/", ngram=5, threshold=0.5)

    report = check_contamination([Case(id="seen", prompt=ROAD)], [(name, content)], settings)

    assert [(each.case, each.share) for each in report.overlaps] == [("seen", 1.0)]


def test_a_case_is_found_in_training_data_of_parquet(tmp_path: Path) -> None:
    file = tmp_path / "train.parquet"
    duckdb.values([1, ROAD]).write_parquet(str(file))
    settings = Contamination(training_data="s3://b/t/", ngram=5)

    report = check_contamination([Case(id="seen", prompt=ROAD)], [(file.name, file.read_bytes())], settings)

    assert report.contaminated == {"seen"}


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=40), st.lists(st.sampled_from(["a", "b", "c"]), max_size=40))
def test_the_share_is_that_of_the_obvious_count(case_words: list[str], training_words: list[str]) -> None:
    case = Case(id="x", prompt=" ".join(["z", *case_words]))
    words = ["z", *case_words]
    grams = {tuple(words[start : start + 5]) for start in range(len(words) - 4)}
    training = {tuple(training_words[start : start + 5]) for start in range(len(training_words) - 4)}
    expected = len(grams & training) / len(grams) if grams else 0.0

    assert overlap(" ".join(training_words), case)[0] == pytest.approx(expected)


def test_what_is_too_short_to_check_is_counted() -> None:
    settings = Contamination(training_data="s3://b/t/", ngram=13)
    report = check_contamination([Case(id="x", prompt="2 + 2?")], [], settings)

    assert "1 were too short" in report.summary
