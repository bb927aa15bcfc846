"""The product's own clients, watched: which calls they make, what goes wrong with one of them, what SageMaker says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from threading import RLock
from typing import Any, NoReturn

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws

from hallmark.aws import clients

Answer = dict[str, Any]
_DESCRIBED_BY = {"GetModelCustomizationJob": "jobIdentifier", "GetModelInvocationJob": "jobIdentifier"}


class Fault(StrEnum):
    """What can go wrong with one call."""

    THROTTLED = "throttled"
    SERVER_FAULT = "server fault"
    TIMED_OUT = "timed out before anything was done"
    ANSWER_LOST = "done, but the answer is lost"
    CRASHED_BEFORE = "the process is gone before the call"
    CRASHED_AFTER = "the process is gone after the call"


class Crash(BaseException):
    """The process is gone; nobody may handle it as an error."""


@dataclass
class AwsCalls:
    """Counts the calls, lets one of them fail, and answers for SageMaker and Bedrock; moto answers all others.

    ``known`` is what Describe answers, by the name or ARN that is asked for; all else does not exist.
    """

    known: dict[str, Answer] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    fault_at: int | None = None
    fault: Fault | None = None
    fails: Callable[[str], bool] = lambda operation: False
    """Operations that are throttled whenever they are called."""
    _lock: RLock = field(default_factory=RLock)

    def inject(self, number: int, fault: Fault) -> None:
        """Let the call of that number fail, once; calls are counted from here on."""
        self.made.clear()
        self.fault_at, self.fault = number, fault

    def clear(self) -> None:
        """Let all calls succeed; calls are counted from here on."""
        self.made.clear()
        self.fault_at = self.fault = None
        self.fails = lambda operation: False

    def before(self, *, model: Any, params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> object:
        operation = f"{model.service_model.service_name}.{model.name}"
        with self._lock:
            fault = self.fault if len(self.made) == self.fault_at else None
            self.made.append(operation)
        context["fault"] = fault
        if fault is Fault.CRASHED_BEFORE:
            raise Crash
        if fault is Fault.TIMED_OUT:
            _time_out()
        if fault is Fault.SERVER_FAULT:
            return _refusal("InternalServerError", 500)
        if fault is Fault.THROTTLED or self.fails(operation):
            return _refusal("ThrottlingException", 400)
        if model.service_model.service_name in {"sagemaker", "bedrock"}:
            return self._describe(model, params)
        return None

    def after(self, *, context: Mapping[str, Any], **_: Any) -> None:
        if context.get("fault") is Fault.CRASHED_AFTER:
            raise Crash
        if context.get("fault") is Fault.ANSWER_LOST:
            _time_out()

    def _describe(self, model: Any, params: Mapping[str, Any]) -> object:
        if model.name in {"ListTags", "ListTagsForResource"}:
            return _answer({"Tags": [{"Key": "team", "Value": "vision"}], "tags": [{"key": "team", "value": "vision"}]})
        asked = _asked_for(params)
        found = next((answer for name, answer in self.known.items() if name in asked), None)
        return _answer(dict(found)) if found is not None else _refusal("ValidationException", 400)


def _asked_for(params: Mapping[str, Any]) -> str:
    # A request as it is sent: SageMaker's names are in its JSON body, Bedrock's in the path.
    body = params["body"]
    return f"{params['url_path']} {body.decode() if isinstance(body, bytes) else body}"


def _time_out() -> NoReturn:
    raise ReadTimeoutError(endpoint_url="https://aws.example", error="timed out")


def _refusal(code: str, status: int) -> tuple[AWSResponse, Answer]:
    return _answer({"Error": {"Code": code, "Message": "as the test wants it"}}, status)


def _answer(content: Answer, status: int = 200) -> tuple[AWSResponse, Answer]:
    metadata = {"HTTPStatusCode": status, "RequestId": "0", "HTTPHeaders": {}, "RetryAttempts": 0}
    return AWSResponse("https://aws.example", status, HTTPHeaders(), None), {**content, "ResponseMetadata": metadata}


@contextmanager
def watched_clients() -> Iterator[AwsCalls]:
    """Give the product's clients an empty account of moto's, and tell of their calls."""
    clients._client.cache_clear()
    clients._session.cache_clear()
    calls = AwsCalls()
    with mock_aws():
        emitter = clients._session().get_component("event_emitter")
        emitter.register("before-call", calls.before)
        emitter.register("after-call", calls.after)
        yield calls
    clients._client.cache_clear()
    clients._session.cache_clear()
