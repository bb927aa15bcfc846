from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

from hallmark.alerts.notifications import CHANNEL_KINDS, read_notification
from hallmark.aws.alert_context import AskedLineage
from hallmark.aws.alerting import ChannelQueues, QueueClock
from hallmark.errors import UnavailableError
from hallmark.lineage.model import NodeKind, RecordedFact
from hallmark.lineage.questions import (
    Candidates,
    Direction,
    NodeSummary,
    ShowAnswer,
    ShowQuestion,
    TraceAnswer,
    TracedNode,
    TraceQuestion,
)
from hallmark.lineage.surveyed import AffectedKind, DiffAnswer, Difference, DiffQuestion, ImpactAnswer, ImpactQuestion
from tests.fakes.lineage_facts import minute
from tests.fakes.shipped_model import ENDPOINT, answerer, approved, deployed, judged, package, trained
from tests.unit.alerts.events_of_others import PACKAGE
from tests.unit.alerts.observed import DAY, HOUR, MINUTE, NOON
from tests.unit.alerts.test_notifications import NOTIFICATION

START = NodeSummary(key=PACKAGE, kind=NodeKind.MODEL_PACKAGE, label="churn v3")


def traced(key: str, kind: NodeKind, at: Any = None, *, depth: int = 1, deleted: bool = False) -> TracedNode:
    return TracedNode(key=key, kind=kind, label=key, at=at, depth=depth, deleted=deleted)


ANSWERS = {
    "show": ShowAnswer(
        node=START, attributes={"tags": {"owner": "ada"}}, history=(), upstream=(), downstream=(), neighbours=()
    ),
    "impact": ImpactAnswer(
        start=START,
        complete=True,
        affected=(
            AffectedKind(
                kind=NodeKind.ENDPOINT,
                count=7,
                nodes=(traced("live", NodeKind.ENDPOINT), traced("gone", NodeKind.ENDPOINT, deleted=True)),
            ),
            AffectedKind(kind=NodeKind.ALERT, count=3, nodes=()),
        ),
    ),
    "trace": TraceAnswer(
        start=START,
        direction=Direction.UP,
        complete=True,
        edges=(),
        nodes=(
            traced("start", NodeKind.MODEL_PACKAGE, NOON, depth=0),
            traced("train", NodeKind.TRAINING_JOB, NOON - HOUR),
            traced("old", NodeKind.DATASET_VERSION, NOON - 8 * DAY),
            traced("later", NodeKind.DATASET_VERSION, NOON + HOUR),
            traced("user/bob", NodeKind.USER, NOON - HOUR),
        ),
    ),
    "diff": DiffAnswer(
        left=START,
        right=START,
        equal={},
        differences=(
            Difference(section="data", field="train", left="sha256:1", right="sha256:2"),
            Difference(section="metrics", field="f1", left=0.8, right=0.6),
        ),
    ),
}


QUESTIONS: TypeAdapter[Any] = TypeAdapter(ShowQuestion | ImpactQuestion | TraceQuestion | DiffQuestion)


class Lambda:
    """A client of Lambda's whose function answers from a table."""

    def __init__(self, answers: Mapping[str, Any], facts: Sequence[RecordedFact] = ()) -> None:
        self.answers = answers
        self.lineage = answerer(list(facts)) if facts else None
        self.asked: list[dict[str, Any]] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - AWS's names
        assert FunctionName == "query"
        question = json.loads(Payload)
        self.asked.append(question)
        answer = self.answers.get(question["ask"])
        if self.lineage:
            answer = self.lineage.answer(QUESTIONS.validate_python(question))
        if answer is None:
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorMessage": "it broke"}')}
        return {"Payload": io.BytesIO(answer.model_dump_json().encode())}


def test_an_alert_learns_what_depends_on_its_subject_what_changed_and_whose_it_is() -> None:
    function = Lambda(ANSWERS)
    context = AskedLineage("query", function).context_of(PACKAGE, NOON)

    assert [(each.kind, each.label) for each in context.affected] == [("endpoint", "live")]
    assert context.affected_count == 7
    assert [each.what for each in context.changes] == ["since version 2: data train: sha256:1 became sha256:2"]
    assert context.owners == ("ada", "bob")
    assert next(each for each in function.asked if each["ask"] == "diff")["left"] == PACKAGE.replace("/3", "/2")


