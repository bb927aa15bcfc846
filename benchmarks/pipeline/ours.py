"""Hallmark: runs as facts through DynamoDB's client, questions as the query function answers them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from benchmarks.lineage import NoReader
from benchmarks.pipeline.runs import HOPS, Asked, Pipeline
from benchmarks.recording.network import NoNetwork
from hallmark.aws import clients
from hallmark.aws.dynamodb import DynamoLineageTable
from hallmark.lineage.answering import Answerer
from hallmark.lineage.graph import LineageGraph
from hallmark.lineage.model import Edge, EdgeType, Fact, NodeKind, NodeRef, NodeState, Origin, RecordedFact
from hallmark.lineage.questions import TraceAnswer, TraceQuestion
from hallmark.lineage.rows import GraphRows

_START = datetime(2026, 1, 1, tzinfo=UTC)
_NOW = datetime(2027, 1, 1, tzinfo=UTC)
_BUDGET = 100_000


class Hallmark:
    """Facts are written by botocore, without network; the graph is made from the same facts."""

    name = "Hallmark"
    servers: Sequence[int] = ()

    def __init__(self) -> None:
        self._keys: Sequence[str] = ()
        self._numbers: dict[str, int] = {}
        self._answerer: Answerer | None = None
        self._graph: LineageGraph | None = None
        os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
        os.environ.setdefault("AWS_ACCESS_KEY_ID", "benchmark")
        os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "benchmark")
        NoNetwork({}).watch(clients._session())
        self._table = DynamoLineageTable("lineage", clients.client("dynamodb"))

    def record(self, pipeline: Pipeline) -> None:
        """Write a fact for each run."""
        for fact in facts_of(pipeline):
            self._table.add(fact.fact, fact.recorded_at)

    def load(self, pipeline: Pipeline) -> None:
        """Make the graph from the facts."""
        self._numbers = {key: number for number, key in enumerate(pipeline.keys)}
        self._keys = pipeline.keys
        rows = GraphRows()
        rows.add(facts_of(pipeline))
        compacted = GraphRows(rows.compacted())
        self._answerer, self._graph = Answerer(compacted, NoReader(), lambda: _NOW), LineageGraph(compacted)

    def ask(self, asked: Asked) -> Any:
        """Answer whole, with labels, edges and times, as JSON."""
        assert self._answerer is not None
        question = TraceQuestion(
            node=self._keys[asked.start], direction=asked.direction, depth=HOPS, node_budget=_BUDGET
        )
        answer = self._answerer.answer(question)
        answer.model_dump_json()
        return answer

    def walk(self, asked: Asked) -> tuple[set[int], float]:
        """Return the nodes of a walk that also gathers its edges, without words, and the seconds it took."""
        assert self._graph is not None
        row = self._graph.find(self._keys[asked.start])
        assert row is not None
        begun = time.process_time()
        walk = self._graph.walk(np.array([row]), asked.direction, depth=HOPS)
        self._graph.edges_within(walk, asked.direction, depth=HOPS)
        seconds = time.process_time() - begun
        return {self._numbers[self._graph.key(each)] for each in walk.nodes.tolist()} - {asked.start}, seconds

    def numbers(self, found: Any) -> set[int]:
        """See ``Tracker``."""
        assert isinstance(found, TraceAnswer)
        assert found.complete
        return {self._numbers[node.key] for node in found.nodes} - {self._numbers[found.start.key]}


def facts_of(pipeline: Pipeline) -> Iterator[RecordedFact]:
    """Yield what is recorded of each run: its state, and an edge for each dataset."""
    keys = pipeline.keys
    for place, run in enumerate(pipeline.runs):
        at = _START + timedelta(minutes=place)
        node = NodeRef(kind=NodeKind.PIPELINE_EXECUTION, id=keys[run.number])
        data = {each: NodeRef(kind=NodeKind.DATASET_VERSION, id=keys[each]) for each in (*run.read, run.wrote)}
        edges = [
            Edge(source=data[each], target=node, type=EdgeType.CONTRIBUTED_TO, role=f"input-{number}", valid_from=at)
            for number, each in enumerate(run.read)
        ]
        edges.append(Edge(source=node, target=data[run.wrote], type=EdgeType.PRODUCED, role="output", valid_from=at))
        state = NodeState(node=node, at=at, status="Succeeded", attributes={"name": f"run-{place}"})
        fact = Fact(subject=node, origin=Origin.DESCRIBED, states=(state,), edges=tuple(edges))
        yield RecordedFact(fact=fact, recorded_at=at)
