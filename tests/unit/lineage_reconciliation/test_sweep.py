from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.lineage.folding import fold
from hallmark.lineage.listing import SWEPT, ListingRefusedError
from hallmark.lineage.model import Fact, Origin
from hallmark.lineage.reconciliation import FAILURES_IN_A_ROW, INTERRUPTIONS, OVERLAP, PRESENT_LIMIT, read_sweep
from tests.fakes.listed_account import (
    EXECUTION,
    PREFIX,
    START,
    Desk,
    endpoint,
    execution,
    expired,
    package,
    step,
    training_job,
    transform_job,
    unavailable,
)
from tests.fakes.memory_store import MemoryStore


@pytest.fixture
def desk() -> Desk:
    return Desk()


def fill(desk: Desk) -> None:
    for number in range(5):
        desk.account.add(training_job(f"train-{number}", at=START + timedelta(minutes=number)))
    desk.account.add(transform_job("score"))
    desk.account.add(package(1, approval="Approved"))
    desk.account.add(endpoint("live"))
    desk.account.add(execution())
    desk.account.steps_of[EXECUTION] = [step("train-0"), step("train-1")]


def test_the_first_sweep_records_all_of_an_account_that_has_a_past(desk: Desk) -> None:
    fill(desk)

    done = desk.sweep()

    assert done.counts["training-job"].model_dump() == {"listed": 5, "skipped": 0, "recorded": 5, "failed": 0}
    assert done.counts["pipeline-step"].recorded == 2
    assert {fact.origin for fact in desk.store.facts} == {Origin.RECONCILED}
    assert {fact.subject.id.rpartition(":")[2] for fact in desk.store.facts} == {
        *(f"training-job/train-{number}" for number in range(5)),
        "transform-job/score",
        "model-package/churn/1",
        "endpoint/live",
        "pipeline/churn/execution/abc",
    }


def test_a_second_sweep_describes_nothing_and_records_nothing(desk: Desk) -> None:
    fill(desk)
    desk.sweep()
    before = desk.store.snapshot()
    desk.account.calls.clear()
    desk.later(hours=1)

    again = desk.sweep()

    assert desk.account.called("describe") == []
    assert sum(counts.recorded for counts in again.counts.values()) == 0
    assert desk.store.snapshot() == before


def test_even_a_full_sweep_describes_nothing_that_is_recorded(desk: Desk) -> None:
    fill(desk)
    desk.sweep()
    desk.account.calls.clear()

    again = desk.sweep('{"full": true}')

    assert desk.account.called("describe") == []
    assert again.counts["training-job"].skipped == 5


def test_a_sweep_looks_back_to_the_start_of_the_last_one_and_a_little_further(desk: Desk) -> None:
    desk.account.add(training_job("old"))
    desk.sweep()
    started_at = desk.now
    desk.later(hours=5)
    desk.account.add(training_job("within", at=started_at - OVERLAP + timedelta(minutes=1), minutes=0))
    desk.account.add(training_job("before", at=started_at - OVERLAP - timedelta(minutes=20), minutes=0))

    desk.sweep()

    assert [name.rpartition("/")[2] for name in desk.account.called("describe")] == ["old", "within"]


def test_a_sweep_since_a_time_does_not_move_the_next_one(desk: Desk) -> None:
    desk.sweep(f'{{"since": "{(START + timedelta(days=30)).isoformat()}"}}')
    desk.account.add(training_job("old"))

    assert desk.sweep().counts["training-job"].recorded == 1


def test_a_sweep_over_some_kinds_leaves_the_others(desk: Desk) -> None:
    fill(desk)

    done = desk.sweep('{"kinds": ["transform-job"]}')

    assert set(done.counts) == {"transform-job"}
    assert set(desk.cursors.kept) == {"transform-job"}


def test_an_invocation_describes_no_more_than_it_may_and_the_next_one_goes_on(desk: Desk) -> None:
    fill(desk)
    sweep = desk.begin()

    sweep = desk.step(sweep, describes=3)

    assert len(desk.account.called("describe")) == 3
    assert sweep.kinds[0] == "training-job"
    while sweep.kinds:
        sweep = desk.step(sweep, describes=3)
    assert sorted(desk.account.called("describe")) == sorted(set(desk.account.called("describe")))
    assert len(desk.store.facts) == 11