def test_a_version_is_compared_with_the_last_one_that_was_good() -> None:
    facts = [
        *trained(1, 10, data="january"),
        *approved(1, 16),
        *trained(2, 30, data="february"),
        judged(2, 35, "Failed", {}),
        *trained(3, 50, data="march", hyperparameters={"depth": "9"}),
    ]
    only_before = AskedLineage("query", Lambda({}, facts)).context_of(package(3).id, minute(60))
    passed = [*facts, judged(2, 36, "Passed", {})]
    after_all = AskedLineage("query", Lambda({}, passed)).context_of(package(3).id, minute(60))

    assert {each.what.partition(":")[0] for each in only_before.changes if "became" in each.what} == {"since version 1"}
    assert any("depth: 3 became 9" in each.what for each in only_before.changes)
    assert {each.what.partition(":")[0] for each in after_all.changes if "became" in each.what} == {"since version 2"}
    assert "alice" in only_before.owners


def test_an_endpoint_tells_what_it_serves_since_it_was_last_good_however_old_that_is() -> None:
    days = 24 * 60
    served = [*trained(1, 10, data="january"), *deployed(1, 20), *trained(2, 30, data="february"), *deployed(2, 40)]
    facts = [*served, *deployed(1, 20 * days)]
    lineage = AskedLineage("query", Lambda({}, facts))
    back = lineage.context_of(ENDPOINT.id, minute(22 * days), minute(15 * days))
    before = lineage.context_of(ENDPOINT.id, minute(19 * days), minute(15 * days))
    young = AskedLineage("query", Lambda({}, served)).context_of(ENDPOINT.id, minute(41), None)

    told = [each.what for each in back.changes]
    assert "new: model package churn v1" in told
    assert "no more: endpoint config churn-2" in told
    assert back.changes[0].at == minute(20 * days)
    assert before.changes == ()
    # There is nothing to compare it with: what was made lately is told.
    assert "model package churn v2" in [each.what for each in young.changes]
    assert back.owners[0] == "risk-team"


def test_a_first_version_has_none_before_it() -> None:
    function = Lambda(ANSWERS)
    AskedLineage("query", function).context_of(PACKAGE.replace("/3", "/1"), NOON)

    assert [each["ask"] for each in function.asked] == ["show", "impact", *["trace"] * 3]


def test_a_subject_that_lineage_does_not_know_has_no_context_and_a_fault_is_said() -> None:
    unknown = Candidates(asked="x", reason="unknown", candidates=())

    assert AskedLineage("query", Lambda({"show": unknown})).context_of("x", NOON).affected == ()
    with pytest.raises(UnavailableError, match="it broke"):
        AskedLineage("query", Lambda({})).context_of("x", NOON)


class Sqs:
    """A client of SQS's that remembers."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send_message(self, **message: Any) -> None:
        self.sent.append(message)


def test_a_look_is_woken_to_the_second_unless_the_sweep_comes_before() -> None:
    sqs, now = Sqs(), datetime.now(UTC)
    clock = QueueClock("looks", sqs)
    for wait in (-MINUTE, MINUTE, HOUR):
        clock.wake("g", now + wait)

    assert [(each["DelaySeconds"], json.loads(each["MessageBody"])) for each in sqs.sent] == [
        (0, {"group": "g"}),
        (60, {"group": "g"}),
    ]


def test_a_notification_fits_into_one_message_whatever_its_alerts_say() -> None:
    long = NOTIFICATION.alerts[0].model_copy(update={"remediation": ("Ä" * 20_000,)})
    for count in (1, 20):
        sqs = Sqs()
        told = NOTIFICATION.model_copy(update={"alerts": (long,) * count, "firing": 500, "truncated": 500 - count})
        ChannelQueues({kind: kind for kind in CHANNEL_KINDS}, sqs).send(told)
        body = sqs.sent[0]["MessageBody"]
        arrived = read_notification(body)

        assert len(body.encode()) <= 256 * 1024
        assert (arrived.id, arrived.firing) == (told.id, 500)
        assert len(arrived.alerts) + arrived.truncated == 500
        assert len(arrived.alerts) == min(count, 5)


def test_a_notification_goes_to_the_queue_of_its_kind() -> None:
    sqs = Sqs()
    ChannelQueues({kind: kind for kind in CHANNEL_KINDS}, sqs).send(NOTIFICATION)

    assert [each["QueueUrl"] for each in sqs.sent] == ["slack"]
