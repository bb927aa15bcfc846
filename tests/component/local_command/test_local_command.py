"""``python -m local`` as a person runs it: processes of its own, in a checkout of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from local import __main__ as command_line
from tests.component.local_cloud.conftest import archive
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[3]
SLOW = """
    import os, time

    def handler(event, context):
        time.sleep(event)
        return os.getpid()
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "cdk.json").write_text('{"app": "python app.py"}')
    return tmp_path


@pytest.fixture
def run(checkout: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}

    def command(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "local", *arguments],
            cwd=checkout,
            env=variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
            **more,
        )

    yield command
    if (checkout / ".local").exists():
        command("down")


def start_in_foreground(checkout: Path) -> tuple[subprocess.Popen[str], dict[str, str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "local", "up", "--port", "0"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    exports = {}
    while "AWS_DISABLE_HOST_PREFIX_INJECTION" not in exports:
        name, _, value = process.stdout.readline().removeprefix("export ").strip().partition("=")
        exports[name] = value
    return process, exports


def client(service: str, exports: dict[str, str]) -> Any:
    return boto3.session.Session().client(  # type: ignore[call-overload] # the name is a variable
        service,
        endpoint_url=exports["AWS_ENDPOINT_URL"],
        region_name=exports["AWS_REGION"],
        aws_access_key_id=exports["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=exports["AWS_SECRET_ACCESS_KEY"],
    )


def start_worker(exports: dict[str, str]) -> int:
    """Create a function, invoke it, and return its worker's process id."""
    lambda_ = client("lambda", exports)
    iam = client("iam", exports)
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    lambda_.create_function(
        FunctionName="worker",
        Runtime="python3.13",
        Handler="handler.handler",
        Role=role,
        Code={"ZipFile": archive({"handler.py": SLOW})},
        Timeout=60,
    )
    lambda_.get_waiter("function_active_v2").wait(FunctionName="worker", WaiterConfig={"Delay": 1})
    process: int = json.loads(lambda_.invoke(FunctionName="worker", Payload="0")["Payload"].read())
    lambda_.invoke(FunctionName="worker", InvocationType="Event", Payload="60")
    return process


def start_job(exports: dict[str, str]) -> int:
    """Start a training job whose container sleeps, and return the container's process id."""
    client("s3", exports).create_bucket(Bucket="jobs-bucket")
    duration = f"600.{time.time_ns() % 10**9:09d}"
    client("sagemaker", exports).create_training_job(
        TrainingJobName="sleeper",
        AlgorithmSpecification={
            "TrainingImage": "111122223333.dkr.ecr.us-east-1.amazonaws.com/sleeper:1",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["sleep", duration],
        },
        RoleArn="arn:aws:iam::111122223333:role/worker",
        OutputDataConfig={"S3OutputPath": "s3://jobs-bucket/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 120},
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            if command.parent.exists() and command.read_bytes() == f"sleep\0{duration}\0".encode():
                return int(command.parent.name)
        time.sleep(0.05)
    raise AssertionError("the job's container did not start")


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(process: int, timeout_seconds: float = PATIENCE_SECONDS) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while is_running(process) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_running(process)


def test_up_emit_status_reset_and_down(run: Any, checkout: Path) -> None:
    up = run("up", "--detach", "--port", "0")
    assert up.returncode == 0, up.stderr
    exports = dict(line.removeprefix("export ").split("=", 1) for line in up.stdout.splitlines())
    event = {"source": "aws.sagemaker", "detail-type": "x", "detail": {}}

    status = json.loads(run("status", "--json").stdout)
    emitted = run("emit", "-", input=json.dumps(event) + "\n" + json.dumps(event))
    client("sqs", exports).create_queue(QueueName="kept-until-reset")
    reset = run("reset")
    queues = client("sqs", exports).list_queues().get("QueueUrls", [])
    down = run("down")

    assert status["endpoint"] == exports["AWS_ENDPOINT_URL"]
    assert (status["account"], status["stacks"]) == ("111122223333", {})
    assert {"s3", "sagemaker"} <= set(status["services"])
    assert emitted.stdout == "published 2 events\n"
    assert (reset.returncode, queues) == (0, [])
    assert down.stdout == "stopped\n"
    assert not is_running(status["pid"])
    assert run("status").returncode == 1


def test_what_is_no_event_is_refused_with_its_file_and_nothing_is_published(run: Any, checkout: Path) -> None:
    (checkout / "good.json").write_text('{"source": "a", "detail-type": "b", "detail": {}}')
    (checkout / "bad.json").write_text('{"source": "a"}')

    refused = run("emit", "good.json", "bad.json")

    assert refused.returncode == 1
    assert refused.stderr.startswith("bad.json has no 'detail-type'")


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_neither_worker_nor_job_outlives_the_cloud(checkout: Path, told: signal.Signals) -> None:
    process, exports = start_in_foreground(checkout)
    worker = start_worker(exports)
    job = start_job(exports)

    process.send_signal(told)
    code = process.wait(15)

    assert code == (0 if told is not signal.SIGKILL else -signal.SIGKILL)
    assert wait_until_gone(worker)
    assert wait_until_gone(job)


def test_a_taken_port_is_named_with_who_has_it(run: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        refused = run("up", "--port", str(port))

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"port {port} is in use by process {os.getpid()} (")
    assert "--port 0" in refused.stderr


def test_a_second_cloud_in_the_same_checkout_is_refused(run: Any) -> None:
    run("up", "--detach", "--port", "0")

    refused = run("up", "--detach", "--port", "0")

    assert refused.returncode == 1
    assert "runs already at http://127.0.0.1:" in refused.stderr


def test_an_account_that_cannot_be_is_refused(run: Any) -> None:
    refused = run("up", "--account", "12")

    assert refused.returncode == 1
    assert refused.stderr.startswith("--account '12'")


@pytest.mark.parametrize("command", ["deploy", "reset", "status", "env"])
def test_without_a_cloud_the_message_says_how_to_start_one(run: Any, command: str) -> None:
    refused = run(command)

    assert refused.returncode == 1
    assert "python -m local up" in refused.stderr


def test_every_command_explains_itself(run: Any) -> None:
    overview = run("--help").stdout

    for command in ("up", "deploy", "emit", "reset", "down", "status", "env"):
        assert command in overview
        assert len(CliRunner().invoke(command_line.app, [command, "--help"]).stdout) > 100


def test_the_app_of_the_checkout_is_deployed_and_its_failures_are_explained(run: Any, checkout: Path) -> None:
    for name in ("package.json", "node_modules"):
        (checkout / name).symlink_to(ROOT / name)
    app = """
import aws_cdk as cdk
from aws_cdk import aws_events as events, aws_events_targets as targets, aws_sqs as sqs
app = cdk.App()
stack = cdk.Stack(app, "Small")
queue = sqs.Queue(stack, "Queue", enforce_ssl=True)
events.Rule(stack, "Rule", event_pattern=events.EventPattern(source=["aws.sagemaker"]),
            targets=[targets.SqsQueue(queue)])
cdk.CfnOutput(stack, "QueueUrl", value=queue.queue_url)
BREAK
app.synth()
"""
    broken = 'cdk.CfnResource(stack, "Odd", type="AWS::No::Such", properties={})'
    (checkout / "app.py").write_text(app.replace("BREAK", ""))
    up = run("up", "--detach", "--port", "0")
    exports = dict(line.removeprefix("export ").split("=", 1) for line in up.stdout.splitlines())

    deployed = run("deploy", "--json")
    url = json.loads(deployed.stdout)["outputs"]["Small"]["QueueUrl"]
    (checkout / "event.json").write_text('{"source": "aws.sagemaker", "detail-type": "x", "detail": {"n": 1}}')
    run("emit", "event.json")
    messages = client("sqs", exports).receive_message(QueueUrl=url, WaitTimeSeconds=2)["Messages"]
    (checkout / "app.py").write_text(app.replace("BREAK", broken))
    failed = run("deploy", "--quiet")

    assert json.loads(messages[0]["Body"])["detail"] == {"n": 1}
    assert failed.returncode == 1
    assert "AWS::No::Such" in failed.stderr
