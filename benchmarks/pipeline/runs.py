"""The pipeline that all peers get: runs, what each read and wrote, and the questions about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from benchmarks.traversal.shapes import Chain
from hallmark.lineage.columns import KINDS
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import Direction

HOPS = 40
"""Edges that a question goes; a run and its output are one apart."""


class Run(NamedTuple):
    """A run, and the datasets that it read and wrote; all by their numbers."""

    number: int
    read: tuple[int, ...]
    wrote: int


class Pipeline(NamedTuple):
    """Runs in the order in which they ran."""

    chain: Chain
    runs: tuple[Run, ...]

    @property
    def keys(self) -> Sequence[str]:
        """The ids of the nodes, by number."""
        return self.chain.shape.raw.keys


def pipeline_of(chain: Chain) -> Pipeline:
    """Return a chain as its runs."""
    shape = chain.shape
    is_run = [KINDS[code] is NodeKind.PIPELINE_EXECUTION for code in shape.raw.node_kind.tolist()]
    read: dict[int, list[int]] = {}
    wrote: dict[int, int] = {}
    for source, target in zip(shape.source.tolist(), shape.target.tolist(), strict=True):
        if is_run[source]:
            wrote[source] = target
        else:
            read.setdefault(target, []).append(source)
    # The first run reads nothing, where there is no hub.
    return Pipeline(chain, tuple(Run(run, tuple(read.get(run, ())), wrote[run]) for run in sorted(wrote)))


class Asked(NamedTuple):
    """What is asked: all that a node came from, or that came of it, ``HOPS`` edges far."""

    name: str
    start: int
    is_run: bool
    direction: Direction


class Tracker(Protocol):
    """Something that keeps runs and is asked about them."""

    name: str
    servers: Sequence[int]
    """Ids of the processes that work for it, beside this one."""

    def record(self, pipeline: Pipeline) -> None:
        """Keep the runs, one after the other."""
        ...

    def ask(self, asked: Asked) -> Any:
        """Answer in its own terms."""
        ...

    def numbers(self, found: Any) -> set[int]:
        """Return the nodes of an answer, without the one that was asked about."""
        ...
