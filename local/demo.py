"""The demonstration: ``python -m local.demo``, or ``make demo``.

Starts the local cloud, deploys the app with the real ``cdk deploy``, ships two versions of a model, and asks Hallmark
where they came from; evaluates models on real data, by a schedule, by hand, through a crash and on a budget; then lets
gates decide on two further versions, lets production drift, and tells whom it concerns; verifies the ledger of it all,
answers what an auditor asks, and writes it in the words of standards.
Nothing is prepared: every line on the screen was recorded from events while the workflows ran.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import boto3
from botocore.exceptions import ClientError
from rich.console import Console

from examples.wine_cultivars.workflow import ENDPOINT, GROUP, PREFIX, Workflow, WorkflowError
from local.bedrock.published_corpora import CorpusUnavailableError
from local.cloud import CloudStartError, LocalCloud
from local.demo_decisions import DecisionError, Decisions
from local.demo_evaluations import EvaluationError, Evaluations
from local.demo_headings import heading
from local.demo_provenance import Provenance
from local.deployment import LOCAL_CONTEXT, CdkTool, CloudAddress, DeploymentError, deploy
from local.evaluation_datasets import put_datasets
from local.port_owner import PortInUseError
from local.settings import CloudSettings, checkout_directory
from local.standards import StandardError

POLICY = "local/policy.yaml"
OUTPUT = Path("build/demo")
_RECORDED_SECONDS = 300.0
_POLL_SECONDS = 0.5
_MINIMUM_WIDTH = 80
_LAST_PORT = 65_535


class DemonstrationError(RuntimeError):
    """The demonstration cannot go on; the message says what to do."""


_OBSTACLES = (
    DemonstrationError,
    DeploymentError,
    DecisionError,
    EvaluationError,
    CloudStartError,
    WorkflowError,
    ClientError,
    FileNotFoundError,
    StandardError,
)
"""What may stand in its way, with a message for a person."""


class Demonstration:
    """One run, with a clock on each part."""

    def __init__(self, screen: Console, root: Path) -> None:
        self._screen = screen
        self._root = root
        self._seconds: dict[str, float] = {}

    def run(self, *, keep: bool) -> None:
        """Run all parts; with ``keep`` the cloud runs on until it is interrupted."""
        CdkTool(self._root)  # what is missing is said before anything has begun
        with self._part("start the local cloud"):
            cloud = LocalCloud(CloudSettings(port=wanted_port())).start()
        try:
            # The schedule begins with the deployment: the data is there by then.
            has_data = self._put_datasets(cloud)
            stacks = self._deploy(cloud)
            outputs = {name: value for stack in stacks.values() for name, value in stack.items()}
            decisions = self._ship(cloud, outputs)
            decisions.send_usual_traffic()
            self._await_record(cloud, outputs)
            self._ask(cloud)
            pages = self._evaluate(cloud, outputs) if has_data else ()
            decisions.show()
            provenance = self._prove(cloud, outputs)
            self._report(cloud, outputs, (*pages, *decisions.pages, *provenance.pages), keep=keep)
            if keep:
                self._keep(cloud)
        finally:
            # Whatever is still under way is cut off, and would say so.
            logging.disable(logging.CRITICAL)
            with self._screen.status("stopping") if self._screen.is_terminal else nullcontext():
                cloud.stop()

    def _put_datasets(self, cloud: LocalCloud) -> bool:
        """Put the data of the suites; tell whether it could be had."""
        try:
            with self._part("put tweets that people rated and newstest2017 into the bucket of the suites"):
                put_datasets(cloud)
        except CorpusUnavailableError as error:
            self._screen.print(f"{error}\nEvaluations are left out; lineage is shown.", style="yellow", markup=False)
            return False
        return True

    def _deploy(self, cloud: LocalCloud) -> dict[str, dict[str, str]]:
        address = CloudAddress(cloud.endpoint, cloud.account, cloud.region, cloud.child_environment())
        with self._part("bootstrap and deploy the CDK app (cdk deploy)"):
            deployed = deploy(self._root, address, echo=lambda _line: None, context={**LOCAL_CONTEXT, "policy": POLICY})
        return deployed.outputs

    def _ship(self, cloud: LocalCloud, outputs: dict[str, str]) -> Decisions:
        """Ship two versions; return what shows the decisions on further ones."""
        heading(self._screen, "a real workflow: scikit-learn's wine data, from raw rows to an endpoint, twice", "dim")
        variables = cloud.environment()
        # The workflow reads the endpoint from the environment, as any tool of AWS does.
        os.environ.update(variables)
        session = boto3.session.Session(
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            region_name=cloud.region,
        )
        role = make_role(cloud)
        workflow = Workflow(role, say=lambda line: self._screen.print(f"  {line}", style="dim"), session=session)
        for version, batches in ((1, 2), (2, 3)):
            with self._part(f"version {version}: prepare, tune, evaluate, register, approve, deploy"):
                workflow.ship(version, workflow.upload_raw(batches))
        return Decisions(
            cloud,
            outputs,
            workflow=workflow,
            role=role,
            screen=self._screen,
            hallmark=lambda question, *, fails=False: self._show_answer(cloud, question, fails=fails),
            part=self._part,
            folder=OUTPUT,
        )

    def _await_record(self, cloud: LocalCloud, outputs: dict[str, str]) -> None:
        with self._part("wait until the last event is recorded"):
            await_record(cloud, outputs)

    def _ask(self, cloud: LocalCloud) -> None:
        raw = raw_uri(cloud)
        questions: list[Sequence[str]] = [
            ("trace", f"endpoint:{ENDPOINT}", "--up"),
            ("show", f"endpoint:{ENDPOINT}"),
            ("diff", f"{GROUP}:1", f"{GROUP}:2"),
            ("impact", raw),
            ("who", f"{GROUP}:2"),
            ("approvals",),
            ("graph", f"endpoint:{ENDPOINT}", "--history", "-o", str(OUTPUT / "lineage.svg")),
            ("graph", f"endpoint:{ENDPOINT}", "--history", "-o", str(OUTPUT / "lineage.html")),
            ("graph", raw, "--down", "-o", str(OUTPUT / "impact.html")),
            ("coverage", "--now"),
            ("reproduce", f"{PREFIX}-prepare-v2", "--run"),
            ("dead-letters",),
        ]
        with self._part("ask", quiet=True):
            for question in questions:
                self._show_answer(cloud, question)

    def _evaluate(self, cloud: LocalCloud, outputs: dict[str, str]) -> tuple[Path, ...]:
        """Show evaluations; return the pages of their reports."""
        evaluations = Evaluations(
            cloud,
            outputs,
            screen=self._screen,
            hallmark=lambda question: self._show_answer(cloud, question),
            part=self._part,
            folder=OUTPUT,
        )
        evaluations.show()
        return evaluations.pages

    def _prove(self, cloud: LocalCloud, outputs: dict[str, str]) -> Provenance:
        provenance = Provenance(
            cloud,
            outputs,
            screen=self._screen,
            hallmark=lambda question, *, fails=False: self._show_answer(cloud, question, fails=fails),
            part=self._part,
            folder=OUTPUT,
            root=self._root,
        )
        provenance.show()
        return provenance

    def _show_answer(self, cloud: LocalCloud, question: Sequence[str], *, fails: bool = False) -> None:
        """Say what is asked, and show the answer; with ``fails``, an exit code of 1 is the answer."""
        heading(self._screen, f"hallmark {shlex.join(question)}", "cyan")
        self._hallmark(cloud, question, expected=1 if fails else 0)

    def _hallmark(self, cloud: LocalCloud, question: Sequence[str], *, expected: int = 0) -> None:
        command = [str(Path(sys.executable).parent / "hallmark"), *question]
        width = str(max(self._screen.width, _MINIMUM_WIDTH))
        variables = {**cloud.child_environment(), "COLUMNS": width}
        if self._screen.is_terminal:
            variables["FORCE_COLOR"] = "1"
        done = subprocess.run(command, cwd=self._root, env=variables, check=False)
        if done.returncode != expected:
            raise DemonstrationError(f"`hallmark {' '.join(question)}` ended with exit code {done.returncode}")

    def _report(self, cloud: LocalCloud, outputs: dict[str, str], pages: Sequence[Path], *, keep: bool) -> None:
        heading(self._screen, "timings", "cyan")
        for name, seconds in self._seconds.items():
            self._screen.print(f"  {seconds:6.1f} s  {name}")
        self._screen.print(f"  {sum(self._seconds.values()):6.1f} s  together")
        scan = cloud.client("dynamodb").get_paginator("scan")
        count = sum(page["Count"] for page in scan.paginate(TableName=outputs["LineageTableName"], Select="COUNT"))
        self._screen.print(f"\n{count} items in the lineage table. Pictures, to be opened in a browser:")
        for page in (*(OUTPUT / name for name in ("lineage.svg", "lineage.html", "impact.html")), *pages):
            self._screen.print(f"  {page}", soft_wrap=True)
        if not keep:
            self._screen.print("To ask further questions: [bold]make demo KEEP=1[/], then follow what it prints.")

    def _keep(self, cloud: LocalCloud) -> None:
        heading(self._screen, "the local cloud runs on; Ctrl-C stops it", "green")
        self._screen.print("In another terminal:\n")
        for name, value in cloud.environment().items():
            self._screen.print(f"export {name}={shlex.quote(value)}", soft_wrap=True)
        for line in (
            "source .venv/bin/activate",
            "hallmark list",
            "hallmark runs",
            "hallmark try sentiment 'I love the soup' --expected positive",
            f"hallmark trace endpoint:{ENDPOINT} --up --as-of 1m",
            f"hallmark show {GROUP}:2",
            f"hallmark path {raw_uri(cloud)} endpoint:{ENDPOINT}",
            "hallmark --help",
        ):
            self._screen.print(line, soft_wrap=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()

    @contextmanager
    def _part(self, name: str, *, quiet: bool = False) -> Iterator[None]:
        """Tell that a part is under way and how long it took; a quiet one leaves the screen to what it runs."""
        begun = time.monotonic()
        status = self._screen.status(name) if self._screen.is_terminal else _said(self._screen, name)
        with nullcontext() if quiet else status:
            yield
        self._seconds[name] = time.monotonic() - begun
        self._screen.print(f"[green]✓[/] {name}  [dim]{self._seconds[name]:.1f} s[/]")


@contextmanager
def _said(screen: Console, name: str) -> Iterator[None]:
    screen.print(f"… {name}")
    yield


def wanted_port() -> int:
    """Return the port of the variable PORT; 0, for a free one, where it is not set.

    Raises:
        DemonstrationError: It is no port.
    """
    text = os.environ.get("PORT") or "0"
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise DemonstrationError(f"PORT is {text!r}: give a TCP port from 1 to {_LAST_PORT}, or leave it out")
    return int(text)


def log_to_file(path: Path) -> None:
    """Keep what libraries and the emulator log away from the screen, in a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The emulator leaves logging alone where it is set up already.
    logging.basicConfig(
        filename=path, filemode="w", level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )


