"""A layered layout, left to right: layers by longest way, few crossings by barycentres (Sugiyama and others, 1981)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

SWEEPS = 12
COLUMN_GAP = 70.0
ROW_GAP = 16.0


class Box(NamedTuple):
    """Where a node stands, in points; ``x`` and ``y`` are its upper left corner."""

    x: float
    y: float
    width: float
    height: float


class Layout(NamedTuple):
    """The boxes, the ways of the edges (points in between included), and the size of the whole."""

    boxes: dict[str, Box]
    ways: list[list[tuple[float, float]]]
    width: float
    height: float


def lay_out(nodes: Mapping[str, float], edges: Sequence[tuple[str, str]], height: float) -> Layout:
    """Lay out a graph.

    Args:
        nodes: Key to width, in points; the order breaks ties.
        edges: Source and target, both among the nodes. Edges of a circle are drawn backwards.
        height: Height of every box.
    """
    forward = _acyclic(list(nodes), edges)
    layer = _layers(list(nodes), forward)
    rows, chains = _with_bends(nodes, forward, layer)
    _reduce_crossings(rows, chains)
    boxes, places = _place(nodes, rows, height)
    ways = []
    for (source, target), chain in zip(edges, chains, strict=True):
        ends = (chain[0], chain[-1]) if chain[0] == source else (chain[-1], chain[0])
        middle = [places[bend] for bend in chain[1:-1]]
        start, end = boxes[ends[0]], boxes[ends[1]]
        if chain[0] == source:
            first, last = (start.x + start.width, start.y + height / 2), (end.x, end.y + height / 2)
        else:
            middle.reverse()
            first, last = (start.x, start.y + height / 2), (end.x + end.width, end.y + height / 2)
        ways.append([first, *middle, last] if target != source else [first, first])
    width = max((box.x + box.width for box in boxes.values()), default=0.0)
    bottom = max((box.y + box.height for box in boxes.values()), default=0.0)
    return Layout(boxes, ways, width, max([bottom, *(y for _, y in places.values())]))


def _acyclic(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the edges with those turned around that would close a circle."""
    following: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in edges:
        following[source].append(target)
    state: dict[str, int] = {}
    turned: set[tuple[str, str]] = set()
    for root in nodes:
        stack = [(root, iter(following[root]))] if root not in state else []
        state.setdefault(root, 1)
        while stack:
            node, targets = stack[-1]
            target = next(targets, "")
            if not target:
                state[node] = 2
                stack.pop()
            elif target not in state:
                state[target] = 1
                stack.append((target, iter(following[target])))
            elif state[target] == 1:
                turned.add((node, target))
    return [(target, source) if (source, target) in turned else (source, target) for source, target in edges]


def _layers(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return each node's layer: as far right as its longest way from a source; sources stand next to what they feed."""
    incoming: dict[str, list[str]] = {node: [] for node in nodes}
    outgoing: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in edges:
        if source != target:
            incoming[target].append(source)
            outgoing[source].append(target)
    layer: dict[str, int] = {}
    waiting = {node: len(incoming[node]) for node in nodes}
    ready = [node for node in nodes if not waiting[node]]
    order = []
    while ready:
        node = ready.pop(0)
        order.append(node)
        layer[node] = max((layer[source] + 1 for source in incoming[node]), default=0)
        for target in outgoing[node]:
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    for node in reversed(order):
        if not incoming[node] and outgoing[node]:
            layer[node] = min(layer[target] for target in outgoing[node]) - 1
    lowest = min(layer.values(), default=0)
    return {node: rank - lowest for node, rank in layer.items()}


def _with_bends(
    nodes: Mapping[str, float], edges: Sequence[tuple[str, str]], layer: Mapping[str, int]
) -> tuple[list[list[str]], list[list[str]]]:
    """Return the rows of each layer with a bend where a long edge passes, and the chain of each edge."""
    rows: list[list[str]] = [[] for _ in range(max(layer.values(), default=0) + 1)]
    for node in nodes:
        rows[layer[node]].append(node)
    chains = []
    for number, (source, target) in enumerate(edges):
        bends = [f"\0{number}:{rank}" for rank in range(layer[source] + 1, layer[target])]
        for rank, bend in enumerate(bends, start=layer[source] + 1):
            rows[rank].append(bend)
        chains.append([source, *bends, target])
    return rows, chains


def _reduce_crossings(rows: list[list[str]], chains: Sequence[Sequence[str]]) -> None:
    """Order each layer by the mean place of its neighbours, to and fro; keep the best order that was seen."""
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for chain in chains:
        for upper, lower in itertools.pairwise(chain):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    best, fewest = [list(row) for row in rows], _crossings(rows, below)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        neighbours = above if down else below
        for rank in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            place = {node: index for index, node in enumerate(rows[rank - 1 if down else rank + 1])}
            mean = {}
            for index, node in enumerate(rows[rank]):
                known = [place[other] for other in neighbours.get(node, []) if other in place]
                mean[node] = sum(known) / len(known) if known else float(index)
            rows[rank].sort(key=mean.__getitem__)
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
        if not fewest:
            break
    rows[:] = best


def _crossings(rows: Sequence[Sequence[str]], below: Mapping[str, Sequence[str]]) -> int:
    total = 0
    for upper, lower in itertools.pairwise(rows):
        place = {node: index for index, node in enumerate(lower)}
        ends: list[int] = []
        for node in upper:
            found = sorted(place[other] for other in below.get(node, []) if other in place)
            total += sum(1 for end in found for other in ends if other > end)
            ends += found
    return total


def _place(
    nodes: Mapping[str, float], rows: Sequence[Sequence[str]], height: float
) -> tuple[dict[str, Box], dict[str, tuple[float, float]]]:
    """Return the boxes of the nodes, and the points of the bends; each layer is centred."""
    tall = [sum((height if node in nodes else height / 2) + ROW_GAP for node in row) for row in rows]
    whole = max(tall, default=0.0)
    boxes: dict[str, Box] = {}
    bends: dict[str, tuple[float, float]] = {}
    x = 0.0
    for row, used in zip(rows, tall, strict=True):
        width = max((nodes[node] for node in row if node in nodes), default=0.0)
        y = (whole - used) / 2
        for node in row:
            if node in nodes:
                boxes[node] = Box(x + (width - nodes[node]) / 2, y, nodes[node], height)
                y += height + ROW_GAP
            else:
                bends[node] = (x + width / 2, y + height / 4)
                y += height / 2 + ROW_GAP
        x += width + COLUMN_GAP
    return boxes, bends
