from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hallmark.errors import InvalidInputError, NotFoundError
from hallmark.evaluation.cases import Case
from hallmark.evaluation.planning import Planned, PlanRequest, plan_run, round_lines
from hallmark.evaluation.plans import input_tokens_of, make_batches, make_rounds
from hallmark.evaluation.suites import EvaluationPolicy

STARTED = datetime(2026, 11, 1, 6, tzinfo=UTC)
CASES = [{"id": f"c{number}", "prompt": f"question {number}", "group": "ab"[number % 2]} for number in range(130)]


def policy(**suite: Any) -> EvaluationPolicy:
    return EvaluationPolicy.model_validate(
        {
            "models": {
                "lite": {"model_id": "amazon.nova-lite-v1:0", "inference": {"max_tokens": 100}},
                "micro": {"model_id": "amazon.nova-micro-v1:0", "inference": {"max_tokens": 100}},
            },
            "datasets": {"d": {"location": "s3://b/d.jsonl"}},
            "suites": {
                "s": {
                    "model_variants": ["lite", "micro"],
                    "champion": "lite",
                    "datasets": ["d"],
                    "scorers": ["exact_match"],
                    "budget": {"usd": 1, "time": "30 minutes"},
                    **suite,
                }
            },
        }
    )


def plan(given_policy: EvaluationPolicy, content: str | None = None, **request: Any) -> Planned:
    lines = "".join(json.dumps(case) + "\n" for case in CASES) if content is None else content

    def read(_location: str) -> Iterator[tuple[str, bytes]]:
        yield "d.jsonl", lines.encode()

    wanted = {"run": "r", "suite": "s", "started_at": STARTED, "trigger": {"kind": "manual"}, **request}
    return plan_run(PlanRequest.model_validate(wanted), given_policy, read=read, output_tokens={}, spreads={})


def test_all_models_get_the_same_batches_with_every_case_once() -> None:
    planned = plan(policy())

    ids = [case.id for batch in planned.batches for case in batch.cases]
    assert sorted(ids) == sorted(case["id"] for case in CASES)
    lines = [json.loads(line) for rounds in round_lines(planned.plan) for line in rounds]
    assert {(line["model"], line["batch"]) for line in lines} == {
        (model, batch.number) for model in ("lite", "micro") for batch in planned.batches
    }


def test_the_forecast_counts_calls_and_never_expects_more_than_the_worst() -> None:
    forecast = plan(policy(repeats=2)).plan.forecast

    assert forecast.calls == 2 * 2 * len(CASES)
    assert 0 < forecast.expected_usd < forecast.at_most_usd
    assert forecast.unpriced == ()


def test_cases_that_share_a_passage_are_told() -> None:
    rows = [case | {"context": [f"passage {number // 3}"]} for number, case in enumerate(CASES[:7])]

    (version,) = plan(policy(), "".join(json.dumps(row) + "\n" for row in rows)).plan.datasets

    assert "6 of 7 cases share their context with others" in " ".join(version.notes)
    assert plan(policy()).plan.datasets[0].notes == ()


@pytest.mark.parametrize("field", ["context", "cluster"])
def test_cases_that_share_a_cluster_are_asked_all_at_once_as_no_look_may_end_the_run(field: str) -> None:
    looking = policy(comparison={"early_stopping": True, "look_every": 20})
    shared = [case | {field: f"passage {number // 3}"} for number, case in enumerate(CASES)]
    single = [case | {field: f"passage {number}"} for number, case in enumerate(CASES)]

    together, apart = (plan(looking, "".join(json.dumps(row) + "\n" for row in rows)).plan for rows in (shared, single))

    assert (len(together.rounds), together.rounds[0]) == (1, together.batches)
    assert len(apart.rounds) > 1
    assert "asked all at once" in " ".join(together.datasets[0].notes)
    assert apart.datasets[0].notes == ()


def test_money_is_put_aside_for_as_many_tokens_as_other_scripts_need() -> None:
    """Tokenizers of today's models make one to one and a half tokens of a Japanese letter, a third of a Latin one."""
    latin, japanese = (input_tokens_of(Case(id="1", prompt=letter * 300), None) for letter in "aあ")

    assert latin == 100 + 8
    assert japanese == 450 + 8
    assert input_tokens_of(Case(id="1", prompt="aaa" + "あ" * 2), None) == 1 + 3 + 8


