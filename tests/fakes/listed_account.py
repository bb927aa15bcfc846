"""An account in memory: its resources page by page, what Describe answers, and faults where a test wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.lineage.listing import Allowance, Listed, Page
from hallmark.lineage.model import NodeKind
from hallmark.lineage.reconciliation import Account, KindCursor, Sweep, continue_sweep, read_sweep
from tests.fakes.memory_store import KnownContents, MemoryStore, stored, surroundings

START = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
PREFIX = "arn:aws:sagemaker:eu-west-1:123456789012"
EXECUTION = f"{PREFIX}:pipeline/churn/execution/abc"


@dataclass
class Resource:
    kind: str
    arn: str
    listed: Listed
    description: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)


class FakeAccount:
    """ResourceLister and Describer; ``refuse`` is asked before each call and may raise."""

    def __init__(self, *, page_size: int = 2) -> None:
        self.resources: dict[str, Resource] = {}
        self.steps_of: dict[str, list[dict[str, Any]]] = {}
        self.page_size = page_size
        self.calls: list[tuple[str, str]] = []
        self.refuse: Callable[[str, str], None] = lambda _call, _what: None

    def add(self, resource: Resource) -> str:
        self.resources[resource.arn] = resource
        return resource.arn

    def called(self, call: str) -> list[str]:
        return [what for name, what in self.calls if name == call]

    def _call(self, call: str, what: str) -> None:
        self.calls.append((call, what))
        self.refuse(call, what)

    def page(self, resource: str, since: datetime | None, token: str | None) -> Page:
        self._call("list", f"{resource} {token or ''}".strip())
        found = [
            each.listed
            for each in self.resources.values()
            if each.kind == resource
            and (since is None or each.listed.changed_at is None or each.listed.changed_at >= since)
        ]
        start = int(token or 0)
        end = start + self.page_size
        return Page(found[start:end], str(end) if end < len(found) else None)

    def steps(self, execution_arn: str) -> Iterator[dict[str, object]]:
        self._call("steps", execution_arn)
        yield from self.steps_of.get(execution_arn, [])

    def describe(self, kind: NodeKind, identifier: str) -> Mapping[str, Any] | None:
        self._call("describe", identifier)
        found = self.resources.get(identifier)
        return found.description if found is not None and found.kind == kind.value else None

    def tags(self, arn: str) -> Mapping[str, str]:
        self._call("tags", arn)
        return self.resources[arn].tags if arn in self.resources else {}


class MemoryCursors:
    """SweepCursors over a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, KindCursor] = {}

    def read(self, resource: str) -> KindCursor:
        return self.kept.get(resource, KindCursor())

    def write(self, resource: str, cursor: KindCursor) -> None:
        known = self.read(resource).started_at
        if known is None or cursor.started_at is None or known <= cursor.started_at:
            self.kept[resource] = cursor


class Desk:
    """An account, a record of it, and the sweeps between them."""

    def __init__(self, *, page_size: int = 2) -> None:
        self.account = FakeAccount(page_size=page_size)
        self.store = MemoryStore()
        self.cursors = MemoryCursors()
        self.contents = KnownContents({"s3://data/train": [stored("a.csv"), stored("b.csv")]})
        self.now = START + timedelta(days=1)
        self.messages: list[str] = []

    def side(self) -> Account:
        known = surroundings(self.store, contents=self.contents, now=self.now)
        described = type(known)(**{**vars(known), "describer": self.account})
        return Account(self.account, self.store, described, self.cursors)

    def begin(self, message: str = "{}") -> Sweep:
        return read_sweep(message).model_copy(update={"started_at": self.now})

    def step(self, sweep: Sweep, *, describes: int = 1_000, requests: int = 1_000) -> Sweep:
        """Work off a sweep in one invocation, and pass the rest through a message."""
        done = continue_sweep(sweep, self.side(), Allowance(lambda: True, describes=describes, requests=requests))
        self.messages.append(done.model_dump_json(exclude_defaults=True))
        return read_sweep(self.messages[-1])

    def sweep(self, message: str = "{}", **allowance: int) -> Sweep:
        """Work off a sweep to its end."""
        sweep = self.begin(message)
        for _ in range(500):
            sweep = self.step(sweep, **allowance)
            if not sweep.kinds:
                return sweep
        raise AssertionError(f"the sweep does not end: {sweep}")

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)


