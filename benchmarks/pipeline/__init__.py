"""One pipeline, recorded and asked by Hallmark and by the tools that people keep lineage in, in one run.

CPU times of one client and of what serves it, so that other work of the machine counts for nobody; nor does waiting for
disks and sockets, and only the peers wait. All get the same runs and the same questions, and every answer must have the
same nodes before anything is timed. ``PIPELINE_RUNS`` says how many runs (1,000); MLflow, which takes the longest, gets
the last ``PIPELINE_MLFLOW_RUNS`` of them (300).
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import networkx

from benchmarks.lineage import lineage_line
from benchmarks.pipeline.cpu import seconds_of
from benchmarks.pipeline.marquez import Marquez
from benchmarks.pipeline.ml_metadata import MLMetadata
from benchmarks.pipeline.mlflow_server import MLflow
from benchmarks.pipeline.ours import Hallmark
from benchmarks.pipeline.runs import HOPS, Asked, Pipeline, Tracker, pipeline_of
from benchmarks.traversal.peers import postgresql_server
from benchmarks.traversal.shapes import chain
from hallmark.lineage.questions import Direction
from tests.fakes.mlflow_server import mlflow_server

RUNS = int(os.environ.get("PIPELINE_RUNS", "1000"))
MLFLOW_RUNS = int(os.environ.get("PIPELINE_MLFLOW_RUNS", "300"))
_REPETITIONS = 5
_SLOW_SECONDS = 2.0
_BEFORE_THE_END = 200
_JOBS = (200, 1_000, 3_000)
_JOB_HOPS = 20
"""What Marquez's lineage endpoint takes, if it is not told."""


