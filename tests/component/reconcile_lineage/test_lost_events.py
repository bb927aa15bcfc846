"""Whatever events were lost: what a sweep finds leads to the graph that all events would have led to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from hallmark.aws.clients import client
from hallmark.aws.ecr import EcrImages
from hallmark.aws.resource_listing import AwsResources
from hallmark.aws.s3 import S3Contents, S3Manifests
from hallmark.aws.sagemaker import SageMakerDescriber
from hallmark.lineage.folding import fold
from hallmark.lineage.listing import Allowance
from hallmark.lineage.reconciliation import Account, Sweep, continue_sweep, read_sweep
from hallmark.lineage.recording import Surroundings, record_event
from tests.fakes.listed_account import MemoryCursors
from tests.fakes.memory_store import MemoryStore, NobodyHidden
from tests.fakes.stand_in_account import ACCOUNT, MANIFESTS, StandInAccount

Nodes = dict[str, tuple[str | None, dict[str, Any]]]
Edges = set[tuple[Any, ...]]


_FRACTION = re.compile(r"(?<=:\d\d)\.\d+Z")


def surroundings(store: MemoryStore) -> Surroundings:
    return Surroundings(
        store=store,
        describer=SageMakerDescriber(),
        contents=S3Contents(client("s3")),
        images=EcrImages(client("ecr"), ACCOUNT),
        manifests=S3Manifests(MANIFESTS, client("s3")),
        people=NobodyHidden(),
        clock=lambda: datetime.now(UTC),
        account=ACCOUNT,
    )


def record(events: Iterable[dict[str, Any]]) -> MemoryStore:
    store = MemoryStore()
    for event in events:
        record_event(event, surroundings(store))
    return store


def sweep(store: MemoryStore) -> Sweep:
    begun = read_sweep("{}").model_copy(update={"started_at": datetime.now(UTC)})
    side = Account(AwsResources(), store, surroundings(store), MemoryCursors())
    return continue_sweep(begun, side, Allowance(lambda: True, describes=1_000, requests=1_000))


def view(store: MemoryStore) -> tuple[Nodes, Edges]:
    """Return each node as its states fold, and each edge, in whole seconds: some events tell no fractions."""
    nodes: Nodes = {}
    for identifier, key in sorted({(state.node.id, state.node.key) for state in store.all_states}):
        folded = fold([found for found in store.states(identifier) if found.state.node.key == key])
        attributes = json.loads(_FRACTION.sub("Z", json.dumps(folded.attributes)))
        # What it was before, and which fields changed, only the event knows.
        attributes.get("unrecognised", {}).pop("previousPipelineExecutionStatus", None)
        attributes.pop("updated_fields", None)
        nodes[key] = (folded.status, attributes)
    edges = {
        (
            edge.source.key,
            edge.target.key,
            edge.type,
            edge.role,
            edge.valid_from.replace(microsecond=0),
            edge.exclusive,
        )
        for edge in store.all_edges
    }
    return nodes, edges


def differences(found: Nodes, expected: Nodes) -> list[str]:
    """Say in which attributes two graphs differ."""
    told = []
    for key in sorted(found.keys() | expected.keys()):
        left, right = ({"status": node[0], **node[1]} for node in (found.get(key, _NONE), expected.get(key, _NONE)))
        told += [
            f"{key}: {name} is {left.get(name)}, not {right.get(name)}"
            for name in sorted(left.keys() | right.keys())
            if left.get(name) != right.get(name)
        ]
    return told


_NONE: tuple[str | None, dict[str, Any]] = ("not there", {})


def no_events_exist_for(key: str) -> bool:
    return ":model-package-group/" in key


def lost(keep: Callable[[int], bool]) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda events: [event for number, event in enumerate(events) if keep(number)]


def lost_endings(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ended = {"Completed", "Failed", "Succeeded", "IN_SERVICE"}
    return [event for event in events if not ended & {str(value) for value in event["detail"].values()}]


@pytest.mark.parametrize(
    "lose",
    [
        pytest.param(lost(lambda number: False), id="all of them"),
        pytest.param(lost(lambda number: number % 2 == 0), id="every second one"),
        pytest.param(lost(lambda number: number % 3 == 0), id="two of three"),
        pytest.param(lost_endings, id="those of endings"),
        pytest.param(lost(lambda number: number > 20), id="the first ones"),
        pytest.param(lost(lambda number: True), id="none"),
    ],
)
def test_a_sweep_after_lost_events_leads_to_the_graph_of_all_events(
    account: StandInAccount, lose: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> None:
    events = account.events()
    expected_nodes, expected_edges = view(record(events))
    store = record(lose(events))

    done = sweep(store)

    nodes, edges = view(store)
    assert differences({key: nodes[key] for key in nodes if not no_events_exist_for(key)}, expected_nodes) == []
    assert {edge for edge in edges if not no_events_exist_for(edge[1]) or "@" not in edge[1]} == expected_edges
    assert (sum(counts.failed for counts in done.counts.values()), done.kinds) == (0, ())


def test_a_sweep_after_all_events_describes_what_no_event_tells_of_and_nothing_else(account: StandInAccount) -> None:
    store = record(account.events())
    account.calls.clear()

    sweep(store)

    assert account.called("Describe") == ["DescribeModelPackageGroup"]


def test_a_second_sweep_describes_nothing(account: StandInAccount) -> None:
    store = record([])
    sweep(store)
    before = store.snapshot()
    account.calls.clear()

    sweep(store)

    assert account.called("Describe", "ListTags") == []
    assert store.snapshot() == before
