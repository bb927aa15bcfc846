"""Data capture: what an endpoint was asked and answered, as lines of JSON in S3.

``<DestinationS3Uri>/<endpoint>/<variant>/yyyy/mm/dd/hh/<mm-ss-ms-uuid>.jsonl`` (SageMaker developer guide,
"Capture data from real-time endpoint").
"""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from local.line_buffer import LineBuffer
from local.sagemaker.contract import Description
from local.sagemaker.resources import utc_now
from local.sagemaker.s3_files import split_s3_uri

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_ALL = 100
_MODES = {
    "Input": ("endpointInput",),
    "Output": ("endpointOutput",),
    "InputAndOutput": ("endpointInput", "endpointOutput"),
}


@dataclass(frozen=True)
class Payload:
    """A body and its content type."""

    body: bytes
    content_type: str


@dataclass(frozen=True)
class Exchange:
    """One request to a variant and its answer."""

    endpoint: str
    variant: str
    event_id: str
    inference_id: str
    asked: Payload
    said: Payload


class DataCapture:
    """Keeps what configurations ask for; the objects appear shortly after the answers."""

    def __init__(self, seconds: float) -> None:
        self._buffer = LineBuffer(seconds)
        self._chooser = random.SystemRandom()

    def capture(self, config: Description, exchange: Exchange, s3: S3Client) -> None:
        """Keep one exchange, if ``DataCaptureConfig`` asks for it."""
        wanted = config.get("DataCaptureConfig") or {}
        if not wanted.get("EnableCapture", False):
            return
        share = wanted["InitialSamplingPercentage"]
        if share < _ALL and self._chooser.random() * _ALL >= share:
            return
        now = utc_now()
        hour = f"{exchange.endpoint}/{exchange.variant}/{now:%Y/%m/%d/%H}"
        folder = f"{wanted['DestinationS3Uri'].rstrip('/')}/{hour}"
        line = json.dumps(_record(wanted, exchange, f"{now:%Y-%m-%dT%H:%M:%SZ}")).encode()
        self._buffer.add(folder, line, partial(_write, s3, folder, wanted.get("KmsKeyId")))

    def flush(self) -> None:
        """Write what waits, now."""
        self._buffer.flush()

    def discard(self) -> None:
        """Forget what waits."""
        self._buffer.discard()


def _write(s3: S3Client, folder: str, key_id: str | None, lines: Sequence[bytes]) -> None:
    now = utc_now()
    bucket, prefix = split_s3_uri(folder)
    name = f"{now:%M-%S}-{now.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
    encryption: dict[str, Any] = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id} if key_id else {}
    s3.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=b"\n".join(lines) + b"\n", **encryption)


def _record(wanted: Mapping[str, Any], exchange: Exchange, at: str) -> Description:
    parts = {side for option in wanted["CaptureOptions"] for side in _MODES[option["CaptureMode"]]}
    sides = {"endpointInput": ("INPUT", exchange.asked), "endpointOutput": ("OUTPUT", exchange.said)}
    types = wanted.get("CaptureContentTypeHeader") or {}
    metadata = {"eventId": exchange.event_id, "inferenceTime": at}
    if exchange.inference_id:
        metadata["inferenceId"] = exchange.inference_id
    return {
        "captureData": {
            side: {
                "observedContentType": payload.content_type,
                "mode": mode,
                **_data(payload, types),
            }
            for side, (mode, payload) in sides.items()
            if side in parts
        },
        "eventMetadata": metadata,
        "eventVersion": "0",
    }


def _data(payload: Payload, types: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return data and encoding: text for the content types that are named, else BASE64 (API, DataCaptureConfig)."""
    plain = payload.content_type.partition(";")[0].strip()
    for encoding, named in (("CSV", types.get("CsvContentTypes", ())), ("JSON", types.get("JsonContentTypes", ()))):
        if plain in named:
            return {"data": payload.body.decode(errors="replace"), "encoding": encoding}
    return {"data": base64.b64encode(payload.body).decode(), "encoding": "BASE64"}
