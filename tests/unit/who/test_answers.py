"""Who did what, whose word an approval was, and what was done without a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hallmark.events.records import LineageFlow, LineageNode, LineageSection
from hallmark.lineage.accountable import (
    Act,
    ApprovalsAnswer,
    ApprovalsQuestion,
    ReasonsAnswer,
    ReasonsQuestion,
    WhoAnswer,
    WhoQuestion,
)
from hallmark.lineage.answering import Answerer
from hallmark.lineage.questions import TraceAnswer, TraceQuestion
from hallmark.lineage.recording import record_event
from hallmark.lineage.rows import GraphRows
from hallmark.people import HumanRules
from tests.fakes.api_calls import ACCOUNT, REGION, arn, call, sso, user
from tests.fakes.memory_store import MemoryStore, surroundings

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
PACKAGE = arn("model-package", "wine/3")
ANNA, BEN, CI = sso("anna@example.com"), user("ben"), user("ci-deploy")
ROBOT = {"userIdentity": {"type": "AWSService", "invokedBy": "sagemaker.amazonaws.com"}}
GATE_ROLE = {
    "userAgent": "Boto3/1.40 exec-env/AWS_Lambda_python3.13",
    "userIdentity": {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/HallmarkGates-SetModelStage/fn",
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/HallmarkGates"}},
    },
}
SOMEBODY = {
    "userIdentity": {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/carol",
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/Admin"}},
    }
}


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def package(status: str, minutes: float, number: int = 3, by: str = "") -> dict[str, Any]:
    told = arn("model-package", f"wine/{number}")
    return {
        "id": "1",
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Package State Change",
        "account": ACCOUNT,
        "region": REGION,
        "time": f"{at(minutes):%Y-%m-%dT%H:%M:%SZ}",
        "resources": [told],
        "detail": {
            "ModelPackageArn": told,
            "ModelPackageGroupName": "wine",
            "ModelPackageVersion": number,
            "ModelPackageStatus": "Completed",
            "ModelApprovalStatus": status,
            "CreationTime": f"{at(0):%Y-%m-%dT%H:%M:%SZ}",
            "LastModifiedTime": f"{at(minutes):%Y-%m-%dT%H:%M:%SZ}",
            **({"CreatedBy": {"IamIdentity": {"Arn": by}}} if by else {}),
        },
    }


def registered(by: dict[str, Any], minutes: float = 0) -> dict[str, Any]:
    return call("CreateModelPackage", by, at(minutes), {"modelPackageGroupName": "wine"}, {"modelPackageArn": PACKAGE})


def approved(by: dict[str, Any], minutes: float = 30, why: str = "better", **changes: Any) -> dict[str, Any]:
    request = {"modelPackageArn": PACKAGE, "modelApprovalStatus": "Approved", "approvalDescription": why}
    return call("UpdateModelPackage", by, at(minutes), request, {"modelPackageArn": PACKAGE}, **changes)


def told(
    kind: str, name: str, minutes: float, by: str, flows: list[tuple[str, str, str]], label: str
) -> dict[str, Any]:
    section = LineageSection(
        node=LineageNode(kind=kind, id=name),
        at=at(minutes),
        status="done",
        attributes={"name": label, "by": by, "reason": "looked at all groups"},
        flows=[LineageFlow(node=LineageNode(kind=kind, id=node), role=role) for kind, node, role in flows],
    )
    detail_type = "ApprovalDecided" if kind == "approval" else "ModelPromoted"
    return {
        "id": "2",
        "source": "hallmark",
        "detail-type": detail_type,
        "account": ACCOUNT,
        "region": REGION,
        "detail": {"lineage": section.model_dump(mode="json", by_alias=True)},
    }


def promoted_on_the_word_of(by: str) -> list[dict[str, Any]]:
    approval = "hallmark:approval/ap-1"
    return [
        told("approval", approval, 29, by, [("model-package", PACKAGE, "subject")], "approved for production"),
        told(
            "action",
            "hallmark:action/promote-1",
            30.5,
            by,
            [("model-package", PACKAGE, "subject"), ("approval", approval, "approval")],
            "promoted to Production",
        ),
    ]


def asked(*events: dict[str, Any], people: HumanRules | None = None) -> Answerer:
    store, rows = MemoryStore(), GraphRows()
    for event in events:
        record_event(event, surroundings(store, account=ACCOUNT))
    rows.add(store.since(None))
    return Answerer(rows, store, lambda: at(10_000), people or HumanRules())


def acts(node: str, *events: dict[str, Any], **question: Any) -> tuple[Act, ...]:
    answer = asked(*events).answer(WhoQuestion(node=node, **question))
    assert isinstance(answer, WhoAnswer)
    return answer.acts


def approvals(*events: dict[str, Any], people: HumanRules | None = None, **question: Any) -> ApprovalsAnswer:
    answer = asked(*events, people=people).answer(ApprovalsQuestion(**question))
    assert isinstance(answer, ApprovalsAnswer)
    return answer


def test_acts_are_told_newest_first_with_who_where_and_why() -> None:
    found = acts(PACKAGE, package("Approved", 30), approved(ANNA), registered(BEN))

    assert [(act.what, act.name, act.actor, act.why) for act in found] == [
        ("UpdateModelPackage", "anna@example.com", "person", "better"),
        ("CreateModelPackage", "ben", "person", ""),
    ]
    assert found[0].details == {"approval_status": "Approved"}
    assert (found[0].source_ip, found[0].region, found[0].why_from) == ("127.0.0.1", REGION, "approval description")


@pytest.mark.parametrize("digit", "0f")
def test_a_creation_is_the_first_of_what_happened_in_its_second(digit: str) -> None:
    created = registered(BEN, minutes=30)
    created["detail"]["eventID"] = f"{digit * 8}-0000-4000-8000-000000000000"

    found = acts(PACKAGE, created, approved(ANNA))

    assert [act.what for act in found] == ["UpdateModelPackage", "CreateModelPackage"]


def test_an_attempt_is_told_as_one() -> None:
    (act, *_) = acts(PACKAGE, registered(BEN), approved(ANNA, errorCode="AccessDenied"))

    assert (act.outcome, act.error) == ("attempted", "AccessDenied")


def test_who_asks_of_a_user_gets_what_they_did() -> None:
    found = acts(f"arn:aws:iam::{ACCOUNT}:user/ben", registered(BEN), approved(ANNA))

    assert [act.what for act in found] == ["CreateModelPackage"]


def test_whom_sagemaker_calls_the_maker_is_told_where_no_call_is_known() -> None:
    ben = f"arn:aws:iam::{ACCOUNT}:user/ben"
    alone = acts(PACKAGE, package("Approved", 30, by=ben))
    both = acts(PACKAGE, package("Approved", 30, by=ben), registered(BEN))

    assert [(act.what, act.by, act.told_by) for act in alone] == [("created", ben, "SageMaker")]
    assert [(act.what, act.told_by) for act in both] == [("CreateModelPackage", "CloudTrail")]


def test_a_limit_cuts_and_says_so() -> None:
    answer = asked(registered(BEN), approved(ANNA)).answer(WhoQuestion(node=PACKAGE, limit=1))

    assert isinstance(answer, WhoAnswer)
    assert ([act.what for act in answer.acts], answer.complete) == (["UpdateModelPackage"], False)


def test_as_of_leaves_out_what_came_later() -> None:
    assert [act.what for act in acts(PACKAGE, registered(BEN), approved(ANNA), as_of=at(10))] == ["CreateModelPackage"]


def test_a_trace_of_the_origin_is_not_crowded_by_calls() -> None:
    answer = asked(package("Approved", 30), registered(BEN), approved(ANNA)).answer(TraceQuestion(node=PACKAGE))

    assert isinstance(answer, TraceAnswer)
    assert not [node for node in answer.nodes if node.kind == "action"]


@pytest.mark.parametrize(
    ("events", "finding", "accepted"),
    [
        ([registered(BEN), approved(ANNA)], "person", True),
        ([registered(ANNA), approved(ANNA)], "author", False),
        ([registered(sso("anna@example.com", "Admin")), approved(ANNA)], "author", False),
        ([registered(BEN), approved(ROBOT)], "machine", False),
        ([registered(BEN), approved(SOMEBODY)], "unproven", False),
        ([registered(BEN)], "unknown", False),
        ([approved(ANNA)], "author unknown", False),
        ([registered(ROBOT), approved(ANNA)], "person", True),
        ([registered(BEN), approved(ANNA, errorCode="AccessDenied")], "unknown", False),
        ([registered(BEN), approved(ANNA, 10), approved(ROBOT, 30)], "machine", False),
        ([registered(BEN), approved(ROBOT, 10), approved(ANNA, 30)], "person", True),
        ([registered(BEN), approved(GATE_ROLE), *promoted_on_the_word_of(ANNA["userIdentity"]["arn"])], "person", True),
        (
            [registered(ANNA), approved(GATE_ROLE), *promoted_on_the_word_of(ANNA["userIdentity"]["arn"])],
            "author",
            False,
        ),
        ([registered(BEN), approved(GATE_ROLE)], "machine", False),
        ([registered(BEN), *promoted_on_the_word_of(ANNA["userIdentity"]["arn"])[:1]], "person", True),
        ([registered(BEN), *promoted_on_the_word_of("gate")[1:]], "machine", False),
    ],
)
def test_an_approval_is_somebodys_word_wherever_it_was_given(
    events: list[dict[str, Any]], finding: str, accepted: bool
) -> None:
    for order in (events, events[::-1]):
        (found,) = approvals(package("Approved", 30), *order, *order[:1]).approved

        assert (found.finding, found.accepted) == (finding, accepted)


def test_the_nodes_that_prove_an_approval_are_named() -> None:
    word = promoted_on_the_word_of(ANNA["userIdentity"]["arn"])
    (found,) = approvals(package("Approved", 30), registered(BEN), approved(GATE_ROLE), *word).approved

    assert found.name == "anna@example.com"
    assert found.why == "looked at all groups"
    assert found.evidence[1:] == ("hallmark:action/promote-1", "hallmark:approval/ap-1")
    assert found.evidence[0].startswith("hallmark:action/cloudtrail-")


def test_where_policy_lets_authors_approve_their_word_is_accepted() -> None:
    allowed = HumanRules(authors_may_approve=("Wi*",))
    (found,) = approvals(package("Approved", 30), registered(ANNA), approved(ANNA), people=allowed).approved

    assert (found.finding, found.accepted, found.author_may_approve) == ("author", True, True)


def test_a_user_that_policy_calls_a_machine_is_one() -> None:
    machines = HumanRules(machines=("ci-*",))
    (found,) = approvals(package("Approved", 30), registered(BEN), approved(CI), people=machines).approved

    assert (found.finding, found.actor) == ("machine", "machine")


def test_only_the_newest_approved_version_of_a_group_counts_unless_all_are_asked_for() -> None:
    events = [package("Approved", 30), package("Approved", 40, 4), package("Rejected", 50, 5), approved(ANNA)]
    newest, every = approvals(*events), approvals(*events, everything=True)

    assert [found.package.key for found in newest.approved] == [arn("model-package", "wine/4")]
    assert len(every.approved) == 2
    assert (newest.groups, newest.without) == (1, 0)


def test_a_group_without_an_approved_version_is_counted() -> None:
    found = approvals(package("Rejected", 30))

    assert (found.approved, found.groups, found.without) == ((), 1, 1)


# --- reasons ---


def reasons(*events: dict[str, Any], people: HumanRules | None = None, **question: Any) -> ReasonsAnswer:
    answer = asked(*events, people=people).answer(ReasonsQuestion(**question))
    assert isinstance(answer, ReasonsAnswer)
    return answer


def deleted(by: dict[str, Any], minutes: float) -> dict[str, Any]:
    return call("DeleteModelPackage", by, at(minutes), {"modelPackageName": PACKAGE})


def tagged(by: dict[str, Any], minutes: float) -> dict[str, Any]:
    request = {"resourceArn": PACKAGE, "tags": [{"key": "hallmark:reason", "value": "not needed any more"}]}
    return call("AddTags", by, at(minutes), request)


def test_what_people_did_without_a_reason_is_listed_and_machines_are_not_asked() -> None:
    found = reasons(registered(BEN), approved(ANNA), deleted(ROBOT, 50), people=HumanRules(reasons_required=True))

    assert (found.calls, found.by_people, found.required) == (3, 2, True)
    assert [(act.what, act.name) for act in found.missing] == [("CreateModelPackage", "ben")]


@pytest.mark.parametrize(
    ("by", "minutes", "explained"), [(BEN, 40, True), (ANNA, 40, False), (BEN, -20, False), (BEN, 55, False)]
)
def test_a_reason_may_be_tagged_before_by_the_same_person_within_an_hour(
    by: dict[str, Any], minutes: float, explained: bool
) -> None:
    found = reasons(deleted(BEN, 50), tagged(by, minutes))
    (act, *_) = [
        each for each in acts(PACKAGE, deleted(BEN, 50), tagged(by, minutes)) if each.what.startswith("Delete")
    ]

    assert [each.what for each in found.missing] == ([] if explained else ["DeleteModelPackage"])
    assert act.why == ("not needed any more" if explained else "")


def test_a_note_beside_a_call_explains_it_afterwards() -> None:
    event = deleted(BEN, 50)
    action = f"hallmark:action/cloudtrail-{event['detail']['eventID']}"
    section = LineageSection(
        node=LineageNode(kind="review", id="hallmark:review/note-1"),
        at=at(60),
        attributes={"text": "asked for by the customer", "by": "ben"},
        flows=[LineageFlow(node=LineageNode(kind="action", id=action), type="AssociatedWith", role="noted")],
    )
    note = told("approval", "x", 0, "", [], "") | {
        "detail-type": "ReviewNoted",
        "detail": {"lineage": section.model_dump(mode="json", by_alias=True)},
    }

    assert reasons(event, note).missing == ()


def test_reasons_since_a_time_leave_out_what_was_before() -> None:
    assert [act.what for act in reasons(registered(BEN), deleted(BEN, 50), since=at(20)).missing] == [
        "DeleteModelPackage"
    ]