SEEN = "".join(json.dumps({"id": f"c{n}", "prompt": f"which town is number {n} of the list"}) + "\n" for n in range(5))


def test_cases_that_stand_in_the_training_data_are_told_and_stay() -> None:
    planned = plan(policy(contamination={"training_data": "s3://b/training/", "ngram": 3}), SEEN)

    (version,) = planned.plan.datasets
    assert version.drawn == 5
    assert "5 of 5 cases stand in the training data" in " ".join(version.notes)


def plan_with_examples(examples: list[dict[str, Any]], **suite: Any) -> Planned:
    found = policy(**suite)
    source = found.datasets["d"].model_copy(update={"shots": 1, "examples": "s3://b/solved.jsonl"})
    contents = {"s3://b/d.jsonl": CASES, "s3://b/solved.jsonl": examples, "s3://b/training/": examples}

    def read(location: str) -> Iterator[tuple[str, bytes]]:
        yield "d.jsonl", "".join(json.dumps(each) + "\n" for each in contents[location]).encode()

    wanted = PlanRequest.model_validate(
        {"run": "r", "suite": "s", "started_at": STARTED, "trigger": {"kind": "manual"}}
    )
    given_policy = found.model_copy(update={"datasets": {"d": source}})
    return plan_run(wanted, given_policy, read=read, output_tokens={}, spreads={})


EXAMPLE = {"id": "e", "prompt": "which town has the river that runs north through it", "expected": ["Bonn"]}


def test_other_solved_examples_make_another_version_of_a_dataset() -> None:
    one, same = plan_with_examples([EXAMPLE]), plan_with_examples([EXAMPLE])
    other = plan_with_examples([EXAMPLE | {"expected": ["Mainz"]}])

    digests = [planned.plan.datasets[0].digest for planned in (one, same, other)]
    assert digests[0] == digests[1] != digests[2]
    assert "Bonn" in one.batches[0].cases[0].question


def test_solved_examples_do_not_count_as_contamination_of_the_cases() -> None:
    wanted = {"training_data": "s3://b/training/", "ngram": 5, "exclude": True}

    planned = plan_with_examples([EXAMPLE], contamination=wanted).plan

    assert planned.planned == len(CASES)


def test_a_dataset_of_which_nothing_is_left_is_refused_with_the_reason() -> None:
    settings = {"training_data": "s3://b/training/", "ngram": 3, "exclude": True}

    with pytest.raises(InvalidInputError, match="all its cases stand in the training data"):
        plan(policy(contamination=settings), SEEN)


def test_a_run_ends_when_its_time_is_over() -> None:
    assert plan(policy()).plan.deadline == STARTED + timedelta(minutes=30)


def test_early_stopping_looks_after_as_many_cases_as_the_suite_says() -> None:
    planned = plan(policy(comparison={"early_stopping": True, "look_every": 20})).plan

    assert planned.rounds == (1, 1, 1, 1, 1, 1, 1)
    assert sum(planned.rounds) == planned.batches


