"""OpenLineage events of real producers, the odd ones too, become the graph that they tell of, in any order."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hallmark.errors import InvalidInputError
from hallmark.lineage.folding import fold
from hallmark.lineage.intake.naming import Names
from hallmark.lineage.intake.openlineage import FLOWS_IN_A_REPORT, translate
from tests.fakes.foreign_lineage import NOW, SHARED, ForeignLineage, events_of, run_event
from tests.fakes.memory_store import stored
from tests.fakes.sagemaker_events import at as minute

RUN = "openlineage:3f5e83fa-3480-44ff-99c5-ff943904e5e8"
OTHER = "openlineage:11111111-3480-44ff-99c5-ff943904e5e8"
T1, T2 = (f"hdfs://dataproc-producer-test-m/user/hive/warehouse/t{number}" for number in (1, 2))
SHARED_EVENTS = sorted(SHARED.glob("*/events/*.json")) if SHARED.exists() else []


def named_runs(event: dict[str, Any]) -> set[str]:
    """Return the ids of the runs that an event names, by a reading of its own."""
    parent = event["run"].get("facets", {}).get("parent", {})
    named = [event["run"], parent.get("run", {}), parent.get("root", {}).get("run", {})]
    return {run["runId"] for run in named if run}


def named_data(event: dict[str, Any]) -> set[str]:
    """Return the last part of the names of the datasets, and of their other names."""
    found = set()
    for each in (*(event.get("inputs") or ()), *(event.get("outputs") or ())):
        found.add(each["name"])
        symlinks = each.get("facets", {}).get("symlinks", {}).get("identifiers", ())
        found |= {alias["name"] for alias in symlinks}
    return {name.rstrip("/").rpartition("/")[2] for name in found}


@pytest.mark.parametrize("scenario", ["spark", "columns", "airflow", "odd"])
def test_the_graph_of_a_scenario_has_the_runs_and_the_data_that_its_events_name(scenario: str) -> None:
    events, lineage = events_of(scenario), ForeignLineage()
    lineage.intake.receive(events)

    runs = {run.partition(":")[2].rpartition("/")[2] for run in lineage.nodes("run")}
    assert runs == {run for event in events for run in named_runs(event)}
    data = {uri.rpartition("/")[2].rpartition(":")[2] for uri in lineage.nodes("dataset")}
    assert data == {name for event in events for name in named_data(event)}


@pytest.mark.skipif(not SHARED_EVENTS, reason="the shared conformance data are not there")
@pytest.mark.parametrize("path", SHARED_EVENTS, ids=lambda path: "/".join(path.parts[-3::2]))
def test_every_event_of_the_compatibility_tests_is_taken(path: Path) -> None:
    event, lineage = json.loads(path.read_text()), ForeignLineage()
    lineage.intake.receive(event)

    assert {run.partition(":")[2].rpartition("/")[2] for run in lineage.nodes("run")} == named_runs(event)
    assert {uri.rpartition("/")[2].rpartition(":")[2] for uri in lineage.nodes("dataset")} >= named_data(event)


def test_a_table_comes_from_the_table_that_spark_read() -> None:
    lineage = ForeignLineage()
    lineage.intake.receive(events_of("spark"))

    assert T1 in lineage.upstream(T2)
    assert T2 not in lineage.upstream(T1)
    assert "hive://dataproc-producer-test-m/default.t1" in lineage.upstream(T2)


def test_another_name_that_many_events_tell_is_one_edge_each_way() -> None:
    lineage = ForeignLineage()
    lineage.intake.receive(events_of("spark"))

    symlinks = [edge for edge in lineage.store.all_edges if edge.role == "symlink"]
    assert len(symlinks) == len({(edge.source.id, edge.target.id) for edge in symlinks}) > 0


def test_a_reader_by_the_other_name_of_a_table_finds_who_wrote_it() -> None:
    lineage = ForeignLineage()
    lineage.intake.receive(events_of("spark"))
    lineage.intake.receive(run_event(inputs=[("hive://dataproc-producer-test-m:9083", "default.t2")]))

    assert T1 in lineage.upstream(RUN)


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=True))
def test_events_in_any_order_with_any_repeats_make_the_same_graph(chance: random.Random) -> None:
    events = events_of("spark")
    expected, told = ForeignLineage(), ForeignLineage()
    expected.intake.receive(events)
    shuffled = [*events, *chance.sample(events, 5)]
    chance.shuffle(shuffled)
    for event in shuffled:
        told.intake.receive(event)

    assert told.store.snapshot() == expected.store.snapshot()


def test_a_run_whose_start_was_lost_is_there_with_what_its_end_told() -> None:
    lineage = ForeignLineage()
    lineage.intake.receive(run_event("COMPLETE", inputs=[("hdfs://n", "/a")], outputs=[("hdfs://n", "/b")]))

    assert lineage.upstream("hdfs://n/b") == {RUN, "hdfs://n/a"}


def test_parts_of_a_run_add_up_and_the_end_stands_whatever_comes_after() -> None:
    lineage = ForeignLineage()
    error = {"errorMessage": {"message": "out of memory", "programmingLanguage": "python"}}
    lineage.intake.receive(run_event("FAIL", at="2026-11-29T10:05:00Z", facets=error))
    lineage.intake.receive(run_event("START", inputs=[("hdfs://n", "/a")], job_facets={"sql": {"query": "SELECT 1"}}))
    lineage.intake.receive(run_event("RUNNING", at="2026-11-29T10:09:00Z", inputs=[("hdfs://n", "/b")]))

    view = fold(lineage.store.states(RUN))
    assert (view.status, view.attributes["failure_reason"]) == ("Failed", "out of memory")
    assert (view.attributes["started_at"], view.attributes["ended_at"]) == (
        "2026-11-29T10:00:00Z",
        "2026-11-29T10:05:00Z",
    )
    assert view.attributes["facets"]["job.sql"] == {"query": "SELECT 1"}
    assert lineage.upstream(RUN) == {"hdfs://n/a", "hdfs://n/b"}


def test_the_parent_the_root_and_the_commit_of_a_run_are_in_the_graph() -> None:
    parent = {
        "run": {"runId": "F99310B4-3C3C-1A1A-2B2B-C1B95C24FF11"},
        "job": {"namespace": "airflow", "name": "dag.task"},
        "root": {
            "run": {"runId": "a0000000-3c3c-1a1a-2b2b-c1b95c24ff11"},
            "job": {"namespace": "airflow", "name": "dag"},
        },
    }
    code = {"type": "git", "url": "https://u:p@git.example.com/x/blob/1", "repoUrl": "https://git.example.com/x"}
    lineage = ForeignLineage()
    lineage.intake.receive(
        run_event(facets={"parent": parent}, job_facets={"sourceCodeLocation": {**code, "version": "1a2b3c4d"}})
    )

    assert lineage.upstream(RUN) == {
        "openlineage:f99310b4-3c3c-1a1a-2b2b-c1b95c24ff11",
        "openlineage:a0000000-3c3c-1a1a-2b2b-c1b95c24ff11",
        "git:https://git.example.com/x@1a2b3c4d",
    }
    assert fold(lineage.store.states("openlineage:a0000000-3c3c-1a1a-2b2b-c1b95c24ff11")).attributes["name"] == "dag"


def test_a_version_that_is_a_digest_is_content_and_joins_any_place_with_the_same_bytes() -> None:
    digest = "sha256:" + "ab" * 32
    lineage = ForeignLineage()
    written = run_event(outputs=[("hdfs://n", "/a")])
    written["outputs"][0]["facets"] = {"version": {"datasetVersion": digest}}
    read = run_event(run="11111111-3480-44ff-99c5-ff943904e5e8", inputs=[("gs://other", "copy")])
    read["inputs"][0]["facets"] = {"version": {"datasetVersion": digest}}
    lineage.intake.receive([read, written])

    assert RUN in lineage.upstream(OTHER)


def test_a_version_that_is_only_a_number_joins_nothing() -> None:
    lineage = ForeignLineage()
    for number, direction in (("3f5e83fa", "outputs"), ("11111111", "inputs")):
        event = run_event(run=f"{number}-3480-44ff-99c5-ff943904e5e8", **{direction: [("hdfs://n", f"/{direction}")]})  # type: ignore[arg-type] # one of two fields
        event[direction][0]["facets"] = {"version": {"datasetVersion": "2"}}
        lineage.intake.receive(event)

    assert RUN not in lineage.upstream(OTHER)


def test_s3_data_of_another_tool_are_known_by_what_is_in_them() -> None:
    lineage = ForeignLineage(contents={"s3://bucket/train": [stored("a.csv", "rows", at=minute(-9999))]})
    lineage.intake.receive(run_event("START", outputs=[("s3a://bucket", "train/")]))
    assert not lineage.nodes("dataset-version")

    lineage.intake.receive(run_event("COMPLETE", outputs=[("s3a://bucket", "train/")], at="2026-11-29T10:05:00Z"))
    assert len(lineage.nodes("dataset-version")) > 0


def test_a_dataset_event_tells_of_columns_and_a_job_event_of_what_a_job_is_meant_to_do() -> None:
    lineage = ForeignLineage()
    columns = {"fields": {"total": {"inputFields": [{"namespace": "hdfs://n", "name": "/a", "field": "price"}]}}}
    lineage.intake.receive(
        {
            "eventTime": "2026-11-29T10:00:00Z",
            "producer": "p",
            "dataset": {"namespace": "hdfs://n", "name": "/b", "facets": {"columnLineage": columns}},
        }
    )
    event = run_event(inputs=[("hdfs://n", "/b")], outputs=[("hdfs://n", "/c")])
    lineage.intake.receive({name: value for name, value in event.items() if name not in {"run", "eventType"}})

    assert lineage.upstream("hdfs://n/c") == {"openlineage:job/airflow/prepare", "hdfs://n/b", "hdfs://n/a"}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            {
                "namespace": "hdfs://n",
                "name": "/b",
                "type": "DATASET",
                "inputs": [
                    {
                        "type": "JOB",
                        "namespace": "airflow",
                        "name": "x",
                        "runId": "f99310b4-3c3c-1a1a-2b2b-c1b95c24ff11",
                    }
                ],
            },
            ("openlineage:f99310b4-3c3c-1a1a-2b2b-c1b95c24ff11", "hdfs://n/b"),
        ),
        (
            {
                "namespace": "hdfs://n",
                "name": "/b",
                "type": "DATASET",
                "inputs": [{"type": "DATASET", "namespace": "hdfs://n", "name": "/a"}],
            },
            ("hdfs://n/a", "hdfs://n/b"),
        ),
        (
            {"type": "JOB", "inputs": [{"type": "DATASET", "namespace": "hdfs://n", "name": "/a"}]},
            ("hdfs://n/a", RUN),
        ),
        (
            {
                "namespace": "airflow",
                "name": "prepare",
                "type": "JOB",
                "inputs": [{"type": "JOB", "namespace": "airflow", "name": "extract"}],
            },
            ("openlineage:job/airflow/extract", RUN),
        ),
        (
            {
                "namespace": "hdfs://n",
                "name": "/b",
                "type": "DATASET",
                "fields": {"c": {"inputs": [{"type": "DATASET", "namespace": "hdfs://n", "name": "/a", "field": "d"}]}},
            },
            ("hdfs://n/a", "hdfs://n/b"),
        ),
    ],
)
def test_the_explicit_lineage_of_a_job_is_taken_at_its_word(entry: dict[str, Any], expected: tuple[str, str]) -> None:
    lineage = ForeignLineage()
    lineage.intake.receive(run_event(job_facets={"lineage": {"entries": [entry]}}))

    assert expected in {(edge.source.id, edge.target.id) for edge in lineage.store.all_edges}


@pytest.mark.skipif(not SHARED_EVENTS, reason="the shared conformance data are not there")
@pytest.mark.parametrize(
    "path", sorted((SHARED.parent / "openlineage" / "spec" / "tests").glob("*/*.json")), ids=lambda p: p.parent.name
)
def test_every_example_of_a_facet_is_taken_wherever_it_stands(path: Path) -> None:
    facets = json.loads(path.read_text())
    event = run_event(inputs=[("hdfs://n", "/a")], facets=facets, job_facets=facets)
    event["inputs"][0]["facets"] = facets

    assert ForeignLineage().intake.receive(event).events == 1


def test_a_run_with_very_many_inputs_is_told_in_parts_of_bounded_size() -> None:
    lineage = ForeignLineage()
    lineage.intake.receive(run_event(inputs=[("hdfs://n", f"/{number}") for number in range(1000)]))

    assert len(lineage.upstream(RUN)) == 1000
    assert max(len(report.lineage.flows) for report in lineage.bus.reports) == FLOWS_IN_A_REPORT
    long = run_event(inputs=[("hdfs://n", f"/{'ü' * 700}/{number}") for number in range(200)])
    long["run"]["facets"] = {f"f{number}": {"text": "x" * 10_000} for number in range(20)}
    reports = translate(long, Names(), now=NOW).reports
    assert sum(len(report.lineage.flows) for report in reports) == 200
    assert max(len(report.model_dump_json().encode()) for report in reports) < 200_000


def test_facets_that_are_too_large_are_named_and_the_rest_is_kept_without_credentials() -> None:
    event = run_event(facets={"plan": {"text": "x" * 300_000}, "spark": {"s3.secret.key": "hush", "cores": 4}})
    report = translate(event, Names(), now=NOW).reports[-1]

    facets = report.lineage.attributes["facets"]
    assert facets["dropped"]["run.plan"] > 300_000
    assert facets["run.spark"]["cores"] == 4
    assert "hush" not in report.model_dump_json()


def test_a_circle_of_runs_is_walked_once() -> None:
    lineage = ForeignLineage()
    lineage.intake.receive(run_event(inputs=[("hdfs://n", "/a")], outputs=[("hdfs://n", "/b")]))
    lineage.intake.receive(
        run_event(run="11111111-3480-44ff-99c5-ff943904e5e8", inputs=[("hdfs://n", "/b")], outputs=[("hdfs://n", "/a")])
    )

    assert lineage.upstream("hdfs://n/a") == {RUN, OTHER, "hdfs://n/b"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"run": None}, "run"),
        ({"run": {}}, "run.runId"),
        ({"run": {"runId": 5}}, "run.runId"),
        ({"run": "x"}, "run"),
        ({"job": None}, "job"),
        ({"job": {"namespace": "a"}}, "job.name"),
        ({"eventTime": None}, "eventTime"),
        ({"eventTime": "yesterday"}, "eventTime"),
        ({"eventTime": "1970-01-01T00:00:00Z"}, "eventTime"),
        ({"eventTime": (NOW + timedelta(days=800)).isoformat()}, "eventTime"),
        ({"eventType": "DONE"}, "eventType"),
        ({"inputs": {}}, "inputs"),
        ({"inputs": [{"namespace": "s3://b"}]}, "inputs[0].name"),
        ({"inputs": ["s3://b/k"]}, "inputs[0]"),
        (
            {
                "run": {
                    "runId": "x",
                    "facets": {"parent": {"run": {"runId": "x"}, "job": {"namespace": "airflow", "name": "prepare"}}},
                }
            },
            "run.facets.parent.run.runId",
        ),
    ],
)
def test_an_event_that_cannot_be_taken_is_refused_by_field_and_nothing_of_it_is_kept(
    change: dict[str, Any], field: str
) -> None:
    lineage, wrong = ForeignLineage(), {**run_event(), **change}
    if change == {"run": None}:
        del wrong["job"]
    with pytest.raises(InvalidInputError) as refused:
        lineage.intake.receive([run_event(), wrong])

    assert refused.value.field == f"[1].{field}"
    assert refused.value.remedy
    assert lineage.store.facts == []


def test_what_hallmark_itself_sent_out_tells_nothing_new() -> None:
    lineage = ForeignLineage()
    taken = lineage.intake.receive({**run_event(), "producer": "urn:hallmark:1.0.0"})

    assert (taken.ignored, lineage.store.facts) == (1, [])


def test_inputs_that_nothing_else_tells_of_are_counted_once_the_run_has_ended() -> None:
    lineage = ForeignLineage(sources=("postgresql://",))
    lineage.intake.receive(run_event(outputs=[("hdfs://n", "/known")], run="11111111-3480-44ff-99c5-ff943904e5e8"))
    read = [("hdfs://n", "/known"), ("hdfs://n", "/knwon"), ("postgresql://db", "shop.orders")]

    assert lineage.intake.receive(run_event("START", inputs=read)).unmatched == ()
    assert lineage.intake.receive(run_event("COMPLETE", inputs=read)).unmatched == ("hdfs://n/knwon",)
