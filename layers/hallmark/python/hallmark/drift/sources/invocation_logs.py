"""Bedrock's model invocation logs: ``AWSLogs/<account>/BedrockModelInvocationLogs/<region>/yyyy/mm/dd/hh/*.json.gz``.

Source: Bedrock user guide, "Monitor model invocation using CloudWatch Logs and Amazon S3". A body of more than 100 KB
lies in an object of its own, which the record names. The record has no latency; an answer of Converse has it.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hallmark.drift.sources.records import AT, ID, BrokenLineError, Reading, json_lines, read_instant

SCHEMA = "ModelInvocationLog"
ReadBody = Callable[[str], bytes | None]
"""Gives the content of a body's own object; None where it is not there."""


def read_invocations(content: bytes, read_body: ReadBody, model: str | None = None) -> Reading:
    """Read one file.

    Args:
        content: Gzip or plain.
        read_body: Reads large bodies.
        model: Only calls of this model, by the identifier that callers used or the end of its ARN.

    Returns:
        Records with ``at``, ``id``, ``model``, ``operation``, ``prompt`` and ``answer`` (texts, where the body has
        them in a known place), ``input`` and ``output`` (bodies), ``input_tokens``, ``output_tokens``, ``latency_ms``,
        ``stop_reason``, ``error`` (0 or 1), ``error_code``, ``identity`` and ``metadata``.
    """
    reading = Reading()
    for line in json_lines(_unpacked(content, reading), reading):
        try:
            if line.get("schemaType") != SCHEMA:
                raise BrokenLineError(f"no {SCHEMA}")
            if model is None or _is_of(str(line.get("modelId", "")), model):
                reading.records.append(_record(line, read_body, reading))
        except BrokenLineError as error:
            reading.broken[str(error)] += 1
    return reading


def _unpacked(content: bytes, reading: Reading) -> bytes:
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        reading.broken["broken gzip"] += 1
        return b""


def _is_of(called: str, model: str) -> bool:
    return model in {called, called.rpartition("/")[2]} or called == model.rpartition("/")[2]


def _record(line: Mapping[str, Any], read_body: ReadBody, reading: Reading) -> dict[str, Any]:
    asked, said = _side(line, "input", read_body, reading), _side(line, "output", read_body, reading)
    error = line.get("errorCode")
    metrics, usage = _member(said, "metrics"), _member(said, "usage")
    sides = {side: _member(line, side) for side in ("input", "output")}
    return {
        AT: read_instant(line.get("timestamp")),
        ID: str(line.get("requestId", "")),
        "model": line.get("modelId"),
        "operation": line.get("operation"),
        "input": asked,
        "output": said,
        "prompt": prompt_of(asked),
        "answer": answer_of(said),
        "input_tokens": _first(sides["input"].get("inputTokenCount"), usage.get("inputTokens")),
        "output_tokens": _first(sides["output"].get("outputTokenCount"), usage.get("outputTokens")),
        "latency_ms": metrics.get("latencyMs"),
        "stop_reason": _member_of(said, "stopReason"),
        "error": 1 if error else 0,
        "error_code": error,
        "identity": _member(line, "identity").get("arn"),
        "metadata": _member(line, "requestMetadata"),
    }


def _side(line: Mapping[str, Any], side: str, read_body: ReadBody, reading: Reading) -> Any:
    part = _member(line, side)
    if f"{side}BodyJson" in part:
        return part[f"{side}BodyJson"]
    place = part.get(f"{side}BodyS3Path")
    if not isinstance(place, str):
        return None
    content = read_body(place)
    if content is None:
        reading.broken["a body's own object is missing"] += 1
        return None
    try:
        return json.loads(_unpacked(content, reading))
    except ValueError:
        reading.broken["a body's own object is not JSON"] += 1
        return None


def prompt_of(body: Any) -> str | None:
    """Return the text of the last user turn, or the prompt, of a request's body."""
    turns = _member_of(body, "messages")
    if isinstance(turns, list):
        users = [turn for turn in turns if isinstance(turn, Mapping) and turn.get("role") == "user"]
        return _text(users[-1].get("content")) if users else None
    return next((body[name] for name in _PROMPTS if isinstance(_member_of(body, name), str)), None)


def answer_of(body: Any) -> str | None:
    """Return the text of an answer's body: Converse's, or one of the shapes that providers use with InvokeModel."""
    if isinstance(body, list):
        # Parts of a stream, each with the text that it adds.
        parts = [_member_of(_member_of(part, "contentBlockDelta"), "delta") for part in body]
        texts = [text for part in parts if isinstance(text := _member_of(part, "text"), str)]
        return "".join(texts) if texts else None
    message = _member(_member(body, "output"), "message")
    for found in (message.get("content"), _member_of(body, "content")):
        text = _text(found)
        if text is not None:
            return text
    for name in ("results", "outputs", "generations", "completions"):
        several = _member_of(body, name)
        if isinstance(several, list) and several:
            return next((several[0][key] for key in _ANSWERS if isinstance(_member_of(several[0], key), str)), None)
    return next((body[name] for name in _ANSWERS if isinstance(_member_of(body, name), str)), None)


_PROMPTS = ("prompt", "inputText", "input")
_ANSWERS = ("outputText", "text", "completion", "generation", "answer")
"""Bedrock user guide, "Inference request parameters and response fields for foundation models"."""


def _text(blocks: Any) -> str | None:
    if isinstance(blocks, str):
        return blocks
    if not isinstance(blocks, Sequence):
        return None
    texts = [block["text"] for block in blocks if isinstance(block, Mapping) and isinstance(block.get("text"), str)]
    return "\n".join(texts) if texts else None


def _member(value: Any, name: str) -> Mapping[str, Any]:
    found = _member_of(value, name)
    return found if isinstance(found, Mapping) else {}


def _member_of(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
