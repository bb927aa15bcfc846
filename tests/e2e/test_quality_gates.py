"""From a registered package, a request or a pipeline to a verdict, through the deployed app with IAM enforced."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import VADER
from tests.e2e.evaluations import Evaluations

pytestmark = pytest.mark.e2e

GROUPS = {"a": (40, 40), "b": (39, 40)}
GOOD = {"successes": 79, "cases": 80, "groups": GROUPS}
BAD = {"successes": 42, "cases": 80, "groups": {"a": (40, 40), "b": (2, 40)}}
FEW = {"successes": 5, "cases": 5, "groups": {"a": (3, 3), "b": (2, 2)}}


class Gates:
    """Registers models with quality reports, and asks for verdicts."""

    def __init__(self, deployed: Any) -> None:
        self.deployed = deployed
        self.bucket = f"sagemaker-{deployed.cloud.region}-{deployed.cloud.account}"
        s3 = deployed.client("s3")
        if self.bucket not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
            s3.create_bucket(Bucket=self.bucket)

    def ask(self, ask: str, **question: Any) -> dict[str, Any]:
        answer = self.deployed.client("lambda").invoke(
            FunctionName=self.deployed.outputs["QueryGatesFunctionName"],
            Payload=json.dumps({"ask": ask, **question}).encode(),
        )
        payload: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def register(self, counts: dict[str, Any]) -> str:
        """Register a package whose report says this; return its ARN."""
        name = f"judged-{uuid.uuid4().hex[:8]}"
        groups = {group: {"successes": right, "cases": of} for group, (right, of) in counts["groups"].items()}
        report = {"dataset": {"item_count": counts["cases"]}, "counts": {"accuracy": {**counts, "groups": groups}}}
        key = f"{name}/evaluation.json"
        self.deployed.client("s3").put_object(Bucket=self.bucket, Key=key, Body=json.dumps(report).encode())
        sagemaker = self.deployed.client("sagemaker")
        sagemaker.create_model_package_group(ModelPackageGroupName=name)
        cloud = self.deployed.cloud
        statistics = {"ContentType": "application/json", "S3Uri": f"s3://{self.bucket}/{key}"}
        return str(
            sagemaker.create_model_package(
                ModelPackageGroupName=name,
                ModelApprovalStatus="PendingManualApproval",
                ModelMetrics={"ModelQuality": {"Statistics": statistics}},
                InferenceSpecification={
                    "Containers": [
                        {
                            "Image": f"{cloud.account}.dkr.ecr.{cloud.region}.amazonaws.com/judged:1",
                            "ModelDataUrl": f"s3://{self.bucket}/{key}",
                        }
                    ],
                    "SupportedContentTypes": ["text/csv"],
                    "SupportedResponseMIMETypes": ["text/csv"],
                },
            )["ModelPackageArn"]
        )

    def verdicts(self, model: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("verdicts", model=model)["verdicts"]
        return found

    def verdict(self, model: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = self.deployed.eventually(lambda: self.verdicts(model))
        return found[0]


@pytest.fixture(scope="module")
def gates(deployed: Any) -> Gates:
    return Gates(deployed)


@pytest.mark.parametrize(("counts", "outcome"), [(GOOD, "passed"), (BAD, "failed"), (FEW, "inconclusive")])
def test_a_registered_package_is_judged_by_its_own_report(gates: Gates, counts: dict[str, Any], outcome: str) -> None:
    package = gates.register(counts)

    verdict = gates.verdict(package)

    assert verdict["outcome"] == outcome, verdict["summary"]
    assert verdict["package"] == package
    criteria = {each["name"]: each for each in verdict["criteria"]}
    assert criteria["accurate"]["cases"] == counts["cases"]
    assert criteria["accurate"]["low"] < counts["successes"] / counts["cases"] <= criteria["accurate"]["high"]
    if outcome == "inconclusive":
        assert criteria["accurate"]["more_cases"] > 0
    assert verdict["evidence"] == [f"s3://{gates.bucket}/{package.split('/')[-2]}/evaluation.json"]


def test_a_verdict_is_in_lineage_behind_the_package_that_it_judged(gates: Gates, deployed: Any) -> None:
    package = gates.register(GOOD)
    verdict = gates.verdict(package)

    def recorded() -> dict[str, Any] | None:
        shown: dict[str, Any] = deployed.ask("show", node=verdict["id"])
        return shown if shown["answer"] == "show" else None

    shown = deployed.eventually(recorded)
    assert shown["node"]["kind"] == "verdict"
    assert shown["node"]["status"] == "Passed"
    assert shown["attributes"]["gate"] == "judged-packages"
    assert [edge["source"] for edge in shown["upstream"]] == [package.lower()]


def test_a_repeated_event_gives_one_verdict(gates: Gates, deployed: Any) -> None:
    package = gates.register(GOOD)
    first = gates.verdict(package)
    detail = {
        "ModelPackageArn": package,
        "ModelPackageGroupName": package.split("/")[-2],
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": "PendingManualApproval",
    }
    queue = deployed.outputs["GateRequestQueueUrl"]
    event = {"detail-type": "SageMaker Model Package State Change", "source": "aws.sagemaker", "detail": detail}
    sqs = deployed.client("sqs")
    for _ in range(3):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event))
    # A later request is handled after the repeats.
    asked = gates.ask("check", model=package, gate="judged-packages", request_id=uuid.uuid4().hex)
    deployed.eventually(lambda: gates.ask("request", request=asked["request"]).get("verdict"))

    ids = [each["id"] for each in gates.verdicts(package)]
    assert ids.count(first["id"]) == 1
    assert len(ids) == 2


def test_a_change_of_something_else_asks_no_gate(gates: Gates, deployed: Any) -> None:
    package = gates.register(GOOD)
    gates.verdict(package)
    deployed.client("sagemaker").update_model_package(
        ModelPackageArn=package, CustomerMetadataProperties={"reviewed": "yes"}
    )
    asked = gates.ask("check", model=package, gate="judged-packages", request_id=uuid.uuid4().hex)
    deployed.eventually(lambda: gates.ask("request", request=asked["request"]).get("verdict"))

    assert len(gates.verdicts(package)) == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("no json", "send JSON"),
        (json.dumps({"detail-type": "QualityGateRequested", "detail": {"gate": "none", "model": "m"}}), "name one of"),
        (
            json.dumps({"detail-type": "SageMaker Model Package State Change", "detail": {"ModelPackageStatus": "x"}}),
            "detail.ModelPackageArn",
        ),
    ],
)
def test_a_request_that_can_never_be_judged_is_kept_with_its_reason(
    gates: Gates, deployed: Any, body: str, reason: str
) -> None:
    deployed.dead_letters("Gates")
    deployed.client("sqs").send_message(QueueUrl=deployed.outputs["GateRequestQueueUrl"], MessageBody=body)

    letters = deployed.eventually(lambda: deployed.dead_letters("Gates"))

    assert reason in letters[0]["MessageAttributes"]["ErrorMessage"]["StringValue"]
    assert letters[0]["MessageAttributes"]["Function"]["StringValue"] == "request_quality_gate"


def test_evidence_that_is_missing_is_asked_for_and_waited_for(
    gates: Gates, deployed: Any, evaluations: Evaluations
) -> None:
    asked = gates.ask("check", model=VADER, stage="judged", request_id=uuid.uuid4().hex, by="a test")
    assert asked["gate"] == "judged-models"

    verdict = deployed.eventually(lambda: gates.ask("request", request=asked["request"]).get("verdict"), seconds=120)

    assert verdict["outcome"] == "passed", verdict["summary"]
    assert len(verdict["evaluations"]) == 1
    assert {each["name"] for each in verdict["criteria"]} == {"answers", "right"}


class Pipelines:
    """Pipelines with a callback step that asks a gate."""

    def __init__(self, deployed: Any) -> None:
        self._deployed = deployed
        self._sagemaker = deployed.client("sagemaker")
        iam, name = deployed.client("iam"), f"gated-{uuid.uuid4().hex[:8]}"
        principals = {"Service": "sagemaker.amazonaws.com", "AWS": deployed.cloud.account}
        trust = {"Effect": "Allow", "Principal": principals, "Action": "sts:AssumeRole"}
        self.role = iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        )["Role"]["Arn"]
        # What docs/gates.md asks of a pipeline's role.
        allowed = [
            {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"},
            {"Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*"},
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        iam.put_role_policy(RoleName=name, PolicyName="ask", PolicyDocument=document)

    def start(self, gate: str, model: str) -> str:
        """Start a pipeline whose only step asks a gate."""
        name = f"gated-{uuid.uuid4().hex[:8]}"
        names = ("verdict", "outcome", "summary")
        step = {
            "Name": "Ask",
            "Type": "Callback",
            "SqsQueueUrl": self._deployed.outputs["GateRequestQueueUrl"],
            "Arguments": {"gate": gate, "model": model},
            "OutputParameters": [{"OutputName": each, "OutputType": "String"} for each in names],
        }
        definition = json.dumps({"Version": "2020-12-01", "Steps": [step]})
        self._sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=definition, RoleArn=self.role)
        return str(self._sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"])

    def step(self, execution: str) -> dict[str, Any]:
        steps = self._sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution)["PipelineExecutionSteps"]
        return dict(steps[0]) if steps else {"StepStatus": "Starting"}

    def ended(self, execution: str) -> str:
        """Return how an execution ended, once it has."""

        def status() -> str | None:
            found = self._sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)
            said = str(found["PipelineExecutionStatus"])
            return said if said in {"Succeeded", "Failed", "Stopped"} else None

        return str(self._deployed.eventually(status))

    def stop(self, execution: str) -> None:
        self._sagemaker.stop_pipeline_execution(PipelineExecutionArn=execution)


@pytest.fixture(scope="module")
def pipelines(deployed: Any) -> Pipelines:
    return Pipelines(deployed)


@pytest.mark.parametrize(("counts", "ends"), [(GOOD, "Succeeded"), (BAD, "Failed")])
def test_a_callback_step_of_a_pipeline_ends_as_its_gate_says(
    gates: Gates, pipelines: Pipelines, counts: dict[str, Any], ends: str
) -> None:
    execution = pipelines.start("judged-packages", gates.register(counts))

    assert pipelines.ended(execution) == ends
    step = pipelines.step(execution)
    if ends == "Failed":
        assert "fair" in step["FailureReason"]
        return
    outputs = {each["Name"]: each["Value"] for each in step["Metadata"]["Callback"]["OutputParameters"]}
    assert outputs["outcome"] == "passed"
    assert gates.ask("verdict", verdict=outputs["verdict"])["verdict"]["request"]["trigger"] == "pipeline"


def test_a_pipeline_that_is_stopped_while_its_gate_waits_for_evidence_stops(
    deployed: Any, pipelines: Pipelines
) -> None:
    execution = pipelines.start("awaiting-evidence", "e2e-model-that-nobody-evaluates")
    deployed.eventually(lambda: pipelines.step(execution)["StepStatus"] == "Executing")

    pipelines.stop(execution)

    assert pipelines.ended(execution) == "Stopped"
    assert pipelines.step(execution)["StepStatus"] == "Stopped"


def test_the_command_line_tells_a_ci_job_by_its_exit_code(gates: Gates, deployed: Any, tmp_path: Path) -> None:
    codes = {}
    environment = {**deployed.cloud.child_environment(), "PATH": os.environ["PATH"], "COLUMNS": "200"}
    for counts, name in ((GOOD, "good"), (BAD, "bad"), (FEW, "few")):
        model = gates.register(counts)
        command = [str(Path(sys.executable).parent / "hallmark"), "gate", "check", model, "--stage", "judged", "--wait"]
        files = ["--junit", str(tmp_path / f"{name}.xml"), "--markdown", str(tmp_path / f"{name}.md")]
        done = subprocess.run(
            [*command, *files], env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        codes[name] = done.returncode
        assert "accurate" in done.stdout, done.stderr
    assert codes == {"good": 0, "bad": 1, "few": 2}
    assert 'failures="2"' in (tmp_path / "bad.xml").read_text()
    assert "| ❔ | accurate (accuracy) | 1 |" in (tmp_path / "few.md").read_text()
    unknown = subprocess.run(
        [str(Path(sys.executable).parent / "hallmark"), "gate", "check", "arn:aws:x", "--gate", "none", "--wait"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert unknown.returncode == 3
    assert "name one of" in unknown.stderr
