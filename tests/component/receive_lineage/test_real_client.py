"""OpenLineage's own client, through the proxy that signs, to the intake."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import (
    DatasetEvent,
    InputDataset,
    Job,
    JobEvent,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
    StaticDataset,
)
from openlineage.client.facet_v2 import (
    column_lineage_dataset,
    error_message_run,
    parent_run,
    schema_dataset,
    source_code_location_job,
    symlinks_dataset,
)
from openlineage.client.transport.http import HttpConfig, HttpTransport

from hallmark.lineage.folding import fold
from tests.component.receive_lineage.conftest import Api
from tests.fakes.foreign_lineage import ForeignLineage

RUN, PARENT = str(uuid.UUID(int=7)), str(uuid.UUID(int=8))
PRODUCER = "https://example.com/orchestrator"


def now() -> str:
    return datetime(2026, 11, 29, 11, tzinfo=UTC).isoformat()


def client(url: str, **config: Any) -> OpenLineageClient:
    return OpenLineageClient(transport=HttpTransport(HttpConfig.from_dict({"url": url, **config})))


def run_event(state: RunState, **more: Any) -> RunEvent:
    job = Job(
        "airflow",
        "prepare",
        facets={
            "sourceCodeLocation": source_code_location_job.SourceCodeLocationJobFacet(
                type="git", url="https://git.example.com/x", repoUrl="https://git.example.com/x", version="1a2b3c4d"
            )
        },
    )
    parent = parent_run.ParentRunFacet(run=parent_run.Run(PARENT), job=parent_run.Job("airflow", "dag"))
    facets = {"parent": parent, **more.pop("facets", {})}
    return RunEvent(eventTime=now(), eventType=state, producer=PRODUCER, run=Run(RUN, facets=facets), job=job, **more)


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_run_of_the_real_client_is_in_the_graph(proxy: str, lineage: ForeignLineage, compression: str | None) -> None:
    schema = schema_dataset.SchemaDatasetFacet(fields=[schema_dataset.SchemaDatasetFacetFields("alcohol", "double")])
    alias = symlinks_dataset.SymlinksDatasetFacet(
        [symlinks_dataset.Identifier("arn:aws:glue:eu-west-1:111122223333", "table/Wine/Raw", "TABLE")]
    )
    sender = client(proxy, compression=compression)
    sender.emit(run_event(RunState.START, inputs=[InputDataset("s3a://lake", "raw", facets={"symlinks": alias})]))
    sender.emit(
        run_event(RunState.COMPLETE, outputs=[OutputDataset("hdfs://n:8020", "/wine", facets={"schema": schema})])
    )

    assert lineage.upstream("hdfs://n/wine") == {
        f"openlineage:{RUN}",
        f"openlineage:{PARENT}",
        "s3://lake/raw",
        "arn:aws:glue:eu-west-1:111122223333:table/wine/raw",
        "git:https://git.example.com/x@1a2b3c4d",
    }
    view = fold(lineage.store.states(f"openlineage:{RUN}"))
    assert (view.status, view.attributes["name"]) == ("Completed", "prepare")
    assert view.attributes["reported_by"] == "arn:aws:sts::111122223333:assumed-role/Airflow"
    assert view.attributes["tags"]["openlineage_client_version"]
    assert fold(lineage.store.states("hdfs://n/wine")).attributes["fields"] == {"alcohol": "double"}


def test_all_three_kinds_of_events_of_the_real_client_are_taken(proxy: str, lineage: ForeignLineage) -> None:
    sender = client(proxy)
    error = error_message_run.ErrorMessageRunFacet(message="out of memory", programmingLanguage="python")
    columns = column_lineage_dataset.ColumnLineageDatasetFacet(
        fields={
            "total": column_lineage_dataset.Fields(
                inputFields=[column_lineage_dataset.InputField("hdfs://n", "/orders", "price")]
            )
        }
    )
    sender.emit(run_event(RunState.FAIL, facets={"errorMessage": error}))
    sender.emit(
        DatasetEvent(
            eventTime=now(),
            producer=PRODUCER,
            dataset=StaticDataset("hdfs://n", "/sums", facets={"columnLineage": columns}),
        )
    )
    sender.emit(
        JobEvent(
            eventTime=now(),
            producer=PRODUCER,
            job=Job("airflow", "report"),
            inputs=[InputDataset("hdfs://n", "/sums")],
            outputs=[OutputDataset("hdfs://n", "/report")],
        )
    )

    assert fold(lineage.store.states(f"openlineage:{RUN}")).attributes["failure_reason"] == "out of memory"
    assert lineage.upstream("hdfs://n/report") == {"openlineage:job/airflow/report", "hdfs://n/sums", "hdfs://n/orders"}


def test_the_same_again_changes_nothing(proxy: str, lineage: ForeignLineage) -> None:
    sender, event = client(proxy), run_event(RunState.COMPLETE, outputs=[OutputDataset("hdfs://n", "/wine")])
    sender.emit(event)
    before = lineage.store.snapshot()
    sender.emit(event)

    assert lineage.store.snapshot() == before


def test_without_a_signature_nothing_gets_in(api: Api, lineage: ForeignLineage) -> None:
    with pytest.raises(requests.HTTPError, match="403"):
        client(api.url.removesuffix("/api/v1/lineage")).emit(run_event(RunState.START))
    assert lineage.store.facts == []


def test_the_client_is_told_what_is_wrong_with_an_event(proxy: str) -> None:
    answer = requests.post(f"{proxy}/api/v1/lineage", json={"eventTime": "2026-11-29T10:00:00Z"}, timeout=10)

    assert (answer.status_code, answer.json()["field"]) == (400, "run")
    assert answer.json()["remedy"]
