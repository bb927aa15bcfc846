"""Which configuration an endpoint is put back to."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.gates.rolling_back import (
    FailedVerdict,
    Service,
    candidates,
    failure_of,
    is_outdated,
    judged_endpoint,
    rollbacks_of,
)
from hallmark.gates.settings import GatesPolicy
from tests.fakes.told_verdicts import ENDPOINT, NOON, PACKAGE, verdict

POLICY = GatesPolicy.model_validate({"gates": {"serving": {"stage": "production", "models": {"endpoints": ["churn"]}}}})


def at(hour: float) -> datetime:
    return NOON + timedelta(hours=hour)


def served(*names: str) -> list[Service]:
    """Each for an hour, one after the other; the last one still."""
    last = len(names) - 1
    return [
        Service(config=f"arn:{name}", since=at(hour), until=at(hour + 1) if hour < last else None)
        for hour, name in enumerate(names)
    ]


def test_the_one_before_is_put_back() -> None:
    assert [each.config for each in candidates(served("a", "b", "c"), "arn:c", [])] == ["arn:b", "arn:a"]


def test_what_a_verdict_speaks_against_is_not_put_back() -> None:
    against_b = FailedVerdict("v", at(1.5))

    assert [each.config for each in candidates(served("a", "b", "c"), "arn:c", [against_b])] == ["arn:a"]


def test_what_is_served_now_is_never_put_back_however_it_is_spelled() -> None:
    assert [each.config for each in candidates(served("a", "b", "a"), "arn:A", [])] == ["arn:b"]
    assert candidates(served("a"), "arn:A", []) == []


def test_what_served_twice_counts_by_its_last_time() -> None:
    found = candidates(served("a", "b", "a", "c"), "arn:c", [])

    assert [(each.config, each.since) for each in found] == [("arn:a", at(2)), ("arn:b", at(1))]


def test_what_came_into_service_after_the_verdict_was_not_judged() -> None:
    services = served("a", "b")

    assert is_outdated(services, "arn:b", at(0.5))
    assert not is_outdated(services, "arn:b", at(1.5))
    assert not is_outdated([], "arn:b", at(0))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=12), st.lists(st.floats(0, 12), max_size=4))
def test_neither_the_current_nor_a_rejected_one_is_ever_put_back(names: list[str], hours: list[float]) -> None:
    services = served(*names)
    current = f"arn:{names[-1]}"
    failed = [FailedVerdict("v", at(hour)) for hour in hours]

    found = {each.config for each in candidates(services, current, failed)}

    rejected = {
        each.config
        for each in services
        for told in failed
        if each.since <= told.at and (each.until is None or told.at < each.until)
    }
    assert found == {each.config for each in services} - {current} - rejected


def test_a_failed_gate_that_rolls_back_does_so_for_each_endpoint_once() -> None:
    told = verdict("serving", "production", "failed", model=ENDPOINT)

    found = rollbacks_of(told, POLICY, [ENDPOINT, ENDPOINT])

    assert [(each.endpoint, each.endpoint_name) for each in found] == [(ENDPOINT, "churn")]
    assert found == rollbacks_of(told, POLICY, [ENDPOINT])
    assert rollbacks_of(verdict("serving", "production", "passed", model=ENDPOINT), POLICY, [ENDPOINT]) == []


def test_the_endpoint_is_the_one_that_was_judged_or_that_the_verdict_names() -> None:
    assert judged_endpoint(verdict("serving", "production", "failed", model=ENDPOINT)) == ENDPOINT
    assert judged_endpoint(verdict("serving", "production", "failed", endpoint=ENDPOINT)) == ENDPOINT
    assert judged_endpoint(verdict("serving", "production", "failed", model=PACKAGE)) is None


def test_a_rollback_came_about_only_if_the_endpoint_serves_what_was_wanted() -> None:
    plan = {"do": "update", "to_config": "Good", "reason": ""}

    assert failure_of(plan, {"EndpointStatus": "InService", "EndpointConfigName": "good"}, None) is None
    still = {"EndpointStatus": "InService", "EndpointConfigName": "bad", "FailureReason": "no capacity"}
    assert failure_of(plan, still, None) == "the endpoint is InService with bad: no capacity"
    assert failure_of(plan, None, "UpdateEndpoint: no") == "UpdateEndpoint: no"
    assert failure_of({"do": "fail", "reason": "none"}, None, None) == "none"
