"""Requests and replies of Bedrock's Converse, which batch inference and evaluation jobs speak too.

Source: Bedrock API reference, Converse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hallmark.evaluation.cases import Message
from hallmark.evaluation.results import Answer
from hallmark.evaluation.suites import Inference


def converse_body(conversation: Sequence[Message], system: str | None, inference: Inference) -> dict[str, Any]:
    """Return what a model is asked: the same, whatever asks it."""
    body: dict[str, Any] = {
        "messages": [{"role": turn.role, "content": [{"text": turn.text}]} for turn in conversation],
        "inferenceConfig": inference_config(inference),
    }
    if system is not None:
        body["system"] = [{"text": system}]
    return body


def inference_config(inference: Inference) -> dict[str, Any]:
    """Return the parameters of a request."""
    parameters: dict[str, Any] = {"maxTokens": inference.max_tokens, "temperature": inference.temperature}
    if inference.top_p is not None:
        parameters["topP"] = inference.top_p
    if inference.stop_sequences:
        parameters["stopSequences"] = list(inference.stop_sequences)
    return parameters


def read_reply(
    reply: Mapping[str, Any], *, answered_at: datetime, latency_ms: float | None = None, request_id: str | None = None
) -> Answer:
    """Return the answer in a reply.

    Args:
        reply: As Converse gives it.
        answered_at: When it came.
        latency_ms: From request to reply, where the service does not tell its own.
        request_id: Of the call.
    """
    usage = reply.get("usage", {})
    return Answer(
        text="".join(part.get("text", "") for part in reply["output"].get("message", {}).get("content", [])),
        stop_reason=reply.get("stopReason", "unknown"),
        input_tokens=usage.get("inputTokens"),
        output_tokens=usage.get("outputTokens"),
        latency_ms=reply.get("metrics", {}).get("latencyMs", latency_ms),
        request_id=request_id,
        answered_at=answered_at,
    )
