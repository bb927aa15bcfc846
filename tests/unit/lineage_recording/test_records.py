"""Events of Hallmark's own that say themselves what lineage is to hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

import hallmark.events
from hallmark.errors import InvalidInputError
from hallmark.events.envelope import read_envelope
from hallmark.events.published import SOURCE
from hallmark.events.records import LineageFlow, LineageNode, LineageSection, own_id
from hallmark.events.subscriptions import HALLMARK_DETAIL_TYPES, RECORD
from hallmark.lineage.model import NodeKind
from hallmark.lineage.translation import draft_fact, subject_of

PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/Wine/3"
VERDICT = own_id("verdict", "staging/wine-3/1a2b")


def section(**changes: Any) -> LineageSection:
    told = LineageSection(
        node=LineageNode(kind="verdict", id=VERDICT),
        at=datetime(2026, 11, 28, 12, tzinfo=UTC),
        status="failed",
        attributes={"name": "staging of wine 3", "gate": "staging"},
        flows=[
            LineageFlow(node=LineageNode(kind="model-package", id=PACKAGE), role="judged"),
            LineageFlow(node=LineageNode(kind="dataset", id="s3://evidence/report/"), role="evidence"),
        ],
    )
    return told.model_copy(update=changes)


def event(told: object) -> dict[str, Any]:
    return {
        "id": "1",
        "source": SOURCE,
        "detail-type": "QualityGateFailed",
        "account": "123456789012",
        "region": "eu-west-1",
        "time": "2026-11-28T12:00:05Z",
        "resources": [],
        "detail": {"outcome": "failed", "lineage": told},
    }


def read(told: LineageSection) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(told.model_dump_json(by_alias=True, exclude_none=True))
    return document


def test_the_graph_gets_the_node_and_the_flows_that_the_event_names() -> None:
    delivered = read_envelope(event(read(section())))
    draft = draft_fact(delivered.resource, subject_of(delivered).arn, detail=delivered.detail)

    assert (draft.subject.kind, draft.subject.id, draft.status) == (NodeKind.VERDICT, VERDICT, "failed")
    assert draft.at == datetime(2026, 11, 28, 12, tzinfo=UTC)
    assert draft.attributes == {"name": "staging of wine 3", "gate": "staging"}
    (edge,) = draft.edges
    assert (edge.source.id, edge.target.id, edge.role) == (PACKAGE.replace("Wine", "wine"), VERDICT, "judged")
    (use,) = draft.data
    assert (use.uri, use.produced) == ("s3://evidence/report", False)


@pytest.mark.parametrize(
    ("told", "field"),
    [
        (None, "detail.lineage"),
        ({"node": {"kind": "verdict"}}, "detail.lineage.node.id"),
        ({"node": {"kind": "verdict", "id": "x"}, "at": "yesterday"}, "detail.lineage.at"),
        ({"node": {"kind": "unicorn", "id": "x"}, "at": "2026-11-28T12:00:00Z"}, "detail.lineage.node.kind"),
        ({"node": {"kind": "verdict", "id": "x"}, "at": "2026-11-28T12:00:00"}, "detail.lineage.at"),
    ],
)
def test_a_section_that_no_graph_can_hold_is_refused_by_field(told: object, field: str) -> None:
    delivered = read_envelope(event(told))
    with pytest.raises(InvalidInputError) as refused:
        draft_fact(delivered.resource, subject_of(delivered).arn, detail=delivered.detail)
    assert refused.value.field == field


def test_every_event_that_lineage_is_made_of_is_one_that_carries_a_section() -> None:
    modules = [import_module(f"hallmark.events.{found.name}") for found in iter_modules(hallmark.events.__path__)]
    names = {
        value for module in modules for name, value in vars(module).items() if name.isupper() and isinstance(value, str)
    }
    assert {name for name, word in HALLMARK_DETAIL_TYPES.items() if word == RECORD} <= names
