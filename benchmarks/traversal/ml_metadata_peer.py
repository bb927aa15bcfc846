"""Ask ML Metadata for the upstream of a run; run by an interpreter that has ``ml-metadata``, which needs its own.

Reads ``{"edges": [[source, target, source is a run], …], "last": node, "hops": n, "path": SQLite file}`` from standard
input; writes ``{"seconds": median, "nodes": n, "runs_per_second": x}``.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from importlib import import_module
from typing import Any

# By name, since only the interpreter that runs this file has it.
metadata_store: Any = import_module("ml_metadata.metadata_store")
protos: Any = import_module("ml_metadata.proto.metadata_store_pb2")

_REPETITIONS = 5


def main() -> None:
    """Write the graph, ask, and tell how long it took."""
    asked = json.load(sys.stdin)
    config = protos.ConnectionConfig()
    config.sqlite.filename_uri = asked["path"]
    store = metadata_store.MetadataStore(config)
    run_type = store.put_execution_type(protos.ExecutionType(name="run"))
    data_type = store.put_artifact_type(protos.ArtifactType(name="data"))
    read: dict[int, list[int]] = {}
    wrote: dict[int, list[int]] = {}
    for source, target, is_run in asked["edges"]:
        if is_run:
            wrote.setdefault(source, []).append(target)
            read.setdefault(source, [])
        else:
            read.setdefault(target, []).append(source)
    begun = time.perf_counter()
    executions: dict[int, int] = {}
    artifacts: dict[int, int] = {}
    for run in sorted(read):
        execution = protos.Execution(type_id=run_type, last_known_state=protos.Execution.COMPLETE, name=f"run-{run}")
        used: list[tuple[int, Any, Any]] = []
        for nodes, kind in ((read[run], protos.Event.INPUT), (wrote.get(run, []), protos.Event.OUTPUT)):
            for node in nodes:
                artifact = protos.Artifact(type_id=data_type, uri=f"s3://lineage-bench/{node}")
                if node in artifacts:
                    artifact.id = artifacts[node]
                used.append((node, artifact, protos.Event(type=kind)))
        executions[run], ids, _ = store.put_execution(execution, [(item, event) for _, item, event in used], [])
        artifacts.update((node, identifier) for (node, _, _), identifier in zip(used, ids, strict=True))
    ingest = len(read) / (time.perf_counter() - begun)
    options = protos.LineageSubgraphQueryOptions(
        starting_executions=protos.LineageSubgraphQueryOptions.StartingNodes(
            filter_query=f"id = {executions[asked['last']]}"
        ),
        max_num_hops=asked["hops"],
        direction=protos.LineageSubgraphQueryOptions.Direction.UPSTREAM,
    )
    times, count = [], 0
    for _ in range(_REPETITIONS):
        begun = time.perf_counter()
        found = store.get_lineage_subgraph(options, ["executions", "artifacts", "events"])
        times.append(time.perf_counter() - begun)
        count = len(found.executions) + len(found.artifacts)
    json.dump({"seconds": statistics.median(times), "nodes": count, "runs_per_second": ingest}, sys.stdout)


if __name__ == "__main__":
    main()
