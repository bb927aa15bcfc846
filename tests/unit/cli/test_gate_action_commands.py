"""``hallmark gate``: what people say of models, and how they are told that they may not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

from rich.console import Console
from typer.testing import CliRunner

from hallmark.aws.deployed import QuestionError
from hallmark.cli.main import app
from hallmark.cli.session import Context
from hallmark.gates.approvals import Approval, Rules
from hallmark.gates.deciding import DecideRequest, ListRequest, OverrideRequest, Request
from tests.fakes.lineage_service import CannedService

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ASKED = Approval(
    id="ap-1",
    gate="full",
    stage="production",
    model="arn",
    model_name="churn v3",
    verdict="hallmark:verdict/v1",
    rules=Rules(approvers=("kim",)),
    asked_at=NOON,
    expires_at=datetime(2999, 1, 1, tzinfo=UTC),
    summary="all 4 criteria hold",
)
DONE = ASKED.model_copy(update={"state": "approved", "by": "arn:aws:iam::1:user/kim", "reason": "fine"})


def run(answer: Any, *arguments: str) -> tuple[int, str, list[Request]]:
    def decide(_request: Request) -> dict[str, Any]:
        if isinstance(answer, Exception):
            raise answer
        found: dict[str, Any] = answer
        return found

    service, out = CannedService(), StringIO()
    service.decisions = decide
    screen = Console(file=out, width=160, highlight=False)
    context = Context(lambda: service, screen=screen, errors=screen)
    result = CliRunner().invoke(app, ["gate", *arguments], obj=context)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, out.getvalue() + result.stdout, service.decided


def listed(*approvals: Approval) -> dict[str, Any]:
    return {"approvals": [each.model_dump(mode="json") for each in approvals]}


def test_what_waits_is_listed_with_who_may_decide_and_until_when() -> None:
    code, out, asked = run(listed(ASKED, DONE.model_copy(update={"id": "ap-2"})), "approvals")

    assert (code, asked) == (0, [ListRequest(limit=50)])
    assert all(
        word in out for word in ("ap-1", "pending", "churn v3", "kim", "2999-01-01 00:00", "all 4 criteria hold")
    )
    assert "ap-2" not in out


def test_what_is_decided_is_listed_when_asked_for() -> None:
    _, out, _ = run(listed(DONE), "approvals", "--all")

    assert "approved" in out
    assert "fine" in out


def test_long_arns_of_those_who_may_decide_are_shortened_on_the_screen_and_whole_in_json() -> None:
    role = (
        f"arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_{'ModelApprovers' * 4}_1a2b3c4d"
    )
    asked = ASKED.model_copy(update={"rules": Rules(approvers=(role, "kim"))})
    _, out, _ = run(listed(asked), "approvals")

    assert "who may: role/aws-reserved/s…" in out
    assert "1a2b3c4d, kim" in out
    assert role in run(listed(asked), "approvals", "--json")[1]


def test_a_question_whose_time_is_over_says_so() -> None:
    _, out, _ = run(listed(ASKED.model_copy(update={"expires_at": NOON + timedelta(days=-400)})), "approvals")

    assert "pending (over)" in out


def test_where_nothing_waits_that_is_said() -> None:
    assert "nothing waits" in run(listed(), "approvals")[1]
    assert json.loads(run(listed(), "approvals", "--json")[1]) == []


def test_approving_sends_the_reason_and_tells_who_it_was() -> None:
    code, out, asked = run({"approval": DONE.model_dump(mode="json")}, "approve", "ap-1", "--reason", "fine")

    assert (code, asked) == (0, [DecideRequest(approval="ap-1", decision="approved", reason="fine")])
    assert "churn v3 approved for production by arn:aws:iam::1:user/kim" in out


def test_rejecting_sends_the_other_decision() -> None:
    _, out, asked = run({"approval": DONE.model_dump(mode="json")}, "reject", "ap-1", "--reason", "no", "--json")

    assert asked == [DecideRequest(approval="ap-1", decision="rejected", reason="no")]
    assert json.loads(out)["id"] == "ap-1"


def test_overriding_names_the_verdict_and_the_person() -> None:
    told = {"modelName": "churn v3", "gate": "full", "by": "arn:aws:iam::1:user/kim"}

    code, out, asked = run({"override": told}, "override", "hallmark:verdict/v1", "--reason", "wrong labels")

    assert (code, asked) == (0, [OverrideRequest(verdict="hallmark:verdict/v1", reason="wrong labels")])
    assert "churn v3: gate full overridden by arn:aws:iam::1:user/kim" in out


def test_a_decision_without_a_reason_is_not_sent() -> None:
    code, _, asked = run({}, "approve", "ap-1")

    assert (code, asked) == (3, [])


def test_who_may_not_decide_is_told_why() -> None:
    code, out, _ = run(
        QuestionError("the caller is 'x': only these may decide: kim"), "approve", "ap-1", "--reason", "y"
    )

    assert code == 1
    assert "only these may decide: kim" in out
