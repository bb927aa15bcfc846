"""Monitors on the deployed app: real requests, captured, against what the model was trained on; IAM is enforced."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from examples.wine_cultivars.workflow import BATCHES, ENDPOINT, IMAGE_NAME, PREFIX, raw_batch
from tests.e2e.test_what_is_watched import judged

pytestmark = pytest.mark.e2e

MONITOR = "wine-cultivars"
PIPELINE = "wine-cultivars-retrain"
_MINUTE = timedelta(minutes=1)
_ALCOHOL, _PROLINE = 0, 12


def measurements() -> list[list[float]]:
    rows = [row for batch in range(BATCHES) for row in list(csv.reader(io.StringIO(raw_batch(batch))))[1:]]
    return [[float(cell) for cell in row[:13]] for row in rows]


def shifted(rows: Iterable[list[float]]) -> list[list[float]]:
    """Stronger wines with less proline, as another region or a sensor that slips would give."""
    changed = [list(row) for row in rows]
    for row in changed:
        row[_ALCOHOL] += 3.0
        row[_PROLINE] *= 0.4
    return changed


class Traffic:
    """Requests to the endpoint, captured for real, then told of an earlier minute: no test waits for one to pass."""

    def __init__(self, deployed: Any) -> None:
        self._deployed = deployed
        self.bucket = f"sagemaker-{deployed.cloud.region}-{deployed.cloud.account}"
        self._prefix = f"{PREFIX}/captured/{ENDPOINT}/AllTraffic/"
        self._runtime = deployed.client("sagemaker-runtime")

    def at(self, minute: datetime, rows: Iterable[list[float]]) -> None:
        """Ask the endpoint, and let it have been at a minute."""
        s3 = self._deployed.client("s3")
        before = set(self._keys())
        body = "\n".join(",".join(f"{cell:g}" for cell in row) for row in rows)
        answer = self._runtime.invoke_endpoint(
            EndpointName=ENDPOINT, Body=body.encode(), ContentType="text/csv", Accept="text/csv"
        )
        assert len(answer["Body"].read().split()) == body.count("\n") + 1
        (key,) = self._deployed.eventually(lambda: set(self._keys()) - before)
        (line,) = s3.get_object(Bucket=self.bucket, Key=key)["Body"].read().splitlines()
        record = json.loads(line)
        record["eventMetadata"]["inferenceTime"] = f"{minute + timedelta(seconds=30):%Y-%m-%dT%H:%M:%SZ}"
        name = f"{self._prefix}{minute:%Y/%m/%d/%H}/told-{minute:%M}.jsonl"
        s3.put_object(Bucket=self.bucket, Key=name, Body=json.dumps(record).encode())

    def _keys(self) -> list[str]:
        pages = self._deployed.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.bucket, Prefix=self._prefix)
        return [each["Key"] for page in found for each in page.get("Contents", []) if "/told-" not in each["Key"]]


class Looks:
    """Looks of the monitor at minutes of the past, each once."""

    def __init__(self, deployed: Any) -> None:
        self._deployed = deployed
        self.start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=20)

    def minute(self, place: int) -> datetime:
        return self.start + place * _MINUTE

    def look(self, place: int, monitor: str = MONITOR) -> dict[str, Any]:
        """Look at a minute; return what the workflow's execution answers."""
        at = self.minute(place + 1) + timedelta(seconds=5)
        started = self._deployed.ask_monitors("look", monitor=monitor, at=at.isoformat())

        def ended() -> dict[str, Any] | None:
            state: dict[str, Any] = self._deployed.ask_monitors("look-state", execution=started["execution"])
            return state if state["status"] != "RUNNING" else None

        state: dict[str, Any] = self._deployed.eventually(ended, seconds=90)
        assert state["status"] == "SUCCEEDED", state
        output: dict[str, Any] = state["output"]
        return output


def make_pipeline(deployed: Any, role: str, bucket: str) -> None:
    """Make a pipeline that trains on the window that it is given."""
    image = f"{deployed.cloud.account}.dkr.ecr.{deployed.cloud.region}.amazonaws.com/{IMAGE_NAME}"
    step = {
        "Name": "Retrain",
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {
                "TrainingImage": image,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": [
                    "/bin/sh",
                    "-c",
                    "find /opt/ml/input/data/window -type f -exec cat {} + > /opt/ml/model/window.jsonl",
                ],
            },
            "RoleArn": role,
            "InputDataConfig": [
                {
                    "ChannelName": "window",
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "ManifestFile",
                            "S3Uri": {"Get": "Parameters.DriftedWindow"},
                            "S3DataDistributionType": "FullyReplicated",
                        }
                    },
                }
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/retrained"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        },
    }
    definition = {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": [{"Name": "DriftedWindow", "Type": "String"}],
        "Steps": [step],
    }
    deployed.client("sagemaker").create_pipeline(
        PipelineName=PIPELINE, PipelineDefinition=json.dumps(definition), RoleArn=role
    )


@pytest.fixture(scope="module")
def watched(shipped: Any) -> tuple[Any, Looks, dict[str, dict[str, Any]]]:
    """Let four minutes be looked at: like training, shifted, still shifted, and without a request."""
    traffic, looks = Traffic(shipped), Looks(shipped)
    role = shipped.client("iam").get_role(RoleName=PREFIX)["Role"]["Arn"]
    make_pipeline(shipped, role, traffic.bucket)
    usual = measurements()
    for place, rows in enumerate((usual, shifted(usual), shifted(usual))):
        traffic.at(looks.minute(place), rows)
    found = {name: looks.look(place) for place, name in enumerate(("usual", "shifted", "lasting", "empty"))}
    return shipped, looks, found


