"""What an endpoint serves, what it served, and what verdicts said of it: SageMaker's own word, and lineage's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.errors import NotFoundError, UnavailableError
from hallmark.gates.rolling_back import FailedVerdict, Service
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import (
    Answer,
    Direction,
    Question,
    ShowAnswer,
    ShowQuestion,
    TraceAnswer,
    TraceQuestion,
    read_answer,
)
from hallmark.lineage.surveyed import ImpactAnswer, ImpactQuestion

CONFIG_ROLE = "config"
_FAILED = "Failed"
"""Status of a verdict in lineage, as gates tell it (hallmark/gates/verdicts.py)."""
_REJECTED = "Rejected"
_BORN = re.compile(r"@\d{8}T\d{6}Z$")
_MODEL_DEPTH = 3
"""From a configuration to the package: its model, and what that was made from."""


class LineageFunction:
    """The function that answers questions about lineage.

    Args:
        name: Its name.
        client: Of Lambda.
    """

    def __init__(self, name: str, client: Any) -> None:
        self._name = name
        self._client = client

    def ask(self, question: Question) -> Answer:
        """Ask.

        Raises:
            UnavailableError: It did not answer.
        """
        with calling("asking lineage"):
            answer = self._client.invoke(FunctionName=self._name, Payload=question.model_dump_json().encode())
        document = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise UnavailableError(f"asking lineage: {document.get('errorType')}: {document.get('errorMessage')}")
        return read_answer(document)


class EndpointHistory:
    """Endpoints of this account and Region, and their past."""

    def __init__(self, lineage: LineageFunction, sagemaker: Any) -> None:
        self._lineage = lineage
        self._sagemaker = sagemaker

    def describe(self, name: str) -> Mapping[str, Any]:
        """Return what SageMaker says of an endpoint.

        Raises:
            NotFoundError: It does not exist (any more).
            UnavailableError: SageMaker did not answer, or refuses.
        """
        return self._describe("describe_endpoint", f"endpoint {name}", EndpointName=name)

    def describe_config(self, name: str) -> Mapping[str, Any]:
        """Return what SageMaker says of an endpoint's configuration; raises as :meth:`describe`."""
        return self._describe("describe_endpoint_config", f"endpoint config {name}", EndpointConfigName=name)

    def services(self, endpoint: str) -> list[Service]:
        """Return what an endpoint served, and when, as far as lineage knows.

        Raises:
            UnavailableError: Lineage did not answer.
        """
        answer = self._lineage.ask(TraceQuestion(node=endpoint, direction=Direction.UP, depth=1, history=True))
        if not isinstance(answer, TraceAnswer):
            return []
        kinds = {node.key: node.kind for node in answer.nodes}
        return [
            Service(config=_arn_of(edge.source), since=edge.valid_from, until=edge.valid_to)
            for edge in answer.edges
            if kinds.get(edge.source) is NodeKind.ENDPOINT_CONFIG and edge.role == CONFIG_ROLE
        ]

    def failed_verdicts(self, endpoint: str) -> list[FailedVerdict]:
        """Return the verdicts against an endpoint.

        Raises:
            UnavailableError: Lineage did not answer.
        """
        answer = self._lineage.ask(TraceQuestion(node=endpoint, direction=Direction.DOWN, depth=1, history=True))
        if not isinstance(answer, TraceAnswer):
            return []
        return [
            FailedVerdict(node.key, node.at)
            for node in answer.nodes
            if node.kind is NodeKind.VERDICT and node.status == _FAILED and node.at is not None
        ]

    def rejected_model(self, config: str) -> str | None:
        """Return the label of a rejected model package behind a configuration; None where none was rejected.

        Raises:
            UnavailableError: Lineage did not answer.
        """
        answer = self._lineage.ask(TraceQuestion(node=config, direction=Direction.UP, depth=_MODEL_DEPTH))
        if not isinstance(answer, TraceAnswer):
            return None
        for node in answer.nodes:
            if node.kind is not NodeKind.MODEL_PACKAGE:
                continue
            shown = self._lineage.ask(ShowQuestion(node=node.key))
            if isinstance(shown, ShowAnswer) and shown.attributes.get("approval_status") == _REJECTED:
                return node.label
        return None

    def name_of(self, config: str) -> str:
        """Return a configuration's name as SageMaker spells it: ARNs have it in lower case.

        Raises:
            UnavailableError: Lineage did not answer.
        """
        shown = self._lineage.ask(ShowQuestion(node=config))
        named = shown.attributes.get("name") if isinstance(shown, ShowAnswer) else None
        return str(named or config.rpartition("/")[2])

    def serving(self, model: str) -> list[str]:
        """Return the ARNs of the endpoints that serve a model.

        Raises:
            UnavailableError: Lineage did not answer.
        """
        answer = self._lineage.ask(ImpactQuestion(node=model))
        if not isinstance(answer, ImpactAnswer):
            return []
        return [
            _arn_of(node.key)
            for kind in answer.affected
            if kind.kind is NodeKind.ENDPOINT
            for node in kind.nodes
            if not node.deleted
        ]

    def _describe(self, operation: str, what: str, **request: str) -> Mapping[str, Any]:
        try:
            with calling(f"describing {what}"):
                answer: Mapping[str, Any] = getattr(self._sagemaker, operation)(**request)
        except ClientError as error:
            # SageMaker's word for what is missing (hallmark/aws/sagemaker.py).
            if error_code(error) in {"ValidationException", "ResourceNotFound"}:
                raise NotFoundError(f"{what} does not exist") from error
            raise UnavailableError(f"describing {what}: {describe_error(error)}") from error
        return answer


def is_another(described: Mapping[str, Any], served_since: datetime) -> bool:
    """Tell whether a configuration was made anew, under a name that served before."""
    created: datetime = described["CreationTime"]
    return created > served_since


def _arn_of(key: str) -> str:
    """Return the ARN in a node's key: what lineage appends tells incarnations of a name apart."""
    return _BORN.sub("", key)
