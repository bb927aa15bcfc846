"""What must hold of every layout, whatever the graph: these are claims about drawings, not about the algorithm."""

from __future__ import annotations

import itertools
import random

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.cli.pictures.layout import COLUMN_GAP, ROW_GAP, Box, Layout, Size, lay_out

Graph = tuple[list[Size], list[tuple[int, int]]]
_ROUNDING = 1e-6


@st.composite
def graphs(draw: st.DrawFn, *, circles: bool = False) -> Graph:
    count = draw(st.integers(1, 24))
    sizes = [Size(draw(st.floats(20, 200)), draw(st.sampled_from([20.0, 44.0, 90.0]))) for _ in range(count)]
    ends = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    edges = draw(st.lists(ends, max_size=60, unique=True))
    if not circles:
        edges = sorted({(min(edge), max(edge)) for edge in edges if edge[0] != edge[1]})
    return sizes, edges


def _overlaps(one: Box, other: Box) -> bool:
    return (
        one.x < other.right - _ROUNDING
        and other.x < one.right - _ROUNDING
        and one.y < other.y + other.height - _ROUNDING
        and other.y < one.y + one.height - _ROUNDING
    )


def _crossings(layout: Layout) -> int:
    """Count crossings of the straight lines between layers, from the coordinates alone."""
    stretches = [pair for way in layout.ways for pair in itertools.pairwise(way) if pair[0] != pair[1]]
    total = 0
    for ((ax, ay), (bx, by)), ((cx, cy), (dx, dy)) in itertools.combinations(stretches, 2):
        if (ax, bx) == (cx, dx) and (ay - cy) * (by - dy) < 0:
            total += 1
    return total


@given(graphs(circles=True))
@settings(max_examples=150, deadline=None)
def test_no_box_lies_on_another(graph: Graph) -> None:
    layout = lay_out(*graph)

    assert not any(_overlaps(one, other) for one, other in itertools.combinations(layout.boxes, 2))


@given(graphs())
@settings(max_examples=150, deadline=None)
def test_without_circles_every_edge_starts_left_of_where_it_ends(graph: Graph) -> None:
    sizes, edges = graph
    layout = lay_out(sizes, edges)

    for (source, target), way in zip(edges, layout.ways, strict=True):
        assert layout.boxes[source].right < layout.boxes[target].x
        assert all(one[0] <= other[0] for one, other in itertools.pairwise(way))


@given(graphs(circles=True))
@settings(max_examples=150, deadline=None)
def test_every_edge_leads_from_the_side_of_its_source_to_the_side_of_its_target(graph: Graph) -> None:
    sizes, edges = graph
    layout = lay_out(sizes, edges)

    for (source, target), way in zip(edges, layout.ways, strict=True):
        if source == target:
            assert way == []
            continue
        for node, (x, y) in ((source, way[0]), (target, way[-1])):
            box = layout.boxes[node]
            assert x in {box.x, box.right}
            assert box.y <= y <= box.y + box.height


@given(graphs())
@settings(max_examples=150, deadline=None)
def test_no_edge_runs_through_a_box_that_it_passes(graph: Graph) -> None:
    layout = lay_out(*graph)

    for way in layout.ways:
        for (x, y), (to_x, to_y) in itertools.pairwise(way):
            if y == to_y and x < to_x:
                passed = [box for box in layout.boxes if box.x < to_x - _ROUNDING and x < box.right - _ROUNDING]
                assert not any(box.y + _ROUNDING < y < box.y + box.height - _ROUNDING for box in passed)


@given(graphs(circles=True))
@settings(max_examples=100, deadline=None)
def test_everything_lies_within_the_size_that_the_layout_tells(graph: Graph) -> None:
    layout = lay_out(*graph)
    points = [point for way in layout.ways for point in way]

    assert min(box.x for box in layout.boxes) >= -_ROUNDING
    assert min([box.y for box in layout.boxes] + [y for _, y in points]) >= -_ROUNDING
    assert max(box.right for box in layout.boxes) <= layout.width + _ROUNDING
    assert max([box.y + box.height for box in layout.boxes] + [y for _, y in points]) <= layout.height + _ROUNDING


@given(graphs(circles=True))
@settings(max_examples=50, deadline=None)
def test_the_same_graph_gives_the_same_layout(graph: Graph) -> None:
    assert lay_out(*graph) == lay_out(*graph)


@given(graphs())
@settings(max_examples=50, deadline=None)
def test_layers_are_as_many_as_the_longest_way_has_nodes(graph: Graph) -> None:
    sizes, edges = graph
    layout = lay_out(sizes, edges)
    reference = nx.DiGraph(edges)
    reference.add_nodes_from(range(len(sizes)))

    assert len({box.x for box in layout.boxes}) <= nx.dag_longest_path_length(reference) + 1


def test_a_chain_is_a_straight_line() -> None:
    layout = lay_out([Size(100, 44)] * 6, [(number, number + 1) for number in range(5)])

    assert {box.middle for box in layout.boxes} == {22.0}
    assert {y for way in layout.ways for _, y in way} == {22.0}


def test_a_source_stands_next_to_what_it_feeds_and_not_at_the_far_left() -> None:
    layout = lay_out([Size(100, 44)] * 5, [(0, 1), (1, 2), (2, 3), (4, 3)])

    assert layout.boxes[4].x == layout.boxes[2].x


def test_what_can_be_drawn_without_crossings_is() -> None:
    tree = [(0, 1), (0, 2), (1, 3), (1, 4), (2, 5), (2, 6), (3, 7), (6, 8), (5, 9), (4, 10)]
    nodes = list(range(11))
    for seed in range(20):
        random.Random(seed).shuffle(nodes)  # noqa: S311
        edges = [(nodes[source], nodes[target]) for source, target in tree]

        assert _crossings(lay_out([Size(80, 44)] * 11, edges)) == 0


def test_two_parallel_chains_do_not_cross() -> None:
    edges = [(0, 2), (1, 3), (2, 5), (3, 4), (5, 6), (4, 7)]

    assert _crossings(lay_out([Size(80, 44)] * 8, edges)) == 0


def test_edges_from_one_source_to_far_places_share_their_way() -> None:
    # 0 → 1 → 2 → 3 → 4, and an image 5 that 1, 3 and 4 use
    layout = lay_out([Size(80, 44)] * 6, [(0, 1), (1, 2), (2, 3), (3, 4), (5, 1), (5, 3), (5, 4)])
    to_third, to_fourth = layout.ways[5], layout.ways[6]

    assert to_third[:-1] == to_fourth[: len(to_third) - 1]


def test_columns_and_rows_keep_their_distance() -> None:
    layout = lay_out([Size(80, 44)] * 4, [(0, 1), (0, 2), (0, 3)])
    column = sorted((box for box in layout.boxes[1:]), key=lambda box: box.y)

    assert layout.boxes[1].x - layout.boxes[0].right >= COLUMN_GAP
    assert all(other.y - (one.y + one.height) >= ROW_GAP - _ROUNDING for one, other in itertools.pairwise(column))


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_and_a_single_node_can_be_laid_out(count: int) -> None:
    layout = lay_out([Size(80, 44)] * count, [])

    assert len(layout.boxes) == count
    assert (layout.width, layout.height) == (80.0 * count, 44.0 * count)


def test_a_thousand_nodes_take_a_few_seconds() -> None:
    generator = random.Random(7)  # noqa: S311
    edges = sorted({(generator.randrange(max(0, node - 40), node), node) for node in range(1, 1000) for _ in range(2)})

    layout = lay_out([Size(120, 44)] * 1000, edges)

    assert len(layout.boxes) == 1000
