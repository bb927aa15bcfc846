"""Model invocation logging to S3: one record a call, gzip, by hour.

``<prefix>/AWSLogs/<account>/BedrockModelInvocationLogs/<region>/yyyy/mm/dd/hh/<time>_<id>.json.gz``; bodies of more
than 100 KB under ``data/`` beside it (Bedrock user guide, "Monitor model invocation using CloudWatch Logs and Amazon
S3"). CloudWatch Logs as a destination is accepted, and gets nothing.
"""

from __future__ import annotations

import gzip
import json
import secrets
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local.bedrock.contract import Answer, Call, Document, Operation, ServiceError, invalid
from local.line_buffer import LineBuffer
from local.sagemaker.resources import utc_now

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

LogClients = Callable[[str, str], "S3Client"]  # (Region, account) -> client

_MOST_BODY_BYTES = 100_000
_LOGGED = {"Converse", "ConverseStream", "InvokeModel"}
_PERMISSION_CHECK = "amazon-bedrock-logs-permission-check"


class InvocationLogging:
    """The one configuration of an account in a Region, and what is logged by it.

    Args:
        s3: S3 clients by Region and account: Bedrock writes in its own name.
        seconds: How long records are gathered before they are written.
    """

    def __init__(self, s3: LogClients, seconds: float) -> None:
        self._s3 = s3
        self._buffer = LineBuffer(seconds)
        self._configurations: dict[tuple[str, str], Document] = {}

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {
            "PutModelInvocationLoggingConfiguration": self._put,
            "GetModelInvocationLoggingConfiguration": self._get,
            "DeleteModelInvocationLoggingConfiguration": self._delete,
        }

    def clear(self) -> None:
        """Forget every configuration, and what waits to be written."""
        self._buffer.discard()
        self._configurations.clear()

    def flush(self) -> None:
        """Write what waits, now."""
        self._buffer.flush()

    def log(self, call: Call, answer: Answer | Document | ServiceError) -> None:
        """Log a call of a model, where the account's configuration asks for it."""
        config = self._configurations.get((call.account, call.region), {})
        place = config.get("s3Config")
        if call.operation not in _LOGGED or not place:
            return
        now, request_id = utc_now(), str(uuid.uuid4())
        folder = f"{_folder(place, call)}/{now:%Y/%m/%d/%H}"
        record: dict[str, Any] = {
            "timestamp": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "accountId": call.account,
            "identity": {"arn": call.caller_arn},
            "region": call.region,
            "requestId": request_id,
            "operation": call.operation,
            "modelId": call.parameters["modelId"],
        }
        if isinstance(answer, ServiceError):
            record["errorCode"] = answer.code
        if call.parameters.get("requestMetadata"):
            record["requestMetadata"] = call.parameters["requestMetadata"]
        s3 = self._s3(call.region, call.account)
        with_text = config.get("textDataDeliveryEnabled", True)
        sides = {"input": _asked(call), "output": _said(call, answer)}
        for side, body in sides.items():
            if body is None:
                continue
            part: dict[str, Any] = {f"{side}ContentType": "application/json"}
            if with_text:
                part |= self._body(s3, place["bucketName"], folder, f"{request_id}_{side}", side, body)
            part |= _tokens(side, sides["output"])
            record[side] = part
        record |= {"schemaType": "ModelInvocationLog", "schemaVersion": "1.0"}
        line = json.dumps(record, ensure_ascii=False, default=_plain).encode()
        self._buffer.add((place["bucketName"], folder), line, partial(_write, s3, place["bucketName"], folder))

    @staticmethod
    def _body(s3: S3Client, bucket: str, folder: str, name: str, side: str, body: Any) -> dict[str, Any]:
        content = json.dumps(body, ensure_ascii=False, default=_plain).encode()
        if len(content) <= _MOST_BODY_BYTES:
            return {f"{side}BodyJson": json.loads(content)}
        key = f"{folder}/data/{name}.json.gz"
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress(content))
        except ClientError:
            return {}  # the delivery fails, and the caller hears nothing of it
        return {f"{side}BodyS3Path": f"s3://{bucket}/{key}"}

    def _put(self, call: Call) -> Document:
        config = call.parameters["loggingConfig"]
        place = config.get("s3Config")
        if place:
            key = f"{_folder(place, call).rpartition('/')[0]}/{_PERMISSION_CHECK}"
            try:
                self._s3(call.region, call.account).put_object(Bucket=place["bucketName"], Key=key, Body=b"")
            except ClientError as error:
                raise invalid(
                    f"Failed to validate permissions for the bucket: {error.response['Error']['Code']} for the "
                    f"bucket {place['bucketName']}. Verify that Bedrock may write to it."
                ) from error
        self._configurations[call.account, call.region] = config
        return {}

    def _get(self, call: Call) -> Document:
        found = self._configurations.get((call.account, call.region))
        return {"loggingConfig": found} if found else {}

    def _delete(self, call: Call) -> Document:
        self._configurations.pop((call.account, call.region), None)
        return {}


def _folder(place: Document, call: Call) -> str:
    prefix = str(place.get("keyPrefix", "")).strip("/")
    own = f"AWSLogs/{call.account}/BedrockModelInvocationLogs/{call.region}"
    return f"{prefix}/{own}" if prefix else own


def _write(s3: S3Client, bucket: str, folder: str, lines: Sequence[bytes]) -> None:
    now = utc_now()
    name = f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z_{secrets.token_hex(8)}.json.gz"
    s3.put_object(Bucket=bucket, Key=f"{folder}/{name}", Body=gzip.compress(b"\n".join(lines) + b"\n"))


def _asked(call: Call) -> Any:
    if call.operation == "InvokeModel":
        return _parsed(call.parameters.get("body", b""))
    return {name: value for name, value in call.parameters.items() if name not in {"modelId", "requestMetadata"}}


def _said(call: Call, answer: Answer | Document | ServiceError) -> Any:
    if isinstance(answer, ServiceError):
        return None
    if not isinstance(answer, Answer):
        return answer
    if answer.stream:
        return [{name: event} for name, event in answer.stream]
    return _parsed(answer.members["body"]) if call.operation == "InvokeModel" else answer.members


def _tokens(side: str, said: Any) -> dict[str, int]:
    """Return the count of one side, which the record has beside the body."""
    parts = said if isinstance(said, list) else [said]
    for part in parts:
        inner = part.get("metadata", part) if isinstance(part, dict) else {}
        usage = inner.get("usage", {}) if isinstance(inner, dict) else {}
        if f"{side}Tokens" in usage:
            return {f"{side}TokenCount": usage[f"{side}Tokens"]}
    return {}


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def _plain(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
