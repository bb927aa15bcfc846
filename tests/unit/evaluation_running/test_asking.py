from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.errors import UnavailableError
from hallmark.evaluation.asking import LANES, UnfinishedError
from hallmark.evaluation.plans import worst_cost_usd
from hallmark.evaluation.ports import NoReplyError, Outcome, Progress, RefusedError, ThrottledError
from hallmark.evaluation.results import FailureKind
from tests.fakes.evaluation_run import VARIANT, KilledError, RunSurroundings, questions
from tests.patience import PATIENCE_SECONDS


def test_every_case_gets_its_answer_with_its_cost() -> None:
    run = RunSurroundings()

    outcomes = run.asker().ask_all(questions(20))

    answers = [outcome.answer for outcome in outcomes.values()]
    assert [answer.text for answer in answers if answer] == [f"QUESTION {number}" for number in range(20)]
    assert all(answer is not None and answer.cost_usd for answer in answers)
    assert run.purse.answered == 20


def test_a_case_that_was_answered_is_not_asked_again() -> None:
    run = RunSurroundings()
    first = run.asker().ask_all(questions(20))

    again = run.asker().ask_all(questions(20))

    assert dict(again) == dict(first)
    assert set(run.models.calls.values()) == {1}


@settings(max_examples=40, deadline=None)
@given(deaths=st.lists(st.integers(min_value=1, max_value=30), min_size=1, max_size=4))
def test_however_often_a_run_dies_no_call_is_made_twice_and_no_case_is_lost(deaths: list[int]) -> None:
    run = RunSurroundings()
    for death in deaths:
        run.book.dies_at = run.book._records + death
        try:
            run.asker().ask_all(questions(30))
        except KilledError:
            continue
    run.book.dies_at = None

    outcomes = run.asker().ask_all(questions(30))

    assert max(run.models.calls.values()) == 1
    assert len(outcomes) == 30
    failed = [outcome.failure.kind for outcome in outcomes.values() if outcome.failure]
    assert set(failed) <= {FailureKind.INTERRUPTED}
    assert len(failed) <= LANES * len(deaths)


def test_two_invocations_with_the_same_batch_share_it_and_neither_repeats_a_call() -> None:
    run = RunSurroundings()
    barrier = Barrier(2, timeout=PATIENCE_SECONDS)

    def wait_for_the_other(question: str) -> str:
        with suppress(BrokenBarrierError):
            barrier.wait(0.05)
        return "yes"

    run.models.behaviour = wait_for_the_other
    with ThreadPoolExecutor(2) as invocations:
        both = list(invocations.map(lambda _: run.asker().ask_all(questions(60)), range(2)))

    assert set(run.models.calls.values()) == {1}
    assert len(run.models.calls) == 60
    assert all(len(outcomes) == 60 for outcomes in both)
    assert run.purse.committed_usd == pytest.approx(run.purse.spent_usd)


def test_what_another_invocation_asked_is_waited_for_and_taken_over() -> None:
    run = RunSurroundings()
    first = run.asker().ask_all(questions(1))
    (key,) = first
    run.book.outcomes[key] = Outcome(None, None)
    run.clock.on_wait = lambda: run.book.record(key, first[key])

    again = run.asker().ask_all(questions(1))

    assert dict(again) == dict(first)
    assert set(run.models.calls.values()) == {1}


def test_a_throttled_call_is_made_again_and_waits_longer_each_time() -> None:
    attempts: dict[str, int] = {}

    def throttle_twice(question: str) -> str:
        attempts[question] = attempts.get(question, 0) + 1
        if attempts[question] <= 2:
            raise ThrottledError("slow down")
        return "yes"

    run = RunSurroundings(throttle_twice)

    outcomes = run.asker().ask_all(questions(3))

    assert all(outcome.answer for outcome in outcomes.values())
    assert set(run.models.calls.values()) == {3}
    assert max(run.clock.waited) <= 1.0


def test_a_model_that_always_throttles_calls_for_a_retry_and_leaves_nothing_announced() -> None:
    def throttle(question: str) -> str:
        raise ThrottledError("slow down")

    run = RunSurroundings(throttle)

    with pytest.raises(UnavailableError, match="throttles"):
        run.asker().ask_all(questions(20))

    assert run.book.outcomes == {}
    assert run.purse.committed_usd == pytest.approx(0)


def test_the_last_attempt_turns_what_stays_throttled_into_failures() -> None:
    def throttle(question: str) -> str:
        raise ThrottledError("slow down")

    outcomes = RunSurroundings(throttle).asker().ask_all(questions(10), give_up=True)

    assert {outcome.failure.kind for outcome in outcomes.values() if outcome.failure} == {FailureKind.THROTTLED}
    assert len(outcomes) == 10


