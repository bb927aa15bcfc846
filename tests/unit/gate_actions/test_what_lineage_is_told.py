"""What each action adds to the graph, as lineage reads it: nothing is refused, and nothing points back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hallmark.events.gates import (
    APPROVAL_DECIDED,
    ENDPOINT_ROLLED_BACK,
    GATE_OVERRIDDEN,
    MODEL_PROMOTED,
    ROLLBACK_FAILED,
    TRAINING_HALTED,
)
from hallmark.events.records import RecordedEvent
from hallmark.events.subscriptions import HALLMARK_DETAIL_TYPES, RECORD
from hallmark.gates.actions import (
    approval_decided,
    endpoint_rolled_back,
    gate_overridden,
    model_moved,
    node_of,
    rollback_failed,
    training_halted,
)
from hallmark.gates.approvals import Approval, Rules, decide
from hallmark.gates.curves import Point
from hallmark.gates.promoting import Order
from hallmark.gates.rolling_back import RollbackOrder
from hallmark.gates.watching import Finding
from hallmark.lineage.translation.records import draft_record
from hallmark.people import Person
from tests.fakes.told_verdicts import ENDPOINT, NOON, PACKAGE, verdict

KIM = Person(arn="arn:aws:iam::111122223333:user/kim")
JOB = "arn:aws:sagemaker:eu-central-1:111122223333:training-job/churn-1"
ORDER = Order(
    id="promote-1",
    move="promote",
    verdict="hallmark:verdict/v1",
    cause="hallmark:override/o1",
    gate="full",
    stage="production",
    model=PACKAGE,
    model_name="churn v3",
    by="gate full",
    reason="fine",
    decided_at=NOON,
)
ROLLBACK = RollbackOrder(
    id="rollback-1",
    verdict="hallmark:verdict/v1",
    gate="full",
    endpoint=ENDPOINT,
    endpoint_name="churn",
    reason="slow",
    decided_at=NOON,
)
ASKED = Approval(
    id="ap-1",
    gate="full",
    stage="production",
    model=PACKAGE,
    model_name="churn v3",
    verdict="hallmark:verdict/v1",
    rules=Rules(author_may_not_approve=False),
    asked_at=NOON,
    expires_at=NOON + timedelta(days=1),
)
CURVE = [Point(float(step), 1.0) for step in range(1000)]

TOLD: dict[str, RecordedEvent] = {
    APPROVAL_DECIDED: approval_decided(decide(ASKED, KIM, "approved", "fine", NOON)),
    GATE_OVERRIDDEN: gate_overridden(verdict("full", "production", "failed"), KIM, "why", NOON),
    MODEL_PROMOTED: model_moved(ORDER, None, by="kim", reason="fine", at=NOON, approval="ap-1"),
    ENDPOINT_ROLLED_BACK: endpoint_rolled_back(
        ROLLBACK,
        from_config="bad",
        to_config="Good",
        config_arns=(ENDPOINT.replace("endpoint/churn", "endpoint-config/bad"), "x:good"),
        at=NOON,
    ),
    ROLLBACK_FAILED: rollback_failed(ROLLBACK, "bad", "there is no earlier configuration", NOON),
    TRAINING_HALTED: training_halted(
        JOB, "loss", "train:loss", Finding("divergence", "exploded", 9.0, 3.0, 7.0), CURVE, owners=["ml"], at=NOON
    ),
}


@pytest.mark.parametrize("detail_type", TOLD)
def test_lineage_takes_it_and_everything_flows_into_it(detail_type: str) -> None:
    detail: dict[str, Any] = TOLD[detail_type].model_dump(mode="json", by_alias=True, exclude_none=True)

    draft = draft_record(detail)

    assert HALLMARK_DETAIL_TYPES[detail_type] == RECORD
    assert draft.subject.id == TOLD[detail_type].lineage.node.id
    assert {flow.direction for flow in TOLD[detail_type].lineage.flows} == {"in"}


@pytest.mark.parametrize("detail_type", TOLD)
def test_an_event_fits_eventbridge(detail_type: str) -> None:
    entry = TOLD[detail_type].to_entry("bus", detail_type)

    assert len(entry["Detail"]) < 32_000


def test_a_halted_job_is_told_with_a_hundred_points_at_most() -> None:
    told: Any = TOLD[TRAINING_HALTED]

    assert len(told.curve) == 100
    assert (told.curve[0], told.curve[-1], told.step) == ([0.0, 1.0], [999.0, 1.0], 7)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (PACKAGE, "model-package"),
        (ENDPOINT, "endpoint"),
        ("arn:aws:bedrock:eu-central-1:111122223333:custom-model/nova/abc", "custom-model"),
        ("arn:aws:bedrock:eu-central-1:111122223333:imported-model/abc", "custom-model"),
        ("amazon.nova-micro-v1:0", "foundation-model"),
        ("arn:aws:bedrock:eu-central-1::foundation-model/amazon.nova-micro-v1:0", "foundation-model"),
    ],
)
def test_each_model_is_a_node_of_its_kind(model: str, kind: str) -> None:
    assert node_of(model).kind == kind
