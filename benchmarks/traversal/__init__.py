"""Walks on a graph shaped like lineage, against PostgreSQL's and SQLite's recursive queries and networkx.

The graph: data, images and one hub dataset feed very many runs, each run makes a package, every fourth also reads
what an earlier one made. Beside it stands a chain as ML Metadata was measured on: each run reads what its predecessor
and two of the last fifty runs wrote.
"""

from __future__ import annotations

import os
import pwd
import random
import shutil
import socket
import sqlite3
import statistics
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import networkx
import numpy as np

from hallmark.lineage.graph import LineageGraph
from hallmark.lineage.model import Edge, EdgeType, NodeKind, NodeRef, RecordedFact
from hallmark.lineage.questions import Direction
from hallmark.lineage.rows import GraphRows

REPETITIONS = 5
MLMD_MILLISECONDS = 21.5
MLMD_SOURCE = (
    "ML Metadata 1.17.1, SQLite, 2 cores: 1,445 nodes upstream, measured and published with this project's facts"
)
_PREFIX = "arn:aws:sagemaker:us-east-1:111122223333"
_CHAIN = 750
"""Runs of the chain whose upstream is the same answer in every graph: two nodes a run."""


class _Told(NamedTuple):
    """A fact as the graph reads it, without the cost of checking a million of them."""

    id: str
    states: tuple[()]
    edges: list[Edge]


class Shape(NamedTuple):
    """A graph, its edges as pairs of numbers for the peers, and its hub and the end of its chain, by number and key."""

    rows: GraphRows
    edges: list[tuple[int, int]]
    hub: int
    hub_key: str
    end_key: str


