"""Lineage behind boto3 and botocore's shapes, without the rest of the stand-in."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from local.sagemaker import lineage
from local.sagemaker.contract import Call, Listener, Operation, ResourceChanged, ServiceError
from local.sagemaker.lineage import AutomaticLineage, LineageLimits, LineageSettings
from local.sagemaker.service import service_model
from local.sagemaker.shapes import parse_request, serialise

ACCOUNT = "123456789012"
REGION = "eu-west-1"


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_kwargs: object) -> Iterator[bytes]:
        yield self._content


@dataclass
class Host:
    """A service with lineage alone; each answer must satisfy botocore's output shape, patterns and lengths too."""

    operations: dict[str, Operation] = field(default_factory=dict)
    listeners: list[Listener] = field(default_factory=list)
    reset_hooks: list[Callable[[], None]] = field(default_factory=list)
    automatic: AutomaticLineage = field(init=False)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def answer(self, name: str, document: Any, account: str, region: str, partition: str) -> tuple[int, Any]:
        model = service_model().operation_model(name)
        try:
            parameters = parse_request(model.input_shape, document)
            answered = self.operations[name](
                Call(name, parameters, account, region, partition, f"arn:{partition}:iam::{account}:role/analyst")
            )
        except ServiceError as error:
            return error.status, {"__type": error.code, "message": error.message}
        content = serialise(model.output_shape, answered) if model.output_shape else {}
        parse_request(model.output_shape, content)
        return 200, content

    def client(self, account: str = ACCOUNT, region: str = REGION, partition: str = "aws") -> Any:
        client = boto3.client(
            "sagemaker",
            region_name=region,
            endpoint_url="http://sagemaker.stand-in",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

        def send(request: AWSPreparedRequest, **_kwargs: object) -> AWSResponse:
            target = request.headers["X-Amz-Target"]
            name = (target.decode() if isinstance(target, bytes) else target).partition(".")[2]
            body = request.body if isinstance(request.body, str | bytes) else b"{}"
            status, content = self.answer(name, json.loads(body), account, region, partition)
            return AWSResponse(request.url, status, HTTPHeaders(), _Body(json.dumps(content).encode()))

        events: Any = client.meta.events
        events.register_first("before-send.sagemaker", send)
        return client

    def ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call an operation directly, which is fast enough for properties over many graphs."""
        return self.operations[operation](Call(operation, parameters, ACCOUNT, REGION))

    def tell(self, change: ResourceChanged) -> None:
        """Tell of a change and wait until its lineage is made."""
        for listener in self.listeners:
            listener(change)
        assert self.automatic.flush()

    def artifact(self, uri: str | None = None, **more: Any) -> str:
        """Make an artifact, by default of a source of its own."""
        source = {"SourceUri": uri or f"s3://bucket/{next(self._numbers)}"}
        made = self.ask("CreateArtifact", **{"Source": source, "ArtifactType": "DataSet", **more})
        arn: str = made["ArtifactArn"]
        return arn

    def action(self, **more: Any) -> str:
        """Make an action."""
        name = f"action-{next(self._numbers)}"
        request = {"ActionName": name, "Source": {"SourceUri": name}, "ActionType": "Review", **more}
        arn: str = self.ask("CreateAction", **request)["ActionArn"]
        return arn

    def associate(self, source: str, destination: str, association_type: str = "ContributedTo") -> None:
        self.ask("AddAssociation", SourceArn=source, DestinationArn=destination, AssociationType=association_type)


@pytest.fixture(scope="session")
def make_host() -> Callable[..., Host]:
    """Build a service with lineage; the keywords are those of the limits."""

    def make(*, delay_seconds: float = 0.0, **limits: int) -> Host:
        host = Host()
        host.automatic = lineage.register(
            host, LineageSettings(limits=LineageLimits(**limits), delay_seconds=delay_seconds)
        )
        return host

    return make


@pytest.fixture
def host(make_host: Callable[..., Host]) -> Host:
    return make_host()


@pytest.fixture
def client(host: Host) -> Any:
    return host.client()
