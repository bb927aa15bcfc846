"""Cutting an answer into pages, and the token that continues it exactly where it was cut."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import NamedTuple
from zlib import crc32

import numpy as np

from hallmark.errors import InvalidInputError
from hallmark.lineage.columns import Integers, from_micros, to_micros

_FIELDS = 5


class Position(NamedTuple):
    """How far an answer was given, and of which graph.

    ``known_at`` and ``as_of`` are pinned by the first page, so that facts that arrive later change nothing; ``check``
    is a checksum of the last node that was given.
    """

    nodes: int = 0
    edges: int = 0
    known_at: datetime | None = None
    as_of: datetime | None = None
    check: int = 0

    def token(self) -> str:
        """Return the position as text."""
        fields = [self.nodes, self.edges, to_micros(self.known_at), to_micros(self.as_of), self.check]
        return base64.urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode().rstrip("=")

    def expect(self, last_key: str | None, token: str | None) -> None:
        """Make sure that the answer which is continued is the one that was cut.

        Raises:
            InvalidInputError: Another node stands where the last page ended: another question was asked, or a fact that
                was recorded before that page was asked for became visible only after it.
        """
        if (self.nodes or self.edges) and (last_key is None or checksum(last_key) != self.check):
            raise InvalidInputError("resume", token, "the answer has changed since: ask again without the token")


def checksum(key: str) -> int:
    """Return a checksum of a key."""
    return crc32(key.encode())


def read_position(token: str | None) -> Position:
    """Read a token; the start for None.

    Raises:
        InvalidInputError: No answer gave this token.
    """
    if token is None:
        return Position()
    try:
        fields = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        nodes, edges, known_at, as_of, check = (int(field) for field in fields)
        position = Position(nodes, edges, from_micros(known_at), from_micros(as_of), check)
    except (ValueError, TypeError, OverflowError):
        raise InvalidInputError("resume", token, "take the token from the answer that was cut") from None
    if position.nodes < 0 or position.edges < 0:
        raise InvalidInputError("resume", token, "take the token from the answer that was cut")
    return position


class Page(NamedTuple):
    """From where to where nodes and edges are given."""

    first_node: int
    end_node: int
    first_edge: int
    end_edge: int


def cut_page(
    start: Position,
    node_bytes: Integers,
    edge_bytes: Integers,
    edge_node: Integers,
    *,
    node_budget: int,
    byte_budget: int,
) -> Page:
    """Take as many nodes, each with its edges, as the budgets of nodes and bytes allow; at least something.

    Args:
        start: What was given before.
        node_bytes: How long each node is, shape ``(nodes,)``.
        edge_bytes: How long each edge is, shape ``(edges,)``.
        edge_node: The place of the node that each edge is given with, ascending.
        node_budget: How many nodes at most.
        byte_budget: How many bytes at most.
    """
    end = min(start.nodes + node_budget, len(node_bytes))
    ends = np.searchsorted(edge_node, np.arange(start.nodes, end), side="right")
    edges_before = np.concatenate(([0], np.cumsum(edge_bytes[start.edges :])))
    # Edges of nodes that were given before may be left over: they come first.
    owed = int(np.searchsorted(edge_node, start.nodes, side="left"))
    left = int(np.searchsorted(edges_before, byte_budget, side="right")) - 1 + start.edges
    if left < owed:
        return Page(start.nodes, start.nodes, start.edges, max(left, start.edges + 1))
    cost = np.cumsum(node_bytes[start.nodes : end]) + edges_before[np.maximum(ends - start.edges, 0)]
    fitting = int(np.searchsorted(cost, byte_budget, side="right"))
    if fitting:
        return Page(start.nodes, start.nodes + fitting, start.edges, int(ends[fitting - 1]))
    if start.edges < owed:
        return Page(start.nodes, start.nodes, start.edges, owed)
    if start.nodes == end:
        return Page(start.nodes, start.nodes, start.edges, start.edges)
    room = max(left, start.edges + 1)
    return Page(start.nodes, start.nodes + 1, start.edges, min(room, int(ends[0])))
