"""What changed in production is told beside the incidents."""

from __future__ import annotations

from typing import Any

import pytest

from hallmark.alerts.channels.changes import change_of
from hallmark.alerts.channels.posting import post_change, read_target
from hallmark.aws.http_posts import HttpPosts
from hallmark.errors import InvalidInputError
from hallmark.events import gates
from hallmark.events.records import LineageNode, LineageSection
from local.channels.server import ChannelServer
from tests.fakes.alert_channels import NOW

SECTION = LineageSection(node=LineageNode(kind="endpoint", id="arn:e"), at=NOW)
MOVED = gates.ModelMoved(
    lineage=SECTION,
    model="arn:m",
    model_name="churn:7",
    to_stage="production",
    verdict="v",
    by="ada",
    reason="passed",
    moved_at=NOW,
)
ROLLED = gates.EndpointRolledBack(
    lineage=SECTION,
    endpoint="arn:e",
    endpoint_name="churn-live",
    from_config="c7",
    to_config="c6",
    reason="drift",
    rolled_back_at=NOW,
)


def event(detail_type: str, told: Any) -> dict[str, Any]:
    return {"detail-type": detail_type, "detail": told.model_dump(mode="json", by_alias=True)}


@pytest.mark.parametrize(
    ("told", "summary"),
    [
        (event(gates.MODEL_PROMOTED, MOVED), "churn:7 was promoted to production"),
        (event(gates.ENDPOINT_ROLLED_BACK, ROLLED), "churn-live was put back to c6"),
    ],
)
def test_a_change_is_kept_and_opens_no_incident(told: dict[str, Any], summary: str) -> None:
    with ChannelServer() as channels:
        target = read_target("pagerduty", "s", channels.secrets()["hallmark/pagerduty-key"])
        post_change(HttpPosts(), target, change_of(told))

        [change] = channels.pagerduty.changes
        assert change["payload"]["summary"] == summary
        assert change["payload"]["custom_details"]["reason"]
        assert channels.pagerduty.incidents == []


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"detail-type": "SomethingElse", "detail": {}}, "detail-type"),
        ({"detail-type": gates.MODEL_PROMOTED, "detail": {}}, "detail.lineage"),
        ({"detail-type": gates.MODEL_PROMOTED}, "detail"),
    ],
)
def test_what_says_nothing_of_production_is_refused(told: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        change_of(told)
    assert refused.value.field == field
