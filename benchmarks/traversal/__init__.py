"""Walks on lineage of a million edges, against databases and libraries that hold the same graph.

Tools that track runs are measured beside it in ``benchmarks.pipeline``, on the same pipeline.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np

from benchmarks.lineage import NoReader, lineage_line
from benchmarks.traversal.peers import (
    Measured,
    NetworkX,
    Peer,
    PostgreSQL,
    SQLite,
    measure,
    postgresql_server,
)
from benchmarks.traversal.shapes import Chain, Company, chain, company
from hallmark.lineage.answering import Answerer
from hallmark.lineage.graph import LineageGraph, Walk
from hallmark.lineage.index import CompactGraph
from hallmark.lineage.model import Edge, EdgeType, Fact, NodeKind, NodeRef, NodeState, Origin, RecordedFact
from hallmark.lineage.questions import Candidates, Direction, Question, TraceAnswer, TraceQuestion
from hallmark.lineage.rows import GraphRows
from hallmark.lineage.surveyed import ImpactAnswer, ImpactQuestion

_EDGES = 1_000_000
_REPETITIONS = 7
_SAMPLED_MODELS = 50
_CHAIN_RUNS = (1_000, 10_000, 100_000, 1_000_000)
_HOPS = 40
_DELTA_FACTS = 1_000
_ML_METADATA_MS = 21.5
_ML_METADATA_RUNS_PER_SECOND = 739
_ML_METADATA_SOURCE = "ML Metadata 1.17.1, SQLite file, in process, 2 cores: 40 hops upstream, 1,445 nodes, 2,790 edges"
_NOW = datetime(2027, 1, 1, tzinfo=UTC)


def run() -> Iterator[dict[str, Any]]:
    """Measure walks, answers, the flat line, loading and refreshing."""
    large = company(_EDGES)
    begun = time.perf_counter()
    compact = CompactGraph.build(large.shape.raw)
    built = time.perf_counter() - begun
    snapshot = GraphRows(compact).to_bytes()
    yield from _loading(snapshot, built, large)
    rows = GraphRows.from_bytes(snapshot)
    graph = LineageGraph(rows)
    yield from _walks(graph, large)
    yield from _answers(rows, large)
    yield from _refreshing(rows, large)
    yield from _flat_line()


def _loading(snapshot: bytes, built: float, large: Company) -> Iterator[dict[str, Any]]:
    """From bytes to the first answer, against building the graph from its rows."""
    hub = large.shape.raw.keys[large.hub]

    def load() -> int:
        graph = LineageGraph(GraphRows.from_bytes(snapshot))
        return _reached(graph, hub, Direction.DOWN)

    ours = measure(load, 3)
    what = f"load {len(snapshot) / 1e6:.1f} MB and answer first; peer: make the graph from its rows"
    yield lineage_line(what, ours.seconds, built, "s", goal=1)


def _walks(graph: LineageGraph, large: Company) -> Iterator[dict[str, Any]]:
    keys, shape = large.shape.raw.keys, large.shape
    chosen = [int(model) for model in np.linspace(0, len(large.models) - 1, _SAMPLED_MODELS)]
    models = [large.models[number] for number in chosen]
    hub = measure(lambda: _reached(graph, keys[large.hub], Direction.DOWN), _REPETITIONS)
    ups = [measure(partial(_reached, graph, keys[model], Direction.UP), 3) for model in models]
    up = statistics.median(found.seconds for found in ups)
    size = f"{graph.count:,} nodes, {graph.compact.edge_count:,} edges"
    with ExitStack() as servers:
        peers: list[Peer] = [
            NetworkX(shape.source, shape.target),
            SQLite(shape.source, shape.target),
            PostgreSQL(servers.enter_context(postgresql_server()), shape.source, shape.target),
        ]
        for peer in peers:
            found = peer.reach(large.hub, Direction.DOWN, 3)
            _agree(found, hub, peer.name)
            goal = 20.0 if "PostgreSQL" in peer.name else 1.0
            what = f"hub's {hub.nodes:,} descendants, {size}, against {peer.name}"
            yield lineage_line(what, hub.seconds * 1000, found.seconds * 1000, "ms", goal=goal)
            times = []
            for model, mine in zip(models, ups, strict=True):
                theirs = peer.reach(model, Direction.UP, 3)
                _agree(theirs, mine, peer.name)
                times.append(theirs.seconds)
            what = f"ancestors of a model, median of {len(models)}, {size}, against {peer.name}"
            yield lineage_line(what, up * 1000, statistics.median(times) * 1000, "ms", goal=None)


def _answers(rows: GraphRows, large: Company) -> Iterator[dict[str, Any]]:
    """Whole answers, as the query function gives them: resolve, walk, describe, write JSON."""
    answerer = Answerer(rows, NoReader(), lambda: _NOW)
    hub = large.shape.raw.keys[large.hub]
    model = large.shape.raw.keys[large.models[-1]]
    questions: dict[str, Question] = {
        "impact of the hub, as JSON": ImpactQuestion(node=hub),
        "trace of a model, as JSON": TraceQuestion(node=model),
        "first page of the hub's descendants, as JSON": TraceQuestion(node=hub, direction=Direction.DOWN),
        "an unknown name gets candidates": TraceQuestion(node="p00017-prepere-2"),
    }
    for name, question in questions.items():
        answerer.answer(question)
        sizes: list[int] = []

        def ask(question: Question = question, sizes: list[int] = sizes) -> int:
            answer = answerer.answer(question)
            sizes.append(len(answer.model_dump_json()))
            if isinstance(answer, TraceAnswer):
                return len(answer.nodes)
            if isinstance(answer, ImpactAnswer):
                return sum(kind.count for kind in answer.affected)
            return len(answer.candidates) if isinstance(answer, Candidates) else 0

        found = measure(ask, 3)
        what = f"{name}: {found.nodes:,} nodes, {sizes[-1]:,} bytes"
        yield lineage_line(what, found.seconds * 1000, None, "ms", goal=None)


def _refreshing(rows: GraphRows, large: Company) -> Iterator[dict[str, Any]]:
    """A thousand new facts that use what is there, against making the graph anew."""
    hub, facts = large.shape.raw.keys[large.hub], _training_facts(large)
    begun = time.perf_counter()
    rows.add(facts)
    added = time.perf_counter() - begun
    laid = measure(lambda: LineageGraph(rows).count, 5)
    begun = time.perf_counter()
    whole = LineageGraph(GraphRows(rows.compacted()))
    anew = time.perf_counter() - begun
    graph = LineageGraph(rows)
    with_facts = measure(lambda: _reached(graph, hub, Direction.DOWN), 5)
    _agree(measure(lambda: _reached(whole, hub, Direction.DOWN), 1), with_facts, "the graph made anew")
    what = f"refresh by {len(facts):,} facts; peer: make the graph anew"
    yield lineage_line(what, (added + laid.seconds) * 1000, anew * 1000, "ms", goal=5)
    line = lineage_line(
        "facts read into the graph", len(facts) / added, _ML_METADATA_RUNS_PER_SECOND, "1/s", goal=1, more=True
    )
    yield {**line, "peer_source": "ML Metadata 1.17.1, SQLite file, in process, 2 cores: 739 runs recorded a second"}


def _training_facts(large: Company) -> list[RecordedFact]:
    """Return facts of training jobs that read the hub and write a model each."""
    hub = NodeRef(kind=NodeKind.DATASET_VERSION, id=large.shape.raw.keys[large.hub])
    facts = []
    for number in range(_DELTA_FACTS):
        at = _NOW - timedelta(days=1) + timedelta(seconds=number)
        arn = f"arn:aws:sagemaker:us-east-1:111122223333:training-job/late-{number:05}"
        job = NodeRef(kind=NodeKind.TRAINING_JOB, id=arn, born=at)
        made = NodeRef(kind=NodeKind.DATASET_VERSION, id=f"s3://lineage-bench/late/{number}#sha256:{number:064x}")
        edges = (
            Edge(source=hub, target=job, type=EdgeType.CONTRIBUTED_TO, role="train", valid_from=at),
            Edge(source=job, target=made, type=EdgeType.PRODUCED, role="model", valid_from=at),
        )
        state = NodeState(node=job, at=at, status="Completed", attributes={"name": f"late-{number:05}"})
        fact = Fact(subject=job, origin=Origin.DESCRIBED, states=(state,), edges=edges)
        facts.append(RecordedFact(fact=fact, recorded_at=at))
    return facts


def _flat_line() -> Iterator[dict[str, Any]]:
    """The same answer in ever larger graphs."""
    seconds: dict[int, float] = {}
    nodes = edges = 0
    for runs in _CHAIN_RUNS:
        drawn = chain(runs)
        graph = LineageGraph(GraphRows(CompactGraph.build(drawn.shape.raw)))
        walk = _upstream(graph, drawn)
        if nodes and len(walk.nodes) != nodes:
            raise RuntimeError(f"{runs:,} runs: {len(walk.nodes):,} nodes, fewer runs: {nodes:,}")
        nodes = len(walk.nodes)
        edges = len(graph.edges_within(walk, Direction.UP, depth=_HOPS)[0])
        seconds[runs] = measure(_asking(graph, drawn), 15).seconds
    slowest, fastest = max(seconds.values()), min(seconds.values())
    what = f"{nodes:,} nodes, {edges:,} edges upstream, {_HOPS} edges deep"
    line = lineage_line(
        f"{what}: slowest against fastest of graphs of 1e3 to 1e6 runs", slowest * 1000, fastest * 1000, "ms", goal=None
    )
    by_runs = {f"{runs:,}": round(found * 1000, 3) for runs, found in seconds.items()}
    yield {**line, "ratio": round(slowest / fastest, 2), "goal": 2.0, "met": slowest / fastest <= 2, "by_runs": by_runs}
    line = lineage_line(
        f"{what}, in 1e6 runs, against ML Metadata's published figure", slowest * 1000, _ML_METADATA_MS, "ms", 1
    )
    yield {**line, "met": slowest * 1000 < _ML_METADATA_MS and nodes >= 1_445, "peer_source": _ML_METADATA_SOURCE}


def _asking(graph: LineageGraph, drawn: Chain) -> Callable[[], int]:
    def ask() -> int:
        walk = _upstream(graph, drawn)
        graph.edges_within(walk, Direction.UP, depth=_HOPS)
        return len(walk.nodes)

    return ask


def _upstream(graph: LineageGraph, drawn: Chain) -> Walk:
    row = graph.find(drawn.shape.raw.keys[drawn.last])
    assert row is not None
    return graph.walk(np.array([row]), Direction.UP, depth=_HOPS)


def _reached(graph: LineageGraph, key: str, direction: Direction) -> int:
    row = graph.find(key)
    assert row is not None
    return len(graph.walk(np.array([row]), direction).nodes) - 1


def _agree(theirs: Measured, ours: Measured, peer: str) -> None:
    if theirs.nodes != ours.nodes:
        raise RuntimeError(f"{peer} reaches {theirs.nodes:,} nodes, ours {ours.nodes:,}: one of them is wrong")
