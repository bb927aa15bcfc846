"""Feedback as it comes in: over HTTP, in messages; and wishes for exports."""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hallmark.errors import InvalidInputError, UnavailableError

Receive = Callable[[Any, str], dict[str, Any]]


class ExportWish(BaseModel):
    """What to export; everything that is due, if nothing is said."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    model: str | None = Field(default=None, min_length=1, max_length=2048)
    min_cases: int | None = Field(default=None, ge=1, le=5_000)

    @classmethod
    def read(cls, document: Any) -> Self:
        """Read a wish.

        Raises:
            InvalidInputError: It says something else.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            fault = error.errors()[0]
            field = ".".join(map(str, fault["loc"])) or "the export"
            raise InvalidInputError(field, fault["input"], fault["msg"]) from None


def read_body(body: str) -> Any:
    """Return a message's JSON.

    Raises:
        InvalidInputError: It is none.
    """
    try:
        return json.loads(body)
    except ValueError:
        raise InvalidInputError("the body", body, 'send JSON: {"request_id": "…", "score": 1}') from None


def answer_request(event: Mapping[str, Any], receive: Receive) -> dict[str, Any]:
    """Answer a request of the HTTP API (payload format 2.0).

    Whom IAM authorised is who gives the feedback, whatever the body says. 202: kept; 400: never acceptable, with field
    and remedy; 403: nobody signed it; 503: try again.
    """
    caller = _caller_of(event)
    if not caller:
        return _response(HTTPStatus.FORBIDDEN, {"message": "sign the request (SigV4): the route is for IAM's callers"})
    try:
        answer = receive(read_body(_body_of(event)), caller)
    except InvalidInputError as error:
        fault = {"field": error.field, "value": _short(error.value), "remedy": error.remedy}
        return _response(HTTPStatus.BAD_REQUEST, {"message": str(error), **fault})
    except UnavailableError:
        return _response(HTTPStatus.SERVICE_UNAVAILABLE, {"message": "it could not be kept now: send it again"})
    return _response(HTTPStatus.ACCEPTED, answer)


def _body_of(event: Mapping[str, Any]) -> str:
    body = str(event.get("body") or "")
    if not event.get("isBase64Encoded"):
        return body
    try:
        return b64decode(body, validate=True).decode("utf-8")
    except (NotBase64, UnicodeDecodeError):
        raise InvalidInputError("the body", body, "send JSON in UTF-8") from None


def _caller_of(event: Mapping[str, Any]) -> str:
    """Return the ARN of whom IAM authorised (API Gateway developer guide, payload format 2.0)."""
    context = event.get("requestContext")
    authorizer = context.get("authorizer") if isinstance(context, Mapping) else None
    iam = authorizer.get("iam") if isinstance(authorizer, Mapping) else None
    return str(iam.get("userArn") or "")[:_CALLER] if isinstance(iam, Mapping) else ""


_CALLER = 256


def _response(status: HTTPStatus, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "statusCode": int(status),
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body, ensure_ascii=False),
    }


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


_SHOWN = 200
