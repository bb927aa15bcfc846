"""What a document is made of: a node, all that it came from, and what people and gates have said about it.

The material is gathered once, through whatever answers lineage's questions. Each document is a pure function of it: no
clock and no chance, so the same answers make the same bytes.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID, uuid5

from hallmark.errors import InvalidInputError
from hallmark.lineage.model import CODE_ROLES, EdgeType, NodeKind
from hallmark.lineage.questions import (
    Answer,
    Candidates,
    NodeSummary,
    Question,
    ShowAnswer,
    ShowQuestion,
    TraceAnswer,
    TracedEdge,
    TraceQuestion,
)

JUDGED_KINDS = frozenset(
    {
        NodeKind.ENDPOINT,
        NodeKind.ENDPOINT_CONFIG,
        NodeKind.MODEL,
        NodeKind.MODEL_PACKAGE,
        NodeKind.CUSTOM_MODEL,
        NodeKind.FOUNDATION_MODEL,
        NodeKind.TRAINING_JOB,
        NodeKind.MODEL_VERSION,
    }
)
"""Kinds about which something is said: what they came to, in evaluations, verdicts, alerts, is part of the material."""

EVIDENCE_KINDS = frozenset(
    {
        NodeKind.EVALUATION,
        NodeKind.VERDICT,
        NodeKind.APPROVAL,
        NodeKind.OVERRIDE,
        NodeKind.ACTION,
        NodeKind.BASELINE,
        NodeKind.DRIFT_REPORT,
        NodeKind.REVIEW,
        NodeKind.FEEDBACK,
        NodeKind.ALERT,
        NodeKind.ATTESTATION,
        NodeKind.REPRODUCTION,
        NodeKind.MODEL_CARD,
    }
)
"""Kinds that say something about a model or an endpoint."""

DATA_KINDS = frozenset({NodeKind.DATASET, NodeKind.DATASET_VERSION, NodeKind.FEATURE_GROUP})
"""Kinds that a run reads as data."""

_NAMESPACE = UUID("6f1d3c2e-9a54-5b87-8c1e-2f0a7d4be913")
"""Names of this project's UUIDs (RFC 9562, version 5)."""


def stable_uuid(*parts: str) -> str:
    """Return the UUID that always belongs to these texts."""
    return str(uuid5(_NAMESPACE, json.dumps(parts, ensure_ascii=False)))


