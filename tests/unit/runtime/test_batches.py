"""Each message of a batch for itself."""

from __future__ import annotations

from threading import Event
from typing import Any

import pytest

from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.runtime.batches import WORKERS, Outcome, work_off

Refusals = list[tuple[str, str]]


def record(body: str, receives: int = 1) -> dict[str, Any]:
    return {"messageId": f"id of {body}", "body": body, "attributes": {"ApproximateReceiveCount": str(receives)}}


def handle(body: str) -> str:
    match body.partition(" ")[0].rstrip(","):
        case "invalid":
            raise InvalidInputError("field", body, "send another")
        case "unavailable":
            raise UnavailableError("the service does not answer")
        case "unexpected":
            raise ZeroDivisionError("nobody thought of this")
        case "gone":
            raise SystemExit
    return body.upper()


def run(*records: dict[str, Any], seconds: float | None = None) -> tuple[Outcome[str], Refusals]:
    kept: Refusals = []

    def refuse(body: str, error: Exception) -> None:
        if body.endswith("not kept"):
            raise UnavailableError("no dead letters now")
        kept.append((body, str(error)))

    return work_off(records, handle, refuse, maximum_receives=5, seconds=seconds), kept


def test_results_come_in_the_order_of_the_messages() -> None:
    outcome, kept = run(*(record(f"message {number:02}") for number in range(3 * WORKERS)))

    assert outcome.results == [f"MESSAGE {number:02}" for number in range(3 * WORKERS)]
    assert outcome.response == {"batchItemFailures": []}
    assert (outcome.refused, kept) == (0, [])


def test_one_bad_message_harms_no_other() -> None:
    outcome, kept = run(record("a"), record("invalid"), record("unavailable"), record("unexpected"), record("b"))

    assert outcome.results == ["A", "B"]
    assert outcome.failed == ["id of unavailable", "id of unexpected"]
    assert outcome.refused == 1
    ((body, reason),) = kept
    assert body == "invalid"
    assert reason == "field is 'invalid': send another"


@pytest.mark.parametrize(
    ("body", "reason"),
    [("unavailable", "the service does not answer"), ("unexpected", "nobody thought of this")],
)
def test_what_failed_for_the_last_time_is_kept_with_its_reason(body: str, reason: str) -> None:
    outcome, kept = run(record(body, receives=4))
    assert (outcome.failed, kept) == ([f"id of {body}"], [])

    outcome, kept = run(record(body, receives=5))
    assert (outcome.failed, kept) == ([], [(body, reason)])


def test_what_cannot_be_kept_stays_in_the_queue() -> None:
    outcome, kept = run(record("invalid, and not kept"), record("a"))

    assert (outcome.results, outcome.failed, outcome.refused, kept) == (["A"], ["id of invalid, and not kept"], 0, [])


def test_a_process_that_ends_ends() -> None:
    with pytest.raises(SystemExit):
        run(record("a"), record("gone"))


def test_a_slow_message_does_not_take_the_others_with_it() -> None:
    released = Event()
    kept: Refusals = []

    def wait_for_slow(body: str) -> str:
        if body.startswith("slow"):
            released.wait(30)
        return body

    slow = [record(f"slow {number}") for number in range(WORKERS - 1)]
    late = [record("slow at last", receives=5)] + [record(f"never begun {number}") for number in range(3)]
    try:
        outcome = work_off(
            [record("quick"), *slow, *late],
            wait_for_slow,
            lambda body, error: kept.append((body, str(error))),
            maximum_receives=5,
            seconds=0.2,
        )
    finally:
        released.set()

    assert outcome.results == ["quick"]
    assert outcome.failed == [message["messageId"] for message in (*slow, *late[1:])]
    assert kept == [("slow at last", "the function's time was over before this message was handled")]
