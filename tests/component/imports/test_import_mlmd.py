"""A database that the real ML Metadata wrote: the same graph in, the same node sets out, hop by hop."""

from __future__ import annotations

import json
import random
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from hallmark.lineage.folding import fold
from tests.fakes.imported_lineage import ImportedLineage
from tests.fakes.memory_store import KnownContents, stored
from tests.unit.cli.test_commands import run

# Made when they are imported, so that no type checker knows what is in them.
metadata_store: Any = import_module("ml_metadata.metadata_store.metadata_store")
protos: Any = import_module("ml_metadata.proto.metadata_store_pb2")

RUNS = 80


class Written:
    """A store of ML Metadata in a file."""

    def __init__(self, path: Path) -> None:
        config = protos.ConnectionConfig()
        config.sqlite.filename_uri = str(path)
        config.sqlite.connection_mode = protos.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self.path = path
        self.store = metadata_store.MetadataStore(config)
        self.data_type = self.store.put_artifact_type(
            protos.ArtifactType(name="Dataset", properties={"split": protos.STRING})
        )
        self.run_type = self.store.put_execution_type(protos.ExecutionType(name="Trainer"))

    def artifact(self, uri: str, **more: Any) -> int:
        artifact = protos.Artifact(type_id=self.data_type, uri=uri, **more)
        artifact.properties["split"].string_value = "train"
        (found,) = self.store.put_artifacts([artifact])
        return int(found)

    def execution(self, state: Any = protos.Execution.COMPLETE, **properties: Any) -> int:
        execution = protos.Execution(type_id=self.run_type, last_known_state=state)
        for name, value in properties.items():
            execution.custom_properties[name].string_value = value
        (found,) = self.store.put_executions([execution])
        return int(found)

    def event(self, artifact: int, execution: int, kind: Any, *path: str | int) -> None:
        event = protos.Event(artifact_id=artifact, execution_id=execution, type=kind)
        for step in path:
            added = event.path.steps.add()
            if isinstance(step, int):
                added.index = step
            else:
                added.key = step
        self.store.put_events([event])

    def upstream(self, execution: int, hops: int) -> tuple[set[int], set[int]]:
        """Return the executions and the artifacts that ML Metadata finds within so many hops, without the start."""
        asked = protos.LineageSubgraphQueryOptions
        found = self.store.get_lineage_subgraph(
            protos.LineageSubgraphQueryOptions(
                starting_executions=asked.StartingNodes(filter_query=f"id = {execution}"),
                max_num_hops=hops,
                direction=asked.Direction.UPSTREAM,
            )
        )
        return {each.id for each in found.executions} - {execution}, {each.id for each in found.artifacts}