def test_an_invocation_makes_no_more_requests_than_it_may(desk: Desk) -> None:
    fill(desk)
    sweep = desk.begin()
    invocations = 0

    while sweep.kinds:
        desk.account.calls.clear()
        sweep = desk.step(sweep, requests=7)
        invocations += 1
        # What was begun with one request left is ended: a description, its tags, its steps.
        assert len(desk.account.calls) <= 7 + 2

    assert invocations > 4
    assert len(desk.store.facts) == 11


def test_a_change_that_no_event_told_of_is_recorded(desk: Desk) -> None:
    desk.account.add(training_job("train", at=desk.now, status="InProgress", minutes=1))
    desk.account.add(package(1, approval="PendingManualApproval"))
    desk.sweep()
    desk.account.add(training_job("train", at=desk.now))
    desk.account.add(package(1, approval="Approved", changed=desk.now))

    done = desk.sweep()

    assert (done.counts["training-job"].recorded, done.counts["model-package"].recorded) == (1, 1)
    assert fold(desk.store.states(f"{PREFIX}:training-job/train")).status == "Completed"
    assert fold(desk.store.states(f"{PREFIX}:model-package/churn/1")).attributes["approval_status"] == "Approved"


def test_a_resource_that_vanishes_before_its_description_is_counted_and_stops_nothing(desk: Desk) -> None:
    vanishing = training_job("vanishing")
    desk.account.add(vanishing)
    desk.account.add(training_job("staying"))
    desk.account.resources[vanishing.arn].kind = "training-job"

    def delete(call: str, what: str) -> None:
        if call == "describe":
            desk.account.resources.pop(vanishing.arn, None)

    desk.account.refuse = delete

    done = desk.sweep()

    assert (done.counts["training-job"].failed, done.counts["training-job"].recorded) == (1, 1)
    assert vanishing.arn in done.reasons[0]
    assert "deleted" in done.reasons[0]
    assert desk.cursors.read("training-job").unsettled == ()


def test_a_resource_that_cannot_be_read_now_is_tried_again_by_the_next_sweep(desk: Desk) -> None:
    fill(desk)
    desk.account.refuse = unavailable("describe", "train-1", "train-3")

    done = desk.sweep()

    refused = tuple(f"{PREFIX}:training-job/train-{number}" for number in (1, 3))
    assert (done.counts["training-job"].failed, done.counts["training-job"].recorded) == (2, 3)
    assert desk.cursors.read("training-job").unsettled == refused
    assert "AccessDeniedException" in done.reasons[0]

    desk.account.refuse = lambda _call, _what: None
    desk.account.calls.clear()
    desk.later(days=10)
    done = desk.sweep()

    assert desk.account.called("describe") == list(refused)
    assert done.counts["training-job"].recorded == 2
    assert desk.cursors.read("training-job").unsettled == ()


def test_a_kind_that_is_refused_is_put_behind_the_others_and_given_up_in_the_end(desk: Desk) -> None:
    fill(desk)
    desk.sweep()
    cursor = desk.cursors.read("training-job")
    desk.later(hours=1)
    desk.account.refuse = unavailable("list", "training-job")
    desk.account.add(endpoint("new"))
    sweep = desk.step(desk.begin())

    assert sweep.kinds == ("training-job",)
    assert sweep.counts["endpoint"].recorded == 1
    waits = []
    while sweep.kinds:
        waits.append(sweep.wait_seconds)
        sweep = desk.step(sweep)

    assert waits == [60, 120, 240, 480, 900]
    assert sweep.counts["training-job"].failed == 1
    assert "training-job was given up" in sweep.reasons[0]
    assert desk.cursors.read("training-job") == cursor
    assert desk.cursors.read("endpoint").started_at == desk.now


def test_a_kind_that_may_not_be_listed_is_given_up_at_once(desk: Desk) -> None:
    fill(desk)

    def refuse(call: str, what: str) -> None:
        if (call, what) == ("list", "training-job"):
            raise ListingRefusedError("list_training_jobs: AccessDeniedException")

    desk.account.refuse = refuse

    done = desk.step(desk.begin())

    assert (done.kinds, done.wait_seconds) == ((), 0)
    assert (done.counts["training-job"].failed, done.counts["endpoint"].recorded) == (1, 1)
    assert done.reasons == ("training-job was given up: list_training_jobs: AccessDeniedException",)
    assert "training-job" not in desk.cursors.kept


def test_a_kind_that_nobody_may_describe_costs_a_bounded_number_of_requests(desk: Desk) -> None:
    for number in range(200):
        desk.account.add(training_job(f"train-{number}"))
    desk.account.refuse = unavailable("describe")

    done = desk.sweep()

    assert len(desk.account.called("describe")) == FAILURES_IN_A_ROW * (INTERRUPTIONS + 1)
    assert "training-job" not in desk.cursors.kept
    assert done.kinds == ()


