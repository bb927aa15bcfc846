"""The app in the local cloud, by the pinned CDK command-line tool, as it would be deployed to AWS."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import boto3

_BOOTSTRAP_STACK = "CDKToolkit"
_QUIET = ("--no-notices", "--no-version-reporting", "--ci")
_KEPT_LINES = 60
_STOP_SECONDS = 5.0
_VARIABLES = {
    "CDK_DISABLE_CLI_TELEMETRY": "true",
    # It takes longer than making the templates, which `make check` judges; here CloudFormation refuses what is wrong.
    "CDK_VALIDATION": "false",
    "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    "NODE_NO_WARNINGS": "1",
}
# What tells the CDK app that it runs here: dependencies come from this environment instead of a built layer.
LOCAL_CONTEXT = {"platform": "local"}

Echo = Callable[[str], None]


class DeploymentError(RuntimeError):
    """The app is not deployed; the message says what stands in the way and what to do."""


@dataclass(frozen=True)
class CloudAddress:
    """The cloud to deploy into.

    Attributes:
        endpoint: URL of every service.
        account: Twelve digits.
        region: Region of the stacks.
        variables: Environment of the CDK's processes, with the credentials of the account's root.
    """

    endpoint: str
    account: str
    region: str
    variables: Mapping[str, str]

    def cloudformation(self) -> Any:
        """Return a CloudFormation client."""
        session = boto3.session.Session(
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
            region_name=self.region,
        )
        return session.client("cloudformation", endpoint_url=self.endpoint)


@dataclass(frozen=True)
class Deployment:
    """What was deployed.

    Attributes:
        outputs: Name of each stack to its outputs.
        seconds: How long each part took.
    """

    outputs: dict[str, dict[str, str]]
    seconds: dict[str, float]


class CdkTool:
    """The CDK command-line tool that ``package.json`` pins, in the checkout's ``node_modules``.

    Args:
        root: Folder of the checkout.
        path: The ``PATH`` to find Node.js in.

    Raises:
        DeploymentError: Node.js or the tool is missing, or of the wrong version.
    """

    def __init__(self, root: Path, path: str | None = None) -> None:
        self._root = root
        node = shutil.which("node", path=path)
        package = root / "node_modules" / "aws-cdk" / "package.json"
        if node is None:
            raise DeploymentError("Node.js is not on the PATH: the CDK needs it; install Node.js 20 or later")
        if not package.is_file():
            raise DeploymentError(f"{package.parent} is missing: run `npm ci` in {root}")
        described = json.loads(package.read_text(encoding="utf-8"))
        self._check_pin(described["version"])
        major = _node_major(node, described.get("engines", {}).get("node", ""))
        self._command = [node, str(package.parent / "bin" / "cdk")]
        self._variables = {
            **_VARIABLES,
            "JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION": major,
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": major,
        }

    def start(self, arguments: Sequence[str], directory: Path, variables: Mapping[str, str], echo: Echo) -> RunningTool:
        """Start the tool with these arguments; its lines go to ``echo``."""
        # "python" of cdk.json is the interpreter that runs this.
        path = f"{Path(sys.executable).parent}:{variables.get('PATH', '')}"
        command = [*self._command, *arguments, *_QUIET]
        return RunningTool(command, directory, {**variables, **self._variables, "PATH": path}, echo)

    def _check_pin(self, installed: str) -> None:
        manifest = self._root / "package.json"
        pinned = json.loads(manifest.read_text(encoding="utf-8"))["devDependencies"]["aws-cdk"]
        if pinned != installed:
            raise DeploymentError(
                f"node_modules holds aws-cdk {installed}, package.json pins {pinned}: run `npm ci` in {self._root}"
            )


class RunningTool:
    """One run of the tool; a context manager that ends it if it still runs."""

    def __init__(self, command: Sequence[str], directory: Path, variables: Mapping[str, str], echo: Echo) -> None:
        self.last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._echo = echo
        self._process = subprocess.Popen(
            command,
            cwd=directory,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        code = self._process.wait()
        self._reader.join(_STOP_SECONDS)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self.last_lines.append(line.rstrip())
            self._echo(line.rstrip())


def deploy(root: Path, cloud: CloudAddress, *, echo: Echo, context: Mapping[str, str] | None = None) -> Deployment:
    """Bootstrap the account if need be, and deploy every stack of the app in ``root``.

    The bootstrap runs beside the synthesis, which takes longer.

    Args:
        root: Folder of the checkout, with ``cdk.json``, ``package.json`` and ``node_modules``.
        cloud: Where to deploy.
        echo: Gets each line that the tool prints.
        context: Values for ``cdk --context``.

    Raises:
        DeploymentError: A tool is missing, the synthesis fails, or CloudFormation refuses a resource.
    """
    tool = CdkTool(root, cloud.variables.get("PATH"))
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="hallmark-deploy-") as scratch:
        assembly = Path(scratch) / "assembly"
        empty = Path(scratch) / "bootstrap"
        empty.mkdir()
        with ThreadPoolExecutor(max_workers=2) as pool:
            # In a folder without an app: the tool would synthesise it first.
            bootstrap = pool.submit(_timed, seconds, "bootstrap", lambda: _bootstrap(tool, cloud, empty, echo))
            synthesis = pool.submit(
                _timed, seconds, "synth", lambda: _synthesise(tool, root, cloud, assembly, context or {}, echo)
            )
            synthesis.result()
            bootstrap.result()
        outputs = Path(scratch) / "outputs.json"
        _timed(seconds, "deploy", lambda: _deploy(tool, root, cloud, assembly, outputs, echo))
        found = json.loads(outputs.read_text(encoding="utf-8")) if outputs.is_file() else {}
    return Deployment(outputs=found, seconds=seconds)


def _bootstrap(tool: CdkTool, cloud: CloudAddress, empty: Path, echo: Echo) -> None:
    if _BOOTSTRAP_STACK in _stack_statuses(cloud):
        return
    arguments = ["bootstrap", f"aws://{cloud.account}/{cloud.region}"]
    with tool.start(arguments, empty, cloud.variables, echo) as run:
        if run.wait() != 0:
            raise DeploymentError(_explain("`cdk bootstrap` failed", cloud, run))


def _synthesise(
    tool: CdkTool, root: Path, cloud: CloudAddress, assembly: Path, context: Mapping[str, str], echo: Echo
) -> None:
    values = [part for name, value in context.items() for part in ("--context", f"{name}={value}")]
    arguments = ["synth", "--quiet", "--output", str(assembly), "--no-path-metadata", "--no-asset-metadata", *values]
    with tool.start(arguments, root, cloud.variables, echo) as run:
        if run.wait() != 0:
            lines = "\n".join(line for line in run.last_lines if line.strip())
            raise DeploymentError(f"the app does not synthesise; `cdk synth` says:\n{lines}")


def _deploy(tool: CdkTool, root: Path, cloud: CloudAddress, assembly: Path, outputs: Path, echo: Echo) -> None:
    arguments = ["deploy", "--all", "--app", str(assembly), "--require-approval", "never", "--method", "direct"]
    arguments += ["--concurrency", "4", "--progress", "events", "--outputs-file", str(outputs)]
    with tool.start(arguments, root, cloud.variables, echo) as run:
        if run.wait() != 0:
            raise DeploymentError(_explain("`cdk deploy` failed", cloud, run))


def _explain(failure: str, cloud: CloudAddress, run: RunningTool) -> str:
    """Say which resources failed and why; where CloudFormation was not reached, what the tool said."""
    reasons = _failed_resources(cloud)
    if reasons:
        return "\n".join([f"{failure}:", *reasons])
    lines = [line for line in run.last_lines if line.strip()]
    return "\n".join([f"{failure}; the tool says:", *lines[-20:]])


def _stack_statuses(cloud: CloudAddress) -> dict[str, str]:
    pages = cloud.cloudformation().get_paginator("list_stacks").paginate()
    summaries = [summary for page in pages for summary in page["StackSummaries"]]
    return {
        summary["StackName"]: summary["StackStatus"]
        for summary in reversed(summaries)
        if summary["StackStatus"] != "DELETE_COMPLETE"
    }


def _failed_resources(cloud: CloudAddress) -> list[str]:
    """Return what failed first in each stack that is not as it should be."""
    client = cloud.cloudformation()
    reasons = []
    for stack, status in _stack_statuses(cloud).items():
        if not status.endswith("FAILED") and "ROLLBACK" not in status:
            continue
        events = client.describe_stack_events(StackName=stack)["StackEvents"]
        failed = [
            event
            for event in reversed(events)
            if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in event.get("ResourceStatusReason", "")
        ]
        reasons += [
            f"{stack}: {event['ResourceType']} {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
            for event in failed[:3]
        ]
    return reasons


def _node_major(node: str, required: str) -> str:
    """Return the major version of Node.js after checking it against what the tool's package asks for."""
    installed = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    lowest = re.search(r"\d+", required)
    major = re.match(r"v(\d+)", installed)
    if major is None or (lowest and int(major[1]) < int(lowest[0])):
        raise DeploymentError(
            f"Node.js at {node} is {installed or 'broken'}, the CDK needs {required}: install a later version"
        )
    return major[1]


def _timed(seconds: dict[str, float], part: str, run: Callable[[], None]) -> None:
    begun = time.monotonic()
    run()
    seconds[part] = round(time.monotonic() - begun, 2)
