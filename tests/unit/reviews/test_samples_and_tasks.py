from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.errors import InvalidInputError
from hallmark.reviews.outputs import Output, draw
from hallmark.reviews.settings import ReviewProgram, ReviewSample
from hallmark.reviews.tasks import Task, make_tasks, may_rate, person_key, read_score

SOURCE = {"kind": "evaluation", "suite": "answers", "variant": "nova"}


def outputs(**sizes: int) -> list[Output]:
    return [
        Output(id=f"{stratum}-{number}", model="m", prompt="?", answer="!", labels={"category": stratum})
        for stratum, size in sizes.items()
        for number in range(size)
    ]


@settings(max_examples=30, deadline=None)
@given(shuffle=st.randoms(use_true_random=True), size=st.integers(3, 60), seed=st.integers(0, 1000))
def test_a_sample_is_the_same_in_any_order_and_stands_for_the_population(
    shuffle: random.Random, size: int, seed: int
) -> None:
    population = outputs(common=80, rare=16, seldom=4)
    sample = ReviewSample(size=size, by="category", seed=seed, allocation="equal")
    drawn = draw(population, sample)
    mixed = [*population, *population[:5]]
    shuffle.shuffle(mixed)

    assert draw(mixed, sample) == drawn
    assert len(drawn) == size
    stands_for = Counter[str]()
    for each in drawn:
        stands_for[each.stratum] += each.weight  # type: ignore[assignment]
    assert {name: round(weight / size, 6) for name, weight in stands_for.items()} == {
        "common": 0.8,
        "rare": 0.16,
        "seldom": 0.04,
    }


def test_another_seed_draws_others() -> None:
    population = outputs(all=500)

    first, second = ({each.output.id for each in draw(population, ReviewSample(size=50, seed=n))} for n in (1, 2))

    assert len(first & second) < 20


def test_reviewers_rate_alike_many_nobody_twice_and_every_pair_meets() -> None:
    people = ("r1", "r2", "r3", "r4", "r5")
    program = ReviewProgram.model_validate({"source": SOURCE, "reviewers": people, "per_item": 2})
    tasks = make_tasks(draw(outputs(all=100), ReviewSample(size=100)), program)

    load = Counter(person for task in tasks for person in task.reviewers)
    assert set(load.values()) == {40}
    assert all(len(set(task.reviewers)) == 2 for task in tasks)
    assert {tuple(sorted(task.reviewers)) for task in tasks} == set(combinations(people, 2))


SSO = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Raters_0123/r1"
SESSION = "arn:aws:sts::111122223333:assumed-role/Anything/r1"
USER = "arn:aws:iam::111122223333:user/r1"


def test_a_task_is_for_whom_the_policy_names_and_a_session_name_that_anybody_may_choose_proves_nothing() -> None:
    def first(*reviewers: str) -> Task:
        program = ReviewProgram.model_validate({"source": SOURCE, "reviewers": reviewers, "per_item": 1})
        return make_tasks(draw(outputs(all=1), ReviewSample(size=1)), program)[0]

    assert [may_rate(person, first("r1")) for person in (USER, SSO, SESSION)] == [True, True, False]
    assert [may_rate(person, first(USER)) for person in (USER, SSO)] == [True, False]
    assert may_rate(SESSION, first("arn:aws:sts::111122223333:assumed-role/Anything/*"))
    assert may_rate(SESSION, first())
    assert person_key(USER) == person_key(SSO) != person_key(SESSION)


@pytest.mark.parametrize(
    ("scale", "given"),
    [("thumbs", "0.5"), ("likert", "6"), ("likert", "2.5"), ("fraction", "nan")],
)
def test_a_score_beside_the_scale_is_refused_with_the_remedy(scale: str, given: str) -> None:
    program = ReviewProgram.model_validate({"source": SOURCE, "scale": scale})

    with pytest.raises(InvalidInputError, match="give") as error:
        read_score(given, program)

    assert (error.value.field, error.value.value) == ("score", given)


@pytest.mark.parametrize(
    ("more", "remedy"),
    [
        ({"reviewers": ["r1"], "per_item": 2}, "lower per_item"),
        ({"reviewers": ["r1", "r1"]}, "name each once"),
        ({"frequency": "weekly"}, "rate"),
        ({"time_zone": "Mars/Base"}, "time zone"),
        ({"threshold": 85}, "less than 1"),
        ({"expires": "1 second"}, "expires"),
    ],
)
def test_a_program_that_cannot_work_is_refused(more: dict[str, object], remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy):
        ReviewProgram.model_validate({"source": SOURCE, **more})
