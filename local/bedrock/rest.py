"""The REST-JSON protocol: which operation a request is, its parameters, and how an answer is written.

Everything is read from botocore's service models, against which requests are checked and answers are written.
"""

from __future__ import annotations

import copy
import json
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import botocore.session
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape

from local.bedrock.contract import Document, ServiceError, invalid
from local.sagemaker.shapes import parse_request, serialise

CONTROL_PLANE, RUNTIME = "bedrock", "bedrock-runtime"
Query = Mapping[str, Sequence[str]]
_DEFAULT_STATUS = 400
# The judge's own notebook of AWS's samples sends this task type, and the paths of its results show it; the service's
# model does not list it (aws-samples/amazon-bedrock-samples, model-as-a-judge.ipynb).
_UNLISTED = {"EvaluationTaskType": ("General",)}


@dataclass(frozen=True)
class _Route:
    operation: str
    method: str
    path: re.Pattern[str]
    literals: int


class RestApi:
    """One service's API.

    Args:
        service: botocore's name of it, e.g. ``bedrock-runtime``.
    """

    def __init__(self, service: str) -> None:
        description = copy.deepcopy(
            botocore.session.get_session().get_component("data_loader").load_service_model(service, "service-2")
        )
        for shape, values in _UNLISTED.items():
            if shape in description["shapes"]:
                description["shapes"][shape]["enum"] += values
        self.model = ServiceModel(description, service)
        self._operations: dict[str, OperationModel] = {}

    def find(self, method: str, path: str) -> tuple[str, dict[str, str]] | None:
        """Return the operation of a request and what its path holds; ``None`` for no operation of this API.

        Args:
            method: HTTP method.
            path: Path, percent-decoded: an ARN in it has its slashes.
        """
        for route in self._routes:
            if route.method == method and (match := route.path.fullmatch(path)):
                return route.operation, match.groupdict()
        return None

    def operation(self, name: str) -> OperationModel:
        """Return the model of an operation."""
        found = self._operations.get(name)
        if found is None:
            found = self._operations[name] = self.model.operation_model(name)
        return found

    def parse(
        self, name: str, in_path: Mapping[str, str], query: Query, headers: Mapping[str, str], body: bytes
    ) -> dict[str, Any]:
        """Return the parameters of a request, checked and typed.

        Args:
            name: The operation.
            in_path: What the path holds, by member.
            query: Query parameters.
            headers: With lower-case names.
            body: The request's body.

        Raises:
            ServiceError: A parameter breaks a constraint, or the body is no JSON.
        """
        shape = self.operation(name).input_shape
        if shape is None:
            return {}
        payload = shape.serialization.get("payload")
        document = {} if payload else _decode(body)
        for member, member_shape in shape.members.items():
            value = _outside_the_body(member, member_shape, in_path, query, headers)
            if value is not None:
                document[member] = value
        parameters = parse_request(shape, document)
        if payload and body:
            parameters[payload] = body
        return parameters

    def write(self, name: str, members: Document) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of an answer."""
        operation = self.operation(name)
        status: int = operation.http.get("responseCode", 200)
        shape = operation.output_shape
        headers = {"Content-Type": "application/json"}
        if shape is None:
            return status, headers, b"{}"
        payload = shape.serialization.get("payload")
        document = {}
        for member, value in members.items():
            member_shape = shape.members.get(member)
            if member_shape is not None and member_shape.serialization.get("location") == "header":
                headers[member_shape.serialization["name"]] = str(value)
            elif member != payload:
                document[member] = value
        if payload:
            return status, headers, members[payload]
        return status, headers, json.dumps(serialise(shape, document), ensure_ascii=False).encode()

    def write_stream(self, name: str, events: Sequence[tuple[str, Document]]) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of an answer that is a stream of events."""
        shape = self.operation(name).get_event_stream_output()
        if shape is None:
            raise TypeError(f"{name} answers no stream of events")
        body = b"".join(
            encode_event(
                event, json.dumps(serialise(structure(shape).members[event], members), ensure_ascii=False).encode()
            )
            for event, members in events
        )
        return 200, {"Content-Type": "application/vnd.amazon.eventstream"}, body

    def write_error(self, error: ServiceError) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of an error."""
        known = self._errors.get(error.code)
        status = known if known is not None and error.status == _DEFAULT_STATUS else error.status
        headers = {"Content-Type": "application/json", "x-amzn-errortype": error.code}
        return status, headers, json.dumps({"message": error.message}, ensure_ascii=False).encode()

    @cached_property
    def _errors(self) -> dict[str, int]:
        return {
            shape.name: shape.metadata["error"]["httpStatusCode"]
            for shape in self.model.error_shapes
            if shape.metadata.get("error", {}).get("httpStatusCode")
        }

    @cached_property
    def _routes(self) -> tuple[_Route, ...]:
        routes = []
        for name in self.model.operation_names:
            http = self.model.operation_model(name).http
            path = http["requestUri"].partition("?")[0]
            literal = re.sub(r"\{\w+\+?\}", "", path)
            pattern = re.sub(r"\\\{(\w+)(?:\\\+)?\\\}", r"(?P<\1>.+)", re.escape(path))
            routes.append(_Route(name, http["method"], re.compile(pattern + "/?"), len(literal)))
        return tuple(sorted(routes, key=lambda route: -route.literals))


@cache
def rest_api(service: str) -> RestApi:
    """Return the API of :data:`CONTROL_PLANE` or :data:`RUNTIME`; reading its model takes a moment."""
    return RestApi(service)


def _decode(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError as error:
        raise ServiceError("SerializationException", f"The request's body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise ServiceError("SerializationException", "The request's body is not a JSON object")
    return document


def _outside_the_body(
    member: str, shape: Shape, in_path: Mapping[str, str], query: Query, headers: Mapping[str, str]
) -> Any:
    """Return the value of a member that stands in path, query or headers, as JSON would have it."""
    location = shape.serialization.get("location")
    name = shape.serialization.get("name", member)
    if location == "uri":
        return in_path.get(name)
    if location == "header":
        return headers.get(name.lower())
    values = query.get(name) if location == "querystring" else None
    if not values:
        return None
    if isinstance(shape, ListShape):
        return list(values)
    return _typed(member, shape, values[0])


def _typed(member: str, shape: Shape, text: str) -> Any:
    if shape.type_name == "boolean":
        return text.lower() == "true"
    if shape.type_name in {"integer", "long"}:
        try:
            return int(text)
        except ValueError as error:
            raise invalid(f"'{text}' at '{member}' is no integer") from error
    return text


def structure(shape: Shape | None) -> StructureShape:
    """Return ``shape``, which is a structure."""
    if not isinstance(shape, StructureShape):
        raise TypeError(f"{shape} is not a structure")
    return shape


def encode_event(event: str, payload: bytes) -> bytes:
    """Return one message of ``application/vnd.amazon.eventstream``.

    Prelude (total length, length of headers, CRC-32), headers (name, type 7, text), payload, CRC-32 of all (Smithy
    specification, Amazon Event Stream).
    """
    named = {":event-type": event, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        struct.pack(f"!B{len(name)}sBH{len(value)}s", len(name), name.encode(), 7, len(value), value.encode())
        for name, value in named.items()
    )
    prelude = struct.pack("!II", 12 + len(headers) + len(payload) + 4, len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack("!I", zlib.crc32(message))
