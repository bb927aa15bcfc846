"""The demonstration's third part: what falls short is stopped, and the right person hears of it once."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from examples.wine_cultivars.workflow import BATCHES, ENDPOINT, GROUP, IMAGE_NAME, PREFIX, Workflow, raw_batch
from local.cloud import LocalCloud
from local.demo_evaluations import Part
from local.demo_headings import heading

MONITOR, PIPELINE = "wine-cultivars", "wine-cultivars-retrain"
_GROUP_OF_INTEREST, _WRITTEN_INSTEAD = "1", "0"
_ALCOHOL, _PROLINE = 0, 12
_WAIT_SECONDS = 150.0
_POLL_SECONDS = 0.5
_MINUTE = timedelta(minutes=1)
_OVER = timedelta(seconds=8)
"""A window is looked at so long after its end: the monitor waits for what is delivered late."""


class DecisionError(RuntimeError):
    """Something was not decided as it should be; the message says how it stands."""


class Hallmark(Protocol):
    """Runs the command line with these arguments; with ``fails``, a refusal is what is to be shown."""

    def __call__(self, question: Sequence[str], *, fails: bool = False) -> None:
        """Run it."""
        ...


class Decisions:
    """Shows gates, drift and alerts.

    Args:
        cloud: Where the app is deployed and two versions of the model were shipped.
        outputs: Of all stacks.
        workflow: Ships further versions.
        role: ARN of the role of SageMaker's jobs.
        screen: Where to say what happens.
        hallmark: Runs the command line.
        part: Tells that a part is under way.
        folder: Where pictures and copies go.
    """

    def __init__(
        self,
        cloud: LocalCloud,
        outputs: Mapping[str, str],
        *,
        workflow: Workflow,
        role: str,
        screen: Console,
        hallmark: Hallmark,
        part: Part,
        folder: Path,
    ) -> None:
        self._cloud = cloud
        self._outputs = outputs
        self._workflow = workflow
        self._role = role
        self._screen = screen
        self._hallmark = hallmark
        self._part = part
        self._folder = folder
        self._sagemaker = cloud.client("sagemaker")
        self._usual: datetime | None = None
        self._minutes: tuple[datetime, ...] = ()

    @property
    def pages(self) -> tuple[Path, ...]:
        """Pictures and reports, to be opened in a browser."""
        return (self._folder / "drift.html", self._folder / "why-retrained.svg")

    def send_usual_traffic(self) -> None:
        """Ask the endpoint what it was made for: wines like those that it learned from."""
        self._usual = self._ask_endpoint(_measurements())

    def show(self) -> None:
        """Show all of it.

        Raises:
            DecisionError: Something did not come within its time.
        """
        self._change_production()
        self._hallmark(("gate", "list"))
        self._reject_a_version()
        self._promote_a_version()
        self._drift()

    def _reject_a_version(self) -> None:
        self._say("version 3: somebody wrote one cultivar's label wrongly; it is tested on version 2's test part")
        with self._part("version 3: prepare, tune, evaluate, register"):
            raw = self._workflow.upload_raw(BATCHES, mistaken={_GROUP_OF_INTEREST: _WRITTEN_INSTEAD})
            package = self._workflow.submit(3, raw, tested_as=2)
        with self._part("wait for the staging gate"):
            self._await(lambda: self._package(package)["ModelApprovalStatus"] == "Rejected", f"{package} is rejected")
        self._hallmark(("gate", "check", f"{GROUP}:3", "--stage", "staging", "--wait"), fails=True)
        self._screen.print(f"  ApprovalDescription: {self._package(package)['ApprovalDescription']}", markup=False)
        with self._part("wait for Slack"):
            message = self._await(lambda: self._slack(f"{GROUP}:3"), "Slack was told of the gate")
        self._say("the message as Slack shows it")
        self._screen.print(message.text, markup=False)
        file = self._folder / "slack-message.json"
        file.write_text(json.dumps(message.body, indent=2, ensure_ascii=False), encoding="utf-8")
        self._screen.print(f"  {file}: as Slack's webhook got it", markup=False, soft_wrap=True)

    def _promote_a_version(self) -> None:
        self._say("version 4: the labels as they are; it passes, and the gate of production looks at it too")
        with self._part("version 4: prepare, tune, evaluate, register"):
            package = self._workflow.submit(4, self._workflow.upload_raw(BATCHES), tested_as=2)
        with self._part("wait until it is approved for production"):
            self._await(lambda: self._package(package)["ModelApprovalStatus"] == "Approved", f"{package} is approved")
        self._hallmark(("gate", "verdicts"))
        with self._part("deploy version 4"):
            self._workflow.deploy(4, package)

    def _change_production(self) -> None:
        """Ask the endpoint what it was not made for; the minute in which that was is over when two versions are."""
        self._say("production changes: stronger wines with less proline, as a sensor that slips would give")
        usual = self._usual or self._ask_endpoint(_measurements())
        with self._part("ask the endpoint"):
            self._minutes = usual, self._ask_endpoint(_shifted(_measurements()), after=usual + _MINUTE)

    def _drift(self) -> None:
        self._say("a monitor looks at what production was asked before and after it changed")
        self._make_pipeline()
        with self._part("wait until the minute of the change is over"):
            time.sleep(max(0.0, (self._minutes[-1] + _MINUTE + _OVER - datetime.now(UTC)).total_seconds()))
        for minute in self._minutes:
            at = f"{minute + _MINUTE + _OVER:%Y-%m-%dT%H:%M:%S}"
            self._hallmark(("monitors", "run", MONITOR, "--at", at, "--wait"))
        self._hallmark(("monitors", "report", MONITOR, "-o", str(self._folder / "drift.html")))
        with self._part("nobody acknowledges: wait until the alert escalates to PagerDuty"):
            incident = self._await(self._incident, "PagerDuty was told")
        self._screen.print(f"  PagerDuty: {incident}", markup=False)
        self._hallmark(("alerts",))
        alert = self._await(self._open_drift, "an alert of the drift is open")
        self._hallmark(("alerts", "ack", alert, "--reason", "looking into it"))
        with self._part("wait for the retraining that the drift caused"):
            job = self._await(self._retrained, "the pipeline has trained")
            self._await(lambda: self._is_explained(job), "lineage says why it was trained")
        self._say("why was this model trained? up from the training job to the drift")
        self._hallmark(("trace", job, "--up", "--depth", "4"))
        self._hallmark(("graph", job, "--up", "-o", str(self._folder / "why-retrained.svg")))

    # --- the endpoint -------------------------------------------------------------------------------------------------

    def _ask_endpoint(self, rows: Sequence[Sequence[float]], after: datetime | None = None) -> datetime:
        """Ask in one minute (not before ``after``); return that minute."""
        now = datetime.now(UTC)
        begins = max(after or now, now)
        if begins > now or begins.second > _LAST_SECOND:
            begins = begins if begins > now else now.replace(second=0, microsecond=0) + _MINUTE
            time.sleep((begins - now).total_seconds() + 1)
        minute = datetime.now(UTC).replace(second=0, microsecond=0)
        body = "\n".join(",".join(f"{cell:g}" for cell in row) for row in rows)
        runtime = self._cloud.client("sagemaker-runtime")
        runtime.invoke_endpoint(EndpointName=ENDPOINT, Body=body.encode(), ContentType="text/csv", Accept="text/csv")
        return minute

    # --- the pipeline that drift starts -------------------------------------------------------------------------------

    def _make_pipeline(self) -> None:
        image = f"{self._cloud.account}.dkr.ecr.{self._cloud.region}.amazonaws.com/{IMAGE_NAME}"
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
                "RoleArn": self._role,
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
                "OutputDataConfig": {"S3OutputPath": f"s3://{self._workflow.bucket}/{PREFIX}/retrained"},
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
        self._sagemaker.create_pipeline(
            PipelineName=PIPELINE, PipelineDefinition=json.dumps(definition), RoleArn=self._role
        )

    def _retrained(self) -> str | None:
        executions = self._sagemaker.list_pipeline_executions(PipelineName=PIPELINE)["PipelineExecutionSummaries"]
        for execution in executions:
            arn = execution["PipelineExecutionArn"]
            for step in self._sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)[
                "PipelineExecutionSteps"
            ]:
                if step["StepStatus"] == "Failed":
                    raise DecisionError(f"the step {step['StepName']} of {arn} failed: {step.get('FailureReason')}")
                if step["StepStatus"] == "Succeeded":
                    return str(step["Metadata"]["TrainingJob"]["Arn"])
        return None

    def _is_explained(self, job: str) -> bool:
        answer = self._invoke("QueryLineageFunctionName", {"ask": "trace", "node": job, "direction": "up"})
        return any(node["kind"] == "drift-report" for node in answer.get("nodes", ()))

    # --- looking ------------------------------------------------------------------------------------------------------

    def _package(self, package: str) -> dict[str, Any]:
        found: dict[str, Any] = self._sagemaker.describe_model_package(ModelPackageName=package)
        return found

    def _slack(self, word: str) -> Any:
        return next((each for each in self._cloud.channels().slack.messages if word in each.text), None)

    def _incident(self) -> str | None:
        told = (each.events[0]["payload"]["summary"] for each in self._cloud.channels().pagerduty.incidents)
        return next((str(summary) for summary in told if "rift" in summary), None)

    def _open_drift(self) -> str | None:
        answer = self._invoke("QueryAlertsFunctionName", {"ask": "open", "match": {"name": "DriftDetected"}})
        return str(answer["alerts"][0]["id"]) if answer["alerts"] else None

    def _invoke(self, function: str, question: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._cloud.client("lambda").invoke(
            FunctionName=self._outputs[function], Payload=json.dumps(question).encode()
        )
        payload: dict[str, Any] = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise DecisionError(f"{function} failed: {payload.get('errorMessage', payload)}")
        return payload

    def _await(self, look: Callable[[], Any], what: str) -> Any:
        deadline = time.monotonic() + _WAIT_SECONDS
        while not (found := look()):
            if time.monotonic() > deadline:
                raise DecisionError(
                    f"not within {_WAIT_SECONDS:.0f} s: {what}; {self._folder}/cloud.log may say why, and "
                    "`hallmark dead-letters` what could not be handled"
                )
            time.sleep(_POLL_SECONDS)
        return found

    def _say(self, what: str) -> None:
        heading(self._screen, what, "magenta")


_LAST_SECOND = 45
"""Asked later than this in a minute, the answers might be of the next one."""


def _measurements() -> list[list[float]]:
    """Return all wines without their labels."""
    rows = [row for batch in range(BATCHES) for row in list(csv.reader(io.StringIO(raw_batch(batch))))[1:]]
    return [[float(cell) for cell in row[:-1]] for row in rows]


def _shifted(rows: Iterable[Sequence[float]]) -> list[list[float]]:
    changed = [list(row) for row in rows]
    for row in changed:
        row[_ALCOHOL] += 3.0
        row[_PROLINE] *= 0.4
    return changed