def test_a_call_without_a_reply_may_be_paid_and_is_not_made_again() -> None:
    def vanish(question: str) -> str:
        raise NoReplyError("read timed out")

    run = RunSurroundings(vanish)
    run.asker().ask_all(questions(3))

    outcomes = run.asker().ask_all(questions(3))

    assert {outcome.failure.kind for outcome in outcomes.values() if outcome.failure} == {FailureKind.TIMED_OUT}
    assert set(run.models.calls.values()) == {1}


def test_a_model_that_refuses_everything_is_not_asked_a_thousand_times() -> None:
    def refuse(question: str) -> str:
        raise RefusedError("ResourceNotFoundException: no such model")

    run = RunSurroundings(refuse)

    outcomes = run.asker().ask_all(questions(100))

    assert run.models.calls.total() == LANES
    assert {outcome.failure.kind for outcome in outcomes.values() if outcome.failure} == {FailureKind.REFUSED}
    last = outcomes[questions(100)[-1].key].failure
    assert last is not None
    assert "no such model" in last.reason


def test_one_case_that_is_refused_does_not_stop_the_others() -> None:
    def refuse_one(question: str) -> str:
        if question == "question 3":
            raise RefusedError("ValidationException: too long")
        return "yes"

    outcomes = RunSurroundings(refuse_one).asker().ask_all(questions(30))

    assert sum(outcome.answer is not None for outcome in outcomes.values()) == 29


def test_the_cap_on_money_is_never_exceeded_even_if_every_answer_is_as_long_as_allowed() -> None:
    worst = worst_cost_usd(VARIANT, questions(1)[0].case)
    run = RunSurroundings(cap_usd=worst * 20, output_tokens=VARIANT.inference.max_tokens)

    outcomes = run.asker().ask_all(questions(100))

    assert run.purse.spent_usd <= run.purse.cap_usd
    assert run.purse.committed_usd == pytest.approx(run.purse.spent_usd)
    kinds = {outcome.failure.kind for outcome in outcomes.values() if outcome.failure}
    assert kinds == {FailureKind.BUDGET}
    assert len(outcomes) == 100
    assert run.models.calls.total() == sum(outcome.answer is not None for outcome in outcomes.values())


def test_money_for_less_than_a_group_of_calls_is_spent_too() -> None:
    worst = worst_cost_usd(VARIANT, questions(1)[0].case)
    run = RunSurroundings(cap_usd=worst * (LANES + 3), output_tokens=VARIANT.inference.max_tokens)

    outcomes = run.asker().ask_all(questions(LANES * 3))

    assert sum(outcome.answer is not None for outcome in outcomes.values()) >= LANES + 3
    assert run.purse.spent_usd <= run.purse.cap_usd


def test_money_that_others_hold_in_reserve_is_waited_for() -> None:
    run = RunSurroundings(cap_usd=1.0)
    run.purse.reserve(1.0, 0.0, Progress())

    def give_back() -> None:
        run.purse.committed_usd = 0.0

    run.clock.on_wait = give_back

    outcomes = run.asker().ask_all(questions(5))

    assert all(outcome.answer for outcome in outcomes.values())


def test_money_that_a_dead_invocation_holds_is_not_waited_for_without_end() -> None:
    run = RunSurroundings(cap_usd=1.0)
    run.purse.reserve(1.0, 0.0, Progress())

    outcomes = run.asker().ask_all(questions(5))

    assert {outcome.failure.kind for outcome in outcomes.values() if outcome.failure} == {FailureKind.BUDGET}
    assert sum(run.clock.waited) < 10


def test_a_cap_below_the_first_calls_stops_before_anything_is_asked() -> None:
    run = RunSurroundings(cap_usd=1e-9)

    outcomes = run.asker().ask_all(questions(5))

    assert run.models.calls.total() == 0
    assert {outcome.failure.kind for outcome in outcomes.values() if outcome.failure} == {FailureKind.BUDGET}


def test_after_the_deadline_nothing_is_asked() -> None:
    run = RunSurroundings(hours=0)

    outcomes = run.asker().ask_all(questions(5))

    assert run.models.calls.total() == 0
    assert all(outcome.failure and "time" in outcome.failure.reason for outcome in outcomes.values())


def test_an_invocation_whose_time_is_nearly_over_leaves_the_rest_to_the_next() -> None:
    run = RunSurroundings(remaining_seconds=30)

    with pytest.raises(UnfinishedError, match="5 of 5"):
        run.asker().ask_all(questions(5))


def test_requests_and_tokens_are_taken_from_the_models_pace() -> None:
    run = RunSurroundings()
    paced = VARIANT.model_copy(update={"requests_per_minute": 60, "tokens_per_minute": 10_000})

    run.asker().ask_all(questions(20, paced))

    assert run.pace.taken["requests"] == 20
    assert run.pace.taken["tokens"] >= 20 * paced.inference.max_tokens
