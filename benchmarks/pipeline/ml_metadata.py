"""ML Metadata: its store in a SQLite file, in process; a call a run, and its own subgraph query."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.pipeline.runs import HOPS, Asked, Pipeline
from hallmark.lineage.questions import Direction

# By name: the package has no types.
_stores: Any = import_module("ml_metadata.metadata_store")
_protos: Any = import_module("ml_metadata.proto.metadata_store_pb2")


class MLMetadata:
    """See ``Tracker``."""

    name = "ML Metadata"
    servers: Sequence[int] = ()

    def __init__(self, folder: Path) -> None:
        config = _protos.ConnectionConfig()
        config.sqlite.filename_uri = str(folder / "metadata.sqlite")
        self._store = _stores.MetadataStore(config)
        self._executions: dict[int, int] = {}
        self._artifacts: dict[int, int] = {}

    def record(self, pipeline: Pipeline) -> None:
        """See ``Tracker``."""
        run_type = self._store.put_execution_type(_protos.ExecutionType(name="run"))
        data_type = self._store.put_artifact_type(_protos.ArtifactType(name="data"))
        for run in pipeline.runs:
            execution = _protos.Execution(
                type_id=run_type, last_known_state=_protos.Execution.COMPLETE, name=f"run-{run.number}"
            )
            used = [(each, _protos.Event.INPUT) for each in run.read] + [(run.wrote, _protos.Event.OUTPUT)]
            pairs = []
            for number, kind in used:
                artifact = _protos.Artifact(type_id=data_type, uri=f"s3://lineage-bench/{number}")
                if number in self._artifacts:
                    artifact.id = self._artifacts[number]
                pairs.append((artifact, _protos.Event(type=kind)))
            self._executions[run.number], ids, _ = self._store.put_execution(execution, pairs, [])
            self._artifacts.update((number, made) for (number, _), made in zip(used, ids, strict=True))

    def ask(self, asked: Asked) -> Any:
        """See ``Tracker``."""
        options = _protos.LineageSubgraphQueryOptions
        known = self._executions if asked.is_run else self._artifacts
        nodes = options.StartingNodes(filter_query=f"id = {known[asked.start]}")
        start = {"starting_executions": nodes} if asked.is_run else {"starting_artifacts": nodes}
        direction = options.Direction.UPSTREAM if asked.direction is Direction.UP else options.Direction.DOWNSTREAM
        question = options(max_num_hops=HOPS, direction=direction, **start)
        return (
            known[asked.start],
            asked,
            self._store.get_lineage_subgraph(question, ["executions", "artifacts", "events"]),
        )

    def numbers(self, found: Any) -> set[int]:
        """See ``Tracker``."""
        _, asked, graph = found
        runs = {identifier: number for number, identifier in self._executions.items()}
        data = {identifier: number for number, identifier in self._artifacts.items()}
        reached = {runs[each.id] for each in graph.executions} | {data[each.id] for each in graph.artifacts}
        return reached - {asked.start}