def test_traffic_like_the_training_data_is_clear(watched: Any) -> None:
    deployed, _, found = watched

    report = json.loads(deployed.ask_monitors("report", report=found["usual"]["report"])["content"])
    assert (found["usual"]["outcome"], report["records"]) == ("clear", 178)
    assert {finding["feature"] for finding in report["findings"]} >= {"alcohol", "proline", "cultivar"}
    assert report["broken"] == {}


def test_shifted_traffic_is_drift_in_what_was_shifted_told_once(watched: Any) -> None:
    deployed, _, found = watched

    report = json.loads(deployed.ask_monitors("report", report=found["shifted"]["report"])["content"])
    drifted = {finding["feature"] for finding in report["findings"] if finding["is_drifted"]}
    assert found["shifted"]["outcome"] == "drifted"
    assert {"alcohol", "proline"} <= drifted
    assert "flavanoids" not in drifted
    assert "DriftDetected" in found["shifted"]["told"]
    assert (found["lasting"]["outcome"], found["lasting"]["told"]) == ("drifted", [])


def test_drift_lets_the_gate_of_the_endpoint_judge_again_and_an_open_one_fails_it(watched: Any) -> None:
    deployed, _, found = watched

    verdict = judged(deployed, "drift")[-1]

    (criterion,) = verdict["criteria"]
    assert (verdict["outcome"], verdict["request"]["source"]) == ("failed", found["shifted"]["report"])
    assert (criterion["outcome"], criterion["kind"]) == ("failed", "drift")
    assert MONITOR in criterion["why"]


def test_the_pipeline_is_started_once_with_the_window(watched: Any) -> None:
    deployed, _, found = watched
    sagemaker = deployed.client("sagemaker")

    execution = found["shifted"]["retraining"]["execution"]
    parameters = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=execution)["PipelineParameters"]
    assert found["shifted"]["retraining"]["started"] is True
    assert parameters == [{"Name": "DriftedWindow", "Value": found["shifted"]["window"]}]
    executions = sagemaker.list_pipeline_executions(PipelineName=PIPELINE)["PipelineExecutionSummaries"]
    assert [each["PipelineExecutionArn"] for each in executions] == [execution]


def test_the_lineage_of_the_retrained_model_says_why_it_was_trained(watched: Any) -> None:
    deployed, _, found = watched
    sagemaker, execution = deployed.client("sagemaker"), found["shifted"]["retraining"]["execution"]

    def trained() -> str | None:
        steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution)["PipelineExecutionSteps"]
        ended = [step for step in steps if step["StepStatus"] in {"Succeeded", "Failed"}]
        assert [step for step in ended if step["StepStatus"] == "Failed"] == []
        return str(ended[0]["Metadata"]["TrainingJob"]["Arn"]) if ended else None

    job = deployed.eventually(trained, seconds=60)
    report = found["shifted"]["report"]

    def causes() -> dict[str, str] | None:
        answer = deployed.ask("trace", node=job, direction="up")
        nodes = {node["key"]: node["kind"] for node in answer.get("nodes", [])}
        return nodes if report in nodes else None

    above = deployed.eventually(causes, seconds=60)
    assert {"action", "drift-report", "baseline", "pipeline-execution", "endpoint-config"} <= set(above.values())


def test_a_window_without_a_request_is_a_failure_with_its_reason(watched: Any) -> None:
    deployed, _, found = watched

    (monitor,) = [each for each in deployed.ask_monitors("monitors")["monitors"] if each["monitor"] == MONITOR]
    assert (found["empty"]["outcome"], found["empty"]["told"]) == ("failed", ["MonitorFailed"])
    assert "the endpoint was not called" in found["empty"]["reason"]
    assert (monitor["status"], monitor["reason"]) == ("failed", found["empty"]["reason"])


def test_a_repeated_look_gives_the_same_report_and_starts_nothing(watched: Any) -> None:
    deployed, looks, found = watched

    again = looks.look(1)

    assert (again["report"], again["retraining"]) == (found["shifted"]["report"], found["shifted"]["retraining"])
    executions = deployed.client("sagemaker").list_pipeline_executions(PipelineName=PIPELINE)
    assert len(executions["PipelineExecutionSummaries"]) == 1


def test_many_new_files_are_read_side_by_side(watched: Any) -> None:
    deployed, looks, _ = watched

    looked = looks.look(1, "wine-rolling")

    report = json.loads(deployed.ask_monitors("report", report=looked["report"])["content"])
    runs = deployed.client("stepfunctions").list_executions(
        stateMachineArn=deployed.outputs["DriftWorkflowArn"], maxResults=100
    )["executions"]
    assert (looked["outcome"], report["records"], report["baseline_records"]) == ("drifted", 178, 178)
    assert [run for run in runs if run["name"].startswith("wine-rolling")]


def test_the_page_of_a_report_has_pictures(watched: Any) -> None:
    deployed, _, found = watched

    page = deployed.ask_monitors("report", report=MONITOR, form="html")["content"]
    assert page.count("<svg") > 3
    assert found["lasting"]["report"] in page


def test_nothing_of_the_looks_ended_in_the_dead_letters(watched: Any) -> None:
    deployed, _, _ = watched

    assert deployed.dead_letters("Drift") == []
