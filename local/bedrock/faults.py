"""What goes wrong on demand, and what was asked of each model."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from local.bedrock.contract import ServiceError

NONSENSE = "¡florp! 42 wibble; <<null>> {]"
"""What a model with ``nonsense_every`` says."""
_FOUNDATION = re.compile(r"^arn:[a-z-]+:bedrock:[a-z0-9-]+::foundation-model/")
_EVERY = Field(default=None, ge=1)

# Words as Bedrock sends them (Bedrock user guide, "Troubleshooting Amazon Bedrock API Error Codes").
_MESSAGES = {
    "ThrottlingException": "Too many requests, please wait before trying again.",
    "ServiceUnavailableException": "Bedrock is unable to process your request.",
    "ModelErrorException": "The system encountered an unexpected error during processing. Try your request again.",
    "ModelTimeoutException": "Model has timed out in processing the request. Try your request again.",
}


class Fault(BaseModel):
    """How a model misbehaves; ``..._every`` n means its n-th, 2n-th, 3n-th ... request since the fault was set.

    Attributes:
        throttle_every: ``ThrottlingException``; the model is not asked.
        unavailable_every: ``ServiceUnavailableException``; likewise.
        model_error_every: ``ModelErrorException``; likewise.
        timeout_every: ``ModelTimeoutException``; likewise.
        nonsense_every: The reply is :data:`NONSENSE`.
        latency_seconds: Added to the time of every answer; above the client's read time-out it gives up.
        batch_records: A batch inference job's time is up after so many records.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    throttle_every: int | None = _EVERY
    unavailable_every: int | None = _EVERY
    model_error_every: int | None = _EVERY
    timeout_every: int | None = _EVERY
    nonsense_every: int | None = _EVERY
    latency_seconds: float = Field(default=0.0, ge=0, le=3600, allow_inf_nan=False)
    batch_records: int | None = Field(default=None, ge=0)

    def error_of(self, number: int) -> str | None:
        """Return the code of the error that the ``number``-th request meets."""
        planned = {
            "ThrottlingException": self.throttle_every,
            "ServiceUnavailableException": self.unavailable_every,
            "ModelErrorException": self.model_error_every,
            "ModelTimeoutException": self.timeout_every,
        }
        return next((code for code, every in planned.items() if every and number % every == 0), None)

    def is_nonsense(self, number: int) -> bool:
        """Tell whether the ``number``-th request is answered with nonsense."""
        return bool(self.nonsense_every and number % self.nonsense_every == 0)


NO_FAULT = Fault()


class ModelCalls(BaseModel):
    """What was asked of a model since the last reset.

    Attributes:
        requests: Requests that reached it, or the fault in front of it.
        answered: Those that it answered.
        refused: Those that met an error, by its code.
        repeated: Answers to a question that it had answered before: 0 where no call was made twice.
    """

    model_config = ConfigDict(frozen=True)

    requests: int = 0
    answered: int = 0
    refused: Mapping[str, int] = {}
    repeated: int = 0


@dataclass
class _Record:
    fault: Fault = NO_FAULT
    since_fault: int = 0
    requests: int = 0
    answered: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    asked: set[bytes] = field(default_factory=set)


class Faults:
    """Faults and counts of every model; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, _Record] = {}

    def set(self, model: str, fault: Fault) -> None:
        """Let a model misbehave from now on; ``Fault()`` ends it.

        Args:
            model: Identifier or ARN of a foundation model, or ARN of a custom one.
            fault: How.
        """
        with self._lock:
            record = self._records.setdefault(_FOUNDATION.sub("", model), _Record())
            record.fault, record.since_fault = fault, 0

    def of(self, model: str) -> Fault:
        """Return how a model misbehaves."""
        with self._lock:
            record = self._records.get(_FOUNDATION.sub("", model))
            return record.fault if record else NO_FAULT

    def all_faults(self) -> dict[str, Fault]:
        """Return the faults that are on, by model."""
        with self._lock:
            return {model: record.fault for model, record in self._records.items() if record.fault != NO_FAULT}

    def calls(self, model: str) -> ModelCalls:
        """Return what was asked of a model."""
        return self.all_calls().get(_FOUNDATION.sub("", model), ModelCalls())

    def all_calls(self) -> dict[str, ModelCalls]:
        """Return what was asked, by model."""
        with self._lock:
            return {
                model: ModelCalls(
                    requests=record.requests,
                    answered=record.answered,
                    refused=dict(record.refused),
                    repeated=record.answered - len(record.asked),
                )
                for model, record in self._records.items()
                if record.requests
            }

    def forget_calls(self) -> None:
        """Begin counting anew; the faults stay."""
        with self._lock:
            for model, record in self._records.items():
                self._records[model] = _Record(fault=record.fault, since_fault=record.since_fault)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._records.clear()

    def meet(self, model: str) -> tuple[Fault, bool]:
        """Count a request; return the model's fault, and whether the answer is to be nonsense.

        Raises:
            ServiceError: The error that is planned for this request.
        """
        with self._lock:
            record = self._records.setdefault(model, _Record())
            record.requests += 1
            record.since_fault += 1
            fault, number = record.fault, record.since_fault
            code = fault.error_of(number)
            if code is not None:
                record.refused[code] += 1
        if code is not None:
            raise ServiceError(code, _MESSAGES[code])
        return fault, fault.is_nonsense(number)

    def count_answer(self, model: str, question: str) -> None:
        """Count an answer to ``question``, all of what the model was asked."""
        digest = hashlib.blake2b(question.encode(), digest_size=12).digest()
        with self._lock:
            record = self._records.setdefault(model, _Record())
            record.answered += 1
            record.asked.add(digest)

    def count_refusal(self, model: str, code: str) -> None:
        """Count a request that the model itself refused."""
        with self._lock:
            self._records.setdefault(model, _Record()).refused[code] += 1
