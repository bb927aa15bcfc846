"""The runtime API: Converse, ConverseStream, InvokeModel, CountTokens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from local.bedrock.contract import Answer, Call, Document, Operation, Question, invalid
from local.bedrock.inference import Inference, Outcome
from local.bedrock.tokens import count_tokens

_STREAM_PART = 40  # characters of a reply in one event of a stream
_UNSUPPORTED = ("toolConfig", "guardrailConfig", "promptVariables", "outputConfig")


class Runtime:
    """Answers calls of models."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {
            "Converse": self._converse,
            "ConverseStream": self._converse_stream,
            "InvokeModel": self._invoke_model,
            "CountTokens": self._count_tokens,
        }

    def _converse(self, call: Call) -> Answer:
        outcome = self._inference.ask(call.parameters["modelId"], read_conversation(call.parameters), call)
        return Answer(conversation_answer(outcome), outcome.delay_seconds)

    def _converse_stream(self, call: Call) -> Answer:
        outcome = self._inference.ask(call.parameters["modelId"], read_conversation(call.parameters), call)
        parts = [outcome.text[i : i + _STREAM_PART] for i in range(0, len(outcome.text), _STREAM_PART)]
        answer = conversation_answer(outcome)
        events: list[tuple[str, Document]] = [
            ("messageStart", {"role": "assistant"}),
            *(("contentBlockDelta", {"delta": {"text": part}, "contentBlockIndex": 0}) for part in parts),
            ("contentBlockStop", {"contentBlockIndex": 0}),
            ("messageStop", {"stopReason": outcome.stop_reason}),
            ("metadata", {"usage": answer["usage"], "metrics": answer["metrics"]}),
        ]
        return Answer(delay_seconds=outcome.delay_seconds, stream=tuple(events))

    def _invoke_model(self, call: Call) -> Answer:
        body, delay = self.invoke(call.parameters["modelId"], read_body(call.parameters.get("body", b"")), call)
        return Answer({"body": json.dumps(body, ensure_ascii=False).encode(), "contentType": "application/json"}, delay)

    def invoke(self, model_id: str, body: Mapping[str, Any], call: Call) -> tuple[Document, float]:
        """Answer the body of an InvokeModel request; return the body of the answer and the seconds to wait.

        The body for text is that of Converse without ``modelId`` (as Amazon Nova's), or ``{"prompt": "..."}``; for
        vectors ``{"inputText": "..."}`` (as Amazon Titan's).

        Raises:
            ServiceError: The body is neither, or the model cannot be asked.
        """
        if isinstance(body.get("inputText"), str):
            found = self._inference.embed(model_id, body["inputText"], call)
            return {"embedding": found.vector, "inputTextTokenCount": found.input_tokens}, found.delay_seconds
        if isinstance(body.get("prompt"), str):
            body = {"messages": [{"role": "user", "content": [{"text": body["prompt"]}]}]} | dict(body)
        outcome = self._inference.ask(model_id, read_conversation(body), call)
        answer = conversation_answer(outcome)
        return {name: answer[name] for name in ("output", "stopReason", "usage")}, outcome.delay_seconds

    def _count_tokens(self, call: Call) -> Document:
        self._inference.catalogue.foundation_model(call.parameters["modelId"])
        given = call.parameters["input"]
        body = given["converse"] if "converse" in given else read_body(given.get("invokeModel", {}).get("body", b""))
        if isinstance(body.get("prompt"), str):
            return {"inputTokens": count_tokens(body["prompt"])}
        question = read_conversation(body)
        asked = "\n".join((question.system, *(text for _, text in question.turns)))
        return {"inputTokens": count_tokens(asked)}


def read_body(body: bytes) -> dict[str, Any]:
    """Return the JSON object in the body of an InvokeModel request.

    Raises:
        ServiceError: It is none.
    """
    try:
        document = json.loads(body)
    except ValueError as error:
        raise invalid(f"Malformed input request: {error}, please reformat your input and try again.") from error
    if not isinstance(document, dict):
        raise invalid("Malformed input request: expected a JSON object, please reformat your input and try again.")
    return document


def read_conversation(parameters: Mapping[str, Any]) -> Question:
    """Return the question in the parameters of Converse.

    Raises:
        ServiceError: It is not a conversation of text that a model could be asked.
    """
    for name in _UNSUPPORTED:
        if parameters.get(name):
            raise invalid(f"The models of the local cloud do not support {name}: leave it out.")
    messages = parameters.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("A conversation must start with a user message. Try again with a conversation that starts so.")
    turns = [(_role(message), _text(message.get("content"), "messages")) for message in messages]
    if turns[0][0] != "user":
        raise invalid("A conversation must start with a user message. Try again with a conversation that starts so.")
    if turns[-1][0] != "user":
        raise invalid("The last turn in a conversation must be a user message.")
    if not turns[-1][1].strip():
        raise invalid("The text field in the ContentBlock object at messages is blank. Add text and try again.")
    options = parameters.get("inferenceConfig") or {}
    return Question(
        text=turns[-1][1],
        system=_text(parameters.get("system") or [], "system"),
        turns=tuple(turns),
        max_tokens=options.get("maxTokens"),
        temperature=options.get("temperature"),
        top_p=options.get("topP"),
        stop_sequences=tuple(options.get("stopSequences", ())),
    )


def conversation_answer(outcome: Outcome) -> Document:
    """Return the answer of Converse."""
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": outcome.text}]}},
        "stopReason": outcome.stop_reason,
        "usage": {
            "inputTokens": outcome.input_tokens,
            "outputTokens": outcome.output_tokens,
            "totalTokens": outcome.input_tokens + outcome.output_tokens,
        },
        "metrics": {"latencyMs": outcome.latency_ms},
    }


def _role(message: object) -> str:
    role = message.get("role") if isinstance(message, Mapping) else None
    if role not in {"user", "assistant"}:
        raise invalid(f"'{role}' at 'messages.role' must be user or assistant.")
    return str(role)


def _text(blocks: object, where: str) -> str:
    if isinstance(blocks, str):
        return blocks
    if not isinstance(blocks, Sequence) or not all(
        isinstance(block, Mapping) and isinstance(block.get("text"), str) for block in blocks
    ):
        raise invalid(
            f"The models of the local cloud take text alone: every block of '{where}' must be {{'text': ...}}."
        )
    return "\n".join(block["text"] for block in blocks)
