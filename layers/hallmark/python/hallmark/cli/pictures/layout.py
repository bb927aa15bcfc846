"""A layered layout, left to right, of a directed graph.

Layers by longest way, long edges broken where they pass a layer, few crossings by barycentres and exchanges (Sugiyama,
Tagawa, Toda: Methods for visual understanding of hierarchical system structures, 1981), and rows that straighten edges:
each layer's places are the least-squares fit to those of its neighbours under the order and the distances, which
pooling adjacent violators solves exactly (Barlow and others: Statistical inference under order restrictions, 1972).
The same graph gives the same layout.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from typing import NamedTuple

COLUMN_GAP = 48.0
ROW_GAP = 18.0
_BEND_GAP = 10.0
_BEND_HEIGHT = 4.0
_ORDER_SWEEPS = 16
_PLACE_SWEEPS = 24
_LAYER_SWEEPS = 4
_EXCHANGED_ROWS = 60
"""In layers with more rows than this no neighbours are exchanged: it takes the square of their number."""
_STRAIGHT = 8.0
"""How much more a bend pulls on a bend than a box on a box (dot's weights: Gansner and others, 1993, section 4.1)."""


class Size(NamedTuple):
    """Width and height of a node, in points."""

    width: float
    height: float


class Box(NamedTuple):
    """Where a node stands, in points; ``x`` and ``y`` are its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Return the x of its right side."""
        return self.x + self.width

    @property
    def middle(self) -> float:
        """Return the y of its centre."""
        return self.y + self.height / 2


Point = tuple[float, float]


class Layout(NamedTuple):
    """A box for each node and a way for each edge: its end points and, in between, a level stretch for each layer."""

    boxes: list[Box]
    ways: list[list[Point]]
    width: float
    height: float


def lay_out(sizes: Sequence[Size], edges: Sequence[tuple[int, int]]) -> Layout:
    """Lay out a graph.

    Args:
        sizes: Of node 0, 1, …; their order breaks ties.
        edges: Source and target. An edge that closes a circle runs backwards; one from a node to itself has no way.
    """
    turned = _turned(len(sizes), edges)
    forward = [
        (target, source) if number in turned else (source, target) for number, (source, target) in enumerate(edges)
    ]
    grid = _Grid(sizes, [edge if edge[0] != edge[1] else None for edge in forward])
    grid.reduce_crossings()
    places = grid.places()
    columns = grid.columns()
    boxes = [
        Box(columns[grid.layer[node]][0], places[node] - size.height / 2, columns[grid.layer[node]][1], size.height)
        for node, size in enumerate(sizes)
    ]
    ways = grid.ways(boxes, places, columns)
    for number in turned:
        ways[number].reverse()
    return Layout(
        boxes,
        ways,
        width=max((box.right for box in boxes), default=0.0),
        height=max([box.y + box.height for box in boxes] + [y for way in ways for _, y in way], default=0.0),
    )


class _Grid:
    """Nodes and bends in layers. A bend is a vertex where long edges pass a layer: those of one source share it.

    So what goes to many places far away is one line that branches, and not a bundle.
    """

    def __init__(self, sizes: Sequence[Size], edges: Sequence[tuple[int, int] | None]) -> None:
        self._sizes = sizes
        self.layer = _layers(len(sizes), [edge for edge in edges if edge])
        self._chains: list[list[int]] = []
        bends: dict[tuple[int, int], int] = {}
        for edge in edges:
            chain = [] if edge is None else [edge[0]]
            if edge is not None:
                for layer in range(self.layer[edge[0]] + 1, self.layer[edge[1]]):
                    bend = bends.setdefault((edge[0], layer), len(self.layer))
                    if bend == len(self.layer):
                        self.layer.append(layer)
                    chain.append(bend)
                chain.append(edge[1])
            self._chains.append(chain)
        count = len(self.layer)
        self._left: list[list[int]] = [[] for _ in range(count)]
        self._right: list[list[int]] = [[] for _ in range(count)]
        for source, target in {pair for chain in self._chains for pair in itertools.pairwise(chain)}:
            self._left[target].append(source)
            self._right[source].append(target)
        for neighbours in (*self._left, *self._right):
            neighbours.sort()
        self._rows: list[list[int]] = [[] for _ in range(max(self.layer, default=-1) + 1)]
        for vertex in _from_the_ends(count, self._left, self._right):
            self._rows[self.layer[vertex]].append(vertex)

    # --- order ---

    def reduce_crossings(self) -> None:
        """Order each layer by the mean place of its neighbours, to and fro; keep the best order that was seen."""
        best, fewest = [list(row) for row in self._rows], self._crossings()
        for sweep in range(_ORDER_SWEEPS):
            if not fewest:
                break
            forwards = sweep % 2 == 0
            steps = range(1, len(self._rows)) if forwards else range(len(self._rows) - 2, -1, -1)
            for layer in steps:
                self._order_by_neighbours(layer, forwards=forwards)
            for layer in range(len(self._rows)):
                self._exchange(layer)
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(row) for row in self._rows], crossings
        self._rows = best

    def _order_by_neighbours(self, layer: int, *, forwards: bool) -> None:
        neighbours = self._left if forwards else self._right
        place = _positions(self._rows[layer - 1 if forwards else layer + 1])
        row = self._rows[layer]
        mean = {}
        for index, vertex in enumerate(row):
            known = [place[other] for other in neighbours[vertex]]
            # One without neighbours there keeps its share of the layer.
            mean[vertex] = sum(known) / len(known) if known else index * len(place) / len(row)
        row.sort(key=mean.__getitem__)

    def _exchange(self, layer: int) -> None:
        """Exchange neighbours in a layer as long as that takes crossings away."""
        row = self._rows[layer]
        if len(row) > _EXCHANGED_ROWS:
            return
        sides = []
        if layer > 0:
            sides.append((self._left, _positions(self._rows[layer - 1])))
        if layer + 1 < len(self._rows):
            sides.append((self._right, _positions(self._rows[layer + 1])))
        ends = {
            vertex: [sorted(place[other] for other in neighbours[vertex]) for neighbours, place in sides]
            for vertex in row
        }
        for _ in range(len(row)):
            better = False
            for index, (upper, lower) in enumerate(itertools.pairwise(row)):
                now = sum(_inversions(one, other) for one, other in zip(ends[upper], ends[lower], strict=True))
                then = sum(_inversions(other, one) for one, other in zip(ends[upper], ends[lower], strict=True))
                if then < now:
                    row[index], row[index + 1] = lower, upper
                    better = True
                    break
            if not better:
                return

    def _crossings(self) -> int:
        total = 0
        for left, right in itertools.pairwise(self._rows):
            place = _positions(right)
            ends: list[int] = []
            for vertex in left:
                found = sorted(place[other] for other in self._right[vertex])
                total += sum(len(ends) - bisect_right(ends, end) for end in found)
                for end in found:
                    insort(ends, end)
        return total

    # --- places ---

    def places(self) -> list[float]:
        """Return the y of each vertex's centre; the topmost edge of the whole is 0."""
        place = [0.0] * len(self.layer)
        for row in self._rows:
            for vertex, y in zip(row, self._offsets(row), strict=True):
                place[vertex] = y
        for sweep in range(_PLACE_SWEEPS):
            left = sweep % 2 == 0
            last = sweep >= _PLACE_SWEEPS - 2
            rows = self._rows if left else list(reversed(self._rows))
            for row in rows:
                self._fit(row, place, (True, True) if last else (left, not left))
        top = min((y - self._height(vertex) / 2 for vertex, y in enumerate(place)), default=0.0)
        return [y - top for y in place]

    def _fit(self, row: Sequence[int], place: list[float], sides: tuple[bool, bool]) -> None:
        offsets = self._offsets(row)
        wanted, weights = [], []
        for vertex, offset in zip(row, offsets, strict=True):
            near = (self._left[vertex] if sides[0] else []) + (self._right[vertex] if sides[1] else [])
            pull = [self._pull(vertex, other) for other in near]
            weight = sum(pull)
            mean = sum(w * place[o] for w, o in zip(pull, near, strict=True)) / weight if near else place[vertex]
            wanted.append(mean - offset)
            weights.append(weight or 0.1)
        for vertex, offset, y in zip(row, offsets, _in_order(wanted, weights), strict=True):
            place[vertex] = y + offset

    def _pull(self, vertex: int, other: int) -> float:
        nodes = len(self._sizes)
        return _STRAIGHT if vertex >= nodes and other >= nodes else 2.0 if vertex >= nodes or other >= nodes else 1.0

    def _offsets(self, row: Sequence[int]) -> list[float]:
        """Return the least y of each vertex of a row when the first one's is 0."""
        found = [0.0] * len(row)
        for index, (upper, lower) in enumerate(itertools.pairwise(row)):
            bends = upper >= len(self._sizes) and lower >= len(self._sizes)
            gap = _BEND_GAP if bends else ROW_GAP
            found[index + 1] = found[index] + (self._height(upper) + self._height(lower)) / 2 + gap
        return found

    def _height(self, vertex: int) -> float:
        return self._sizes[vertex].height if vertex < len(self._sizes) else _BEND_HEIGHT

    # --- what comes out ---

    def columns(self) -> list[tuple[float, float]]:
        """Return x and width of each layer; a layer that many edges reach from afar stands farther off."""
        found, x = [], 0.0
        for row in self._rows:
            width = max((self._sizes[vertex].width for vertex in row if vertex < len(self._sizes)), default=0.0)
            found.append((x, width))
            busy = sum(len(self._right[vertex]) for vertex in row)
            x += width + COLUMN_GAP + min(1.5 * busy, COLUMN_GAP)
        return found

    def ways(
        self, boxes: Sequence[Box], places: Sequence[float], columns: Sequence[tuple[float, float]]
    ) -> list[list[Point]]:
        """Return the points of each edge, from left to right; edges of one node are spread over its side."""
        out = self._ports(boxes, places, outgoing=True)
        into = self._ports(boxes, places, outgoing=False)
        found: list[list[Point]] = []
        for number, chain in enumerate(self._chains):
            if not chain:
                found.append([])
                continue
            way = [(boxes[chain[0]].right, out[number])]
            for bend in chain[1:-1]:
                x, width = columns[self.layer[bend]]
                way += [(x, places[bend]), (x + width, places[bend])]
            found.append([*way, (boxes[chain[-1]].x, into[number])])
        return found

    def _ports(self, boxes: Sequence[Box], places: Sequence[float], *, outgoing: bool) -> dict[int, float]:
        """Return the y at which each edge leaves (or reaches) its node, in the order of where it goes."""
        at: dict[int, dict[int, list[int]]] = {}
        for number, chain in enumerate(self._chains):
            if chain:
                node, beyond = (chain[0], chain[1]) if outgoing else (chain[-1], chain[-2])
                at.setdefault(node, {}).setdefault(beyond, []).append(number)
        found = {}
        for node, edges in at.items():
            box = boxes[node]
            apart = min(7.0, box.height * 0.6 / max(1, len(edges) - 1))
            for index, beyond in enumerate(sorted(edges, key=lambda vertex: (places[vertex], vertex))):
                for number in edges[beyond]:
                    found[number] = box.middle + (index - (len(edges) - 1) / 2) * apart
        return found


