"""The real CDK app, deployed by the real ``cdk deploy`` into a local cloud with IAM enforced, once for all tests."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
import yaml
from botocore.credentials import Credentials

from examples.wine_cultivars.workflow import Workflow
from hallmark.aws.caller_proof import prove_caller
from local.bedrock.published_corpora import json_lines, sentiment_cases
from local.cloud import LocalCloud
from local.demo import await_record, make_role
from local.deployment import LOCAL_CONTEXT, CloudAddress, deploy
from local.evaluation_datasets import put_datasets
from local.settings import CloudSettings
from tests.e2e.evaluations import Evaluations
from tests.e2e.permissions import Permissions, write_exercised
from tests.fakes.openlineage_server import OpenLineageServer
from tests.patience import PATIENCE_SECONDS

Found = TypeVar("Found")

ROOT = Path(__file__).parents[2]
POLL_SECONDS = 0.1
# A look costs what is waited for its share of the machine: who has waited long looks less often.
MOST_POLL_SECONDS = 0.5
EXERCISED = "EXERCISED_STATEMENTS"
"""Variable: the file to write which statements of which roles the tests stood on."""


class Deployed:
    """What the tests ask of the deployed app: its clients, its outputs, its answers."""

    def __init__(
        self, cloud: LocalCloud, outputs: dict[str, str], permissions: Permissions, told: list[dict[str, Any]]
    ) -> None:
        self.told = told
        self.cloud = cloud
        self.outputs = outputs
        self.permissions = permissions

    def client(self, service: str) -> Any:
        return self.cloud.client(service)

    def ask(self, ask: str, **question: Any) -> dict[str, Any]:
        """Ask the deployed query function of lineage, as the command line does; again where it is busy."""

        def look() -> dict[str, Any] | None:
            try:
                return self._ask("QueryLineageFunctionName", {"ask": ask, **question})
            except AssertionError as error:
                if error.args[0].get("errorType") != "UnavailableError":
                    raise
                return None

        return self.eventually(look)

    def ask_evaluations(self, ask: str, **question: Any) -> dict[str, Any]:
        """Ask the deployed query function of evaluations, likewise."""
        return self._ask("QueryEvaluationsFunctionName", {"ask": ask, **question})

    def call(self, output: str, question: dict[str, Any]) -> dict[str, Any]:
        """Ask the deployed function that an output names."""
        return self._ask(output, question)

    def call_signed(self, output: str, message: dict[str, Any]) -> dict[str, Any]:
        """Ask the deployed function that an output names in the root's name, as the command line does."""
        keys = self.cloud.environment()
        credentials = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
        proof = prove_caller(message, self.client("sts"), credentials)
        return self._ask(output, {"message": message, "proof": proof})

    def ask_monitors(self, ask: str, **question: Any) -> dict[str, Any]:
        """Ask the deployed query function of monitors, likewise."""
        return self._ask("QueryDriftFunctionName", {"ask": ask, **question})

    def _ask(self, function: str, question: dict[str, Any]) -> dict[str, Any]:
        answer = self.client("lambda").invoke(
            FunctionName=self.outputs[function], Payload=json.dumps(question).encode()
        )
        payload: dict[str, Any] = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise AssertionError(payload)
        return payload

    def items(self, table: str, **filtered: Any) -> list[dict[str, Any]]:
        """Return what a scan of a table finds, page by page: a filter is applied to each page of 1 MB for itself."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.outputs[table], **filtered)
        return [item for page in pages for item in page["Items"]]

    def queue_url(self, name: str) -> str:
        """Return the URL of the one queue whose name contains this."""
        pages = self.client("sqs").get_paginator("list_queues").paginate()
        (found,) = [url for page in pages for url in page.get("QueueUrls", []) if name in url.rpartition("/")[2]]
        return str(found)

    def await_recording(self) -> None:
        """Wait until every event of SageMaker so far is in the graph, or among the dead letters."""
        events: Any = self.cloud.sagemaker()
        assert events.events.flush(PATIENCE_SECONDS)
        url = self.queue_url("RecordingEvents")
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

        def is_empty() -> bool:
            depths = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            return all(int(depths[name]) == 0 for name in names)

        self.eventually(is_empty)

    def dead_letters(self, name: str = "Recording") -> list[dict[str, Any]]:
        """Return what waits in a dead-letter queue, with its attributes; it is taken out."""
        found: list[dict[str, Any]] = []
        sqs, url = self.client("sqs"), self.outputs[f"DeadLetterQueueUrl{name}"]
        while True:
            messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
                "Messages", []
            )
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found += messages
            if not messages:
                return found

    def _queues(self) -> list[str]:
        prefix = "DeadLetterQueueUrl"
        return [name.removeprefix(prefix) for name in self.outputs if name.startswith(prefix)]

    def eventually(self, look: Callable[[], Found | None], *, seconds: float = PATIENCE_SECONDS) -> Found:
        """Return what ``look`` finds as soon as it finds something."""
        begun = time.monotonic()
        while True:
            found = look()
            if found:
                return found
            waited = time.monotonic() - begun
            if waited > seconds:
                waiting = {name: self.dead_letters(name) for name in self._queues()}
                raise AssertionError(
                    f"not found within {seconds} s; dead letters: {json.dumps(waiting, default=str)[:3000]}"
                )
            time.sleep(min(max(POLL_SECONDS, waited / 10), MOST_POLL_SECONDS))


def merge(policy: dict[str, Any], added: dict[str, Any]) -> None:
    """Add entries to a policy, section by section."""
    for name, value in added.items():
        if isinstance(value, dict) and isinstance(policy.get(name), dict):
            merge(policy[name], value)
        else:
            policy[name] = value


def write_policy(folder: Path, more: dict[str, Any]) -> Path:
    """Write the local cloud's policy with the tests' own suites, and none that starts by itself between two counts."""
    policy = yaml.safe_load((ROOT / "local" / "policy.yaml").read_text(encoding="utf-8"))
    for suite in policy["evaluation"]["suites"].values():
        suite.pop("frequency", None)
    for added in sorted((Path(__file__).parent / "policies").glob("*.yaml")):
        merge(policy, yaml.safe_load(added.read_text(encoding="utf-8")))
    merge(policy, more)
    shutil.copytree(Path(__file__).parent / "scorers", folder / "scorers")
    file = folder / "policy.yaml"
    file.write_text(yaml.safe_dump(policy, sort_keys=False), encoding="utf-8")
    return file


@pytest.fixture(scope="package")
def endpoint() -> Iterator[OpenLineageServer]:
    """An OpenLineage endpoint that the deployed policy names."""
    with OpenLineageServer() as served:
        yield served


@pytest.fixture(scope="package")
def deployed(tmp_path_factory: pytest.TempPathFactory, endpoint: OpenLineageServer) -> Iterator[Deployed]:
    policy = write_policy(tmp_path_factory.mktemp("policy"), {"lineage": {"openlineage": {"url": endpoint.url}}})
    with LocalCloud(CloudSettings()) as cloud:
        address = CloudAddress(cloud.endpoint, cloud.account, cloud.region, cloud.child_environment())
        done = deploy(ROOT, address, echo=lambda _line: None, context={**LOCAL_CONTEXT, "policy": str(policy)})
        outputs = {name: value for outputs in done.outputs.values() for name, value in outputs.items()}
        permissions = Permissions()
        with permissions.recorded():
            yield Deployed(cloud, outputs, permissions, endpoint.taken)
        if os.environ.get(EXERCISED):
            write_exercised(Path(os.environ[EXERCISED]), cloud, permissions)


@pytest.fixture(scope="package")
def shipped(deployed: Any) -> Any:
    """Ship two versions of the example, the second with more data."""
    variables = deployed.cloud.environment()
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        session = boto3.session.Session(
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            region_name=deployed.cloud.region,
        )
        workflow = Workflow(make_role(deployed.cloud), say=lambda _line: None, session=session)
        for version, batches in ((1, 2), (2, 3)):
            workflow.ship(version, workflow.upload_raw(batches))
        await_record(deployed.cloud, deployed.outputs)
        deployed.await_recording()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return deployed


VADER = "hallmark.vader-sentiment-v1:0"
TEXTBLOB = "hallmark.textblob-sentiment-v1:0"
JUDGE = "hallmark.likeness-judge-v1:0"
TWEETS = 40
SENTENCES = 30
NOT_CASES = ['{"id": "half a li', '{"id": "asks-nothing", "expected": ["positive"]}', '["a list"]']


@pytest.fixture(scope="package")
def shared(deployed: Any) -> Evaluations:
    evaluations = Evaluations(deployed)
    put_datasets(deployed.cloud, tweets=TWEETS, sentences=SENTENCES)
    good = json_lines(sentiment_cases("tweets", TWEETS)).splitlines()
    evaluations.put("broken-tweets.jsonl", "\n".join([*good[:20], *NOT_CASES, *good[20:]]))
    evaluations.put("noise.jsonl", "\n".join(NOT_CASES))
    brought = [case | {"answers": {"last-year": "positive"}} for case in sentiment_cases("tweets", TWEETS)]
    evaluations.put("brought.jsonl", json_lines(brought))
    return evaluations


@pytest.fixture
def evaluations(shared: Evaluations) -> Iterator[Evaluations]:
    """Begin each test with models that behave, and with counts of 0."""
    shared.faults.clear()
    yield shared
    shared.faults.clear()