def test_what_is_asked_before_a_look_is_a_random_part_of_sorted_datasets() -> None:
    easy_first = [Case(id=f"{number:04}", prompt="?", difficulty=str(number // 500)) for number in range(1000)]
    other = [Case(id=f"{number:04}", prompt="?") for number in range(1000)]

    rounds = make_rounds({"sorted": easy_first, "other": other}, repeats=1, size=50, look_every=200)

    first = [case for batch in rounds.batches[: rounds.sizes[0]] for case in batch.cases]
    easy = sum(case.difficulty == "0" for case in first)
    hard = sum(case.difficulty == "1" for case in first)
    assert len(first) == 200
    # A quarter each, within five standard deviations.
    assert easy == pytest.approx(50, abs=31)
    assert hard == pytest.approx(50, abs=31)
    assert make_rounds({"sorted": easy_first[::-1], "other": other}, 1, 50, 200).sizes == rounds.sizes


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    repeats=st.integers(1, 3),
    size=st.integers(1, 12),
    look_every=st.integers(1, 40),
    seed=st.integers(0, 9),
)
def test_rounds_hold_every_case_once_with_all_its_repeats(
    sizes: list[int], repeats: int, size: int, look_every: int, seed: int
) -> None:
    datasets = {f"d{n}": [Case(id=str(c), prompt="?") for c in range(count)] for n, count in enumerate(sizes)}

    batches, rounds = make_rounds(datasets, repeats, size, look_every, seed)

    assert [batch.number for batch in batches] == list(range(len(batches)))
    assert sum(rounds) == len(batches)
    assert all(len(batch.cases) <= size for batch in batches)
    seen: set[tuple[str, str]] = set()
    start = 0
    for count in rounds:
        asked = [
            (batch.epoch, batch.dataset, case.id) for batch in batches[start : start + count] for case in batch.cases
        ]
        cases = {each[1:] for each in asked}
        assert len(asked) == len(set(asked)) == repeats * len(cases)
        assert len(cases) <= look_every
        assert not seen & cases
        seen |= cases
        start += count
    assert len(seen) == sum(sizes)


def test_a_run_that_may_stop_early_draws_strata_in_proportion() -> None:
    sampling = {"cases": 40, "by": "group", "allocation": "equal"}

    with pytest.raises(ValueError, match="early_stopping needs cases that count alike: set sampling"):
        policy(sampling=sampling, comparison={"early_stopping": True})
    policy(sampling={**sampling, "allocation": "proportional"}, comparison={"early_stopping": True})


def test_the_champion_is_asked_even_where_only_another_is_named() -> None:
    assert set(plan(policy(), models=["micro"]).plan.asked) == {"lite", "micro"}


def test_a_sample_by_equal_strata_tells_their_shares() -> None:
    planned = plan(policy(sampling={"cases": 40, "by": "group", "allocation": "equal"})).plan

    assert planned.planned == 40
    assert planned.strata is not None
    assert planned.strata.shares == {"a": 0.5, "b": 0.5}


def test_lines_that_were_rejected_are_noted_with_the_first_reason() -> None:
    (dataset,) = plan(policy(), json.dumps(CASES[0]) + "\n{broken\n").plan.datasets

    assert (dataset.cases, dataset.rejected) == (1, 1)
    assert "d.jsonl:2" in dataset.notes[0]


@pytest.mark.parametrize(
    ("request_", "content", "words"),
    [
        ({"suite": "t"}, None, "name one of the suites"),
        ({"models": ["titan"]}, None, "lite, micro"),
        ({}, "", "no case to ask"),
        ({}, "{broken\n", "no case to ask.*d.jsonl:1"),
    ],
)
def test_what_cannot_be_planned_says_why(request_: dict[str, Any], content: str | None, words: str) -> None:
    with pytest.raises((InvalidInputError, NotFoundError), match=words):
        plan(policy(), content, **request_)


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=4), repeats=st.integers(1, 3), size=st.integers(1, 12))
def test_batches_hold_every_case_of_every_epoch_once(sizes: list[int], repeats: int, size: int) -> None:
    datasets = {f"d{n}": [Case(id=str(c), prompt="?") for c in range(count)] for n, count in enumerate(sizes)}

    batches = list(make_batches(datasets, repeats, size))

    asked = [(batch.epoch, batch.dataset, case.id) for batch in batches for case in batch.cases]
    assert len(asked) == len(set(asked)) == repeats * sum(sizes)
    assert [batch.number for batch in batches] == list(range(len(batches)))
    assert all(len(batch.cases) <= size for batch in batches)


def test_copies_with_flaws_are_asked_after_all_cases_and_once_of_every_model() -> None:
    wanted = {"perturbations": ["typos", "upper_case"], "cases": 10, "copies": 2, "seed": 3}

    planned = plan(policy(robustness=wanted, repeats=2))
    plain = plan(policy(repeats=2))

    copies = [case for batch in planned.batches for case in batch.cases if case.copy_of is not None]
    assert planned.batches[: len(plain.batches)] == plain.batches
    assert all(case.copy_of is not None for batch in planned.batches[len(plain.batches) :] for case in batch.cases)
    assert len({case.copy_of for case in copies}) == 10
    assert len({case.id for case in copies}) == len(copies) == planned.plan.copies
    assert planned.plan.planned == plain.plan.planned == 2 * len(CASES)
    assert planned.plan.forecast.at_most_usd > plain.plan.forecast.at_most_usd
    assert plan(policy(robustness=wanted, repeats=2)).batches == planned.batches


def test_flaws_are_not_for_runs_that_may_stop_early() -> None:
    with pytest.raises(ValueError, match="robustness"):
        policy(robustness={}, comparison={"early_stopping": True})