def run() -> Iterator[dict[str, Any]]:
    """Record, check that all answer alike, then time; last, how Marquez's lineage endpoint scales."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="hallmark-bench-")))
        server = opened.enter_context(postgresql_server())
        yield from _beside([MLMetadata(folder), Marquez(server)], RUNS, numbers_too=True)
        yield from _beside([MLflow(opened.enter_context(mlflow_server(folder)))], MLFLOW_RUNS)
    yield from _jobs()


def _beside(peers: Sequence[Tracker], runs: int, *, numbers_too: bool = False) -> Iterator[dict[str, Any]]:
    """Measure ours and peers on the last runs of the pipeline."""
    pipeline = pipeline_of(chain(runs, with_hub=True))
    ours = Hallmark()
    recorded = _recorded(ours, pipeline)
    for peer in peers:
        theirs = _recorded(peer, pipeline)
        yield lineage_line(
            f"record {runs:,} runs, against {peer.name}", recorded, theirs, "runs per second of CPU", more=True
        )
    begun = seconds_of()
    ours.load(pipeline)
    loaded = runs / (seconds_of() - begun)
    yield lineage_line(f"read the facts of {runs:,} runs into the graph", loaded, None, "runs per second of CPU")
    bare: list[Tracker] = [NetworkX(pipeline), SQLite(pipeline)] if numbers_too else []
    for asked in _questions(pipeline):
        expected = ours.numbers(ours.ask(asked))
        whole, walk = _milliseconds(ours, asked, expected), _walk(ours, asked)
        what = f"{asked.name}: {len(expected):,} nodes among {runs:,} runs"
        for peer in peers:
            theirs = _milliseconds(peer, asked, expected)
            yield lineage_line(f"{what}, whole answer as JSON, against {peer.name}", whole, theirs, "ms of CPU", goal=1)
            yield lineage_line(f"{what}, nodes and edges, against {peer.name}", walk, theirs, "ms of CPU", goal=1)
        for each in bare:
            theirs = _milliseconds(each, asked, expected)
            yield lineage_line(f"{what}, nodes and edges, against {each.name}", walk, theirs, "ms of CPU")


def _questions(pipeline: Pipeline) -> Sequence[Asked]:
    drawn = pipeline.chain
    assert drawn.hub is not None
    output = drawn.outputs[max(0, len(drawn.outputs) - _BEFORE_THE_END)]
    return (
        Asked(f"upstream of the last run, {HOPS} edges", drawn.last, True, Direction.UP),
        Asked("downstream of an output of before", output, False, Direction.DOWN),
        Asked("downstream of what every run reads", drawn.hub, False, Direction.DOWN),
    )


def _recorded(tracker: Tracker, pipeline: Pipeline) -> float:
    """Return how many runs a second are recorded."""
    begun = seconds_of(tracker.servers)
    tracker.record(pipeline)
    return len(pipeline.runs) / (seconds_of(tracker.servers) - begun)


def _milliseconds(tracker: Tracker, asked: Asked, expected: set[int]) -> float:
    """Return the median of an answer's times; an answer that takes seconds is asked for once.

    Raises:
        RuntimeError: The answer has other nodes than it should have.
    """
    times: list[float] = []
    for _ in range(_REPETITIONS):
        begun = seconds_of(tracker.servers)
        found = tracker.ask(asked)
        times.append(seconds_of(tracker.servers) - begun)
        numbers = tracker.numbers(found)
        if numbers != expected:
            raise RuntimeError(
                f"{asked.name}: {tracker.name} reaches {len(numbers):,} nodes, others {len(expected):,}: "
                f"{len(numbers ^ expected):,} differ"
            )
        if sum(times) > _SLOW_SECONDS:
            break
    return statistics.median(times) * 1000


def _walk(ours: Hallmark, asked: Asked) -> float:
    """Return the median milliseconds of a walk over nodes and edges."""
    return statistics.median(ours.walk(asked)[1] for _ in range(_REPETITIONS)) * 1000


def _jobs() -> Iterator[dict[str, Any]]:
    """Marquez's lineage endpoint: which jobs share data with a job's, directly or through others, either way."""
    ours = Hallmark()
    for runs in _JOBS:
        pipeline = pipeline_of(chain(runs))
        with postgresql_server() as server:
            marquez = Marquez(server)
            marquez.record(pipeline)
            begun = seconds_of(marquez.servers)
            found = marquez.related_jobs(pipeline.chain.last, _JOB_HOPS)
            seconds = seconds_of(marquez.servers) - begun
        if found != related_jobs(pipeline, _JOB_HOPS):
            raise RuntimeError(f"{runs:,} jobs: Marquez's statement finds other jobs than a search among them")
        ours.load(pipeline)
        asked = Asked("upstream", pipeline.chain.last, True, Direction.UP)
        expected = ours.numbers(ours.ask(asked))
        what = (
            f"Marquez's lineage endpoint, {_JOB_HOPS} jobs away either way: {len(found):,} of {runs:,} jobs; "
            f"ours: {len(expected):,} nodes upstream"
        )
        yield lineage_line(what, _milliseconds(ours, asked, expected), seconds * 1000, "ms of CPU", goal=1)


def related_jobs(pipeline: Pipeline, hops: int) -> set[int]:
    """Return the jobs within some hops of the last one, where jobs that share a dataset are neighbours."""
    users: dict[int, list[int]] = {}
    data: dict[int, tuple[int, ...]] = {}
    for each in pipeline.runs:
        data[each.number] = (*each.read, each.wrote)
        for number in data[each.number]:
            users.setdefault(number, []).append(each.number)
    level = {pipeline.chain.last}
    met = set(level)
    for _ in range(hops):
        level = {user for job in level for number in data[job] for user in users[number]} - met
        met |= level
    return met - {pipeline.chain.last}


class NetworkX:
    """networkx in memory: it keeps nothing, and knows no more than numbers."""

    name = "networkx, numbers only"
    servers: Sequence[int] = ()

    def __init__(self, pipeline: Pipeline) -> None:
        shape = pipeline.chain.shape
        self._graph = networkx.DiGraph(zip(shape.source.tolist(), shape.target.tolist(), strict=True))
        self._back = self._graph.reverse()

    def record(self, pipeline: Pipeline) -> None:
        """Its nodes are there already."""

    def ask(self, asked: Asked) -> Any:
        """See ``Tracker``."""
        graph = self._back if asked.direction is Direction.UP else self._graph
        return asked, networkx.single_source_shortest_path_length(graph, asked.start, cutoff=HOPS)

    def numbers(self, found: Any) -> set[int]:
        """See ``Tracker``."""
        asked, distances = found
        return set(distances) - {asked.start}


class SQLite:
    """SQLite in memory: a recursive query over edges, numbers only."""

    name = "SQLite's recursive query, numbers only"
    servers: Sequence[int] = ()

    def __init__(self, pipeline: Pipeline) -> None:
        shape = pipeline.chain.shape
        self._base = sqlite3.connect(":memory:")
        self._base.execute("create table edge (source integer, target integer)")
        rows = zip(shape.source.tolist(), shape.target.tolist(), strict=True)
        self._base.executemany("insert into edge values (?, ?)", rows)
        self._base.execute("create index by_source on edge (source, target)")
        self._base.execute("create index by_target on edge (target, source)")
        self._base.execute("analyze")

    def record(self, pipeline: Pipeline) -> None:
        """Its rows are there already."""

    def ask(self, asked: Asked) -> Any:
        """See ``Tracker``."""
        near, far = ("target", "source") if asked.direction is Direction.UP else ("source", "target")
        query = (
            f"with recursive reached(node, hops) as (select {asked.start}, 0 union "
            f"select edge.{far}, reached.hops + 1 from edge join reached on edge.{near} = reached.node "
            f"where reached.hops < {HOPS}) select distinct node from reached"
        )
        return asked, self._base.execute(query).fetchall()

    def numbers(self, found: Any) -> set[int]:
        """See ``Tracker``."""
        asked, rows = found
        return {row[0] for row in rows} - {asked.start}