def content(number: int, name: str = "metadata") -> str:
    return f"mlmd:{sha256(f'{name}/artifacts/{number}'.encode()).hexdigest()}"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Runs of which each reads what the one before wrote and two of the last outputs; some write to the same place."""
    found = Written(tmp_path_factory.mktemp("mlmd") / "metadata.db")
    chance = random.Random(7)  # noqa: S311
    outputs = [found.artifact("s3://lake/raw")]
    for number in range(RUNS):
        execution = found.execution(lr="0.1", api_key="hunter2hunter2")
        for read in dict.fromkeys([outputs[-1], *(chance.choice(outputs[-10:]) for _ in range(2))]):
            found.event(read, execution, protos.Event.INPUT, "examples", 0)
        outputs.append(found.artifact(f"s3://lake/model/{number % 7}"))
        found.event(outputs[-1], execution, protos.Event.OUTPUT, "model")
    return found


@pytest.fixture(scope="module")
def imported(written: Written) -> ImportedLineage:
    lineage = ImportedLineage()
    assert run(lineage.service, "import", "mlmd", str(written.path)).code == 0
    return lineage


@pytest.mark.parametrize("hops", [1, 2, 3, 4, 7, 10, 20])
def test_the_same_graph_has_the_same_nodes_within_each_number_of_hops(
    written: Written, imported: ImportedLineage, hops: int
) -> None:
    rows = imported.rows()
    for start in (RUNS, RUNS // 2, 2):
        executions, artifacts = written.upstream(start, hops)
        keys = imported.upstream(f"mlmd:metadata/executions/{start}", hops, rows)
        runs = {key for key in keys if key.startswith("mlmd:metadata/executions/")}
        contents = {key.partition("#")[2] for key in keys if "#" in key}
        assert runs == {f"mlmd:metadata/executions/{number}" for number in executions}
        assert contents == {content(number) for number in artifacts}


def test_two_artifacts_of_one_address_stay_two(written: Written, imported: ImportedLineage) -> None:
    states = [state.node.id for state in imported.store.all_states if state.node.id.startswith("s3://lake/model/0#")]

    assert len(set(states)) == len([number for number in range(RUNS) if number % 7 == 0])


def test_roles_properties_and_times_come_along_and_credentials_do_not(imported: ImportedLineage) -> None:
    node = "mlmd:metadata/executions/1"
    told = fold(imported.store.states(node))

    assert told.status == "Completed"
    assert told.attributes["properties"]["lr"] == "0.1"
    assert {told.edge.role for told in imported.store.edges_to(node)} == {"examples"}
    assert {told.edge.role for told in imported.store.edges_from(node)} == {"model"}
    assert "hunter2" not in imported.store.snapshot().decode()


def test_importing_again_changes_nothing(written: Written, imported: ImportedLineage) -> None:
    before = imported.store.snapshot()

    assert run(imported.service, "import", "mlmd", str(written.path)).code == 0
    assert imported.store.snapshot() == before


def test_a_dry_run_counts_and_sends_nothing(written: Written) -> None:
    lineage = ImportedLineage()

    screen = run(lineage.service, "import", "mlmd", str(written.path), "--dry-run", "--json")

    assert json.loads(screen.out)["counts"]["executions"] == RUNS
    assert lineage.received == []


def test_an_import_that_is_interrupted_goes_on_where_it_says(written: Written, imported: ImportedLineage) -> None:
    first = ImportedLineage(calls=1)
    screen = run(first.service, "import", "mlmd", str(written.path))
    assert screen.code != 0
    position = screen.err.split("--after '")[1].split("'")[0]

    first.calls = None
    assert run(first.service, "import", "mlmd", str(written.path), "--after", position).code == 0
    assert first.store.snapshot() == imported.store.snapshot()
    sent = [event["node"] for events in first.received for event in events]
    assert len(sent) == RUNS * 2 + 1


def test_states_pipelines_and_artifacts_without_an_address(tmp_path: Path) -> None:
    found = Written(tmp_path / "kfp.db")
    run_type = found.store.put_context_type(protos.ContextType(name="system.PipelineRun"))
    other_type = found.store.put_context_type(protos.ContextType(name="node"))
    contexts = found.store.put_contexts(
        [protos.Context(type_id=run_type, name="nightly-1"), protos.Context(type_id=other_type, name="trainer")]
    )
    states = protos.Execution
    numbers = [found.execution(state) for state in (states.RUNNING, states.FAILED, states.CACHED, states.CANCELED)]
    gone = found.artifact("", state=protos.Artifact.DELETED)
    pending = found.artifact("s3://lake/pending")
    found.event(gone, numbers[1], protos.Event.DECLARED_INPUT)
    found.event(pending, numbers[1], protos.Event.PENDING_OUTPUT)
    found.store.put_attributions_and_associations(
        [], [protos.Association(execution_id=numbers[1], context_id=context) for context in contexts]
    )
    lineage = ImportedLineage()
    assert run(lineage.service, "import", "mlmd", str(found.path), "--name", "prod").code == 0

    told = [fold(lineage.store.states(f"mlmd:prod/executions/{number}")) for number in numbers]
    assert [each.status for each in told] == ["InProgress", "Failed", "Completed", "Stopped"]
    assert told[2].attributes["cache_hit"] is True
    assert fold(lineage.store.states(f"mlmd:prod/artifacts/{gone}")).status == "Deleted"
    into = {
        (edge.edge.source.id, edge.edge.role) for edge in lineage.store.edges_to(f"mlmd:prod/executions/{numbers[1]}")
    }
    assert into == {(f"mlmd:prod/contexts/{contexts[0]}", "parent"), (f"mlmd:prod/artifacts/{gone}", "")}
    assert lineage.store.edges_from(f"mlmd:prod/executions/{numbers[1]}") == []


def test_what_lies_in_s3_joins_by_content(written: Written) -> None:
    rows = [stored("", "rows")]
    lineage = ImportedLineage(KnownContents({"s3://lake/raw": rows}))
    run(lineage.service, "import", "mlmd", str(written.path))

    assert any("s3://lake/raw#sha256:" in key for key in lineage.upstream("mlmd:metadata/executions/1"))


@pytest.mark.parametrize("text", [None, b"no database", b""])
def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path, text: bytes | None) -> None:
    file = tmp_path / "other.db"
    if text is not None:
        file.write_bytes(text)

    screen = run(ImportedLineage().service, "import", "mlmd", str(file))

    assert (screen.code, "other.db" in screen.err.replace("\n", "")) == (1, True)


def test_a_position_that_is_none_is_refused(written: Written) -> None:
    screen = run(ImportedLineage().service, "import", "mlmd", str(written.path), "--after", "somewhere")

    assert screen.code == 1
    assert "artifacts:17" in screen.err
