"""What nothing implements is refused in AWS's form, naming the operation; it never seems to succeed.

MiniStack treats an S3 sub-resource that it does not know as the bucket or the object itself (``DELETE ?inventory``
deletes the bucket), answers some of Lambda's operations with another one, and refuses services that it lacks in a form
that SDKs cannot read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

import botocore.session
import ministack.app as emulator

from local.patches.replacement import replace_function

_NOT_IMPLEMENTED = 501
# Operations whose requests MiniStack 1.5.33 takes for another operation's.
UNIMPLEMENTED: dict[str, frozenset[str]] = {
    "s3": frozenset(
        {
            "CreateBucketMetadataConfiguration",
            "CreateBucketMetadataTableConfiguration",
            "CreateSession",
            "DeleteBucketAnalyticsConfiguration",
            "DeleteBucketIntelligentTieringConfiguration",
            "DeleteBucketInventoryConfiguration",
            "DeleteBucketMetadataConfiguration",
            "DeleteBucketMetadataTableConfiguration",
            "DeleteBucketMetricsConfiguration",
            "GetBucketAbac",
            "GetBucketAnalyticsConfiguration",
            "GetBucketIntelligentTieringConfiguration",
            "GetBucketInventoryConfiguration",
            "GetBucketMetadataConfiguration",
            "GetBucketMetadataTableConfiguration",
            "GetBucketMetricsConfiguration",
            "GetBucketPolicyStatus",
            "GetBucketRequestPayment",
            "GetObjectTorrent",
            "PutBucketAbac",
            "PutBucketAnalyticsConfiguration",
            "PutBucketIntelligentTieringConfiguration",
            "PutBucketInventoryConfiguration",
            "PutBucketMetricsConfiguration",
            "RenameObject",
            "SelectObjectContent",
            "UpdateBucketMetadataAnnotationTableConfiguration",
            "UpdateBucketMetadataInventoryTableConfiguration",
            "UpdateBucketMetadataJournalTableConfiguration",
            "UpdateObjectEncryption",
        }
    ),
    "lambda": frozenset(
        {
            "CreateCapacityProvider",
            "CreateCodeSigningConfig",
            "DeleteCapacityProvider",
            "DeleteCodeSigningConfig",
            "DeleteResourcePolicy",
            "GetCapacityProvider",
            "GetCodeSigningConfig",
            "GetFunctionScalingConfig",
            "GetResourcePolicy",
            "GetRuntimeManagementConfig",
            "InvokeAsync",
            "ListCapacityProviders",
            "ListCodeSigningConfigs",
            "ListFunctionVersionsByCapacityProvider",
            "ListFunctionsByCodeSigningConfig",
            "ListProvisionedConcurrencyConfigs",
            "PutFunctionScalingConfig",
            "PutResourcePolicy",
            "PutRuntimeManagementConfig",
            "UpdateCapacityProvider",
            "UpdateCodeSigningConfig",
            "UpdateFunctionEventInvokeConfig",
        }
    ),
}
_Answer = tuple[int, dict[str, str], bytes]
_Handler = Callable[..., Awaitable[_Answer]]


@dataclass(frozen=True)
class _Route:
    """The requests of one operation, after botocore's ``requestUri``."""

    operation: str
    method: str
    path: re.Pattern[str]
    query: Mapping[str, str]

    def takes(self, method: str, path: str, query_params: Mapping[str, Any]) -> bool:
        return (
            method == self.method
            and self.path.fullmatch(path.rstrip("/")) is not None
            and all(
                name in query_params and (not value or value in query_params[name])
                for name, value in self.query.items()
            )
        )


def apply() -> None:
    """Put the refusals in front of the services.

    Raises:
        EmulatorChangedError: MiniStack's dispatch is no longer what it was.
    """
    for service, operations in UNIMPLEMENTED.items():
        handler = emulator.SERVICE_HANDLERS[service]
        if not hasattr(handler, "refuses"):
            emulator.SERVICE_HANDLERS[service] = _refusing(service, operations, handler)
    replace_function(
        emulator,
        "_dispatch_service_request",
        ("method", "path", "headers", "body", "query_params", "request_id"),
        _with_readable_refusal,
    )


def refusal(operation: str, protocol: str) -> _Answer:
    """Return AWS's error for an operation that is not there, in the form of the service's protocol."""
    message = f"The local cloud does not implement {operation}"
    if protocol == "rest-xml":
        text = f"<Error><Code>NotImplemented</Code><Message>{escape(message)}</Message></Error>"
        return _NOT_IMPLEMENTED, {"Content-Type": "application/xml"}, text.encode()
    if protocol in {"query", "ec2"}:
        error = f"<Type>Sender</Type><Code>InvalidAction</Code><Message>{escape(message)}</Message>"
        text = f"<ErrorResponse><Error>{error}</Error></ErrorResponse>"
        return _NOT_IMPLEMENTED, {"Content-Type": "text/xml"}, text.encode()
    document = {"__type": "UnknownOperationException", "message": message}
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": "UnknownOperationException"}
    return _NOT_IMPLEMENTED, headers, json.dumps(document).encode()


def _refusing(service: str, operations: frozenset[str], handler: _Handler) -> _Handler:
    model = botocore.session.get_session().get_service_model(service)

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, Any], **more: Any
    ) -> _Answer:
        for route in _routes(service, operations):
            if route.takes(method, path, query_params):
                return refusal(f"{service}:{route.operation}", model.protocol)
        return await handler(method, path, headers, body, query_params, **more)

    handle.refuses = operations  # type: ignore[attr-defined] # marks the handler as mended
    return handle


@cache
def _routes(service: str, operations: frozenset[str]) -> tuple[_Route, ...]:
    model = botocore.session.get_session().get_service_model(service)
    routes = []
    for operation in sorted(operations):
        http = model.operation_model(operation).http
        path, _, query = http["requestUri"].partition("?")
        pattern = re.sub(r"\\\{\w+\\\+\\\}", ".+", re.escape(path))
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", pattern)
        named = dict(part.partition("=")[::2] for part in query.split("&") if part)
        routes.append(_Route(operation, http["method"], re.compile(pattern.rstrip("/")), named))
    return tuple(routes)


def _with_readable_refusal(original: Any) -> Any:
    async def dispatch(
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query_params: Mapping[str, Any],
        request_id: str,
    ) -> _Answer:
        answer: _Answer = await original(method, path, headers, body, query_params, request_id)
        status, _, content = answer
        if status != 400 or not isinstance(content, bytes) or b"Unsupported service: " not in content:  # noqa: PLR2004
            return answer
        service = json.loads(content)["error"].removeprefix("Unsupported service: ")
        is_query = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        action = re.search(rb"(?:^|&)Action=(\w+)", body) if is_query else None
        named = headers.get("x-amz-target", "").rpartition(".")[2] or f"{method} {path}"
        operation = action[1].decode() if action else named
        return refusal(f"{service}:{operation}", "query" if is_query else "json")

    return dispatch
