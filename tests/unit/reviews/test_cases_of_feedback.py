from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.evaluation.cases import Case
from hallmark.reviews.feedback import Feedback, FoundAnswer, case_lines, cases_of, keep, read_feedback
from hallmark.reviews.settings import FeedbackExport, ReviewProgram
from hallmark.reviews.tasks import Score, is_complete, latest_scores

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
EXPORT = FeedbackExport()

words = st.fixed_dictionaries(
    {
        "request_id": st.sampled_from(["q-1", "q-2", "q-3"]),
        "label": st.sampled_from(["positive", "negative", ""]),
        "score": st.sampled_from([0.0, 1.0]),
        "by": st.sampled_from(["", "user-1", "user-2"]),
    }
)


def joined(said: dict[str, object], minute: int) -> Feedback:
    found = FoundAnswer(subject="arn:model", prompt=f"ask {said['request_id']}", answer="positive", where="log")
    kept = keep(read_feedback(said), NOON + timedelta(minutes=minute))
    return kept.model_copy(update={"found": found})


@settings(max_examples=60, deadline=None)
@given(said=st.lists(words, max_size=12), shuffle=st.randoms(use_true_random=True))
def test_cases_are_the_same_in_any_order_of_feedback_and_evaluations_can_read_them(
    said: list[dict[str, object]], shuffle: random.Random
) -> None:
    feedback = [joined(each, minute) for minute, each in enumerate(said)]
    mixed = list(feedback)
    shuffle.shuffle(mixed)

    cases = list(cases_of(feedback, EXPORT))

    assert list(cases_of(mixed, EXPORT)) == cases
    assert len({case["id"] for case in cases}) == len(cases)
    lines = case_lines(cases).decode().splitlines()
    assert [Case.model_validate_json(line).weight for line in lines] == [case["weight"] for case in cases]
    corrected = {each["request_id"] for each in said if each["label"]}
    assert {case["prompt"] for case in cases} == {f"ask {request_id}" for request_id in corrected}


def test_an_answer_that_is_scored_high_is_its_own_correction_where_policy_says_so() -> None:
    praised = joined({"request_id": "q-1", "score": 1.0}, 0)

    assert list(cases_of([praised], EXPORT)) == []
    (case,) = cases_of([praised], FeedbackExport(accept_score=0.9))
    assert case["expected"] == ["positive"]


scores = st.builds(
    lambda task, by, revision, value: Score(
        task=task, by=by, revision=revision, value=value, fraction=value, at=NOON + timedelta(seconds=revision)
    ),
    st.sampled_from(["0001", "0002"]),
    st.sampled_from([f"arn:aws:iam::111122223333:user/rater-{number}" for number in (1, 2)]),
    st.integers(0, 3),
    st.sampled_from([0.0, 1.0]),
)


@settings(max_examples=60, deadline=None)
@given(
    given_scores=st.lists(scores, max_size=10, unique_by=lambda one: (one.task, one.by[-7:], one.revision)),
    shuffle=st.randoms(use_true_random=True),
)
def test_one_score_of_each_person_counts_whatever_the_order(given_scores: list[Score], shuffle: random.Random) -> None:
    mixed = list(given_scores)
    shuffle.shuffle(mixed)
    counted = latest_scores(given_scores)

    assert latest_scores(mixed) == counted
    assert len(counted) == len({(score.task, score.by[-7:]) for score in given_scores})
    assert is_complete(2, 1, given_scores) == ({score.task for score in given_scores} == {"0001", "0002"})


def test_nothing_is_complete_without_tasks() -> None:
    assert not is_complete(0, 1, [])
    assert ReviewProgram.model_validate({"source": {"kind": "evaluation", "suite": "s", "variant": "v"}}).per_item == 2
