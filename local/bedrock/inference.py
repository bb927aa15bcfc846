"""Asking a model: faults, time, tokens, the length that was asked for."""

from __future__ import annotations

import time
from dataclasses import dataclass

from local.bedrock.catalogue import Catalogue, ServedModel
from local.bedrock.contract import Call, Question, Reply, ServiceError, invalid
from local.bedrock.faults import NONSENSE, Fault, Faults
from local.bedrock.models.embedding import SentenceEncoder
from local.bedrock.tokens import count_tokens, cut_to_tokens


@dataclass(frozen=True)
class Outcome:
    """A model's answer.

    Attributes:
        text: What it says.
        stop_reason: Why it ended (Bedrock API reference, StopReason).
        input_tokens: Tokens of the question.
        output_tokens: Tokens of the answer.
        latency_ms: Time that it took, with the delay below.
        delay_seconds: Part of that time which has yet to pass.
    """

    text: str
    stop_reason: str
    input_tokens: int
    output_tokens: int
    latency_ms: int
    delay_seconds: float


@dataclass(frozen=True)
class Embedding:
    """A text's vector; the rest as in :class:`Outcome`."""

    vector: list[float]
    input_tokens: int
    delay_seconds: float


class Inference:
    """Asks models, and counts."""

    def __init__(self, catalogue: Catalogue, faults: Faults) -> None:
        self.catalogue = catalogue
        self.faults = faults

    def ask(self, model_id: str, question: Question, call: Call) -> Outcome:
        """Ask the model that ``model_id`` names.

        Raises:
            ServiceError: There is no such model, it refuses the question, or a fault is in the way.
        """
        return self.ask_served(self.catalogue.resolve(model_id, call), question)

    def ask_served(self, served: ServedModel, question: Question) -> Outcome:
        """Ask a model that was found before.

        Raises:
            ServiceError: As :meth:`ask`.
        """
        if isinstance(served.model, SentenceEncoder):
            raise invalid(f"{served.key} gives vectors, not text: call InvokeModel with {{'inputText': ...}}")
        fault, is_nonsense = self.faults.meet(served.key)
        started = time.perf_counter()
        try:
            reply = Reply(NONSENSE) if is_nonsense else served.model.reply(question)
        except ServiceError as error:
            self.faults.count_refusal(served.key, error.code)
            raise
        asked = "\n".join((question.system, *(text for _, text in question.turns))) if question.turns else question.text
        self.faults.count_answer(served.key, asked)
        text, stop_reason = _shortened(reply, question)
        took = time.perf_counter() - started + fault.latency_seconds
        return Outcome(
            text=text,
            stop_reason=stop_reason,
            input_tokens=count_tokens(asked) if reply.input_tokens is None else reply.input_tokens,
            output_tokens=count_tokens(text) if reply.output_tokens is None else reply.output_tokens,
            latency_ms=round(took * 1000),
            delay_seconds=fault.latency_seconds,
        )

    def embed(self, model_id: str, text: str, call: Call) -> Embedding:
        """Return the vector of a text.

        Raises:
            ServiceError: As :meth:`ask`.
        """
        served = self.catalogue.resolve(model_id, call)
        if not isinstance(served.model, SentenceEncoder):
            raise invalid(f"{served.key} gives text, not vectors: send {{'messages': [...]}}")
        fault, _ = self.faults.meet(served.key)
        vector = served.model.embed(text)
        self.faults.count_answer(served.key, text)
        return Embedding(vector, count_tokens(text), fault.latency_seconds)

    def fault_of(self, model_id: str, call: Call) -> Fault:
        """Return how a model misbehaves."""
        return self.faults.of(self.catalogue.resolve(model_id, call).key)


def _shortened(reply: Reply, question: Question) -> tuple[str, str]:
    """Cut a reply at the first stop sequence and at the length asked for, as the model's decoding would have."""
    text, reason = reply.text, reply.stop_reason
    ends = [position for stop in question.stop_sequences if stop and (position := text.find(stop)) >= 0]
    if ends:
        text, reason = text[: min(ends)], "stop_sequence"
    if question.max_tokens is not None and reply.output_tokens is None:
        cut = cut_to_tokens(text, question.max_tokens)
        if cut is not None:
            text, reason = cut, "max_tokens"
    return text, reason
