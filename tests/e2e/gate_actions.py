"""What the tests do with what follows verdicts in the deployed app."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from hallmark.aws.gate_table import DynamoVerdicts
from hallmark.aws.model_registry import ModelRegistry
from hallmark.events.gates import JudgedContent, JudgedCriterion, Outcome
from hallmark.events.records import own_id
from hallmark.gates.content import policy_digest
from hallmark.gates.requests import GateRequest
from hallmark.gates.settings import GatesPolicy
from hallmark.gates.verdicts import Verdict, decided_event

_POLICY = Path(__file__).parent / "policies" / "gate_actions.yaml"
_GATES = GatesPolicy.model_validate(yaml.safe_load(_POLICY.read_text(encoding="utf-8"))["gates"])
_TOLD = ["ApprovalRequested", "ApprovalDecided", "ApprovalExpired", "GateOverridden", "ModelPromoted", "ModelRejected"]
_TOLD += ["EndpointRolledBack", "RollbackFailed", "TrainingHalted", "PromotionRefused", "AttestationSigned"]


class GateActions:
    """Tells verdicts, hears what is published, and makes models, endpoints and people."""

    def __init__(self, deployed: Any) -> None:
        self.deployed = deployed
        self.sagemaker = deployed.client("sagemaker")
        self._heard: list[dict[str, Any]] = []
        self._queue = self._listen()
        self.bucket = f"moves-{uuid.uuid4().hex[:8]}"
        deployed.client("s3").create_bucket(Bucket=self.bucket)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            tar.addfile(tarfile.TarInfo("model.txt"), io.BytesIO())
        deployed.client("s3").put_object(Bucket=self.bucket, Key="model.tar.gz", Body=archive.getvalue())
        self.role = self._job_role()

    # --- verdicts -----------------------------------------------------------------------------------------------------

    def tell(
        self, gate: str, stage: str, model: str, outcome: Outcome, *, forged: bool = False, of_other_bytes: bool = False
    ) -> str:
        """Keep and publish a verdict, as the function does that judges; return its id.

        Args:
            gate: Name of the gate.
            stage: Its stage.
            model: ARN.
            outcome: What the gate says.
            forged: Publish it only.
            of_other_bytes: The package is not what it was when the gate judged it.
        """
        request = GateRequest(gate=gate, model=model, request_id=uuid.uuid4().hex, trigger="manual")
        criterion = JudgedCriterion(
            name="accurate",
            kind="absolute",
            outcome="failed" if outcome == "failed" else "passed",
            why="0.61 is less than 0.8",
        )
        verdict = Verdict(
            id=own_id("verdict", request.digest),
            request=request,
            stage=stage,
            outcome=outcome,
            model_name=model.rpartition(":")[2],
            package=model if ":model-package/" in model else "",
            endpoint=model if ":endpoint/" in model else "",
            criteria=(criterion,),
            action="none",
            decided_at=datetime.now(UTC),
            owners=("ml-platform",),
            summary=f"gate {gate} {outcome}",
            judged=JudgedContent(
                model_digest="0" * 64 if of_other_bytes else self._digest(model),
                policy_digest=policy_digest(_GATES.gates[gate]),
            ),
        )
        if not forged:
            table = self.deployed.outputs["GateTableName"]
            DynamoVerdicts(table, self.deployed.client("dynamodb")).add(verdict)
        told = decided_event(verdict)
        self.repeat(told.to_entry(self.deployed.outputs["EventBusName"], verdict.detail_type))
        return verdict.id

    def _digest(self, model: str) -> str:
        state = ModelRegistry(self.sagemaker).find(model) if ":model-package/" in model else None
        return state.fingerprint if state is not None else ""

    def repeat(self, entry: dict[str, Any]) -> None:
        """Publish an event, as often as it may be delivered: twice."""
        for _ in range(2):
            self.deployed.client("events").put_events(Entries=[entry])

    def heard(self, detail_type: str, **wanted: Any) -> dict[str, Any]:
        """Return the detail of the event of this type with these fields, once it is published."""

        def look() -> dict[str, Any] | None:
            self._receive()
            return next(
                (
                    event["detail"]
                    for event in self._heard
                    if event["detail-type"] == detail_type
                    and all(event["detail"].get(name) == value for name, value in wanted.items())
                ),
                None,
            )

        try:
            detail: dict[str, Any] = self.deployed.eventually(look)
        except AssertionError as error:
            raise AssertionError(f"{detail_type} {wanted} was not heard: {error}; {self._history()}") from error
        return detail

    def all_heard(self, detail_type: str, **wanted: Any) -> list[dict[str, Any]]:
        """Return what was published so far."""
        self._receive()
        return [
            event["detail"]
            for event in self._heard
            if event["detail-type"] == detail_type
            and all(event["detail"].get(name) == value for name, value in wanted.items())
        ]

    # --- models and endpoints -----------------------------------------------------------------------------------------

    def package(self, group: str) -> str:
        """Register a model and return its ARN."""
        if not any(
            each["ModelPackageGroupName"] == group
            for each in self.sagemaker.list_model_package_groups(MaxResults=100)["ModelPackageGroupSummaryList"]
        ):
            self.sagemaker.create_model_package_group(ModelPackageGroupName=group)
        arn = str(
            self.sagemaker.create_model_package(
                ModelPackageGroupName=group,
                InferenceSpecification={
                    "Containers": [{"Image": self.image, "ModelDataUrl": f"s3://{self.bucket}/model.tar.gz"}],
                    "SupportedContentTypes": ["text/csv"],
                    "SupportedResponseMIMETypes": ["text/csv"],
                },
            )["ModelPackageArn"]
        )
        self.deployed.eventually(lambda: self.describe(arn)["ModelPackageStatus"] == "Completed")
        return arn

    @property
    def image(self) -> str:
        cloud = self.deployed.cloud
        return f"{cloud.account}.dkr.ecr.{cloud.region}.amazonaws.com/moves:1"

    def describe(self, package: str) -> dict[str, Any]:
        described: dict[str, Any] = self.sagemaker.describe_model_package(ModelPackageName=package)
        return described

    def config(self, name: str) -> str:
        """Make an endpoint configuration with a model of its own."""
        self.sagemaker.create_model(
            ModelName=f"{name}-model",
            ExecutionRoleArn=self.role,
            PrimaryContainer={"Image": self.image, "ModelDataUrl": f"s3://{self.bucket}/model.tar.gz"},
        )
        variant = {"VariantName": "all", "ModelName": f"{name}-model", "InstanceType": "ml.t2.medium"}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
        )
        return name

    def serve(self, endpoint: str, config: str) -> str:
        """Put an endpoint into service with a configuration; return its ARN once lineage knows."""
        call = self.sagemaker.update_endpoint if self._exists(endpoint) else self.sagemaker.create_endpoint
        arn = str(call(EndpointName=endpoint, EndpointConfigName=config)["EndpointArn"])
        self.deployed.eventually(lambda: self.serves(endpoint) == (config, "InService"))

        def known() -> bool:
            answer = self.deployed.ask("trace", node=arn, direction="up", depth=1)
            return answer["answer"] == "trace" and any(config.lower() in node["key"] for node in answer["nodes"])

        self.deployed.eventually(known)
        return arn

    def serves(self, endpoint: str) -> tuple[str, str]:
        described = self.sagemaker.describe_endpoint(EndpointName=endpoint)
        return described["EndpointConfigName"], described["EndpointStatus"]

    def _exists(self, endpoint: str) -> bool:
        listed = self.sagemaker.list_endpoints(NameContains=endpoint)["Endpoints"]
        return any(each["EndpointName"] == endpoint for each in listed)

    # --- training -----------------------------------------------------------------------------------------------------

    def train(self, name: str, script: str) -> str:
        """Start a training job that runs a Python script."""
        answer = self.sagemaker.create_training_job(
            TrainingJobName=name,
            AlgorithmSpecification={
                "TrainingImage": self.image,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["python", "-c", "import os; exec(os.environ['SCRIPT'])"],
                "MetricDefinitions": [
                    {"Name": "train:loss", "Regex": "loss=([0-9.e+-]+)"},
                    {"Name": "train:step", "Regex": "step=([0-9]+)"},
                ],
            },
            Environment={"SCRIPT": script},
            RoleArn=self.role,
            OutputDataConfig={"S3OutputPath": f"s3://{self.bucket}/out"},
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            StoppingCondition={"MaxRuntimeInSeconds": 300},
        )
        return str(answer["TrainingJobArn"])

    def training_status(self, name: str) -> str:
        return str(self.sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"])

    # --- people -------------------------------------------------------------------------------------------------------

    def person(self, name: str) -> dict[str, str]:
        """Make a user who may ask the function that decides, and find it; return their environment."""
        iam = self.deployed.client("iam")
        iam.create_user(UserName=name)
        statement = [
            {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"},
            {"Effect": "Allow", "Action": "cloudformation:DescribeStacks", "Resource": "*"},
            {"Effect": "Allow", "Action": "sagemaker:CreateModelPackage", "Resource": "*"},
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        iam.put_user_policy(UserName=name, PolicyName="decide", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {
            **self.deployed.cloud.child_environment(),
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }

    def command(self, person: dict[str, str], *arguments: str, group: str = "gate") -> subprocess.CompletedProcess[str]:
        """Run commands of ``hallmark gate``, or of another group, as a person."""
        environment = {**person, "PATH": os.environ["PATH"], "COLUMNS": "250", "NO_COLOR": "1"}
        return subprocess.run(
            [str(Path(sys.executable).parent / "hallmark"), group, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def _job_role(self) -> str:
        iam, name = self.deployed.client("iam"), f"moves-{uuid.uuid4().hex[:8]}"
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com", "AWS": self.deployed.cloud.account},
            "Action": "sts:AssumeRole",
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"])
        access = {"Effect": "Allow", "Action": "s3:*", "Resource": ["*"]}
        iam.put_role_policy(
            RoleName=name,
            PolicyName="data",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [access]}),
        )
        return arn

    def _history(self) -> str:
        """Return how the latest executions ended, for whoever reads a failure."""
        workflows, found = self.deployed.client("stepfunctions"), []
        for machine in workflows.list_state_machines()["stateMachines"]:
            if not any(word in machine["name"] for word in ("Promote", "RollBack", "Watch")):
                continue
            executions = workflows.list_executions(stateMachineArn=machine["stateMachineArn"], maxResults=2)[
                "executions"
            ]
            for execution in executions:
                described = workflows.describe_execution(executionArn=execution["executionArn"])
                found.append({name: described.get(name) for name in ("name", "status", "output", "error", "cause")})
        return json.dumps(found, default=str)[:6000]

    def _receive(self) -> None:
        sqs = self.deployed.client("sqs")
        for message in sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", []):
            self._heard.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])

    def _listen(self) -> str:
        sqs, bus, name = (
            self.deployed.client("sqs"),
            self.deployed.outputs["EventBusName"],
            f"moves-{uuid.uuid4().hex[:8]}",
        )
        queue = str(sqs.create_queue(QueueName=name)["QueueUrl"])
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
        events = self.deployed.client("events")
        pattern = json.dumps({"source": ["hallmark"], "detail-type": _TOLD})
        events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
        events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
        return queue