def _turned(count: int, edges: Sequence[tuple[int, int]]) -> set[int]:
    """Return the numbers of the edges that close a circle when one walks from node 0 on."""
    following: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    entered = [0] * count
    for number, (source, target) in enumerate(edges):
        if source != target:
            following[source].append((target, number))
            entered[target] += 1
    turned: set[int] = set()
    open_, done = set[int](), set[int]()
    for root in sorted(range(count), key=lambda node: (entered[node] > 0, node)):
        if root in done:
            continue
        open_.add(root)
        stack = [(root, iter(following[root]))]
        while stack:
            node, steps = stack[-1]
            target, number = next(steps, (-1, -1))
            if target < 0:
                stack.pop()
                open_.discard(node)
                done.add(node)
            elif target in open_:
                turned.add(number)
            elif target not in done:
                open_.add(target)
                stack.append((target, iter(following[target])))
    return turned


def _layers(count: int, edges: Iterable[tuple[int, int]]) -> list[int]:
    """Return each node's layer: its longest way from a source, then moved where that makes edges shorter."""
    left: list[set[int]] = [set() for _ in range(count)]
    right: list[set[int]] = [set() for _ in range(count)]
    for source, target in edges:
        left[target].add(source)
        right[source].add(target)
    waiting = [len(sources) for sources in left]
    ready = [node for node in range(count) if not waiting[node]]
    order: list[int] = []
    layer = [0] * count
    for node in ready:
        order.append(node)
        for target in sorted(right[node]):
            layer[target] = max(layer[target], layer[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    for _ in range(_LAYER_SWEEPS):
        for node in reversed(order):
            if len(right[node]) > len(left[node]):
                layer[node] = min(layer[target] for target in right[node]) - 1
        for node in order:
            if len(left[node]) > len(right[node]):
                layer[node] = max(layer[source] for source in left[node]) + 1
    lowest = min(layer, default=0)
    used = sorted(set(layer))
    rank = (
        {value: index for index, value in enumerate(used)} if used != list(range(lowest, lowest + len(used))) else None
    )
    return [rank[value] if rank else value - lowest for value in layer]


def _from_the_ends(count: int, left: Sequence[Sequence[int]], right: Sequence[Sequence[int]]) -> list[int]:
    """Return all vertices, walked from those that nothing follows: neighbours come near each other."""
    found: list[int] = []
    seen: set[int] = set()
    roots = [vertex for vertex in range(count) if not right[vertex]]
    for root in [*roots, *range(count)]:
        stack = [root]
        while stack:
            vertex = stack.pop()
            if vertex not in seen:
                seen.add(vertex)
                found.append(vertex)
                stack += reversed(left[vertex])
    return found


def _positions(row: Sequence[int]) -> dict[int, int]:
    return {vertex: index for index, vertex in enumerate(row)}


def _inversions(upper: Sequence[int], lower: Sequence[int]) -> int:
    """Return how many ends of the upper vertex lie below ends of the lower one; both are sorted."""
    return sum(len(upper) - bisect_right(upper, end) for end in lower)


def _in_order(wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the numbers, never falling, that are nearest to those wanted by weighted least squares."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(wanted, weights, strict=True):
        block = (value, weight, 1)
        while blocks and blocks[-1][0] > block[0]:
            mean, heavy, length = blocks.pop()
            total = heavy + block[1]
            block = ((mean * heavy + block[0] * block[1]) / total, total, length + block[2])
        blocks.append(block)
    return [mean for mean, _, length in blocks for _ in range(length)]
