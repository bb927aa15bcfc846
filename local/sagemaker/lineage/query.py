"""QueryLineage: what lies upstream or downstream of an entity, at most ten associations away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local.sagemaker.contract import Call, Description
from local.sagemaker.lineage.entities import AccountLineage, Association, Entity, LineageStore
from local.sagemaker.lineage.entity_operations import not_found, refused
from local.sagemaker.lineage.limits import MAX_DEPTH, MAX_VERTICES
from local.sagemaker.lineage.pages import SortKey, page

_BACK = {"Ascendants": "Descendants", "Descendants": "Ascendants", "Both": "Both"}


class LineageQuery:
    """The operation, over the lineage of all accounts."""

    def __init__(self, store: LineageStore) -> None:
        self._store = store

    def __call__(self, call: Call) -> Description:
        """Answer a page of vertices and, where they are wanted, the edges between them.

        Without edges the vertices are the entities that match, and the start is none of them. With edges they are
        "not only the entities of interest but also the associations and lineage entities on the path" (API
        reference, IncludeEdges), the start included. An edge is on the page of the later of its vertices, so that
        every page after page draws the whole graph, each edge once. Without a start all entities are asked.
        """
        account, parameters = self._store.of_call(call), call.parameters
        _check_bounds(parameters)
        starts = [_start(account, arn) for arn in parameters.get("StartArns", ())]
        direction = parameters.get("Direction", "Both")
        depths = (
            _depths(account, starts, direction, parameters.get("MaxDepth", MAX_DEPTH))
            if starts
            else dict.fromkeys(account.all_entities(), 0)
        )
        filters = parameters.get("Filters", {})
        found = {entity for entity in depths if entity not in starts and _passes(entity, filters)}
        edges_wanted = parameters.get("IncludeEdges", False)
        if edges_wanted and starts:
            found = _on_paths(account, depths, found, direction) | set(starts)

        def key(entity: Entity) -> SortKey:
            return (depths[entity], entity.sequence)

        chosen, token = page(call, found, key, size=MAX_VERTICES)
        edges = _edges(account, chosen, found, key) if edges_wanted else []
        return {
            "Vertices": [_vertex(entity) for entity in chosen],
            "Edges": [_edge(association) for association in edges],
        } | token


def _check_bounds(parameters: Mapping[str, Any]) -> None:
    # The model of the API has no lower bound for these two; none is below nothing.
    if parameters.get("MaxDepth", 0) < 0:
        raise refused(f"Value '{parameters['MaxDepth']}' at 'maxDepth' must be between 0 and {MAX_DEPTH}")
    if parameters.get("MaxResults", 1) < 1:
        raise refused(f"Value '{parameters['MaxResults']}' at 'maxResults' must be between 1 and {MAX_VERTICES}")


def _start(account: AccountLineage, arn: str) -> Entity:
    entity = account.find(arn)
    if entity is None:
        raise not_found(arn, "The start of the query")
    return entity


def _neighbours(account: AccountLineage, entity: Entity, direction: str) -> Iterable[Entity]:
    if direction in {"Both", "Descendants"}:
        yield from (association.destination for association in account.outgoing(entity.arn))
    if direction in {"Both", "Ascendants"}:
        yield from (association.source for association in account.incoming(entity.arn))


def _depths(account: AccountLineage, starts: Iterable[Entity], direction: str, max_depth: int) -> dict[Entity, int]:
    """Return the entities within reach with their distance; ``Both`` turns at every entity, as on AWS."""
    depths = dict.fromkeys(starts, 0)
    frontier = list(depths)
    for depth in range(1, max_depth + 1):
        reached = {each: depth for entity in frontier for each in _neighbours(account, entity, direction)}
        frontier = [entity for entity in reached if entity not in depths]
        depths |= dict.fromkeys(frontier, depth)
    return depths


def _on_paths(account: AccountLineage, depths: Mapping[Entity, int], found: set[Entity], direction: str) -> set[Entity]:
    """Return ``found`` and what lies on the shortest ways to them from the start."""
    back = _BACK[direction]
    kept = set(found)
    frontier = list(found)
    while frontier:
        entity = frontier.pop()
        for each in _neighbours(account, entity, back):
            if each not in kept and depths.get(each) == depths[entity] - 1:
                kept.add(each)
                frontier.append(each)
    return kept


def _passes(entity: Entity, filters: Mapping[str, Any]) -> bool:
    """Tell whether an entity matches every filter; of ``Properties`` one pair suffices (API reference)."""
    properties = filters.get("Properties")
    return (
        (not filters.get("Types") or entity.type in filters["Types"])
        and (not filters.get("LineageTypes") or entity.kind.title in filters["LineageTypes"])
        and ("CreatedBefore" not in filters or entity.made_at < filters["CreatedBefore"])
        and ("CreatedAfter" not in filters or entity.made_at > filters["CreatedAfter"])
        and ("ModifiedBefore" not in filters or entity.modified_at < filters["ModifiedBefore"])
        and ("ModifiedAfter" not in filters or entity.modified_at > filters["ModifiedAfter"])
        and (not properties or any(entity.properties.get(name) == value for name, value in properties.items()))
    )


def _edges(
    account: AccountLineage, chosen: Iterable[Entity], found: set[Entity], key: Callable[[Entity], SortKey]
) -> Iterable[Association]:
    """Return the associations between ``chosen`` and what is not after it in the order of the pages."""
    for entity in chosen:
        for association in account.outgoing(entity.arn):
            if association.destination in found and key(association.destination) <= key(entity):
                yield association
        for association in account.incoming(entity.arn):
            if association.source in found and key(association.source) < key(entity):
                yield association


def _vertex(entity: Entity) -> Description:
    return {"Arn": entity.arn, "Type": entity.type, "LineageType": entity.kind.title}


def _edge(association: Association) -> Description:
    edge = {"SourceArn": association.source.arn, "DestinationArn": association.destination.arn}
    return edge | ({"AssociationType": association.type} if association.type else {})
