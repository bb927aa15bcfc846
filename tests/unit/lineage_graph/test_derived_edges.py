"""What the graph derives: incarnations, copies, exclusive times, versions, parts."""

from __future__ import annotations

import numpy as np
import pytest

from hallmark.lineage.columns import to_micros
from hallmark.lineage.graph import LineageGraph
from hallmark.lineage.index import GraphSnapshotError
from hallmark.lineage.model import EdgeType, NodeKind, RecordedFact
from hallmark.lineage.questions import Direction
from hallmark.lineage.rows import GraphRows
from tests.fakes.lineage_facts import edge, fact, minute, node, place, version

JOB = NodeKind.TRAINING_JOB


def graph_of(*facts: RecordedFact) -> LineageGraph:
    rows = GraphRows()
    rows.add(facts)
    return LineageGraph(rows)


def reached(graph: LineageGraph, start: str, direction: Direction, as_of: float | None = None) -> set[str]:
    when = None if as_of is None else round(minute(as_of).timestamp() * 1_000_000)
    walk = graph.walk(np.array([row_of(graph, start)]), direction, as_of=when)
    return {graph.key(row) for row in walk.nodes.tolist()} - {start}


def row_of(graph: LineageGraph, key: str) -> int:
    row = graph.find(key)
    assert row is not None
    return row


def test_a_reference_without_a_birth_goes_to_the_incarnation_of_its_time() -> None:
    first, second = node(NodeKind.MODEL, "m", born=0), node(NodeKind.MODEL, "m", born=100)
    named = node(NodeKind.MODEL, "m")
    early, late = node(NodeKind.ENDPOINT_CONFIG, "early", born=50), node(NodeKind.ENDPOINT_CONFIG, "late", born=150)

    graph = graph_of(
        fact(first),
        fact(second, at=100),
        fact(early, edge(named, early, at=50), at=50),
        fact(late, edge(named, late, at=150), at=150),
    )

    assert reached(graph, early.key, Direction.UP) == {first.key}
    assert reached(graph, late.key, Direction.UP) == {second.key}


def test_a_reference_to_what_nobody_described_stays_a_node_of_its_own() -> None:
    config, named = node(NodeKind.ENDPOINT_CONFIG, "c", born=5), node(NodeKind.MODEL, "m")

    assert reached(graph_of(fact(config, edge(named, config, at=5))), config.key, Direction.UP) == {named.key}


def test_an_endpoint_descends_at_each_time_from_the_config_that_it_served_then() -> None:
    endpoint = node(NodeKind.ENDPOINT, "live", born=0)
    one, two = node(NodeKind.ENDPOINT_CONFIG, "one"), node(NodeKind.ENDPOINT_CONFIG, "two")
    serving = [(one, 10), (one, 12), (two, 20), (one, 30)]

    graph = graph_of(
        *(
            fact(endpoint, edge(config, endpoint, role="config", at=at, exclusive=True), at=at)
            for config, at in serving
        ),
        fact(endpoint, status="Deleted", at=40),
    )

    found = [reached(graph, endpoint.key, Direction.UP, at) for at in (5, 11, 15, 20, 25, 30, 35, 40, 50)]
    assert found == [set(), {one.key}, {one.key}, {two.key}, {two.key}, {one.key}, {one.key}, set(), set()]


def test_what_points_to_itself_points_to_nothing_any_more_until_it_points_to_something_again() -> None:
    alias, one = node(NodeKind.MODEL_ALIAS, "wine@champion"), node(NodeKind.MODEL_VERSION, "wine/1")
    pointing = [(one, 10), (alias, 20), (one, 30)]

    graph = graph_of(
        *(fact(alias, edge(source, alias, role="version", at=at, exclusive=True), at=at) for source, at in pointing)
    )

    found = [reached(graph, alias.key, Direction.UP, at) for at in (5, 15, 25, 35)]
    assert found == [set(), {one.key}, set(), {one.key}]


