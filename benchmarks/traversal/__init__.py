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
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import networkx
import numpy as np

from hallmark.lineage.graph import LineageGraph
from hallmark.lineage.model import EdgeType, NodeKind, NodeRef
from hallmark.lineage.questions import Direction
from hallmark.lineage.rows import TYPE_CODES, GraphRows

REPETITIONS = 5
MLMD_MILLISECONDS = 21.5
MLMD_SOURCE = (
    "ML Metadata 1.17.1, SQLite, 2 cores: 1,445 nodes upstream, measured and published with this project's facts"
)
_PREFIX = "arn:aws:sagemaker:us-east-1:111122223333"
_CHAIN = 750
"""Runs of the chain whose upstream is the same answer in every graph: two nodes a run."""


def build(runs: int, seed: int = 7) -> tuple[GraphRows, int, int]:
    """Return rows of a graph with so many runs, the row of its hub dataset, and the row of the end of its chain."""
    chooser = random.Random(seed)
    rows = GraphRows()
    columns = rows._columns

    def node(kind: NodeKind, name: str) -> int:
        return rows.node(NodeRef.model_construct(kind=kind, id=f"{_PREFIX}:{kind.value}/{name}", born=None))

    def edge(source: int, target: int, kind: EdgeType) -> None:
        columns["edge_source"].append(source)
        columns["edge_target"].append(target)
        columns["edge_type"].append(TYPE_CODES[kind])
        columns["edge_role"].append(0)
        columns["edge_from"].append(0)
        columns["edge_recorded"].append(0)
        columns["edge_exclusive"].append(0)

    written: list[int] = []
    for number in range(_CHAIN):
        run = node(NodeKind.PIPELINE_EXECUTION, f"chain-{number}")
        made = node(NodeKind.CODE, f"chain-{number}")
        read = {*written[-1:], *chooser.sample(written[-50:], min(2, len(written)))}
        for source in sorted(read):
            edge(source, run, EdgeType.CONTRIBUTED_TO)
        edge(run, made, EdgeType.PRODUCED)
        written.append(made)
    end = written[-1]
    hub = node(NodeKind.FEATURE_GROUP, "hub")
    images = [node(NodeKind.IMAGE, f"image-{number}") for number in range(20)]
    data = [node(NodeKind.FEATURE_GROUP, f"data-{number}") for number in range(max(10, runs // 20))]
    packages: list[int] = []
    for number in range(runs):
        run = node(NodeKind.CUSTOMIZATION_JOB, f"run-{number}")
        package = node(NodeKind.MODEL_PACKAGE, f"run-{number}")
        edge(chooser.choice(images), run, EdgeType.CONTRIBUTED_TO)
        edge(chooser.choice(data), run, EdgeType.CONTRIBUTED_TO)
        if number % 5 < 2:
            edge(hub, run, EdgeType.CONTRIBUTED_TO)
        if packages and number % 4 == 0:
            edge(packages[-1 - chooser.randrange(min(50, len(packages)))], run, EdgeType.CONTRIBUTED_TO)
        edge(run, package, EdgeType.PRODUCED)
        packages.append(package)
    return rows, hub, end


def run() -> Iterator[dict[str, Any]]:
    """Measure: the hub of a graph with about a million edges, a deep answer in growing graphs, loading."""
    rows, hub, end = build(280_000)
    begun = time.perf_counter()
    graph = LineageGraph(rows)
    derived = time.perf_counter() - begun
    ours, walk = _median(lambda: graph.walk(np.array([hub]), Direction.DOWN))
    reached = len(walk.nodes) - 1
    edges = list(zip(graph.edge_source.tolist(), graph.edge_target.tolist(), strict=True))
    what = f"hub's {reached:,} descendants among {graph.count:,} nodes, {len(edges):,} edges"
    for name, peer, goal in _peers(edges, hub, reached):
        yield _line(f"{what}, against {name}", ours * 1000, peer * 1000, "ms", peer / ours, goal)
    yield from _flat()
    upstream, answer = _median(lambda: graph.walk(np.array([end]), Direction.UP))
    joined = len(graph.edges_among(answer.nodes, Direction.UP, None))
    line = _line(
        f"{len(answer.nodes):,} ancestors by {joined:,} edges, {int(answer.depths.max())} deep",
        upstream * 1000,
        MLMD_MILLISECONDS,
        "ms",
        MLMD_MILLISECONDS / (upstream * 1000),
        1.0,
    )
    yield {**line, "peer_source": MLMD_SOURCE}
    snapshot = rows.to_bytes()
    begun = time.perf_counter()
    GraphRows.from_bytes(snapshot)
    loaded = time.perf_counter() - begun
    yield _line(
        f"load of the compact graph, {len(snapshot) / 1e6:.1f} MB", loaded, derived, "s (peer: deriving it)", None, None
    )


def _flat() -> Iterator[dict[str, Any]]:
    """The same answer in graphs of 1e3 to 3e5 runs: the slowest against the fastest."""
    seconds = {}
    for runs in (1_000, 10_000, 100_000, 300_000):
        rows, _, end = build(runs)
        graph = LineageGraph(rows)
        seconds[runs], _ = _median(partial(graph.walk, np.array([end]), Direction.UP))
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