def raw_uri(cloud: LocalCloud) -> str:
    """Return where the example's raw data lies."""
    return f"s3://sagemaker-{cloud.region}-{cloud.account}/{PREFIX}/raw"


def make_role(cloud: LocalCloud) -> str:
    """Make the role that SageMaker takes for the example's jobs, and return its ARN."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    data = f"arn:aws:s3:::sagemaker-{cloud.region}-{cloud.account}"
    allowed = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"{data}/*"},
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": data},
        ],
    }
    iam = cloud.client("iam")
    role = iam.create_role(RoleName=PREFIX, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    iam.put_role_policy(RoleName=PREFIX, PolicyName="data", PolicyDocument=json.dumps(allowed))
    return str(role["Arn"])


def await_record(cloud: LocalCloud, outputs: dict[str, str], version: int = 2) -> None:
    """Wait until a version's deployment is in the graph, down to the raw data.

    Raises:
        DemonstrationError: It is not recorded in time; says what the last answers were.
    """
    deadline = time.monotonic() + _RECORDED_SECONDS
    client = cloud.client("lambda")
    question = {"ask": "path", "source": raw_uri(cloud), "target": f"endpoint-config:{PREFIX}-v{version}"}
    while True:
        answers = [
            _asked(client, outputs, question),
            _asked(client, outputs, {"ask": "show", "node": f"endpoint:{ENDPOINT}"}),
        ]
        served = [edge for edge in answers[1].get("upstream", []) if f"/{PREFIX}-v{version}" in edge["source"]]
        if answers[0].get("nodes") and served:
            return
        if time.monotonic() > deadline:
            raise DemonstrationError(
                f"the lineage of version {version} was not recorded within {_RECORDED_SECONDS:.0f} s; "
                f"{OUTPUT}/cloud.log may say why; the last answers: {json.dumps(answers)[:1000]}"
            )
        time.sleep(_POLL_SECONDS)


def _asked(client: Any, outputs: dict[str, str], question: dict[str, str]) -> dict[str, Any]:
    answer = client.invoke(FunctionName=outputs["QueryLineageFunctionName"], Payload=json.dumps(question).encode())
    payload: dict[str, Any] = json.loads(answer["Payload"].read())
    # What a busy machine does not answer in time is no failure: it is asked again.
    if "FunctionError" in answer and payload.get("errorType") != "UnavailableError":
        raise DemonstrationError(f"query_lineage failed: {payload.get('errorMessage', payload)}")
    return payload


def _interrupted(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run the demonstration; say in one line what stands in its way."""
    screen = Console(highlight=False)
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        root = checkout_directory()
        log_to_file(root / OUTPUT / "cloud.log")
        Demonstration(screen, root).run(keep=bool(os.environ.get("KEEP")))
    except KeyboardInterrupt:
        screen.print("\nstopped")
        return 130
    except PortInUseError:
        screen.print(f"port {os.environ['PORT']} is in use: choose another PORT, or leave it out to take a free one")
        return 1
    except _OBSTACLES as error:
        screen.print(str(error), style="red", markup=False)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