def build(runs: int, seed: int = 7) -> Shape:
    """Return a graph with so many runs."""
    chooser = random.Random(seed)
    nodes: list[NodeRef] = []
    pairs: list[tuple[int, int]] = []
    facts: list[Any] = []

    def node(kind: NodeKind, name: str) -> int:
        nodes.append(NodeRef.model_construct(kind=kind, id=f"{_PREFIX}:{kind.value}/{name}", born=None))
        return len(nodes) - 1

    def tell(run: int, sources: list[int], made: int) -> None:
        joined = [*((source, run, EdgeType.CONTRIBUTED_TO) for source in sources), (run, made, EdgeType.PRODUCED)]
        pairs.extend((source, target) for source, target, _ in joined)
        edges = [
            Edge.model_construct(
                source=nodes[source], target=nodes[target], type=kind, role="", valid_from=_TOLD, exclusive=False
            )
            for source, target, kind in joined
        ]
        told: Any = _Told(f"{run:064x}", (), edges)
        facts.append(RecordedFact.model_construct(fact=told, recorded_at=_TOLD))

    written: list[int] = []
    for number in range(_CHAIN):
        run = node(NodeKind.PIPELINE_EXECUTION, f"chain-{number}")
        made = node(NodeKind.CODE, f"chain-{number}")
        tell(run, sorted({*written[-1:], *chooser.sample(written[-50:], min(2, len(written)))}), made)
        written.append(made)
    hub = node(NodeKind.FEATURE_GROUP, "hub")
    images = [node(NodeKind.IMAGE, f"image-{number}") for number in range(20)]
    data = [node(NodeKind.FEATURE_GROUP, f"data-{number}") for number in range(max(10, runs // 20))]
    packages: list[int] = []
    for number in range(runs):
        run, package = node(NodeKind.CUSTOMIZATION_JOB, f"run-{number}"), node(NodeKind.MODEL_PACKAGE, f"run-{number}")
        sources = [chooser.choice(images), chooser.choice(data), *([hub] if number % 5 < 2 else [])]
        if packages and number % 4 == 0:
            sources.append(packages[-1 - chooser.randrange(min(50, len(packages)))])
        tell(run, sources, package)
        packages.append(package)
    rows = GraphRows()
    rows.add(facts)
    rows.compact_all()
    return Shape(rows, pairs, hub, nodes[hub].key, nodes[written[-1]].key)


_TOLD = datetime(2026, 1, 1, tzinfo=UTC)


def _start(graph: LineageGraph, key: str) -> Any:
    row = graph.find(key)
    if row is None:
        raise RuntimeError(f"{key} is not in the graph")
    return np.array([row])


def run() -> Iterator[dict[str, Any]]:
    """Measure: the hub of a graph with about a million edges, a deep answer in growing graphs, loading."""
    shape = build(280_000)
    graph = LineageGraph(shape.rows)
    ours, walk = _median(partial(graph.walk, _start(graph, shape.hub_key), Direction.DOWN))
    reached = len(walk.nodes) - 1
    what = f"hub's {reached:,} descendants, {len(shape.edges):,} edges"
    for name, peer, goal in _peers(shape.edges, shape.hub, reached):
        yield _line(f"{what}, against {name}", ours * 1000, peer * 1000, "ms", peer / ours, goal)
    yield from _flat()
    upstream, answer = _median(partial(graph.walk, _start(graph, shape.end_key), Direction.UP))
    line = _line(
        f"{len(answer.nodes):,} ancestors, {int(answer.depths.max())} deep",
        upstream * 1000,
        MLMD_MILLISECONDS,
        "ms",
        MLMD_MILLISECONDS / (upstream * 1000),
        1.0,
    )
    yield {**line, "peer_source": MLMD_SOURCE}
    snapshot = shape.rows.to_bytes()
    loading, _ = _median(lambda: LineageGraph(GraphRows.from_bytes(snapshot)), 3)
    reading, _ = _median(lambda: zlib.crc32(snapshot), 3)
    yield _line(
        f"load of the compact graph, {len(snapshot) / 1e6:.1f} MB",
        loading,
        reading,
        "s (peer: one pass over it)",
        None,
        None,
    )


def _flat() -> Iterator[dict[str, Any]]:
    """The same answer in graphs of 1e3 to 3e5 runs: the slowest against the fastest."""
    seconds = {}
    for runs in (1_000, 10_000, 100_000, 300_000):
        shape = build(runs)
        graph = LineageGraph(shape.rows)
        seconds[runs], _ = _median(partial(graph.walk, _start(graph, shape.end_key), Direction.UP))
    slowest, fastest = max(seconds.values()), min(seconds.values())
    line = _line(
        "one answer in graphs of 1e3 to 3e5 runs", slowest * 1000, fastest * 1000, "ms", slowest / fastest, 2.0
    )
    yield {
        **line,
        "met": slowest / fastest <= 2.0,
        "by_runs": {str(runs): round(found * 1000, 3) for runs, found in seconds.items()},
    }


def _peers(edges: list[tuple[int, int]], hub: int, reached: int) -> Iterator[tuple[str, float, float]]:
    peer = networkx.DiGraph(edges)
    seconds, found = _median(lambda: networkx.descendants(peer, hub), 2)
    _same(len(found), reached, "networkx")
    yield "networkx", seconds, 1.0
    base = sqlite3.connect(":memory:")
    base.execute("create table edge (source integer, target integer)")
    base.executemany("insert into edge values (?, ?)", edges)
    base.execute("create index by_source on edge (source, target)")
    query = (
        f"with recursive reached(node) as (select target from edge where source = {hub} union "
        "select edge.target from edge join reached on edge.source = reached.node) select count(*) from reached"
    )
    seconds, found = _median(lambda: base.execute(query).fetchone()[0], 3)
    _same(found, reached, "SQLite")
    yield "SQLite's recursive query", seconds, 1.0
    server = _postgresql()
    if server is not None:
        with tempfile.TemporaryDirectory(prefix="hallmark-bench-") as folder:
            yield "PostgreSQL's recursive query", _in_postgresql(server, Path(folder), edges, query, reached), 20.0


def _postgresql() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def _in_postgresql(binaries: Path, folder: Path, edges: list[tuple[int, int]], query: str, reached: int) -> float:
    """Time a query in a cluster of its own, on a free port of the loopback interface, as a user who is not root."""
    owner = pwd.getpwnam("nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name)
    shutil.chown(folder, owner.pw_uid, owner.pw_gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def call(*command: str, text: str | None = None) -> str:
        done = subprocess.run(
            command,
            user=owner.pw_uid,
            group=owner.pw_gid,
            input=text,
            capture_output=True,
            text=True,
            check=True,
            cwd=folder,
        )
        return done.stdout

    data = str(folder / "data")
    call(str(binaries / "initdb"), "-D", data, "-A", "trust", "-U", "bench", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    call(str(binaries / "pg_ctl"), "-D", data, "-w", "-o", options, "-l", str(folder / "log"), "start")
    try:
        psql = ("psql", "-h", "127.0.0.1", "-p", str(port), "-U", "bench", "-d", "postgres", "-qAt")
        copied = "".join(f"{source}\t{target}\n" for source, target in edges)
        call(*psql, "-c", "create table edge (source integer, target integer)")
        call(*psql, "-c", "copy edge from stdin", text=copied)
        call(*psql, "-c", "create index on edge (source, target)", "-c", "analyze edge")
        times = []
        for _ in range(3):
            answer, timing = call(*psql, "-c", "\\timing on", "-c", query).split("\n")[-3:-1]
            _same(int(answer), reached, "PostgreSQL")
            times.append(float(timing.split()[1]) / 1000)
        return statistics.median(times)
    finally:
        call(str(binaries / "pg_ctl"), "-D", data, "-m", "immediate", "stop")


def _same(found: int, expected: int, peer: str) -> None:
    if found != expected:
        raise RuntimeError(f"{peer} reaches {found} nodes, ours {expected}: one of them is wrong")


def _median(measured: Callable[[], Any], repetitions: int = REPETITIONS) -> tuple[float, Any]:
    times = []
    for _ in range(repetitions):
        begun = time.perf_counter()
        answer = measured()
        times.append(time.perf_counter() - begun)
    return statistics.median(times), answer


def _line(name: str, ours: float, peer: float, unit: str, ratio: float | None, goal: float | None) -> dict[str, Any]:
    return {
        "area": "lineage",
        "name": name,
        "ours": round(ours, 3),
        "peer": round(peer, 3),
        "unit": unit,
        "ratio": None if ratio is None else round(ratio, 2),
        "goal": goal,
        "met": None if goal is None or ratio is None else ratio >= goal,
    }
