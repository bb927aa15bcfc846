"""Makes and runs state machines on the local cloud, for tests."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.config import Config

from local.ministack_access import root_session
from tests.component.local_cloud.conftest import Workbench
from tests.patience import PATIENCE_SECONDS

TRUST_STATES = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["states.amazonaws.com", "scheduler.amazonaws.com", "lambda.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}


@dataclass(frozen=True)
class Ended:
    """An execution that ended; ``output`` is parsed."""

    arn: str
    status: str
    output: Any
    error: str | None
    cause: str | None


class StateMachines:
    """Makes state machines whose role may do everything, unless a test says what it may do."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        cloud = workbench.cloud
        self.client = cloud.client("stepfunctions")
        self.s3 = cloud.client("s3")
        self.iam = cloud.client("iam")
        self.everything = self.role(("*", "*"))
        self.bucket = workbench.name("bucket")
        self.s3.create_bucket(Bucket=self.bucket)

    def role(self, *statements: tuple[str | list[str], str | list[str]]) -> str:
        name = self.workbench.name("states-role")
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST_STATES))["Role"]["Arn"]
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in statements],
        }
        if statements:
            self.iam.put_role_policy(RoleName=name, PolicyName="permissions", PolicyDocument=json.dumps(document))
        return str(arn)

    def put_lines(self, rows: list[Any]) -> str:
        """Write rows as JSON lines and return the key."""
        key = f"{self.workbench.name('rows')}.jsonl"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body="\n".join(map(json.dumps, rows)).encode())
        return key

    def read_json(self, key: str) -> Any:
        return json.loads(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def create(self, definition: Mapping[str, Any], role: str | None = None, kind: str = "STANDARD") -> str:
        whole = {"QueryLanguage": "JSONata", "StartAt": next(iter(definition["States"])), **definition}
        return str(
            self.client.create_state_machine(
                name=self.workbench.name("machine"),
                definition=json.dumps(whole),
                roleArn=role or self.everything,
                type=kind,
            )["stateMachineArn"]
        )

    def start(self, machine: str, given: Any = None) -> str:
        answer = self.client.start_execution(stateMachineArn=machine, input=json.dumps({} if given is None else given))
        return str(answer["executionArn"])

    def run(self, definition: Mapping[str, Any], given: Any = None, role: str | None = None) -> Ended:
        return self.ended(self.start(self.create(definition, role), given))

    def run_state(self, state: Mapping[str, Any], given: Any = None, role: str | None = None) -> Ended:
        """Run one state alone; a catcher of it that goes to ``Caught`` passes its input on."""
        states: dict[str, Any] = {"Only": {"End": True, **state}}
        if "Catch" in state:
            states["Caught"] = {"Type": "Succeed"}
        return self.run({"States": states}, given, role)

    def describe(self, arn: str) -> dict[str, Any]:
        return dict(self.client.describe_execution(executionArn=arn))

    def ended(self, arn: str, timeout_seconds: float = PATIENCE_SECONDS) -> Ended:
        deadline = time.monotonic() + timeout_seconds
        while (described := self.describe(arn))["status"] == "RUNNING":
            assert time.monotonic() < deadline, f"{arn} still runs"
            time.sleep(0.02)
        output = json.loads(described["output"]) if "output" in described else None
        return Ended(arn, described["status"], output, described.get("error"), described.get("cause"))

    def history(self, arn: str) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]

    def sync_client(self) -> Any:
        """Return a client without the prefix ``sync-`` of the host."""
        cloud = self.workbench.cloud
        session = root_session(cloud.account, cloud.region)
        config = Config(inject_host_prefix=False)
        return session.client("stepfunctions", endpoint_url=cloud.endpoint, config=config)


def distributed(states: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a Map state in distributed mode."""
    kind = fields.pop("execution_type", "STANDARD")
    return {
        "Type": "Map",
        "Label": "Rows",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind},
            "StartAt": next(iter(states)),
            "States": dict(states),
        },
        **fields,
    }


def task(function: str, payload: Any, **fields: Any) -> dict[str, Any]:
    """Return a task that calls a function."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": payload},
        **fields,
    }
