"""Where an endpoint is put back to: what lineage remembers, as far as SageMaker still has it."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hallmark.aws.endpoint_history import EndpointHistory, LineageFunction
from hallmark.aws.endpoint_rollbacks import EndpointBusyError, Planned, plan
from hallmark.errors import UnavailableError
from hallmark.gates.rolling_back import RollbackOrder
from hallmark.lineage.model import EdgeType, NodeKind
from hallmark.lineage.questions import (
    Answer,
    Candidates,
    Direction,
    NodeSummary,
    ShowAnswer,
    TraceAnswer,
    TracedEdge,
    TracedNode,
    answer_json,
)
from hallmark.lineage.surveyed import AffectedKind, ImpactAnswer
from tests.fakes.told_verdicts import ENDPOINT, NOON, PACKAGE

CONFIGS = ENDPOINT.replace(":endpoint/churn", ":endpoint-config/")
BORN = "@20261101T000000Z"
ORDER = RollbackOrder(
    id="rollback-1",
    verdict="hallmark:verdict/v1",
    gate="full",
    endpoint=ENDPOINT,
    endpoint_name="churn",
    reason="too slow",
    decided_at=NOON + timedelta(hours=10),
)


def at(hour: float) -> datetime:
    return NOON + timedelta(hours=hour)


def node(kind: NodeKind, key: str, **more: Any) -> TracedNode:
    return TracedNode(key=key, kind=kind, label=key.rpartition("/")[2], depth=1, **more)


class World:
    """Lineage and SageMaker, as far as a rollback asks them: configurations by name, each served for an hour."""

    def __init__(self, *served: str, current: str = "") -> None:
        self.served = served
        self.current = current or served[-1]
        self.status = "InService"
        self.created = dict.fromkeys(served, NOON - timedelta(days=1))
        self.verdicts: list[tuple[str, float]] = []
        self.rejected: set[str] = set()
        self.endpoint_exists = True
        self.knows_endpoint = True

    @property
    def history(self) -> EndpointHistory:
        return EndpointHistory(LineageFunction("query", self), self)

    # Lambda's client.
    def invoke(self, *, Payload: bytes, **_function: str) -> Mapping[str, Any]:  # noqa: N803 - botocore's name
        answer = self._answer(json.loads(Payload))
        return {"Payload": io.BytesIO(json.dumps(answer_json(answer)).encode())}

    # SageMaker's client.
    def describe_endpoint(self, **_named: str) -> Mapping[str, Any]:
        if not self.endpoint_exists:
            raise _missing()
        return {"EndpointStatus": self.status, "EndpointConfigName": self.current}

    def describe_endpoint_config(self, *, EndpointConfigName: str) -> Mapping[str, Any]:  # noqa: N803 - botocore's name
        if EndpointConfigName not in self.created:
            raise _missing()
        return {"CreationTime": self.created[EndpointConfigName]}

    def _answer(self, question: Mapping[str, Any]) -> Answer:
        asked = question["node"]
        if question["ask"] == "show":
            name = next((each for each in self.served if asked == CONFIGS + each.lower()), "")
            kind = NodeKind.ENDPOINT_CONFIG if name else NodeKind.MODEL_PACKAGE
            status = "Rejected" if asked.rpartition("-of-")[2] in self.rejected else "Approved"
            attributes = {"name": name} if name else {"approval_status": status}
            shown = NodeSummary(key=asked, kind=kind, label=asked)
            return ShowAnswer(node=shown, attributes=attributes, history=(), upstream=(), downstream=(), neighbours=())
        if question["ask"] == "impact":
            nodes = (node(NodeKind.ENDPOINT, ENDPOINT + BORN), node(NodeKind.ENDPOINT, ENDPOINT + "-2", deleted=True))
            start = NodeSummary(key=asked, kind=NodeKind.MODEL_PACKAGE, label=asked)
            affected = (AffectedKind(kind=NodeKind.ENDPOINT, count=2, nodes=nodes),)
            return ImpactAnswer(complete=True, start=start, affected=affected)
        if not self.knows_endpoint:
            return Candidates(asked=asked, reason="unknown", candidates=())
        if asked != ENDPOINT:
            return self._trace([node(NodeKind.MODEL_PACKAGE, f"{PACKAGE}-of-{asked.rpartition('/')[2]}")], [])
        if question["direction"] == "down":
            return self._trace(
                [node(NodeKind.VERDICT, f"v{hour}", status=status, at=at(hour)) for status, hour in self.verdicts], []
            )
        keys = {name: f"{CONFIGS}{name.lower()}{BORN}" for name in self.served}
        return self._trace(
            [node(NodeKind.ENDPOINT_CONFIG, key) for key in dict.fromkeys(keys.values())],
            [
                TracedEdge(
                    source=keys[name],
                    target=ENDPOINT,
                    type=EdgeType.ASSOCIATED_WITH,
                    role="config",
                    valid_from=at(hour),
                    valid_to=at(hour + 1) if hour + 1 < len(self.served) else None,
                    recorded_at=at(hour),
                )
                for hour, name in enumerate(self.served)
            ],
        )

    def _trace(self, nodes: list[TracedNode], edges: list[TracedEdge]) -> TraceAnswer:
        start = NodeSummary(key=ENDPOINT, kind=NodeKind.ENDPOINT, label="churn")
        return TraceAnswer(complete=True, start=start, direction=Direction.UP, nodes=tuple(nodes), edges=tuple(edges))


def _missing() -> ClientError:
    return ClientError({"Error": {"Code": "ValidationException", "Message": "Could not find it"}}, "Describe")


def test_the_configuration_before_is_put_back_by_the_name_that_it_has() -> None:
    planned = plan(ORDER, World("Good", "bad").history)

    assert planned == Planned("update", "", "bad", "Good", f"{CONFIGS}bad", f"{CONFIGS}good")


def test_what_a_verdict_was_against_is_passed_over() -> None:
    world = World("Oldest", "worse", "bad")
    world.verdicts = [("Passed", 0.5), ("Failed", 1.5)]

    assert plan(ORDER, world.history).to_config == "Oldest"


def test_what_serves_a_rejected_model_is_passed_over() -> None:
    world = World("Oldest", "worse", "bad")
    world.rejected = {"worse"}

    assert plan(ORDER, world.history).to_config == "Oldest"


def test_a_deleted_configuration_is_passed_over_and_one_that_was_made_anew_is_another() -> None:
    world = World("deleted", "anew", "bad")
    del world.created["deleted"]
    world.created["anew"] = at(5)

    planned = plan(ORDER, world.history)

    assert planned.do == "fail"
    assert "anew was deleted and made anew; deleted was deleted" in planned.reason


def test_an_endpoint_without_a_past_cannot_be_put_back() -> None:
    planned = plan(ORDER, World("only").history)

    assert (planned.do, planned.from_config) == ("fail", "only")
    assert "lineage knows of none" in planned.reason


def test_an_endpoint_that_lineage_does_not_know_cannot_be_put_back() -> None:
    world = World("good", "bad")
    world.knows_endpoint = False

    assert plan(ORDER, world.history).do == "fail"


def test_an_endpoint_that_is_gone_cannot_be_put_back() -> None:
    world = World("good", "bad")
    world.endpoint_exists = False

    assert plan(ORDER, world.history) == Planned("fail", "endpoint churn does not exist any more")


def test_an_endpoint_that_changes_is_waited_for() -> None:
    world = World("good", "bad")
    world.status = "Updating"

    with pytest.raises(EndpointBusyError, match="endpoint churn is Updating"):
        plan(ORDER, world.history)


def test_what_came_into_service_after_the_verdict_is_left_in_peace() -> None:
    early = ORDER.model_copy(update={"decided_at": at(0.5)})

    assert plan(early, World("good", "mended").history).do == "skip"


def test_the_endpoints_that_serve_a_model_are_those_that_live() -> None:
    assert World("good").history.serving(PACKAGE) == [ENDPOINT]


def test_lineage_that_fails_is_asked_again_later() -> None:
    class Broken(World):
        def invoke(self, **_request: Any) -> Mapping[str, Any]:
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorType": "Sandbox.Timedout"}')}

    with pytest.raises(UnavailableError, match=r"Sandbox\.Timedout"):
        plan(ORDER, Broken("good", "bad").history)