def test_a_copy_of_produced_content_descends_from_the_produced_one() -> None:
    made, copy = version("s3://a/x", "d1"), version("s3://b/y", "d1")
    writer, reader = node(JOB, "writer", born=0), node(JOB, "reader", born=10)

    graph = graph_of(
        fact(writer, edge(writer, made, EdgeType.PRODUCED, at=1)),
        fact(reader, edge(copy, reader, at=10), at=10),
    )

    assert reached(graph, reader.key, Direction.UP) == {copy.key, made.key, writer.key}
    assert reader.key in reached(graph, writer.key, Direction.DOWN)


def test_equal_content_of_two_producers_is_not_mixed_up() -> None:
    one, two = version("s3://a/report", "same"), version("s3://b/report", "same")
    first, second = node(JOB, "first", born=0), node(JOB, "second", born=0)
    graph = graph_of(
        fact(first, edge(first, one, EdgeType.PRODUCED)), fact(second, edge(second, two, EdgeType.PRODUCED))
    )

    assert reached(graph, one.key, Direction.UP) == {first.key}


def test_versions_are_numbered_by_the_time_when_each_was_first_seen() -> None:
    where = place("s3://a/x")
    new, old = version("s3://a/x", "0new"), version("s3://a/x", "1old")
    reader = node(JOB, "reader", born=0)
    graph = graph_of(
        fact(reader, edge(where, new, EdgeType.ASSOCIATED_WITH, "version", 20), edge(new, reader, at=20)),
        fact(reader, edge(where, old, EdgeType.ASSOCIATED_WITH, "version", 10), edge(old, reader, at=10), at=1),
    )

    assert [graph.version_number(row_of(graph, seen.key)) for seen in (old, new)] == [1, 2]


def test_a_part_is_shown_only_where_it_joins_a_maker_and_a_reader() -> None:
    whole, part, idle = version("s3://a/out", "w"), version("s3://a/out/train", "t"), version("s3://a/out/log", "l")
    writer, reader = node(JOB, "writer", born=0), node(JOB, "reader", born=5)
    graph = graph_of(
        fact(
            writer,
            edge(writer, whole, EdgeType.PRODUCED),
            edge(whole, part, EdgeType.DERIVED_FROM, "part"),
            edge(whole, idle, EdgeType.DERIVED_FROM, "part"),
        ),
        fact(reader, edge(part, reader, at=5), at=5),
    )

    assert reached(graph, reader.key, Direction.UP) == {part.key, whole.key, writer.key}
    assert graph.find(idle.key) is None


def test_what_several_runs_wrote_and_one_read_as_a_whole_leads_to_each_of_them() -> None:
    left, right, whole = version("s3://a/in/l", "l"), version("s3://a/in/r", "r"), version("s3://a/in", "w")
    one, two, reader = node(JOB, "one", born=0), node(JOB, "two", born=0), node(JOB, "reader", born=5)
    graph = graph_of(
        fact(one, edge(one, left, EdgeType.PRODUCED)),
        fact(two, edge(two, right, EdgeType.PRODUCED)),
        fact(
            reader,
            edge(whole, reader, at=5),
            edge(left, whole, EdgeType.DERIVED_FROM, "gathered", 5),
            edge(right, whole, EdgeType.DERIVED_FROM, "gathered", 5),
        ),
    )

    assert reached(graph, reader.key, Direction.UP) >= {one.key, two.key}


def test_a_damaged_snapshot_is_refused() -> None:
    rows = GraphRows()
    rows.add([fact(node(JOB, "a", born=0))])
    snapshot = bytearray(rows.to_bytes())
    snapshot[-1] ^= 1

    with pytest.raises(GraphSnapshotError, match="damaged"):
        GraphRows.from_bytes(bytes(snapshot))


def test_a_late_status_in_progress_does_not_undo_the_end_of_a_run() -> None:
    job = node(JOB, "a", born=0)
    graph = graph_of(fact(job, at=5), fact(job, status="InProgress", at=9))

    assert graph.statuses(np.array([row_of(graph, job.key)])) == [("Completed", to_micros(minute(5)))]
