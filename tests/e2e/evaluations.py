"""What the tests do with evaluations of the deployed app."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from typing import Any

from local.bedrock.faults import Fault
from local.evaluation_datasets import data_bucket
from tests.patience import PATIENCE_SECONDS

ENDED = frozenset({"completed", "failed", "stopped"})


class Evaluations:
    """What the tests do with evaluations: start runs, wait for them, read what they found and what was published."""

    def __init__(self, deployed: Any) -> None:
        self.deployed = deployed
        self.bucket = data_bucket(deployed.cloud)
        self.faults = deployed.cloud.bedrock().faults
        self._events: list[dict[str, Any]] = []
        self._queue = self._listen()

    def put(self, key: str, content: str) -> str:
        self.deployed.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content.encode())
        return f"s3://{self.bucket}/{key}"

    def be_quick(self) -> None:
        """Let all models answer at once again; what was counted stays."""
        for model in self.faults.all_faults():
            self.faults.set(model, Fault())

    def start(self, suite: str, **more: Any) -> str:
        return str(self.deployed.ask_evaluations("start", suite=suite, by="tests", **more)["run"])

    def execute(self, suite: str, name: str) -> str:
        """Start a run as the schedule does."""
        given = {"suite": suite, "trigger": {"kind": "schedule"}}
        return str(
            self.deployed.client("stepfunctions").start_execution(
                stateMachineArn=self.deployed.outputs["EvaluationWorkflowArn"], name=name, input=json.dumps(given)
            )["executionArn"]
        )

    def runs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.deployed.ask_evaluations("runs", limit=100)["runs"]
        return found

    def find(self, name: str) -> dict[str, Any] | None:
        return next((run for run in self.runs() if run["run"] == name), None)

    def ended(
        self, name: str, *, seconds: float = 2 * PATIENCE_SECONDS, how: Collection[str] = ENDED
    ) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            run = self.find(name)
            return run if run is not None and run["status"] in how else None

        try:
            run: dict[str, Any] = self.deployed.eventually(look, seconds=2 * PATIENCE_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{name} does not end: {self.find(name)}; {self._history(name)}") from error
        return run

    def completed(self, name: str) -> dict[str, Any]:
        # A run that was stopped and redriven is listed as stopped until the redrive is heard of.
        run = self.ended(name, how=ENDED - {"stopped"})
        assert run["status"] == "completed", f"{run['reason']}; {self._history(name)}"
        return run

    def report(self, name: str, form: str = "json") -> Any:
        text = self.deployed.ask_evaluations("report", run=name, form=form)["report"]
        return json.loads(text) if form == "json" else text

    def event(self, name: str) -> dict[str, Any]:
        """Return what was published of a run's end."""

        def heard() -> dict[str, Any] | None:
            sqs = self.deployed.client("sqs")
            for message in sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", []):
                self._events.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
            return next((event for event in self._events if event["detail"]["run"] == name), None)

        event: dict[str, Any] = self.deployed.eventually(heard)
        return event

    def _listen(self) -> str:
        sqs, bus = self.deployed.client("sqs"), self.deployed.outputs["EventBusName"]
        queue = str(sqs.create_queue(QueueName=f"evaluations-{uuid.uuid4().hex[:8]}")["QueueUrl"])
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
        pattern = json.dumps({"source": ["hallmark"], "detail-type": ["EvaluationCompleted", "EvaluationFailed"]})
        events = self.deployed.client("events")
        events.put_rule(Name="evaluations", EventBusName=bus, EventPattern=pattern)
        events.put_targets(Rule="evaluations", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
        return queue

    def _history(self, name: str) -> str:
        """Return the end of what the workflow did, for whoever reads a failure."""
        machine = self.deployed.outputs["EvaluationWorkflowArn"]
        execution = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
        events = self.deployed.client("stepfunctions").get_execution_history(
            executionArn=execution, reverseOrder=True, maxResults=5
        )["events"]
        return json.dumps(events, default=str)[:4000]