def document_text(document: object) -> str:
    """Return a document as it is written to a file: keys sorted, two spaces, UTF-8, one newline at the end."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def instant_text(time: datetime) -> str:
    """Return a time in UTC as ISO 8601 with ``Z``."""
    return time.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Material:
    """All that is known of a node and of what it came from.

    Attributes:
        start: The node that was asked about.
        nodes: It, its ancestors by distance, and what was said about them.
        edges: What flowed among them, ordered.
        shown: Of each node, its attributes and history; a node that could not be shown is missing.
        complete: Whether this is all; ``cut`` says in words what is missing.
        as_of: The time for which it was asked; None for now.
        known_at: The time by which it had to be known; None for now.
    """

    start: NodeSummary
    nodes: tuple[NodeSummary, ...]
    edges: tuple[TracedEdge, ...]
    shown: Mapping[str, ShowAnswer]
    cut: tuple[str, ...] = ()
    as_of: datetime | None = None
    known_at: datetime | None = None

    @property
    def complete(self) -> bool:
        """Tell whether nothing was cut."""
        return not self.cut

    @cached_property
    def by_key(self) -> dict[str, NodeSummary]:
        """Return the nodes by their keys."""
        return {node.key: node for node in self.nodes}

    @cached_property
    def _into(self) -> dict[str, list[TracedEdge]]:
        found: dict[str, list[TracedEdge]] = {}
        for edge in self.edges:
            found.setdefault(edge.target, []).append(edge)
        return found

    @cached_property
    def _out_of(self) -> dict[str, list[TracedEdge]]:
        found: dict[str, list[TracedEdge]] = {}
        for edge in self.edges:
            found.setdefault(edge.source, []).append(edge)
        return found

    def into(self, key: str) -> Sequence[TracedEdge]:
        """Return what flowed into a node."""
        return self._into.get(key, ())

    def out_of(self, key: str) -> Sequence[TracedEdge]:
        """Return what flowed out of a node."""
        return self._out_of.get(key, ())

    def attributes(self, key: str) -> Mapping[str, Any]:
        """Return what is known of a node; nothing, where it was not shown."""
        shown = self.shown.get(key)
        return shown.attributes if shown else {}

    def read_by(self, run: str) -> list[NodeSummary]:
        """Return the data that a run read, by content where that is known, else by place; its program is none."""
        edges = [edge for edge in self.into(run) if edge.role not in CODE_ROLES and edge.source in self.by_key]
        found = {edge.source: self.by_key[edge.source] for edge in edges}
        data = [node for node in found.values() if node.kind in DATA_KINDS]
        places = {node.key.rpartition("#")[0] for node in data if node.kind is NodeKind.DATASET_VERSION}
        return [node for node in data if node.kind is not NodeKind.DATASET or node.key not in places]

    def is_program(self, key: str) -> bool:
        """Tell whether a dataset was read as a program, and never as data."""
        roles = {edge.role for edge in self.out_of(key) if edge.type is EdgeType.CONTRIBUTED_TO}
        return bool(roles) and roles <= CODE_ROLES

    def of_kind(self, *kinds: NodeKind) -> list[NodeSummary]:
        """Return the nodes of some kinds, the nearest first."""
        return [node for node in self.nodes if node.kind in kinds]

    def ancestors(self, key: str) -> Iterator[str]:
        """Yield what a node came from, the nearest first, and not itself."""
        met, waiting = {key}, deque([key])
        while waiting:
            for edge in self.into(waiting.popleft()):
                if edge.source not in met:
                    met.add(edge.source)
                    waiting.append(edge.source)
                    yield edge.source

    @cached_property
    def newest(self) -> datetime | None:
        """Return the latest time at which anything in here was so, or was learned."""
        times = [node.at for node in self.nodes if node.at is not None]
        times += [edge.recorded_at for edge in self.edges]
        return max(times, default=None)


Ask = Callable[[Question], Answer]
"""Answers questions of lineage: the deployed query function."""


def gather(
    ask: Ask, node: str, *, as_of: datetime | None = None, known_at: datetime | None = None, nodes: int = 300
) -> Material | Candidates:
    """Gather the material of a node; where the name tells no node, or several, what may have been meant.

    Args:
        ask: Answers questions.
        node: As a person names it.
        as_of: The graph as it held then; None for now.
        known_at: Only what had been learned by then; None for now.
        nodes: How many nodes are taken at most; what goes beyond is cut, and the material says so.

    Raises:
        InvalidInputError: The query function answered another question.
    """
    trace = ask(TraceQuestion(node=node, as_of=as_of, known_at=known_at, node_budget=nodes))
    if isinstance(trace, Candidates):
        return trace
    if not isinstance(trace, TraceAnswer):
        raise InvalidInputError("the answer", trace.answer, _OLD_STACK)
    gathering = _Gathering(ask, trace, as_of, known_at, nodes)
    gathering.read_all()
    return gathering.material()


class _Gathering:
    """Reads each node of an origin, and each piece of evidence that hangs on one of them."""

    def __init__(
        self, ask: Ask, trace: TraceAnswer, as_of: datetime | None, known_at: datetime | None, most: int
    ) -> None:
        self._ask, self._as_of, self._known_at, self._most = ask, as_of, known_at, most
        self._start = trace.start
        self._found = {node.key: NodeSummary(**node.model_dump(exclude={"depth"})) for node in trace.nodes}
        self._edges = {_identity(edge): edge for edge in trace.edges}
        self._cut = [] if trace.complete else [f"only the nearest {len(trace.nodes):,} nodes of its origin were read"]
        self._shown: dict[str, ShowAnswer] = {}
        self._waiting = deque(self._found)
        self._left_out: set[str] = set()

    def read_all(self) -> None:
        untold = crowded = 0
        while self._waiting:
            key = self._waiting.popleft()
            answer = self._ask(ShowQuestion(node=key, as_of=self._as_of, known_at=self._known_at))
            if isinstance(answer, Candidates):
                untold += 1
                continue
            if not isinstance(answer, ShowAnswer):
                raise InvalidInputError("the answer", answer.answer, _OLD_STACK)
            self._shown[key] = answer
            if self._found[key].kind in JUDGED_KINDS | EVIDENCE_KINDS:
                crowded += not answer.complete
                self._follow(answer)
        if self._left_out:
            self._cut.append(f"{len(self._left_out):,} evaluations, verdicts, reports or alerts were not read")
        if crowded:
            self._cut.append(f"{crowded:,} nodes have more neighbours than were listed")
        if untold:
            self._cut.append(f"{untold:,} nodes could not be shown")

    def _follow(self, answer: ShowAnswer) -> None:
        """Take what was said of a node, and what ties a piece of evidence to the other nodes."""
        around = {node.key: node for node in answer.neighbours}
        for edge in answer.downstream:
            other = around.get(edge.target)
            if other is None or other.key in self._found or other.kind not in EVIDENCE_KINDS:
                continue
            if len(self._found) < self._most:
                self._found[other.key] = other
                self._waiting.append(other.key)
            else:
                self._left_out.add(other.key)
        for edge in (*answer.upstream, *answer.downstream):
            self._edges.setdefault(_identity(edge), edge)

    def material(self) -> Material:
        kept = [edge for edge in self._edges.values() if {edge.source, edge.target} <= self._found.keys()]
        return Material(
            start=self._start,
            nodes=tuple(self._found.values()),
            edges=tuple(sorted(kept, key=_identity)),
            shown=self._shown,
            cut=tuple(self._cut),
            as_of=self._as_of,
            known_at=self._known_at,
        )


_OLD_STACK = "deploy the lineage stack again: it is of another version than this command"


def _identity(edge: TracedEdge) -> tuple[str, str, str, str, datetime]:
    return edge.source, edge.target, edge.type.value, edge.role, edge.valid_from
