"""Walks on the graph against networkx, which nobody here wrote."""

from __future__ import annotations

import networkx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.lineage.graph import LineageGraph
from hallmark.lineage.model import EdgeType, NodeKind, RecordedFact
from hallmark.lineage.questions import Direction
from hallmark.lineage.rows import GraphRows
from tests.fakes.lineage_facts import edge, fact, minute, node

Links = list[tuple[int, int, int, int]]  # source, target, valid from, recorded

LINKS: st.SearchStrategy[Links] = st.lists(
    st.tuples(*(st.integers(0, limit) for limit in (12, 12, 5, 5))).filter(lambda link: link[0] != link[1]),
    min_size=1,
    max_size=40,
)
JOBS = [node(NodeKind.PIPELINE_EXECUTION, str(number)) for number in range(13)]


def facts_of(links: Links) -> list[RecordedFact]:
    """Return a fact for each link; of one that is told twice the first, as a store keeps it."""
    told_first = {link[:3]: link for link in sorted(links, key=lambda link: -link[3])}
    return [
        fact(JOBS[target], edge(JOBS[source], JOBS[target], EdgeType.PRODUCED, at=begun), recorded=told, at=begun)
        for source, target, begun, told in told_first.values()
    ]


def graph_of(links: Links, known_at: int | None = None) -> tuple[LineageGraph, dict[str, int]]:
    rows = GraphRows()
    rows.add(facts_of(links))
    graph = LineageGraph(rows, None if known_at is None else minute(known_at))
    return graph, {graph.key(row): row for row in range(graph.count)}


def peer_of(links: Links, as_of: int = 99, known_at: int = 99) -> networkx.DiGraph:
    peer = networkx.DiGraph()
    for source, target, begun, told in links:
        peer.add_nodes_from([JOBS[source].key, JOBS[target].key])
        if begun <= as_of and told <= known_at:
            peer.add_edge(JOBS[source].key, JOBS[target].key)
    return peer


def micros(at: int) -> int:
    return round(minute(at).timestamp() * 1_000_000)


@settings(max_examples=120, deadline=None)
@given(LINKS, st.sampled_from(list(Direction)), st.one_of(st.none(), st.integers(0, 6)), st.integers(0, 5))
def test_a_walk_reaches_what_networkx_reaches_at_the_same_depth(
    links: Links, direction: Direction, depth: int | None, as_of: int
) -> None:
    graph, rows = graph_of(links)
    peer = peer_of(links, as_of=as_of)
    peer = peer.reverse() if direction is Direction.UP else peer

    for start in peer:
        walk = graph.walk(np.array([rows[start]]), direction, depth=depth, as_of=micros(as_of))
        found = {
            graph.key(row): distance for row, distance in zip(walk.nodes.tolist(), walk.depths.tolist(), strict=True)
        }
        assert found == dict(networkx.single_source_shortest_path_length(peer, start, cutoff=depth))
        assert walk.finished


@settings(max_examples=80, deadline=None)
@given(LINKS, st.integers(0, 5))
def test_what_was_not_known_then_is_not_in_the_graph_of_then(links: Links, known_at: int) -> None:
    graph, rows = graph_of(links, known_at)
    peer = peer_of(links, known_at=known_at)

    for start in peer:
        walk = graph.walk(np.array([rows[start]]), Direction.DOWN)
        assert {graph.key(row) for row in walk.nodes.tolist()} == {start, *networkx.descendants(peer, start)}


@settings(max_examples=80, deadline=None)
@given(LINKS)
def test_a_shortest_path_is_as_short_as_networkx_says(links: Links) -> None:
    graph, rows = graph_of(links)
    peer = peer_of(links)
    nodes = sorted(peer)

    for source in nodes[:4]:
        lengths = networkx.single_source_shortest_path_length(peer, source)
        for target in nodes:
            way = graph.shortest_path(rows[source], rows[target], None)
            assert (None if way is None else len(way)) == lengths.get(target)


@settings(max_examples=60, deadline=None)
@given(LINKS, st.data())
def test_snapshot_and_delta_give_the_graph_that_all_facts_give(links: Links, data: st.DataObject) -> None:
    facts = facts_of(links)
    whole = GraphRows()
    whole.add(facts)
    order = data.draw(st.permutations(facts))
    cut = data.draw(st.integers(0, len(order)))

    rows = GraphRows()
    rows.add(order[:cut])
    rows = GraphRows.from_bytes(rows.to_bytes())
    rows.add([*order[:cut][:3], *order[cut:]])

    assert rows.to_bytes() == whole.to_bytes()
