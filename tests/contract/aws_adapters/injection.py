"""What goes wrong between us and AWS, put into real clients through botocore's own hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError

Parsed = dict[str, Any]


class Crash(BaseException):
    """The process is gone: no error that anyone may handle."""


@dataclass(frozen=True)
class Fault:
    """What happens to one call."""

    name: str
    before: Callable[[], Parsed | None] = lambda: None
    after: Callable[[], None] = lambda: None


def refusal(code: str, status: int = 400, **more: Any) -> Parsed:
    """Return AWS's answer with this error, as botocore reads it."""
    return {
        "Error": {"Code": code, "Message": f"{code} is what was ordered"},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "0", "HTTPHeaders": {}, "RetryAttempts": 0},
        **more,
    }


def _raise(error: BaseException) -> None:
    raise error


def _time_out() -> None:
    raise ReadTimeoutError(endpoint_url="https://aws.example", error="timed out")


THROTTLED = Fault("throttled", before=lambda: refusal("ThrottlingException"))
SERVER_FAULT = Fault("server fault", before=lambda: refusal("InternalServerError", 500))
TIMED_OUT = Fault("timed out", before=_time_out)
ANSWER_LOST = Fault("answer lost", after=_time_out)
CRASHED_BEFORE = Fault("crashed before", before=lambda: _raise(Crash()))
CRASHED_AFTER = Fault("crashed after", after=lambda: _raise(Crash()))
DENIED = Fault("denied", before=lambda: refusal("AccessDeniedException"))

FAULTS = (THROTTLED, SERVER_FAULT, TIMED_OUT, ANSWER_LOST, CRASHED_BEFORE, CRASHED_AFTER)


class Injection:
    """Numbers the calls of a session, and lets faults happen to those that are chosen.

    ``choose`` is given the number of a call and the name of its operation (``dynamodb.TransactWriteItems``).
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.requests: list[Mapping[str, Any]] = []
        self.choose: Callable[[int, str], Fault | None] = lambda number, operation: None

    def watch(self, session: botocore.session.Session) -> None:
        for hook, handler in {
            "before-parameter-build.*.*": self._keep_request,
            "before-call.*.*": self._before,
            "after-call.*.*": self._after,
        }.items():
            session.register(hook, handler)  # type: ignore[arg-type] # its stubs want handlers that name nothing

    def fail(self, operation: str, fault: Fault, times: int | None = None) -> None:
        """Let the next calls of one operation fail (all, for None)."""
        left = [times]

        def choose(number: int, called: str) -> Fault | None:
            if called != operation or left[0] == 0:
                return None
            if left[0] is not None:
                left[0] -= 1
            return fault

        self.choose = choose

    def clear(self) -> None:
        self.calls.clear()
        self.requests.clear()
        self.choose = lambda number, operation: None

    def of(self, operation: str) -> list[Mapping[str, Any]]:
        """Return the requests of one operation."""
        return [request for called, request in zip(self.calls, self.requests, strict=True) if called == operation]

    def _keep_request(self, params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["hallmark_request"] = params

    def _before(self, model: Any, context: dict[str, Any], **_: Any) -> tuple[AWSResponse, Parsed] | None:
        operation = f"{model.service_model.signing_name}.{model.name}"
        self.calls.append(operation)
        self.requests.append(context.get("hallmark_request", {}))
        fault = self.choose(len(self.calls) - 1, operation)
        context["hallmark_fault"] = fault
        parsed = fault.before() if fault is not None else None
        if parsed is None:
            return None
        return AWSResponse("", parsed["ResponseMetadata"]["HTTPStatusCode"], HTTPHeaders(), None), parsed

    def _after(self, context: dict[str, Any], **_: Any) -> None:
        fault = context.get("hallmark_fault")
        if fault is not None:
            fault.after()
