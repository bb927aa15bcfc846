"""The same questions, answered by others: networkx, SQLite, PostgreSQL and ML Metadata."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import networkx

from hallmark.lineage.columns import Integers
from hallmark.lineage.questions import Direction

_ML_METADATA = Path(__file__).with_name("ml_metadata_peer.py")


class Measured(NamedTuple):
    """How long an answer took, in seconds (median), and how many nodes it has."""

    seconds: float
    nodes: int


def measure(ask: Callable[[], int], repetitions: int) -> Measured:
    """Ask some times; every answer must have as many nodes as the first."""
    times, counts = [], set()
    for _ in range(repetitions):
        begun = time.perf_counter()
        counts.add(ask())
        times.append(time.perf_counter() - begun)
    if len(counts) != 1:
        raise RuntimeError(f"the same question got answers of {sorted(counts)} nodes")
    return Measured(statistics.median(times), counts.pop())


class Peer(Protocol):
    """Something that holds a graph and reaches nodes in it."""

    name: str

    def reach(self, node: int, direction: Direction, repetitions: int) -> Measured:
        """Reach everything up or down from a node, without the node itself."""
        ...


class NetworkX:
    """networkx in memory, as its users write it."""

    name = "networkx"

    def __init__(self, source: Integers, target: Integers) -> None:
        self._graph = networkx.DiGraph(zip(source.tolist(), target.tolist(), strict=True))

    def reach(self, node: int, direction: Direction, repetitions: int) -> Measured:
        """See ``Peer``."""
        find = networkx.ancestors if direction is Direction.UP else networkx.descendants
        return measure(lambda: len(find(self._graph, node)), repetitions)


def recursive_query(node: int, direction: Direction) -> str:
    """Return the query that counts what is reached, as standard SQL."""
    near, far = ("target", "source") if direction is Direction.UP else ("source", "target")
    return (
        f"with recursive reached(node) as (select {far} from edge where {near} = {node} union "
        f"select edge.{far} from edge join reached on edge.{near} = reached.node) select count(*) from reached"
    )


class SQLite:
    """SQLite in memory, integer ids, an index in each direction."""

    name = "SQLite's recursive query"

    def __init__(self, source: Integers, target: Integers) -> None:
        self._base = sqlite3.connect(":memory:")
        self._base.execute("create table edge (source integer, target integer)")
        rows = zip(source.tolist(), target.tolist(), strict=True)
        self._base.executemany("insert into edge values (?, ?)", rows)
        self._base.execute("create index by_source on edge (source, target)")
        self._base.execute("create index by_target on edge (target, source)")
        self._base.execute("analyze")

    def reach(self, node: int, direction: Direction, repetitions: int) -> Measured:
        """See ``Peer``."""
        query = recursive_query(node, direction)
        return measure(lambda: int(self._base.execute(query).fetchone()[0]), repetitions)


class PostgreSQL:
    """PostgreSQL, integer ids, an index in each direction, in a cluster of its own that nobody else uses."""

    name = "PostgreSQL's recursive query"

    def __init__(self, ask: Callable[..., str]) -> None:
        self._ask = ask

    def reach(self, node: int, direction: Direction, repetitions: int) -> Measured:
        """See ``Peer``; the time is what ``psql`` itself tells, so starting it does not count."""
        query = recursive_query(node, direction)
        asked = [argument for _ in range(repetitions + 1) for argument in ("-c", query)]
        lines = self._ask("-c", "set work_mem = '256MB'", "-c", "\\timing on", *asked).split()
        found = [int(word) for word in lines if word.isdigit()]
        times = [float(lines[place + 1]) / 1000 for place, word in enumerate(lines) if word == "Time:"]
        if len(set(found)) != 1:
            raise RuntimeError(f"PostgreSQL's answers have {sorted(set(found))} nodes")
        return Measured(statistics.median(times[1:]), found[0])


def postgresql_binaries() -> Path | None:
    """Return the folder of PostgreSQL's server, where one is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextmanager
def postgresql(binaries: Path, source: Integers, target: Integers) -> Iterator[PostgreSQL]:
    """Run a cluster in a temporary folder, on a free port of the loopback interface, not as root."""
    with tempfile.TemporaryDirectory(prefix="hallmark-bench-") as name:
        folder = Path(name)
        owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        if os.geteuid() == 0:
            shutil.chown(folder, owner.pw_uid, owner.pw_gid)
        identity: dict[str, Any] = {"user": owner.pw_uid, "group": owner.pw_gid} if os.geteuid() == 0 else {}

        def call(*command: str, text: str | None = None) -> str:
            done = subprocess.run(
                command, input=text, capture_output=True, text=True, check=True, cwd=folder, **identity
            )
            return str(done.stdout)

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        data, server = str(folder / "data"), str(binaries / "pg_ctl")
        call(str(binaries / "initdb"), "-D", data, "-A", "trust", "-U", "bench", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        options += " -c shared_buffers=512MB -c max_parallel_workers_per_gather=0"
        call(server, "-D", data, "-w", "-o", options, "-l", str(folder / "log"), "start")
        psql = ("psql", "-h", "127.0.0.1", "-p", str(port), "-U", "bench", "-d", "postgres", "-qAt", "-X")
        try:
            call(*psql, "-c", "create table edge (source integer, target integer)")
            rows = "".join(f"{one}\t{other}\n" for one, other in zip(source.tolist(), target.tolist(), strict=True))
            call(*psql, "-c", "copy edge from stdin", text=rows)
            for command in ("create index on edge (source, target)", "create index on edge (target, source)"):
                call(*psql, "-c", command)
            call(*psql, "-c", "vacuum analyze edge")
            yield PostgreSQL(lambda *arguments: call(*psql, *arguments))
        finally:
            call(server, "-D", data, "-m", "immediate", "stop")


class MLMetadata(NamedTuple):
    """What ML Metadata took: to answer, in seconds, and to record, in runs a second."""

    seconds: float
    nodes: int
    runs_per_second: float


def ml_metadata(
    interpreter: str, source: Integers, target: Integers, runs: Sequence[bool], last: int, hops: int
) -> MLMetadata:
    """Ask ML Metadata (SQLite file, in process) for everything upstream of a run, up to so many edges away.

    Args:
        interpreter: A Python that has ``ml-metadata``.
        source: Where edges come from.
        target: Where they lead.
        runs: Which nodes are runs.
        last: The run that is asked for.
        hops: How many edges away.
    """
    edges = [[one, other, runs[one]] for one, other in zip(source.tolist(), target.tolist(), strict=True)]
    with tempfile.TemporaryDirectory(prefix="hallmark-bench-") as folder:
        asked = {"edges": edges, "last": last, "hops": hops, "path": str(Path(folder) / "store.sqlite")}
        done = subprocess.run(
            [interpreter, str(_ML_METADATA)], input=json.dumps(asked), capture_output=True, text=True, check=True
        )
    return MLMetadata(**json.loads(done.stdout))
