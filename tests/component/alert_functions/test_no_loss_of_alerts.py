"""Whatever call fails, at whatever point: people are told of every violation and of its end, each with one id."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hallmark.alerts.notifications import Notification
from tests.component.alert_functions.conftest import Functions
from tests.contract.aws_adapters.injection import ANSWER_LOST, CRASHED_AFTER, CRASHED_BEFORE, Injection
from tests.unit.alerts.events_of_others import verdict
from tests.unit.alerts.observed import MINUTE

THE_TESTS_OWN = {"sqs.ReceiveMessage", "sqs.DeleteMessage"}
FAULTS = (CRASHED_AFTER, ANSWER_LOST, CRASHED_BEFORE)
_names = (f"model-{number}" for number in itertools.count())


def live(functions: Functions) -> list[Notification]:
    """Let a gate fail and pass; return what was told, in the order of its sequence, repeats left out."""
    model = next(_names)
    heard: list[Notification] = []
    for place, outcome in enumerate(("failed", "passed")):
        # Not long ago: an alert of the past would have ended by itself.
        at = _now() + place * timedelta(milliseconds=1)
        functions.deliver("route_alerts", verdict(outcome, at=at, model_name=model))  # type: ignore[arg-type]
        heard += functions.hear()
    told = {each.id: each for each in heard}
    assert all(each.alerts[0].subject_name == model for each in told.values())
    return sorted(told.values(), key=lambda each: each.sequence)


def _now() -> datetime:
    return datetime.now(UTC)


def test_any_call_may_fail_and_everything_is_told_once(functions: Functions, injection: Injection) -> None:
    injection.clear()
    assert [(each.status, each.sequence) for each in live(functions)] == [("firing", 1), ("resolved", 2)]
    calls = [number for number, name in enumerate(injection.calls) if name not in THE_TESTS_OWN]
    assert len(calls) > 20

    # Every third call, each in one of three ways: all of them would take a minute of CPU.
    for place, number in enumerate(calls[::3]):
        fault = FAULTS[place % len(FAULTS)]
        injection.clear()
        injection.choose = lambda now, name, failing=number, fault=fault: (
            fault  # type: ignore[misc]
            if now == failing and name not in THE_TESTS_OWN
            else None
        )
        told = live(functions)
        assert [each.status for each in told] == ["firing", "resolved"], f"call {number}: {fault.name}"


def test_a_storm_in_one_batch_writes_each_condition_once(functions: Functions, injection: Injection) -> None:
    model = next(_names)
    same = [verdict("failed", at=_now() - place * MINUTE, model_name=model) for place in range(60)]
    injection.clear()
    functions.deliver("route_alerts", *same)

    assert injection.calls.count("dynamodb.PutItem") == 3  # the alert, that it was told of, its group
    (told,) = functions.hear()
    assert (told.firing, told.alerts[0].starts_at) == (1, min(_at(event) for event in same))


def _at(event: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(event["detail"]["decidedAt"])


def test_one_event_that_cannot_be_read_harms_no_other(functions: Functions) -> None:
    model = next(_names)
    functions.deliver(
        "route_alerts",
        {"source": "hallmark", "detail-type": "Unknown", "detail": {}},
        verdict(at=_now(), model_name=model),
    )

    assert [each.alerts[0].subject_name for each in functions.hear()] == [model]
    assert len(functions.take("dead")) == 1
