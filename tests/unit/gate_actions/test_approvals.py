"""Who may decide, how, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hallmark.errors import InvalidInputError
from hallmark.gates.approvals import Approval, Rules, approval_id, check_overridable, decide
from hallmark.people import Person
from tests.fakes.told_verdicts import verdict

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
USER = "arn:aws:iam::111122223333:user/team/"
SESSION = "arn:aws:sts::111122223333:assumed-role/"
KIM = Person(arn=f"{USER}kim", principal="AIDAKIM")
LEE = Person(arn=f"{USER}lee", principal="AIDALEE")


def approval(**rules: Any) -> Approval:
    return Approval(
        id=approval_id("hallmark:verdict/v1", "hallmark:verdict/v1"),
        gate="full",
        stage="production",
        model="m",
        model_name="churn v3",
        verdict="hallmark:verdict/v1",
        rules=Rules.model_validate({"authors": [LEE], **rules}),
        asked_at=NOON,
        expires_at=NOON + timedelta(days=1),
    )


def test_an_approver_approves_with_a_reason() -> None:
    decided = decide(approval(approvers=["kim"]), KIM, "approved", "  all   fine ", NOON)

    assert (decided.state, decided.by, decided.reason, decided.decided_at) == ("approved", KIM.arn, "all fine", NOON)


def test_the_author_may_not_approve_where_the_policy_says_so() -> None:
    with pytest.raises(InvalidInputError, match="whoever made a model may not approve it"):
        decide(approval(), LEE, "approved", "fine", NOON)

    assert decide(approval(author_may_not_approve=False), LEE, "approved", "fine", NOON).state == "approved"


def test_where_the_author_is_not_known_nobody_is_trusted_not_to_be() -> None:
    with pytest.raises(InvalidInputError, match="does not tell who made this model"):
        decide(approval(authors=[]), KIM, "approved", "fine", NOON)


def test_who_is_not_on_the_list_may_not_approve() -> None:
    with pytest.raises(InvalidInputError, match="only these may decide: kim"):
        decide(approval(approvers=["kim"]), Person(arn=f"{USER}sam"), "approved", "fine", NOON)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 601])
def test_a_decision_needs_a_reason_of_a_bearable_length(reason: str) -> None:
    with pytest.raises(InvalidInputError, match="reason"):
        decide(approval(), KIM, "approved", reason, NOON)


def test_it_is_too_late_from_the_moment_of_expiry_on() -> None:
    asked = approval()

    assert decide(asked, KIM, "approved", "fine", asked.expires_at - timedelta(seconds=1)).state == "approved"
    with pytest.raises(InvalidInputError, match="it expired at 2026-11-24 12:00 UTC"):
        decide(asked, KIM, "approved", "fine", asked.expires_at)


def test_the_same_decision_again_changes_nothing_and_another_one_is_refused() -> None:
    decided = decide(approval(), KIM, "approved", "fine", NOON)

    assert decide(decided, KIM, "approved", "really", NOON + timedelta(hours=1)) is decided
    with pytest.raises(InvalidInputError, match=r"it is approved already, by .*kim: fine"):
        decide(decided, KIM, "rejected", "no", NOON)
    with pytest.raises(InvalidInputError, match="it is approved already"):
        decide(decided, Person(arn=f"{USER}sam"), "approved", "me too", NOON)


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        (f"{USER}kim", "kim"),
        (f"{SESSION}AWSReservedSSO_Admin_0a1b/kim@example.com", "kim@example.com"),
        (f"{SESSION}Admin/kim", ""),
        ("arn:aws:iam::111122223333:root", ""),
    ],
)
def test_only_a_name_that_nobody_chooses_for_themselves_is_one(arn: str, name: str) -> None:
    assert Person(arn=arn).name == name


def test_whoever_names_a_session_after_an_approver_is_no_approver() -> None:
    assert not Person(arn=f"{SESSION}Developer/kim").is_among(["kim"])
    assert Person(arn=f"{SESSION}Release/any").is_among([f"{SESSION}Release/*"])
    assert not Person(arn="arn:aws:iam::111122223333:root").is_among([""])


def test_a_person_with_two_roles_is_one_person() -> None:
    developer = Person(arn=f"{SESSION}AWSReservedSSO_Dev_1/kim@example.com")
    release = Person(arn=f"{SESSION}AWSReservedSSO_Release_2/kim@example.com")

    assert developer.is_same_as(release)
    assert not developer.is_same_as(Person(arn=f"{SESSION}Release/kim@example.com"))
    assert Person(arn="a", principal="P").is_same_as(Person(arn="b", principal="P"))
    assert not Person(arn="a").is_same_as(Person(arn="b"))


def test_a_verdict_that_lets_a_model_pass_has_nothing_to_override() -> None:
    check_overridable(verdict("full", "production", "inconclusive"))
    with pytest.raises(InvalidInputError, match="nothing to override"):
        check_overridable(verdict("full", "production", "passed"))
