"""Which edges say something: parts of datasets matter only where they join a maker and a reader.

Every whole dataset has parts, each a directory or an object. Those are shown that a run read by themselves, or that
were gathered into a dataset which no run wrote as a whole. The rules look at a node's neighbours when a walk comes by,
and remember what they found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from hallmark.lineage.columns import (
    DATASET_KIND,
    GATHERED_ROLE,
    PART_ROLE,
    TYPE_CODES,
    VERSION_KIND,
    VERSION_ROLE,
    Integers,
)
from hallmark.lineage.model import ATTEMPTED_ROLE, DONE_ROLE, EdgeType
from hallmark.lineage.questions import Direction

_PRODUCED = TYPE_CODES[EdgeType.PRODUCED]
_DERIVED_FROM = TYPE_CODES[EdgeType.DERIVED_FROM]
_SAME_AS = TYPE_CODES[EdgeType.SAME_AS]
_ASSOCIATED = TYPE_CODES[EdgeType.ASSOCIATED_WITH]
_PLAIN = np.ones(len(TYPE_CODES), dtype=bool)
_PLAIN[[_DERIVED_FROM, _SAME_AS, _ASSOCIATED]] = False
_FIRST_EDGES = 8
"""Most questions about a node are settled by its first edges; the rest of a hub is looked at only if they are not."""

_Question = Callable[["Telling", Integers], Integers]


class Neighbourhood(Protocol):
    """The edges of a graph, by node."""

    kinds: Integers

    def source_of(self, edges: Integers) -> Integers:
        """Return where edges come from."""
        ...

    def target_of(self, edges: Integers) -> Integers:
        """Return where edges lead."""
        ...

    def type_of(self, edges: Integers) -> Integers:
        """Return the codes of their types."""
        ...

    def role_of(self, edges: Integers) -> Integers:
        """Return the codes of their roles."""
        ...

    def around(self, nodes: Integers, direction: Direction, limit: int | None = None) -> tuple[Integers, Integers]:
        """Return the edges of some nodes, of each at most ``limit``, and whose they are (a place in ``nodes``)."""
        ...

    def degree_of(self, nodes: Integers, direction: Direction) -> Integers:
        """Return how many edges each of some nodes has at most."""
        ...

    def code_of(self, word: str) -> int:
        """Return the code of a word."""
        ...


class Telling:
    """What is known so far of the nodes of one graph."""

    def __init__(self, graph: Neighbourhood) -> None:
        self._graph = graph
        self._part = graph.code_of(PART_ROLE)
        self._gathered = graph.code_of(GATHERED_ROLE)
        self._version = graph.code_of(VERSION_ROLE)
        self._acts = (graph.code_of(DONE_ROLE), graph.code_of(ATTEMPTED_ROLE))
        self._known: dict[_Question, Integers] = {}

    # --- edges ---

    def tells(self, edges: Integers) -> Integers:
        """Tell which edges say something."""
        kind = self._graph.type_of(edges)
        telling: Integers = _PLAIN[kind]
        if not telling.all():
            doubtful = np.flatnonzero(~telling)
            telling[doubtful] = self._doubtful(edges[doubtful], kind[doubtful])
        return telling

    def followed(self, edges: Integers, direction: Direction) -> Integers:
        """Return those edges that a walk goes along: all that say something.

        Upwards, a place tells nothing of its content's origin, unless a run wrote there and nobody saw what; and who
        called is no origin of what was called for: ``hallmark who`` tells that.
        """
        if not len(edges) or _PLAIN[self._graph.type_of(edges)].all():
            return edges
        edges = edges[self.tells(edges)]
        return edges if direction is Direction.DOWN else edges[~self.silent_upwards(edges)]

    def _doubtful(self, edges: Integers, kind: Integers) -> Integers:
        role = self._graph.role_of(edges)
        telling = np.ones(len(edges), dtype=bool)
        for chosen, rule in (
            ((kind == _DERIVED_FROM) & (role == self._part), self._tells_part),
            ((kind == _DERIVED_FROM) & (role == self._gathered), self._tells_gathered),
            (kind == _SAME_AS, self._tells_copy),
            (kind == _ASSOCIATED, self._tells_association),
        ):
            if chosen.any():
                telling[chosen] = rule(edges[chosen])
        return telling

    def _tells_part(self, edges: Integers) -> Integers:
        return self._ask(Telling._leads_on, self._graph.target_of(edges))

    def _tells_gathered(self, edges: Integers) -> Integers:
        source, target = self._graph.source_of(edges), self._graph.target_of(edges)
        return self._ask(Telling._is_linked, source) & ~self._ask(Telling._is_linked, target)

    def _tells_copy(self, edges: Integers) -> Integers:
        target = self._graph.target_of(edges)
        return self._ask(Telling._leads_on_itself, target) | ~self._ask(Telling._is_part, target)

    def _tells_association(self, edges: Integers) -> Integers:
        return ~self._ask(Telling._is_idle_part, self._graph.target_of(edges))

    def silent_upwards(self, edges: Integers) -> Integers:
        """Tell which edges lead from a place that no run wrote to as a whole to its versions, or from a call."""
        version = self.is_version(edges)
        found = np.flatnonzero(version)
        version[found] = ~self._ask(Telling._is_written, self._graph.source_of(edges[found]))
        return version | self.is_act(edges)

    def is_act(self, edges: Integers) -> Integers:
        """Tell which edges lead from a call to the resource that it was for."""
        role = self._graph.role_of(edges)
        found: Integers = (self._graph.type_of(edges) == _ASSOCIATED) & (
            (role == self._acts[0]) | (role == self._acts[1])
        )
        return found

    def is_version(self, edges: Integers) -> Integers:
        """Tell which edges lead from a dataset to its versions."""
        found: Integers = (self._graph.type_of(edges) == _ASSOCIATED) & (self._graph.role_of(edges) == self._version)
        return found

    # --- nodes ---

    def is_idle(self, nodes: Integers) -> Integers:
        """Tell which nodes are parts that join nothing, or places of nothing but such parts."""
        return self._ask(Telling._is_idle_part, nodes) | self._ask(Telling._is_idle_place, nodes)

    def _ask(self, question: _Question, nodes: Integers) -> Integers:
        known = self._known.get(question)
        if known is None:
            known = self._known[question] = np.full(len(self._graph.kinds), -1, dtype=np.int8)
        found: Integers = known[nodes]
        if (found < 0).any():
            unknown = np.unique(nodes[found < 0]).astype(np.int64)
            known[unknown] = question(self, unknown)
            found = known[nodes]
        return found > 0

    def _any(self, nodes: Integers, direction: Direction, rule: Callable[[Integers], Integers]) -> Integers:
        """Tell which nodes have an edge that obeys a rule."""
        found = np.zeros(len(nodes), dtype=bool)
        edges, owners = self._graph.around(nodes, direction, _FIRST_EDGES)
        if len(edges):
            found[owners[rule(edges)]] = True
        left = np.flatnonzero(~found & (self._graph.degree_of(nodes, direction) > _FIRST_EDGES))
        if len(left):
            edges, owners = self._graph.around(nodes[left], direction)
            found[left[owners[rule(edges)]]] = True
        return found

    def _plainly(self, edges: Integers) -> Integers:
        kind, role = self._graph.type_of(edges), self._graph.role_of(edges)
        content = (kind == _DERIVED_FROM) & ((role == self._part) | (role == self._gathered))
        found: Integers = ~(content | (kind == _SAME_AS) | (kind == _ASSOCIATED))
        return found

    def _links(self, edges: Integers) -> Integers:
        kind = self._graph.type_of(edges)
        found: Integers = (kind == _PRODUCED) | (kind == _SAME_AS) | self._with_role(edges, self._part)
        return found

    def _with_role(self, edges: Integers, role: int) -> Integers:
        found: Integers = (self._graph.type_of(edges) == _DERIVED_FROM) & (self._graph.role_of(edges) == role)
        return found

    def _where(self, edges: Integers, chosen: Integers, rule: Callable[[Integers], Integers]) -> Integers:
        found = np.zeros(len(edges), dtype=bool)
        if chosen.any():
            found[chosen] = rule(edges[chosen])
        return found

    def _is_linked(self, nodes: Integers) -> Integers:
        return self._any(nodes, Direction.UP, self._links)

    def _is_written(self, nodes: Integers) -> Integers:
        return self._any(nodes, Direction.UP, self._plainly)

    def _is_part(self, nodes: Integers) -> Integers:
        inward = self._any(nodes, Direction.UP, lambda edges: self._with_role(edges, self._part))
        return inward | self._any(nodes, Direction.DOWN, lambda edges: self._with_role(edges, self._gathered))

    def _leads_on_itself(self, nodes: Integers) -> Integers:
        def rule(edges: Integers) -> Integers:
            gathered = self._where(edges, self._with_role(edges, self._gathered), self._tells_gathered)
            return self._plainly(edges) | gathered

        return self._any(nodes, Direction.DOWN, rule)

    def _leads_on(self, nodes: Integers) -> Integers:
        found = self._ask(Telling._leads_on_itself, nodes)
        rest = np.flatnonzero(~found)
        if len(rest):
            found[rest] = self._any(nodes[rest], Direction.DOWN, self._copies)
        return found

    def _copies(self, edges: Integers) -> Integers:
        return self._where(edges, self._graph.type_of(edges) == _SAME_AS, self._tells_copy)

    def _is_used(self, edges: Integers) -> Integers:
        """Tell which edges say something, associations left out."""
        return self._where(edges, self._graph.type_of(edges) != _ASSOCIATED, self.tells)

    def _is_idle_part(self, nodes: Integers) -> Integers:
        idle: Integers = self._graph.kinds[nodes] == VERSION_KIND
        idle[idle] = self._ask(Telling._is_part, nodes[idle])
        for direction in Direction:
            left = np.flatnonzero(idle)
            if len(left):
                idle[left] = ~self._any(nodes[left], direction, self._is_used)
        return idle

    def _is_idle_place(self, nodes: Integers) -> Integers:
        """Tell which nodes are associated with idle parts, and have no edge that says something."""

        def names_idle(edges: Integers) -> Integers:
            associated = self._graph.type_of(edges) == _ASSOCIATED
            return self._where(
                edges, associated, lambda found: self._ask(Telling._is_idle_part, self._graph.target_of(found))
            )

        idle: Integers = self._graph.kinds[nodes] == DATASET_KIND
        idle[idle] = self._any(nodes[idle], Direction.DOWN, names_idle)
        for direction in Direction:
            left = np.flatnonzero(idle)
            if len(left):
                idle[left] = ~self._any(nodes[left], direction, self._says_something)
        return idle

    def _says_something(self, edges: Integers) -> Integers:
        associated = self._graph.type_of(edges) == _ASSOCIATED
        plain = self._where(edges, ~associated, self.tells)
        return plain | self._where(
            edges, associated, lambda found: ~self._ask(Telling._is_idle_part, self._graph.target_of(found))
        )
