from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from hallmark.lineage.accountable import (
    Act,
    ApprovalsAnswer,
    ApprovalsQuestion,
    Approved,
    ReasonsAnswer,
    ReasonsQuestion,
    WhoAnswer,
    WhoQuestion,
)
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import Answer, Candidates, NodeSummary, Question
from tests.fakes.lineage_service import CannedService
from tests.unit.cli.test_commands import run

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
PACKAGE = NodeSummary(
    key="arn:aws:sagemaker:eu-west-1:111122223333:model-package/wine/3", kind=NodeKind.MODEL_PACKAGE, label="wine v3"
)
APPROVED = Act(
    key="hallmark:action/cloudtrail-1",
    at=NOON,
    what="UpdateModelPackage",
    details={"approval_status": "Approved"},
    actor="person",
    by="arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_X_1/anna@example.com",
    name="anna@example.com",
    source_ip="203.0.113.7",
    region="eu-west-1",
    user_agent="aws-cli/2.1",
    why="better on all groups",
    why_from="approval description",
)
REFUSED = Act(
    key="hallmark:action/cloudtrail-2",
    at=NOON,
    what="DeleteModelPackage",
    outcome="attempted",
    actor="session",
    by="arn:aws:sts::111122223333:assumed-role/Admin/carol",
    claimed="carol",
    error="AccessDenied",
)


def service(answer: Callable[[Question], Answer]) -> CannedService:
    return CannedService(answer)


def told(answer: Answer) -> CannedService:
    return service(lambda _: answer)


def test_who_shows_each_act_with_who_where_and_why() -> None:
    asked = told(WhoAnswer(node=PACKAGE, acts=(REFUSED, APPROVED)))
    screen = run(asked, "who", "wine:3", "--as-of", "2026-11-02", width=160)

    assert screen.code == 0
    assert "UpdateModelPackage  approval status Approved" in screen.out
    assert "by anna@example.com (person)  from 203.0.113.7, eu-west-1, aws-cli/2.1" in screen.out
    assert "why better on all groups (approval description)" in screen.out
    assert "ATTEMPTED, AccessDenied" in screen.out
    assert "its name proves nobody, says it is carol" in screen.out
    assert "why not said" in screen.out
    assert asked.asked == [WhoQuestion(node="wine:3", limit=20, as_of=datetime(2026, 11, 2, tzinfo=UTC))]


def test_who_knows_nobody_and_asks_for_a_trail() -> None:
    assert "does a trail of CloudTrail log" in run(told(WhoAnswer(node=PACKAGE, acts=())), "who", "wine:3").out


def test_a_cut_answer_says_so() -> None:
    answer = WhoAnswer(node=PACKAGE, acts=(APPROVED,), complete=False)

    assert "INCOMPLETE" in run(told(answer), "who", "wine:3").err


def test_an_unknown_node_gets_its_candidates() -> None:
    unknown = Candidates(asked="wina", reason="unknown", candidates=(PACKAGE,))
    screen = run(told(unknown), "who", "wina")

    assert (screen.code, "wine v3" in screen.err) == (2, True)


def found(finding: Any, *, accepted: bool) -> ApprovalsAnswer:
    each = Approved(
        package=PACKAGE,
        group="g",
        finding=finding,
        accepted=accepted,
        at=NOON,
        by=APPROVED.by,
        name=APPROVED.name,
        actor="person",
        authors=("arn:aws:iam::111122223333:user/ben",),
        why="better",
    )
    return ApprovalsAnswer(approved=(each,), groups=2, without=1)


@pytest.mark.parametrize(
    ("finding", "accepted", "code"), [("person", True, 0), ("machine", False, 4), ("author", False, 4)]
)
def test_approvals_say_whose_word_it_was_and_a_check_fails_where_one_lacks(
    finding: str, accepted: bool, code: int
) -> None:
    asked = told(found(finding, accepted=accepted))
    screen = run(asked, "approvals", "wine", "--check", width=200)

    assert screen.code == code
    assert "anna@example.com" in screen.out
    assert "user/ben" in screen.out
    assert f"{int(not accepted)} of 1 approvals lack" in screen.out
    assert asked.asked == [ApprovalsQuestion(group="wine")]


def test_reasons_list_what_lacks_one_and_a_check_fails() -> None:
    asked = told(ReasonsAnswer(required=True, calls=9, by_people=3, missing=(REFUSED,)))
    screen = run(asked, "reasons", "--check", width=160)

    assert screen.code == 4
    assert "DeleteModelPackage" in screen.out
    assert "2 of 3 calls of people say why (9 calls in all; policy requires a reason)" in screen.out
    assert asked.asked == [ReasonsQuestion()]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("who", "x"), WhoAnswer(node=PACKAGE, acts=(APPROVED,))),
        (("approvals",), found("person", accepted=True)),
        (("reasons",), ReasonsAnswer(required=False, calls=1, by_people=1, missing=())),
    ],
)
def test_json_is_the_answer_itself(words: tuple[str, ...], answer: Answer) -> None:
    assert json.loads(run(told(answer), *words, "--json").out) == answer.model_dump(mode="json")


def test_approvals_can_be_read_on_a_narrow_screen_with_the_name_of_a_deployed_role() -> None:
    answer = found("machine", accepted=False)
    role = "arn:aws:sts::111122223333:assumed-role/HallmarkGates-ActionsSetModelStageRoleCA7D8C31-290ED8D22A358/f"
    each = answer.approved[0].model_copy(update={"by": role, "name": "", "why": "Promoted by gate wine-production"})
    lines = run(told(answer.model_copy(update={"approved": (each,)})), "approvals", width=80).lines

    assert any("a machine, without a person's word" in line for line in lines)
    assert any("why Promoted by gate wine-production" in line for line in lines)
    assert len(lines) <= 6