def test_what_is_interrupted_goes_on_behind_what_has_failed(desk: Desk) -> None:
    for number in range(FAILURES_IN_A_ROW + 5):
        desk.account.add(training_job(f"train-{number:02}"))
    refused = tuple(f"train-{number:02}" for number in range(FAILURES_IN_A_ROW))
    desk.account.refuse = unavailable("describe", *refused)

    done = desk.sweep()

    assert done.counts["training-job"].recorded == 5
    assert len(desk.account.called("describe")) == FAILURES_IN_A_ROW + 5
    assert [arn.rpartition("/")[2] for arn in desk.cursors.read("training-job").unsettled] == list(refused)


def test_what_an_earlier_sweep_left_is_tried_once_by_each_later_one(desk: Desk) -> None:
    arns = [desk.account.add(training_job(f"train-{number:02}")) for number in range(FAILURES_IN_A_ROW + 2)]
    desk.sweep()
    desk.cursors.kept["training-job"] = desk.cursors.read("training-job")._replace(unsettled=tuple(arns))
    desk.account.refuse = unavailable("describe")
    desk.account.calls.clear()
    desk.later(days=10)

    desk.sweep()

    assert desk.account.called("describe") == arns
    assert desk.cursors.read("training-job").unsettled == tuple(arns)


def test_a_message_holds_what_was_seen_of_one_page_only(desk: Desk) -> None:
    fill(desk)

    desk.sweep(describes=1)

    positions = [position for text in desk.messages for position in read_sweep(text).positions.values()]
    assert positions
    assert all(len(position.seen) <= desk.account.page_size for position in positions)


def test_endpoints_that_are_too_many_to_remember_are_not_watched(desk: Desk) -> None:
    desk.account.page_size = 100
    arns = [desk.account.add(endpoint(f"live-{number}")) for number in range(PRESENT_LIMIT + 1)]
    desk.sweep()
    del desk.account.resources[arns[0]]

    desk.sweep()

    assert desk.cursors.read("endpoint").present is not None
    assert fold(desk.store.states(arns[0])).status == "InService"
    del desk.account.resources[arns[1]]
    desk.sweep()
    assert fold(desk.store.states(arns[1])).status == "Deleted"


def test_a_listing_whose_token_has_expired_begins_again(desk: Desk) -> None:
    fill(desk)
    refused: list[str] = []

    def expire(call: str, what: str) -> None:
        if call == "list" and what == "training-job 4" and not refused:
            refused.append(what)
            raise expired("4")

    desk.account.refuse = expire

    done = desk.sweep()

    assert refused
    assert (done.counts["training-job"].recorded, done.counts["training-job"].failed) == (5, 0)
    assert len(desk.account.called("describe")) == len(set(desk.account.called("describe")))


def test_a_listing_whose_token_never_holds_is_given_up(desk: Desk) -> None:
    fill(desk)

    def expire(call: str, what: str) -> None:
        if call == "list" and what == "training-job 2":
            raise expired("2")

    desk.account.refuse = expire

    done = desk.sweep()

    assert done.counts["training-job"].failed == 1
    assert "training-job" not in desk.cursors.kept
    assert done.counts["endpoint"].recorded == 1


def test_an_endpoint_that_is_no_longer_there_is_recorded_as_deleted_once(desk: Desk) -> None:
    arn = desk.account.add(endpoint("live"))
    desk.account.add(endpoint("other"))
    desk.sweep()
    del desk.account.resources[arn]
    desk.later(hours=1)

    first, second = desk.sweep(), desk.sweep()

    view = fold(desk.store.states(arn))
    assert (view.status, view.deleted_at) == ("Deleted", desk.now)
    assert (first.counts["endpoint"].recorded, second.counts["endpoint"].recorded) == (1, 0)
    assert fold(desk.store.states(f"{PREFIX}:endpoint/other")).status == "InService"


def test_an_endpoint_whose_deletion_is_recorded_is_left_alone(desk: Desk) -> None:
    arn = desk.account.add(endpoint("live"))
    desk.sweep()
    del desk.account.resources[arn]
    desk.sweep()
    before = len(desk.store.facts)
    desk.cursors.kept["endpoint"] = desk.cursors.read("endpoint")._replace(present=(arn,))

    desk.sweep()

    assert len(desk.store.facts) == before


