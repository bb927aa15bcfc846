"""QueryLineage against networkx, over random graphs, and the parts of AWS's documentation that fix its answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import networkx as nx
import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

NODES = 9
edges_of_graphs = st.sets(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)), max_size=18)
directions = st.sampled_from(["Ascendants", "Descendants", "Both"])
TYPES = ("DataSet", "Model", "Image")


def build(make_host: Callable[..., Any], edges: set[tuple[int, int]]) -> tuple[Any, list[str], nx.DiGraph]:
    host = make_host()
    arns = [host.artifact(ArtifactType=TYPES[i % len(TYPES)]) for i in range(NODES)]
    graph = nx.DiGraph()
    graph.add_nodes_from(arns)
    for source, destination in edges:
        host.associate(arns[source], arns[destination])
        graph.add_edge(arns[source], arns[destination])
    return host, arns, graph


def walked(graph: nx.DiGraph, direction: str) -> nx.Graph:
    return {"Ascendants": graph.reverse, "Descendants": graph.copy, "Both": graph.to_undirected}[direction]()


def arns_of(answer: dict[str, Any]) -> list[str]:
    return [vertex["Arn"] for vertex in answer["Vertices"]]


def edges_of(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(edge["SourceArn"], edge["DestinationArn"]) for edge in answer["Edges"]]


@settings(max_examples=150, deadline=None)
@given(edges=edges_of_graphs, direction=directions, depth=st.integers(0, 10), start=st.integers(0, NODES - 1))
def test_the_vertices_are_those_that_networkx_reaches_at_that_depth(
    make_host: Callable[..., Any], edges: set[tuple[int, int]], direction: str, depth: int, start: int
) -> None:
    host, arns, graph = build(make_host, edges)

    found = host.ask("QueryLineage", StartArns=[arns[start]], Direction=direction, MaxDepth=depth)

    reached = set(nx.single_source_shortest_path_length(walked(graph, direction), arns[start], cutoff=depth))
    assert sorted(arns_of(found)) == sorted(reached - {arns[start]})
    assert found["Edges"] == []


@settings(max_examples=80, deadline=None)
@given(edges=edges_of_graphs, start=st.integers(0, NODES - 1))
def test_a_query_without_depth_has_the_ancestors_and_descendants_of_small_graphs(
    make_host: Callable[..., Any], edges: set[tuple[int, int]], start: int
) -> None:
    host, arns, graph = build(make_host, edges)

    for direction, expected in (("Ascendants", nx.ancestors), ("Descendants", nx.descendants)):
        found = host.ask("QueryLineage", StartArns=[arns[start]], Direction=direction)
        assert set(arns_of(found)) == expected(graph, arns[start])


@settings(max_examples=150, deadline=None)
@given(
    edges=edges_of_graphs,
    direction=directions,
    wanted=st.sampled_from(TYPES),
    depth=st.integers(0, 5),
    size=st.integers(1, 7),
)
def test_with_edges_the_answer_is_the_graph_on_the_way_to_what_matches(
    make_host: Callable[..., Any], edges: set[tuple[int, int]], direction: str, wanted: str, depth: int, size: int
) -> None:
    host, arns, graph = build(make_host, edges)
    request = {
        "StartArns": [arns[0]], "Direction": direction, "MaxDepth": depth,
        "Filters": {"Types": [wanted]}, "IncludeEdges": True,
    }  # fmt: skip

    pages = list(all_pages(host, MaxResults=size, **request))

    way = walked(graph, direction)
    reached = nx.single_source_shortest_path_length(way, arns[0], cutoff=depth)
    matches = [arn for arn in reached if arn != arns[0] and TYPES[arns.index(arn) % len(TYPES)] == wanted]
    paths = (path for arn in matches for path in nx.all_shortest_paths(way, arns[0], arn))
    expected = {arns[0]}.union(*paths)
    vertices = [arn for page in pages for arn in arns_of(page)]
    assert sorted(vertices) == sorted(expected)
    assert sorted(edge for page in pages for edge in edges_of(page)) == sorted(graph.subgraph(expected).edges)
    assert all(len(page["Vertices"]) <= size for page in pages)
    drawn: set[str] = set()
    for page in pages:
        drawn |= set(arns_of(page))
        assert {arn for edge in edges_of(page) for arn in edge} <= drawn


def all_pages(host: Any, **request: Any) -> Any:
    token: dict[str, str] = {}
    while True:
        page = host.ask("QueryLineage", **request, **token)
        yield page
        if "NextToken" not in page:
            return
        token = {"NextToken": page["NextToken"]}


@settings(max_examples=60, deadline=None)
@given(edges=edges_of_graphs, direction=directions, size=st.integers(1, NODES))
def test_pages_cover_everything_once(
    make_host: Callable[..., Any], edges: set[tuple[int, int]], direction: str, size: int
) -> None:
    host, arns, _ = build(make_host, edges)
    request = {"StartArns": [arns[0]], "Direction": direction}

    paged = [arn for page in all_pages(host, MaxResults=size, **request) for arn in arns_of(page)]

    assert paged == arns_of(host.ask("QueryLineage", **request))
    assert len(paged) == len(set(paged))


def chain(host: Any, length: int) -> list[str]:
    arns = [host.artifact() for _ in range(length)]
    for source, destination in pairwise(arns):
        host.associate(source, destination)
    return arns


def test_a_query_reaches_ten_associations_and_no_more(host: Any, client: Any) -> None:
    arns = chain(host, 13)

    assert arns_of(client.query_lineage(StartArns=[arns[0]])) == arns[1:11]
    with pytest.raises(ClientError, match="maxDepth"):
        client.query_lineage(StartArns=[arns[0]], MaxDepth=11)


def test_a_page_has_fifty_vertices_and_no_more(host: Any, client: Any) -> None:
    hub = host.artifact()
    for _ in range(60):
        host.associate(hub, host.artifact())

    first = client.query_lineage(StartArns=[hub])
    second = client.query_lineage(StartArns=[hub], NextToken=first["NextToken"])

    assert (len(first["Vertices"]), len(second["Vertices"])) == (50, 10)
    assert "NextToken" not in second
    assert len({*arns_of(first), *arns_of(second)}) == 60
    with pytest.raises(ClientError, match="maxResults"):
        client.query_lineage(StartArns=[hub], MaxResults=51)


@pytest.mark.parametrize(("member", "value"), [("MaxDepth", -1), ("MaxResults", 0), ("MaxResults", -1)])
def test_bounds_below_what_makes_sense_are_refused(host: Any, client: Any, member: str, value: int) -> None:
    with pytest.raises(ClientError, match=str(value)) as error:
        client.query_lineage(StartArns=[host.artifact()], **{member: value})
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_one_start_is_allowed_and_it_must_exist(host: Any, client: Any) -> None:
    with pytest.raises(ClientError, match="startArns"):
        client.query_lineage(StartArns=[host.artifact(), host.artifact()])
    with pytest.raises(client.exceptions.ResourceNotFound, match="artifact/none"):
        client.query_lineage(StartArns=["arn:aws:sagemaker:eu-west-1:123456789012:artifact/none"])


def test_a_vertex_carries_arn_type_and_lineage_type_and_nothing_else(host: Any, client: Any) -> None:
    data, review = host.artifact(), host.action()
    host.associate(data, review, "ContributedTo")

    found = client.query_lineage(StartArns=[data], IncludeEdges=True)

    assert found["Vertices"] == [
        {"Arn": data, "Type": "DataSet", "LineageType": "Artifact"},
        {"Arn": review, "Type": "Review", "LineageType": "Action"},
    ]
    assert found["Edges"] == [{"SourceArn": data, "DestinationArn": review, "AssociationType": "ContributedTo"}]


def test_the_start_is_a_vertex_only_where_edges_are_wanted(host: Any, client: Any) -> None:
    arns = chain(host, 2)

    assert arns_of(client.query_lineage(StartArns=[arns[0]])) == [arns[1]]
    assert arns_of(client.query_lineage(StartArns=[arns[0]], IncludeEdges=True)) == arns


def test_a_way_follows_the_direction_of_the_query(host: Any, client: Any) -> None:
    start, between, match, beside = (host.artifact(ArtifactType=each) for each in ("A", "B", "Wanted", "D"))
    for source, destination in ((match, between), (between, start), (beside, start), (beside, match)):
        host.associate(source, destination)

    found = client.query_lineage(
        StartArns=[start], Direction="Ascendants", Filters={"Types": ["Wanted"]}, IncludeEdges=True
    )

    assert arns_of(found) == [start, between, match]
    assert sorted(edges_of(found)) == sorted([(match, between), (between, start)])


def test_both_directions_turn_at_every_vertex(host: Any, client: Any) -> None:
    """ "if a training job is run twice [...] the result [...] shows both endpoints" (Querying Lineage Entities)."""
    image, first, second = host.artifact(), host.artifact(), host.artifact()
    host.associate(image, first)
    host.associate(image, second)

    assert arns_of(client.query_lineage(StartArns=[first], Direction="Both")) == [image, second]
    assert arns_of(client.query_lineage(StartArns=[first], Direction="Ascendants")) == [image]


def test_filters_narrow_the_vertices(host: Any, client: Any) -> None:
    start = host.artifact()
    model = host.artifact(ArtifactType="Model", Properties={"stage": "live", "owner": "risk"})
    review = host.action(Properties={"stage": "test"})
    for destination in (model, review):
        host.associate(start, destination)
    made_at = client.describe_artifact(ArtifactArn=model)["CreationTime"]
    hour = timedelta(hours=1)

    expectations: list[tuple[dict[str, Any], list[str]]] = [
        ({"Types": ["Model"]}, [model]),
        ({"Types": ["Model", "Review"]}, [model, review]),
        ({"LineageTypes": ["Action"]}, [review]),
        ({"LineageTypes": ["Action"], "Types": ["Model"]}, []),
        ({"LineageTypes": ["TrialComponent"]}, []),
        ({"Properties": {"stage": "live"}}, [model]),
        ({"Properties": {"stage": "test", "owner": "risk"}}, [model, review]),
        ({"Properties": {"stage": "none"}}, []),
        ({"CreatedAfter": made_at - hour, "CreatedBefore": made_at + hour}, [model, review]),
        ({"CreatedAfter": made_at + hour}, []),
        ({"CreatedBefore": made_at - hour}, []),
        ({"ModifiedAfter": made_at - hour, "ModifiedBefore": made_at + hour}, [model, review]),
        ({"ModifiedAfter": made_at + hour}, []),
        ({"ModifiedBefore": made_at - hour}, []),
        ({"Types": [], "LineageTypes": [], "Properties": {}}, [model, review]),
    ]
    for filters, expected in expectations:
        assert arns_of(client.query_lineage(StartArns=[start], Filters=filters)) == expected, filters


def test_without_a_start_all_entities_are_asked(host: Any, client: Any) -> None:
    host.artifact()
    wanted = host.artifact(Properties={"stage": "live"})

    assert arns_of(client.query_lineage(Filters={"Properties": {"stage": "live"}})) == [wanted]
