"""What follows a verdict in the registry."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.errors import InvalidInputError
from hallmark.events.gates import GateOverridden, JudgedCriterion
from hallmark.gates.actions import gate_overridden, model_moved
from hallmark.gates.promoting import (
    DESCRIPTION_CHARACTERS,
    Order,
    PackageState,
    check_unchanged,
    describe_move,
    is_done,
    next_step,
    order_of,
    rejection_reason,
)
from hallmark.gates.settings import GatesPolicy
from hallmark.people import Person
from tests.fakes.told_verdicts import ENDPOINT, NOON, PACKAGE, verdict

PENDING = PackageState(status="Completed", approval="PendingManualApproval", stage="Staging", fingerprint="f")
APPROVED = PENDING.model_copy(update={"approval": "Approved", "stage": "Production", "stage_status": "Approved"})
ASKS = {"criteria": {"traceable": {"kind": "lineage"}}, "models": {"model_package_groups": ["churn"]}}
POLICY = GatesPolicy.model_validate(
    {
        "gates": {
            "smoke": {"stage": "development", "models": {"model_package_groups": ["churn"]}},
            "bench": {"stage": "staging", "next_stage": "production", **ASKS},
            "full": {"stage": "production", "approval": {"required": True, "approvers": ["kim"]}, **ASKS},
        }
    }
)


def order(gate: str = "full", stage: str = "production", outcome: str = "passed", **more: Any) -> Order:
    found = order_of(verdict(gate, stage, outcome, **more), POLICY)
    assert found is not None
    return found


def failed(name: str, why: str) -> JudgedCriterion:
    return JudgedCriterion(name=name, kind="absolute", outcome="failed", why=why)


def test_development_only_tells() -> None:
    assert order_of(verdict("smoke", "development", "failed"), POLICY) is None
    assert order_of(verdict("smoke", "development", "passed"), POLICY) is None


@pytest.mark.parametrize("gate", ["bench", "full"])
def test_what_was_not_decided_moves_nothing(gate: str) -> None:
    assert order_of(verdict(gate, "production", "inconclusive"), POLICY) is None


def test_who_passes_staging_waits_for_the_gate_of_production() -> None:
    found = order("bench", "staging")

    assert (found.move, found.to_stage, found.to_status) == ("promote", "Production", "PendingApproval")
    assert (found.approves, found.asks_approval) == (False, False)


def test_who_passes_production_is_approved_once_a_person_agrees() -> None:
    found = order()

    assert (found.to_stage, found.to_status) == ("Production", "Approved")
    assert (found.approves, found.asks_approval, found.approval_seconds) == (True, True, 3 * 86_400)
    assert next_step(found, PENDING, None).step == "ask"


def test_who_fails_is_rejected_without_asking_anybody() -> None:
    policy = POLICY.model_copy(
        update={"gates": {"full": POLICY.gates["full"].model_copy(update={"on_failure": "block"})}}
    )
    found = order_of(verdict("full", "production", "failed", criteria=[failed("a", "0.7 is less than 0.8")]), policy)

    assert found is not None
    assert (found.move, found.to_stage, found.asks_approval) == ("reject", "", False)
    assert "a: 0.7 is less than 0.8" in found.reason
    assert next_step(found, PENDING, None).step == "move"


def test_an_endpoint_has_no_stage() -> None:
    assert order_of(verdict("full", "production", "failed", model=ENDPOINT), POLICY) is None


def test_a_gate_that_the_policy_has_no_more_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="it has: bench, full, smoke"):
        order_of(verdict("gone", "production", "passed"), POLICY)


def test_repeats_of_a_verdict_are_one_order_and_an_override_is_another() -> None:
    person = Person(arn="arn:aws:iam::1:user/kim")
    override = gate_overridden(verdict("bench", "staging", "failed"), person, "why", NOON)
    again = GateOverridden.model_validate_json(override.model_dump_json(by_alias=True))

    assert order("bench", "staging").id == order("bench", "staging").id
    overridden = order_of(again, POLICY)
    assert overridden is not None
    assert overridden.id != order("bench", "staging").id
    assert (overridden.move, overridden.to_stage, overridden.group) == ("promote", "Production", "churn")
    assert "overridden: why" in overridden.reason
    # The rejection that it overrides is no reason not to promote.
    rejected = PENDING.model_copy(update={"approval": "Rejected"})
    assert next_step(overridden, rejected, None).step == "move"


@pytest.mark.parametrize(
    ("package", "newer", "reason"),
    [
        (None, None, "does not exist"),
        (PENDING.model_copy(update={"status": "Failed"}), None, "is Failed"),
        (PENDING, "hallmark:verdict/v2", "newer verdict decides: hallmark:verdict/v2"),
        (PENDING.model_copy(update={"approval": "Rejected"}), None, "rejected meanwhile"),
    ],
)
def test_in_doubt_nothing_is_promoted(package: PackageState | None, newer: str | None, reason: str) -> None:
    step = next_step(order(), package, newer)

    assert step.step == "none"
    assert reason in step.reason


def test_what_passed_a_later_gate_is_not_taken_back_by_an_earlier_one() -> None:
    assert next_step(order("bench", "staging", "failed"), APPROVED, None).step == "none"


def test_what_the_registry_says_already_is_not_written_again() -> None:
    rejected = PENDING.model_copy(update={"approval": "Rejected"})

    assert is_done(order(), APPROVED)
    assert not is_done(order(), PENDING)
    assert is_done(order("bench", "staging", "failed"), rejected)
    assert next_step(order(), APPROVED, None).step == "none"


def test_an_exchanged_container_is_another_model() -> None:
    assert check_unchanged("f", PENDING) is None
    assert "changed since" in (check_unchanged("g", PENDING) or "")


def test_a_rejection_tells_all_failed_criteria_where_they_fit() -> None:
    told = verdict("bench", "staging", "failed", criteria=[failed("a", "1 < 2."), failed("b", "3 > 2")])

    assert rejection_reason(told) == "Gate bench (staging) failed. a: 1 < 2. b: 3 > 2. Verdict: hallmark:verdict/v1"


def test_a_rejection_with_many_criteria_says_how_many_more_there_are() -> None:
    told = verdict("bench", "staging", "failed", criteria=[failed(f"c{i}", "x" * 300) for i in range(20)])

    text = rejection_reason(told)

    assert len(text) <= DESCRIPTION_CHARACTERS
    assert text.endswith("Verdict: hallmark:verdict/v1")
    shown = text.count("xxx…")
    assert shown >= 3
    assert f"And {20 - shown} more." in text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=400), max_size=30), st.integers(1, 2000))
def test_a_rejection_always_fits(reasons: list[str], limit: int) -> None:
    told = verdict("bench", "staging", "failed", criteria=[failed("c", why) for why in reasons])

    assert len(rejection_reason(told, limit)) <= limit
    assert len(describe_move(order("bench", "staging"), "somebody", " ".join(reasons))) <= DESCRIPTION_CHARACTERS


def test_a_move_tells_lineage_what_it_rests_on_and_the_same_each_time() -> None:
    moved = model_moved(order(), PENDING, by="kim", reason="fine", at=NOON, approval="ap-1")

    assert moved == model_moved(order(), PENDING, by="kim", reason="fine", at=NOON, approval="ap-1")
    assert (moved.from_stage, moved.to_stage, moved.approval_status) == ("Staging", "Production", "Approved")
    assert [(flow.node.id, flow.direction) for flow in moved.lineage.flows] == [
        ("hallmark:verdict/v1", "in"),
        (PACKAGE, "in"),
        ("hallmark:approval/ap-1", "in"),
    ]


def test_a_persons_rejection_becomes_a_rejection_in_the_registry() -> None:
    rejection = order().to_rejection()

    assert (rejection.move, rejection.to_stage, rejection.approves) == ("reject", "", False)
    assert rejection.id.startswith("reject-")