def test_an_endpoint_that_a_listing_left_out_by_mistake_is_not_deleted(desk: Desk) -> None:
    arn = desk.account.add(endpoint("live"))
    desk.sweep()
    hidden = desk.account.resources[arn].kind
    desk.account.resources[arn].kind = "endpoint-not-listed-now"

    def show(call: str, _what: str) -> None:
        desk.account.resources[arn].kind = hidden if call == "describe" else desk.account.resources[arn].kind

    desk.account.refuse = show

    desk.sweep()

    assert desk.account.called("describe")[-1] == arn
    assert fold(desk.store.states(arn)).status == "InService"


def test_an_endpoint_made_anew_under_its_old_name_is_recorded_as_another(desk: Desk) -> None:
    desk.account.add(endpoint("live"))
    desk.sweep()
    desk.later(hours=1)
    desk.account.add(endpoint("live", at=desk.now, config="second"))

    desk.sweep()

    births = {recorded.state.node.born for recorded in desk.store.states(f"{PREFIX}:endpoint/live")}
    assert births == {START, desk.now}


def test_a_step_that_no_event_told_of_is_recorded_though_the_execution_is_known(desk: Desk) -> None:
    desk.account.add(execution())
    desk.account.steps_of[EXECUTION] = [step("first")]
    desk.sweep()
    desk.account.steps_of[EXECUTION].append(step("second"))

    done = desk.sweep('{"full": true}')

    assert done.counts["pipeline-step"].model_dump() == {"listed": 2, "skipped": 1, "recorded": 1, "failed": 0}
    assert set(fold(desk.store.states(EXECUTION)).attributes["steps"]) == {"first", "second"}


def test_steps_of_executions_that_ended_long_ago_are_not_asked_for(desk: Desk) -> None:
    desk.account.add(execution(minutes=48 * 60))
    desk.account.steps_of[EXECUTION] = [step("first")]
    desk.later(hours=24)
    desk.sweep()
    for _ in range(3):
        desk.later(hours=2)
        desk.account.calls.clear()
        desk.sweep()

    assert desk.account.called("list")
    assert desk.account.called("steps") == []


def test_a_step_that_has_not_begun_is_left_for_later(desk: Desk) -> None:
    desk.account.add(execution("Executing"))
    desk.account.steps_of[EXECUTION] = [step("waiting", "Starting", at=None), step("running", "Executing")]

    done = desk.sweep()

    assert done.counts["pipeline-step"].model_dump() == {"listed": 2, "skipped": 1, "recorded": 1, "failed": 0}


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ('{"kinds": ["training-job", "notebook"]}', "kinds"),
        ('{"since": "yesterday"}', "since"),
        ('{"since": "2026-11-01T08:00:00"}', "since"),
        ('{"sinse": null}', "sinse"),
        ("[]", "the message"),
        ("{", "the message"),
    ],
)
def test_a_message_that_is_no_sweep_is_refused_with_the_field(message: str, field: str) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        read_sweep(message)

    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("message", "full", "routine"),
    [
        ("{}", False, True),
        ('{"since": null}', True, False),
        ('{"full": true}', True, False),
        ('{"since": "2026-11-01T08:00:00Z"}', False, False),
        ('{"kinds": ["endpoint"]}', False, False),
    ],
)
def test_messages_say_which_sweep_is_meant(message: str, full: bool, routine: bool) -> None:
    sweep = read_sweep(message)

    assert (sweep.full, sweep.is_routine) == (full, routine)


def test_every_kind_is_swept_once() -> None:
    assert len(set(SWEPT)) == len(SWEPT)


def test_a_sweep_ends_in_one_invocation_where_nothing_stands_against_it(desk: Desk) -> None:
    fill(desk)

    assert desk.step(desk.begin()).kinds == ()


class BusyStore(MemoryStore):
    """Takes nothing the first time."""

    is_busy = True

    def add(self, fact: Fact, recorded_at: datetime) -> bool:
        if self.is_busy:
            self.is_busy = False
            raise UnavailableError("recording a fact: ThrottlingException")
        return super().add(fact, recorded_at)


def test_a_record_that_does_not_answer_is_no_reason_to_forget_a_resource(desk: Desk) -> None:
    fill(desk)
    desk.store = BusyStore()

    first = desk.sweep()
    desk.later(hours=1)
    desk.sweep()

    assert sum(counts.failed for counts in first.counts.values()) == 1
    assert len(desk.store.facts) == 11