def training_job(name: str, *, at: datetime = START, status: str = "Completed", minutes: float = 10) -> Resource:
    arn = f"{PREFIX}:training-job/{name}"
    end = at + timedelta(minutes=minutes)
    description = {
        "TrainingJobName": name,
        "TrainingJobArn": arn,
        "TrainingJobStatus": status,
        "CreationTime": at,
        "TrainingStartTime": at + timedelta(minutes=1),
        "LastModifiedTime": end,
        "AlgorithmSpecification": {"TrainingImage": "registry/train:1", "TrainingInputMode": "File"},
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3Uri": "s3://data/train", "S3DataType": "S3Prefix"}},
            }
        ],
        **({"TrainingEndTime": end} if status == "Completed" else {}),
    }
    return Resource("training-job", arn, Listed(arn, at, status, end), description)


def endpoint(name: str, *, at: datetime = START, status: str = "InService", config: str = "first") -> Resource:
    arn = f"{PREFIX}:endpoint/{name}"
    description = {
        "EndpointName": name,
        "EndpointArn": arn,
        "EndpointConfigName": config,
        "EndpointStatus": status,
        "CreationTime": at,
        "LastModifiedTime": at,
    }
    return Resource("endpoint", arn, Listed(arn, at, status, at), description)


def package(version: int, *, approval: str, at: datetime = START, changed: datetime | None = None) -> Resource:
    arn = f"{PREFIX}:model-package/churn/{version}"
    description = {
        "ModelPackageArn": arn,
        "ModelPackageGroupName": "churn",
        "ModelPackageVersion": version,
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": approval,
        "CreationTime": at,
        **({"LastModifiedTime": changed} if changed else {}),
    }
    return Resource(
        "model-package", arn, Listed(arn, at, "Completed", traits=(("approval_status", approval),)), description
    )


def transform_job(name: str, *, at: datetime = START) -> Resource:
    arn = f"{PREFIX}:transform-job/{name}"
    description = {
        "TransformJobName": name,
        "TransformJobArn": arn,
        "TransformJobStatus": "Completed",
        "ModelName": "churn",
        "CreationTime": at,
        "TransformStartTime": at + timedelta(minutes=1),
        "TransformEndTime": at + timedelta(minutes=5),
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train"}}},
    }
    return Resource("transform-job", arn, Listed(arn, at, "Completed"), description)


def execution(status: str = "Succeeded", *, at: datetime = START, minutes: float = 60) -> Resource:
    description = {
        "PipelineArn": f"{PREFIX}:pipeline/churn",
        "PipelineExecutionArn": EXECUTION,
        "PipelineExecutionStatus": status,
        "CreationTime": at,
        "LastModifiedTime": at + timedelta(minutes=minutes),
    }
    return Resource("pipeline-execution", EXECUTION, Listed(EXECUTION, at, status), description)


def step(name: str, status: str = "Succeeded", *, at: datetime | None = START) -> dict[str, Any]:
    return {
        "pipelineArn": f"{PREFIX}:pipeline/churn",
        "pipelineExecutionArn": EXECUTION,
        "stepName": name,
        "stepType": "Training",
        "currentStepStatus": status,
        "stepStartTime": at,
        "stepEndTime": at + timedelta(minutes=5) if at else None,
        "failureReason": None,
        "metadata": {"TrainingJob": {"Arn": f"{PREFIX}:training-job/{name}"}},
    }


def unavailable(call: str, *names: str) -> Callable[[str, str], None]:
    """Refuse a call for everything whose name ends so (everything, for no name)."""

    def refuse(called: str, what: str) -> None:
        if called == call and (not names or what.endswith(names)):
            raise UnavailableError(f"{call} {what}: AccessDeniedException")

    return refuse


def expired(token: str) -> InvalidInputError:
    return InvalidInputError("NextToken", token, "start the listing again")
