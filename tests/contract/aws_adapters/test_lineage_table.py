"""What recording and asking rely on holds for the fake and for DynamoDB alike."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import boto3
import pytest
from moto import mock_aws

from hallmark.aws.dynamodb import LOG_OVERLAP, DynamoLineageTable
from hallmark.errors import InvalidInputError
from hallmark.lineage.model import Edge, EdgeType, Fact, NodeKind, NodeRef, NodeState, Origin
from hallmark.lineage.ports import FactLog, FactStore, NodeReader
from tests.contract.aws_adapters.lineage_table import create_lineage_table
from tests.fakes.memory_store import NOW, MemoryStore

SECOND = timedelta(seconds=1)
PREFIX = "arn:aws:sagemaker:us-east-1:111122223333:training-job"


class LineageTable(FactStore, FactLog, NodeReader, Protocol):
    """All that one table gives."""


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def dynamodb_table() -> Iterator[DynamoLineageTable]:
    with mock_aws():
        create_lineage_table(boto3.client("dynamodb"), "lineage")
        yield new_environment()


@pytest.fixture(params=["memory", "dynamodb"])
def table(request: pytest.FixtureRequest) -> LineageTable:
    if request.param == "memory":
        return MemoryStore()
    found: DynamoLineageTable = request.getfixturevalue("dynamodb_table")
    return found


def new_environment() -> DynamoLineageTable:
    """Return the table as an execution environment sees it that has seen nothing yet."""
    return DynamoLineageTable("lineage", boto3.client("dynamodb"))


def job(name: str, born: datetime | None = NOW) -> NodeRef:
    return NodeRef(kind=NodeKind.TRAINING_JOB, id=f"{PREFIX}/{name}", born=born)


def dataset(name: str) -> NodeRef:
    return NodeRef(kind=NodeKind.DATASET, id=f"s3://data/{name}")


def state(node: NodeRef, status: str = "Completed", **attributes: object) -> NodeState:
    return NodeState(node=node, at=NOW, status=status, attributes=attributes)


def edge(source: NodeRef, target: NodeRef, role: str = "train") -> Edge:
    return Edge(source=source, target=target, type=EdgeType.CONTRIBUTED_TO, role=role, valid_from=NOW)


def fact(*states: NodeState, edges: Sequence[Edge] = (), origin: Origin = Origin.EVENT) -> Fact:
    return Fact(subject=states[0].node, origin=origin, states=states, edges=tuple(edges))


RUN = fact(
    state(job("a"), accuracy=0.5, note="größer"),
    state(dataset("train")),
    edges=[edge(dataset("train"), job("a")), edge(dataset("test"), job("a"), "test")],
)


def test_a_fact_is_new_once(table: LineageTable) -> None:
    assert [table.add(RUN, NOW), table.add(RUN, NOW + SECOND)] == [True, False]


def test_a_repeat_changes_nothing_not_even_when_we_learned_of_it(table: LineageTable) -> None:
    table.add(RUN, NOW)
    before = everything(table)

    table.add(RUN, NOW + SECOND)

    assert everything(table) == before


def test_a_fact_that_came_another_way_is_the_same_fact(table: LineageTable) -> None:
    told = [table.add(RUN, NOW), table.add(RUN.model_copy(update={"origin": Origin.RECONCILED}), NOW + SECOND)]

    assert told == [True, False]
    assert [known.fact.origin for known in table.since(None)] == [Origin.EVENT]


def test_a_state_that_two_facts_assert_is_there_once_as_of_the_first(table: LineageTable) -> None:
    other = fact(state(job("b")), state(dataset("train")), edges=[edge(dataset("train"), job("b"))])

    assert [table.add(RUN, NOW), table.add(other, NOW + SECOND)] == [True, True]
    assert [(found.state, found.recorded_at) for found in table.states("s3://data/train")] == [
        (state(dataset("train")), NOW)
    ]


def test_what_a_fact_says_twice_is_there_once(table: LineageTable) -> None:
    assert table.add(fact(state(job("a")), state(job("a")), edges=[edge(dataset("x"), job("a"))] * 2), NOW)
    assert len(table.states(job("a").id)) == len(table.edges_to(job("a").id)) == 1


def test_states_are_found_by_id_for_every_incarnation(table: LineageTable) -> None:
    reborn = job("a", NOW + timedelta(days=1))
    table.add(RUN, NOW)
    table.add(fact(state(reborn, "InProgress")), NOW + SECOND)

    assert {found.state.node for found in table.states(job("a").id)} == {job("a"), reborn}
    assert {found.recorded_at for found in table.states(job("a").id)} == {NOW, NOW + SECOND}


def test_edges_are_found_from_both_ends(table: LineageTable) -> None:
    table.add(RUN, NOW)

    assert [found.edge for found in table.edges_from("s3://data/train")] == [RUN.edges[0]]
    assert {found.edge for found in table.edges_to(job("a").id)} == set(RUN.edges)
    assert {found.recorded_at for found in table.edges_to(job("a").id)} == {NOW}
    assert table.edges_to("s3://data/train") == table.edges_from(job("a").id) == []


def test_nothing_is_known_of_an_unknown_node(table: LineageTable) -> None:
    table.add(RUN, NOW)

    assert table.states(f"{job('a').id}a") == []
    assert table.edges_from("s3://data/trai") == table.edges_to("x") == []


def test_the_log_has_all_facts_in_the_order_in_which_we_learned_of_them(table: LineageTable) -> None:
    facts = [fact(state(job(f"job-{number}"))) for number in range(30)]
    moments = [NOW + number * timedelta(milliseconds=1) for number in range(30)]
    shuffled = list(zip(facts, moments, strict=True))
    random.Random(7).shuffle(shuffled)  # noqa: S311 - an order, no secret
    for each, when in shuffled:
        table.add(each, when)

    assert [(known.fact, known.recorded_at) for known in table.since(None)] == list(zip(facts, moments, strict=True))


def test_the_log_since_a_time_leaves_nothing_out_that_came_at_it_or_later(table: LineageTable) -> None:
    facts = [fact(state(job(f"job-{number}"))) for number in range(20)]
    for number, each in enumerate(facts):
        table.add(each, NOW + number * SECOND)

    found = [known.fact for known in table.since(NOW + 10 * SECOND)]

    assert found[-10:] == facts[10:]


def test_the_log_looks_back_by_its_overlap_and_no_further(dynamodb_table: DynamoLineageTable) -> None:
    edge_fact, old = fact(state(job("edge"))), fact(state(job("old")))
    dynamodb_table.add(edge_fact, NOW - LOG_OVERLAP)
    dynamodb_table.add(old, NOW - LOG_OVERLAP - SECOND)

    assert [known.fact for known in dynamodb_table.since(NOW)] == [edge_fact]


def test_only_recorded_facts_are_contained(table: LineageTable) -> None:
    recorded = [fact(state(job(f"job-{number}"))) for number in range(120)]
    for each in recorded:
        table.add(each, NOW)
    asked = [each.id for each in recorded] + [RUN.id, recorded[0].id]

    assert table.contains(asked) == {each.id for each in recorded}
    assert table.contains([]) == frozenset()


def test_a_fact_of_more_than_a_transaction_is_added_whole(table: LineageTable) -> None:
    large = fact(state(job("sweep")), edges=[edge(dataset(f"part-{part}"), job("sweep")) for part in range(250)])

    assert [table.add(large, NOW), table.add(large, NOW + SECOND)] == [True, False]
    assert {found.edge for found in table.edges_to(job("sweep").id)} == set(large.edges)
    assert [known.fact for known in table.since(None)] == [large]


def test_a_new_environment_knows_a_large_fact_that_another_has_added(dynamodb_table: DynamoLineageTable) -> None:
    large = fact(state(job("sweep")), edges=[edge(dataset(f"part-{part}"), job("sweep")) for part in range(110)])
    dynamodb_table.add(large, NOW)
    before = boto3.client("dynamodb").scan(TableName="lineage")["Items"]

    assert not new_environment().add(large, NOW + SECOND)
    assert boto3.client("dynamodb").scan(TableName="lineage")["Items"] == before


def test_a_body_over_64_kilobytes_is_read_back_equal(table: LineageTable) -> None:
    large = fact(state(job("verbose"), parameters={f"p{number}": "long " * 20 for number in range(2_000)}))

    assert [table.add(large, NOW), table.add(large, NOW)] == [True, False]
    assert [known.fact for known in table.since(None)] == [large]
    assert [found.state for found in table.states(job("verbose").id)] == list(large.states)


def test_a_body_over_64_kilobytes_is_kept_compressed(dynamodb_table: DynamoLineageTable) -> None:
    dynamodb_table.add(fact(state(job("verbose"), note="long " * 40_000)), NOW)

    items = boto3.client("dynamodb").scan(TableName="lineage")["Items"]

    assert {frozenset(item["body"]) for item in items} == {frozenset({"B"})}
    assert all(len(item["body"]["B"]) < 10_000 for item in items)


def test_a_body_that_does_not_fit_is_refused_and_nothing_of_it_is_kept(dynamodb_table: DynamoLineageTable) -> None:
    noise = random.Random(7).randbytes(500_000).hex()  # noqa: S311 - it only must not compress

    with pytest.raises(InvalidInputError, match="shorten its event"):
        dynamodb_table.add(fact(state(job("noise"), noise=noise)), NOW)

    assert boto3.client("dynamodb").scan(TableName="lineage")["Count"] == 0


def test_one_fact_is_found_by_its_id(dynamodb_table: DynamoLineageTable) -> None:
    dynamodb_table.add(RUN, NOW)
    found = dynamodb_table.fact(RUN.id)

    assert found is not None
    assert (found.fact, found.recorded_at) == (RUN, NOW)
    assert dynamodb_table.fact("0" * 64) is None


def everything(table: LineageTable) -> tuple[object, ...]:
    """Return all that the table tells of the facts in it."""
    facts = list(table.since(None))
    ids = {node.id for known in facts for node in nodes(known.fact)}
    return (
        facts,
        {key: list(table.states(key)) for key in ids},
        {key: list(table.edges_from(key)) for key in ids},
        {key: list(table.edges_to(key)) for key in ids},
    )


def nodes(recorded: Fact) -> Iterator[NodeRef]:
    for each in recorded.states:
        yield each.node
    for link in recorded.edges:
        yield from (link.source, link.target)
